"""Fenced blocks of the documentation, which the tests run or check.

The info string of a block says what it is:

- ``python`` and ``{code-cell}``: executed, with one namespace per page; ``pycon``: a doctest.
- A block whose first line is ``# NAME.toml`` or ``# NAME.py`` is a file that the reader saves. A
  recipe or a study file is then validated. Other TOML blocks are parts of a recipe, or of a
  pyproject.toml.
- ``sh``: commands, run one by one. A comment ``# exit code N`` says that a command has to fail.
- ``text``: output of the block before it, compared line by line except for numbers; lines may be
  left out, and ``...`` in a line stands for any text.
- Without an info string: commands if the first line begins with a command, else a drawing.

After ``<!-- checked, not run: WHY -->`` the commands of a block are only checked: their targets,
paths, extras and subcommands have to exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"<!-- checked, not run: .+ -->")
COMMANDS = ("qgen", "make", "pip", "python", "git")
#: Directives whose content is not code.
DIRECTIVES = (
    "{toctree}",
    "{raw}",
    "{eval-rst}",
    "{image}",
    "{figure}",
    "{include}",
    "{literalinclude}",
    "{note}",
    "{warning}",
)


@dataclass(frozen=True)
class Block:
    """The content of one fence, its info string, and whether it is marked as not to be run."""

    page: Path
    line: int
    info: str
    text: str
    marked: bool

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def kind(self) -> str:
        """python, pycon, toml, sh, text or none."""
        word = self.info.partition(" ")[0]
        if word == "{code-cell}":
            return "python"
        if word in DIRECTIVES:
            return "none"
        if word in ("sh", "bash", "console", "shell"):
            return "sh"
        if word:
            return word
        if self.text.lstrip("$ ").split(" ")[0] in COMMANDS:
            return "sh"
        return "none"

    @property
    def file(self) -> str:
        """The name under which the reader saves the block; empty for other blocks."""
        name = re.match(r"# ([\w./-]+\.(?:toml|py))$", self.text, flags=re.MULTILINE)
        if name is None:
            return ""
        return name[1]


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", *(page for page in found if "_build" not in page.parts)]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order. Raises ValueError for a fence that is never closed."""
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    marked = False
    for number, line in lines:
        opening = re.match(r"(\s*)(`{3,}|~{3,})\s*(.*)", line)
        if not opening:
            marked = bool(MARK.fullmatch(line.strip())) or (marked and not line.strip())
            continue
        indent, fence, info = opening.groups()
        body = []
        for _, inner in lines:
            if inner.strip().startswith(fence) and not inner.strip(" `~"):
                break
            body.append(inner.removeprefix(indent))
        else:
            raise ValueError(f"{page}:{number}: the fence is never closed")
        if info.startswith("{"):  # options of a directive come first
            while body and re.match(r":[\w-]+:", body[0]):
                body.pop(0)
        yield Block(page, number, info.strip(), "\n".join(body) + "\n", marked)
        marked = False


def links(page: Path) -> Iterator[str]:
    """Targets of a page's links to files, without anchors."""
    text = re.sub(r"(`{3,})[^\n]*\n.*?\1", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if not re.match(r"[a-z]+:", target) and not target.startswith("#"):
            yield target.partition("#")[0]
