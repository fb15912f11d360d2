"""Every code block of the documentation and of the README works.

docs_blocks says what a block is.
"""

from __future__ import annotations

import doctest
import io
import re
import sys
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import docs_commands
import pytest
from docs_blocks import ROOT, Block, blocks, links, pages

from qgen_core.discovery import contract, hooks, registry
from qgen_core.discovery import entry_points as plugins
from qgen_core.events import Space
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import TABLES, Recipe
from qgen_core.studies import read_scan

PAGES = pages()
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")


def _forget_plugins() -> None:
    for cached in (plugins.all_entries, plugins.packages, registry._installed, hooks.discovered):
        cached.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with the repository's recipes.

    Afterwards, what a page has installed or registered is undone.
    """
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])  # as Python finds files beside it
    monkeypatch.setenv("MPLBACKEND", "agg")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    monkeypatch.undo()
    _forget_plugins()


class Reader:
    """Does what a reader of a page does: saves files, runs commands and code."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "docs"}
        self.printed: str | None = None
        self.import_path: list[Path] = []

    def does(self, block: Block) -> None:
        """Do what a block says. AssertionError, or the block's own error, when it does not work."""
        if block.kind == "none":
            return
        if block.kind == "text":
            self.compare(block)
            return
        self.printed = None
        if block.kind == "sh":
            self.commands(block)
        elif block.kind == "toml":
            self.toml(block)
        elif block.kind in ("python", "pycon"):
            self.python(block)
        else:
            raise AssertionError(
                f"{block.where}: no rule for blocks of {block.info!r}; see docs_blocks.py"
            )

    def commands(self, block: Block) -> None:
        printed = []
        for line in docs_commands.lines_of(block.text):
            if block.marked or docs_commands.never_run(line):
                docs_commands.check(line)
                self.install(line)
            else:
                printed.append(docs_commands.run(line, self.import_path))
        self.printed = "".join(printed)

    def install(self, line: str) -> None:
        """Install the page's own package, so that what follows finds it."""
        own = re.match(r"pip install -e (\./[\w-]+)$", line)
        if own and Path(own[1]).is_dir():
            source = docs_commands.install(Path(own[1]))
            self.import_path.append(source)
            sys.path.insert(0, str(source))
            _forget_plugins()

    def toml(self, block: Block) -> None:
        document = tomllib.loads(block.text)
        if block.file:
            _save(block)
        if "project" in document:
            groups = {contract.GROUP, *registry.KINDS.values()}
            assert set(document["project"].get("entry-points", {})) <= groups, block.where
        elif "recipe" in document:
            read_scan(block.file)
        elif block.file:
            Assembly(Recipe.read(block.file)).check()
        else:
            _check_part(document)

    def python(self, block: Block) -> None:
        if block.file:
            _save(block)
            return
        printed = io.StringIO()
        with redirect_stdout(printed), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*non-interactive"
            )  # plt.show() of a page with figures
            if block.kind == "python":
                exec(compile(block.text, block.where, "exec"), self.namespace)
            else:
                self.doctest(block)
        self.printed = printed.getvalue()

    def doctest(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.namespace, block.where, block.where, 0
        )
        report: list[str] = []
        failed, _ = doctest.DocTestRunner(verbose=False).run(
            test, out=report.append, clear_globs=False
        )
        self.namespace.update(test.globs)
        assert not failed, "".join(report)

    def compare(self, block: Block) -> None:
        """Check that each line that a page shows as output was printed, except for numbers."""
        assert self.printed is not None, f"{block.where}: no code before this output"
        printed = [_masked(line) for line in self.printed.splitlines()]
        missing = [
            line
            for line in block.text.splitlines()
            if not any(map(_pattern(line).fullmatch, printed))
        ]
        assert missing == [], f"{block.where}: not printed; what is printed:\n{self.printed}"


def _masked(line: str) -> str:
    return " ".join(NUMBER.sub("#", line).split())


def _pattern(line: str) -> re.Pattern[str]:
    """A line of a page's output, in which ``...`` stands for any text."""
    return re.compile(".*".join(map(re.escape, _masked(line).split("..."))))


def _save(block: Block) -> None:
    path = Path(block.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def _check_part(document: dict[str, Any]) -> None:
    """Tables of a recipe: their components exist and take these options."""
    whole = Recipe.read(ROOT / "recipes" / "jets.toml").to_dict() | document
    recipe = Recipe.from_dict(whole)
    given: dict[str, Any] = {"space": Space("bits", 8), "condition": None, "seed": 0, "data": None}
    if "sampler" in document:
        given["sampler"] = registry.build("sampler", document["sampler"])
    for key in set(document) & set(TABLES):
        registry.build(TABLES[key], recipe.tables[key], given)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_page(page: Path, folder: Path) -> None:
    reader = Reader()
    for block in blocks(page):
        try:
            reader.does(block)
        except Exception as error:
            raise AssertionError(
                f"{block.where} ({block.info or 'no info string'}): {error}"
            ) from error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_page(page: Path) -> None:
    broken = [target for target in links(page) if not (page.parent / target).exists()]
    assert broken == []


def test_a_plugin_page_shows_a_model_of_under_thirty_lines() -> None:
    files = [b for b in blocks(ROOT / "docs" / "plugin.md") if b.file.endswith("src/qgen_gauss.py")]
    code = [line for line in files[0].text.splitlines()[1:] if line.strip()]
    assert len(code) < 30
