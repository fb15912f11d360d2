"""Sample packages in a folder on the import path, and a process in which they are used."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qgen_core.discovery import entry_points as plugins
from qgen_core.discovery import hooks, registry

#: Run in a new process: lists the names of kinds, then builds components or reports errors.
PROBE = """
import json, sys
import qgen_core as qgen
from qgen_core.errors import QgenError
kinds, wanted = json.loads(sys.argv[1])
answer = {"names": {kind: qgen.names(kind) for kind in kinds}, "built": {}}
for kind, name in wanted:
    try:
        built = qgen.build(kind, name)
        answer["built"][name] = {"type": type(built).__module__ + "." + type(built).__name__}
    except QgenError as error:
        answer["built"][name] = {"error": str(error), "exit_code": error.exit_code}
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Shelf:
    """A folder on the path where packages can be installed by hand."""

    folder: Path

    def install(
        self,
        name: str,
        source: str,
        entry_points: str,
        *,
        version: str = "0.1.0",
        requires: Sequence[str] = ("qgen-core>=0.1",),
        metadata: bytes | None = b"",
        modules: Mapping[str, str] | None = None,
    ) -> None:
        """Write package NAME with ``source`` as __init__.py; ``metadata`` None: no METADATA."""
        package = name.replace("-", "_")
        files = {f"{package}/__init__.py": source}
        files |= {f"{package}/{module}.py": text for module, text in (modules or {}).items()}
        info = f"{package}-{version}.dist-info"
        files |= {f"{info}/entry_points.txt": entry_points, f"{info}/INSTALLER": "pip\n"}
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
        if metadata is not None:
            head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
            (self.folder / info / "METADATA").write_bytes(metadata or head.encode())

    def ask(
        self, kinds: Sequence[str], wanted: Sequence[tuple[str, str]] = (), **environment: str
    ) -> tuple[dict[str, Any], str]:
        """Names of kinds, built components or errors, and stderr of a new process."""
        path = os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-c", PROBE, json.dumps([kinds, wanted])],
            env={**os.environ, "PYTHONPATH": path, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr


FINE = """
import numpy as np
import qgen_core as qgen

class FineBackend(qgen.Backend):
    def run(self, circuit, angles, measure, shots=None):
        return np.ones((len(angles), 2**circuit.num_wires))

class FineGenerator(qgen.Generator):
    def sample(self, n, condition=None, *, rng):
        return np.zeros((n, 1))
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A shelf with one package in order, qgen-fine, which offers a backend and a generator."""
    shelf = Shelf(tmp_path / "shelf")
    shelf.install(
        "qgen-fine",
        FINE,
        "[qgen.backends]\nfine = qgen_fine:FineBackend\n[qgen.generators]\nfine = "
        "qgen_fine:FineGenerator\n",
    )
    return shelf


@pytest.fixture
def fresh() -> Iterator[None]:
    """A registry that has read nothing yet; what the test registers is forgotten afterwards."""
    local = dict(registry._local)
    registry._local.clear()  # tests of this process may have registered components
    caches = (registry._installed, plugins.all_entries, plugins.packages, hooks.discovered)
    for cached in caches:
        cached.cache_clear()
    yield
    registry._local.clear()
    registry._local.update(local)
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def only_shelf(shelf: Shelf, fresh: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """In this process, installed is what lies on the shelf and nothing else."""

    def distributions() -> Any:
        return importlib.metadata.Distribution.discover(path=[str(shelf.folder)])

    monkeypatch.setattr(importlib.metadata, "distributions", distributions)
    monkeypatch.syspath_prepend(str(shelf.folder))
    before = set(sys.modules)
    yield shelf
    for name in set(sys.modules) - before:
        if name.startswith("qgen_") and not name.startswith("qgen_core"):
            del sys.modules[name]
