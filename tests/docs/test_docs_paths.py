"""Every path of the repository that a page or a README names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs_blocks import ROOT, pages

#: Folders at the top that commands make.
MADE_AT_TOP = {"runs", "build", "dist"}
#: Files and folders at the top, which a path of the repository begins with.
TOP = sorted(
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and not path.name.startswith(".") and path.name not in MADE_AT_TOP
)
PATH = re.compile(
    rf"(?<![\w/.:-])(?:\./(?P<here>[\w-]+(?:/[\w.-]+)*)|(?P<top>(?:{'|'.join(TOP)})/[\w./*-]+))"
)
READMES = [ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("plugins/*/README.md"))]
#: Pages name modules of the core as ``qgen_core/interfaces.py``, as they are imported.
CORE = ROOT / "qgen_core" / "src"
#: What is made by the commands that name it.
MADE = ("docs/_build/html", "plugins/*/dist", "qgen_core/dist")


def paths_in(text: str) -> set[str]:
    """The paths of the repository in a text."""
    found = set()
    for match in PATH.finditer(text):
        path = match["here"] or match["top"]
        found.add(path.rstrip("./"))
    return found


def missing(page: Path) -> list[str]:
    """Paths of a page that are neither in the repository, nor beside the page, nor made by it."""
    text = page.read_text(encoding="utf-8")
    written = {match[1].strip("./") for match in re.finditer(r"^# ([\w./-]+/)[\w.-]+$", text, re.M)}
    found = []
    for path in sorted(paths_in(text)):
        if path.startswith(MADE) or any(path.startswith(one) for one in written if one):
            continue
        pattern = path.replace("NAME", "*")
        if not any(any(folder.glob(pattern)) for folder in (ROOT, CORE, page.parent)):
            found.append(path)
    return found


@pytest.mark.parametrize(
    "page", sorted({*pages(), *READMES}), ids=lambda page: str(page.relative_to(ROOT))
)
def test_paths_of_page_exist(page: Path) -> None:
    assert missing(page) == []


def test_paths_are_found() -> None:
    text = "`pip install ./plugins/qgen_dwave[x]`, see recipes/none.toml. Not a/recipes/x or docs."
    assert paths_in(text) == {"plugins/qgen_dwave", "recipes/none.toml"}
