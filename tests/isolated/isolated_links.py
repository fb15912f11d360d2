"""Environments of links: a site-packages that holds what one plugin declares, and nothing else.

The distributions that are installed around the tests are linked into a fresh environment: no
download, a second each. What a plugin needs and does not declare, itself or by way of what it
declares, cannot be imported there.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from isolated_process import ROOT, call
from packaging.requirements import Requirement

Distribution = importlib.metadata.Distribution


class NotInstalled(Exception):
    """A declared dependency is not installed around the tests, so it cannot be linked."""


def canonical(name: str) -> str:
    """A distribution's name as package indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def projects() -> dict[str, Path]:
    """The folders of this repository's distributions by name."""
    folders = [
        path.parent
        for path in (ROOT / "qgen_core/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml"))
    ]
    return {canonical(project(folder)["name"]): folder for folder in folders}


@cache
def project(folder: Path) -> dict[str, object]:
    """The project table of a pyproject.toml."""
    table: dict[str, object] = tomllib.loads(
        (folder / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    return table


@cache
def installed() -> dict[str, Distribution]:
    """What is installed around the tests, by name."""
    found: dict[str, Distribution] = {}
    for distribution in importlib.metadata.distributions():
        found.setdefault(canonical(distribution.metadata["Name"]), distribution)
    return found


def requirements(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    """What a distribution declares here, with these of its extras."""
    folder = projects().get(name)
    if folder is not None:
        table = project(folder)
        texts = list(table.get("dependencies", []))
        for extra in extras:
            texts += table["optional-dependencies"][extra]
    else:
        texts = installed()[name].requires or []
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def closure(*wanted: str) -> set[str]:
    """All distributions that these need. Raises NotInstalled for one that is not there in a fitting
    version.
    """
    found: dict[str, set[str]] = {}
    left = [Requirement(text) for text in wanted]
    while left:
        need = left.pop()
        name = canonical(need.name)
        if name not in projects():
            there = installed().get(name)
            if there is None or not need.specifier.contains(there.version, prereleases=True):
                raise NotInstalled(
                    f"{need} is not installed here" + (f" but {there.version}" if there else "")
                )
        if name in found and need.extras <= found[name]:
            continue
        found[name] = found.get(name, set()) | need.extras
        left += requirements(name, sorted(found[name]))
    return set(found)


def environment(folder: Path, *wanted: str) -> tuple[Path, set[str]]:
    """A fresh environment that holds the closure of what is wanted: its Python, and the
    distributions in it.
    """
    names = closure(*wanted)
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / Path(sysconfig.get_path("scripts")).name / "python"
    site = Path(
        call(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
        ).strip()
    )
    for name in sorted(names):
        if name in projects():
            link_project(projects()[name], site)
        else:
            link_distribution(name, names, site)
    return python, names


def link_project(folder: Path, site: Path) -> None:
    """Link a project of this repository, with metadata of today's pyproject.toml."""
    table = project(folder)
    for package in (folder / "src").iterdir():
        if package.name != "__pycache__":  # of modules that stand beside the package
            (site / package.name).symlink_to(package)
    info = site / f"{str(table['name']).replace('-', '_')}-{table['version']}.dist-info"
    info.mkdir()
    requires = "".join(f"Requires-Dist: {need}\n" for need in table.get("dependencies", []))
    head = f"Metadata-Version: 2.1\nName: {table['name']}\nVersion: {table['version']}\n{requires}"
    (info / "METADATA").write_text(head, encoding="utf-8")
    groups = table.get("entry-points", {})
    text = "".join(
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items())
        for group, names in groups.items()
    )
    (info / "entry_points.txt").write_text(text, encoding="utf-8")


@cache
def tops() -> dict[str, frozenset[str]]:
    """Who has installed something into each folder or file of site-packages."""
    owners: dict[str, set[str]] = {}
    for name, distribution in installed().items():
        for file in distribution.files or ():
            owners.setdefault(file.parts[0], set()).add(name)
    return {top: frozenset(names) for top, names in owners.items()}


def link_distribution(name: str, names: set[str], site: Path) -> None:
    """Link the folders of a distribution, and file by file those that it shares with one that is
    left out.
    """
    distribution = installed()[name]
    for file in distribution.files or ():
        top = file.parts[0]
        if top in ("..", "__pycache__") or top.endswith(".pth"):
            continue
        place = file if tops()[top] - names else Path(top)
        target, link = Path(str(distribution.locate_file(place))), site / place
        if not link.is_symlink() and target.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
