"""The page of the examples shows all of them, and states how long they are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "examples.md").read_text(encoding="utf-8")
NAMES = sorted(path.parent.name for path in (DOCS / "examples").glob("*/pyproject.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_example_and_its_number_of_lines(name: str) -> None:
    source = f"examples/{name}/src/qgen_example_{name}.py"
    assert f"{{literalinclude}} {source}\n" in PAGE
    stated = re.search(rf"^\| `{name}` \|.*\| (\d+) \|$", PAGE, flags=re.MULTILINE)
    assert stated is not None
    lines = (DOCS / source).read_text(encoding="utf-8").splitlines()
    assert int(stated[1]) == len(lines)


def test_the_page_shows_no_other_example() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_points_are_named_after_examples(name: str) -> None:
    text = (DOCS / "examples" / name / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    assert project["name"] == f"qgen-example-{name}"
    for group in project["entry-points"].values():
        for component, target in group.items():
            assert component.startswith("example-")
            assert target.startswith(f"qgen_example_{name}:")
