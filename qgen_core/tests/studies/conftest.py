"""The toy study, installed for the test and for the processes it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import toystudy  # noqa: E402

from qgen_core.discovery import entry_points as plugins
from qgen_core.discovery import hooks, registry


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = toystudy.install(tmp_path / "shelf")
    monkeypatch.syspath_prepend(str(found))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(found), os.environ.get("PYTHONPATH", "")])
    )
    caches = (registry._installed, plugins.all_entries, plugins.packages, hooks.discovered)
    for cached in caches:
        cached.cache_clear()
    yield found
    sys.modules.pop("qgen_toystudy", None)
    for cached in caches:
        cached.cache_clear()
