"""One version for all distributions.

    python -m release.versions           prints it, and fails unless all places state the same
    python -m release.versions 0.2.0     writes it to all places

The places are the version of each distribution, what they require of each other, the same
requirements in examples and pages of the documentation, and CITATION.cff.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from release.projects import ROOT, projects

CITATION = ROOT / "CITATION.cff"
#: A requirement on a distribution of this project, with its lower and upper bound.
REQUIREMENT = re.compile(r"(\bqgen-\w+(?:\[[\w,-]+\])?)(>=[\d.]+,<[\d.]+)")
VERSION_IN_PROJECT = re.compile(r'^(version = ")([^"]+)"$', re.MULTILINE)
VERSION_IN_CITATION = re.compile(r"^(version: )(\S+)$", re.MULTILINE)


def bounds(version: Version) -> str:
    """The releases that fit this one: those of the same minor version, from 1.0 on of the major.

    >>> bounds(Version("0.1.3")), bounds(Version("2.3.0"))
    ('>=0.1,<0.2', '>=2.3,<3')
    """
    if version.major == 0:
        return f">=0.{version.minor},<0.{version.minor + 1}"
    return f">={version.major}.{version.minor},<{version.major + 1}"


def stated() -> Iterator[tuple[Path, str]]:
    """Each place with the version that it states, and with the bounds that it requires."""
    for path in _version_files():
        for match in _version_pattern(path).finditer(path.read_text(encoding="utf-8")):
            yield path, match[2]
    for path in _requirement_files():
        for match in REQUIREMENT.finditer(path.read_text(encoding="utf-8")):
            yield path, match[2]


def write(version: Version) -> None:
    """State this version in all places."""
    for path in _version_files():
        text = path.read_text(encoding="utf-8")
        closing = '"' if path.suffix == ".toml" else ""
        new = _version_pattern(path).sub(rf"\g<1>{version}{closing}", text)
        path.write_text(new, encoding="utf-8")
    for path in _requirement_files():
        text = path.read_text(encoding="utf-8")
        path.write_text(REQUIREMENT.sub(rf"\g<1>{bounds(version)}", text), encoding="utf-8")


def differing() -> list[str]:
    """The places that do not follow the version of the core, each with what it states."""
    core = projects()[0].version
    expected = {core, bounds(Version(core))}
    found = []
    for path, text in stated():
        if text not in expected:
            found.append(f"{path.relative_to(ROOT)} states {text}, not {core}")
    return found


def _version_files() -> list[Path]:
    return [*(project.folder / "pyproject.toml" for project in projects()), CITATION]


def _version_pattern(path: Path) -> re.Pattern[str]:
    if path == CITATION:
        return VERSION_IN_CITATION
    return VERSION_IN_PROJECT


def _requirement_files() -> list[Path]:
    pyprojects = [project.folder / "pyproject.toml" for project in projects()]
    examples = sorted(ROOT.glob("docs/examples/*/pyproject.toml"))
    return [*pyprojects, *examples, ROOT / "docs" / "plugin.md"]


def main() -> None:
    """Print the version, or write the one that is given."""
    if len(sys.argv) > 1:
        write(Version(sys.argv[1]))
    wrong = differing()
    if wrong:
        sys.exit("\n".join(wrong))
    print(projects()[0].version)


if __name__ == "__main__":
    main()
