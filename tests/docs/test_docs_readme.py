"""The README names every backend and model of this project, with the package that has it."""

from __future__ import annotations

import re
import tomllib

import pytest
from docs_blocks import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
#: The first word of the head of a table, and the group of entry points that it shows.
TABLES = {"backend": "qgen.backends", "model": "qgen.generators"}


def offered(group: str) -> dict[str, str]:
    """Package by name of what this project offers in a group, without the template of plugins."""
    found = {}
    for file in (ROOT / "qgen_core/pyproject.toml", *ROOT.glob("plugins/qgen_*/pyproject.toml")):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        for name in project.get("entry-points", {}).get(group, {}):
            found[name] = project["name"]
    return found


@pytest.mark.parametrize("head", TABLES)
def test_a_table_names_all_that_is_offered(head: str) -> None:
    table = TEXT.partition(f"| {head} | package | what it is |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| (.+) \|$", table, flags=re.MULTILINE)
    assert {name: package for name, package, _ in rows} == offered(TABLES[head])
    assert all(line for _, _, line in rows)


def test_there_are_exactly_two_commands_to_set_up() -> None:
    section = TEXT.partition("## Two commands")[2].partition("\n## ")[0]
    block = section.split("```")[1]
    assert re.findall(r"^(make \w+)", block, flags=re.MULTILINE) == ["make demo", "make test"]
