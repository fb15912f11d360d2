"""The distributions of this repository."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
#: Extras that want other versions than the rest, by distribution: `make test-mlflow` tries them.
APART = {"qgen-track": ("mlflow",)}


@dataclass(frozen=True)
class Project:
    """A distribution, by the folder that holds its pyproject.toml."""

    folder: Path

    @cached_property
    def table(self) -> dict[str, Any]:
        """The table ``project`` of its pyproject.toml."""
        text = (self.folder / "pyproject.toml").read_text(encoding="utf-8")
        table: dict[str, Any] = tomllib.loads(text)["project"]
        return table

    @property
    def name(self) -> str:
        """The name under which it is installed, e.g. ``qgen-core``."""
        return str(self.table["name"])

    @property
    def version(self) -> str:
        """Its version."""
        return str(self.table["version"])

    @property
    def file_name(self) -> str:
        """How its name is written in names of files, e.g. ``qgen_core``."""
        return self.name.replace("-", "_")

    @property
    def extras(self) -> list[str]:
        """The names of its extras that can be installed together with everything else."""
        apart = APART.get(self.name, ())
        return sorted(set(self.table.get("optional-dependencies", {})).difference(apart))

    def packages(self) -> list[str]:
        """The packages that it installs; empty for the meta-package."""
        return sorted(path.parent.name for path in self.folder.glob("src/*/__init__.py"))

    def requirements(self, *, extras: bool = False) -> Iterator[Requirement]:
        """What it requires; with ``extras``, what its extras require as well."""
        texts = list(self.table.get("dependencies", ()))
        if extras:
            for extra in self.extras:
                texts += self.table["optional-dependencies"][extra]
        yield from map(Requirement, texts)


def projects() -> list[Project]:
    """All distributions: the core, the plugins, the meta-package."""
    plugins = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
    return [Project(ROOT / "qgen_core"), *map(Project, plugins), Project(ROOT / "release" / "qgen")]
