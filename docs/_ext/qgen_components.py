"""Directives that write the reference from the code: components with their options, and exit codes.

They describe the components of this project's own packages that are installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import dedent
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from qgen_core import describe, errors, names
from qgen_core.discovery.registry import KINDS, Description, Option, known_providers, offers
from qgen_docstrings import literal_bars

ARTICLES = {"encoder": "an", "ansatz": "an", "executor": "an"}
OPTION = re.compile(r"^    (\w+): (.*)")


def our_packages() -> set[str]:
    """Distributions of this project; the documentation leaves out other installed packages."""
    return {package for by_name in known_providers().values() for package in by_name.values()}


def described(kind: str) -> list[Description]:
    """The installed components of a kind that come from this project."""
    ours = our_packages()
    found = []
    for name in names(kind):
        if offers(kind)[name][0].distribution in ours:
            found.append(describe(kind, name))
    return found


def split(doc: str) -> tuple[str, dict[str, str], str]:
    """A docstring before its "Args:", the texts in there by option, and the rest after them."""
    before, marker, rest = literal_bars(doc).partition("\nArgs:\n")
    if not marker:
        return before, {}, ""
    lines = rest.splitlines()
    end = 0
    while end < len(lines) and (not lines[end] or lines[end].startswith(" ")):
        end += 1
    options: dict[str, list[str]] = {}
    for line in lines[:end]:
        head = OPTION.match(line)
        if head:
            options[head[1]] = [head[2]]
        elif line.strip():
            options[next(reversed(options))].append(line.strip())
    texts = {name: " ".join(parts) for name, parts in options.items()}
    return before, texts, "\n".join(lines[end:])


def toml(value: Any) -> str:
    """A default as it is written in a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def type_text(option: Option) -> str:
    """An option's type in RST; a component is linked to the page of its kind."""
    component = re.fullmatch(r"(\w+) \(name or table\)", option.type)
    if component:
        return f":doc:`{component[1]} </reference/{component[1]}>`"
    text = option.type
    text = re.sub(r"qgen_core\.interfaces\.(\w+)", _kind, text)
    text = re.sub(r"Optional\[(.*)\]$", r"\1 | None", text)
    before = ""
    while text != before:  # unions may be nested
        before = text
        text = re.sub(r"Union\[((?:[^\[\]]|\[[^\[\]]*\])*)\]", _members, text)
    text = text.replace(" | None", "")  # TOML has no null: an option without a value is left out
    text = re.sub(r"Literal\[([^\]]*)\]", _values, text)
    return f"``{text}``"


def _kind(interface: re.Match[str]) -> str:
    return interface[1].lower()


def _members(union: re.Match[str]) -> str:
    """The members of a union, separated by bars; commas within brackets are kept."""
    return " | ".join(re.split(r", (?![^\[]*\])", union[1]))


def _values(literal: re.Match[str]) -> str:
    """The values of a Literal as in TOML, separated by bars."""
    return literal[1].replace(", ", " | ").replace("'", '"')


def rst_of(found: Description) -> Iterator[str]:
    """One component as a section."""
    before, meanings, after = split(found.doc)
    yield from (f".. _{found.kind}-{found.name}:", "", found.name, "-" * len(found.name), "")
    yield from (*before.splitlines(), "")
    if found.options:
        yield from table(found.options, meanings)
    else:
        yield from ("It has no options.", "")
    yield from (*after.splitlines(), "", f"*From the package* {found.distribution}.", "")


def table(options: Iterable[Option], meanings: Mapping[str, str]) -> Iterator[str]:
    """Options with types and defaults and, where the docstring lists them, what they do."""
    widths = "24 46 30"
    head = ("option", "type", "default")
    if meanings:
        widths = "16 34 50"
        head = ("option", "type, default", "what it does")
    yield from (
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {widths}",
        "   :class: options",
        "",
    )
    yield from row(*head)
    for option in options:
        name = f"``{option.name}``"
        kind = type_text(option)
        default = default_text(option)
        if meanings:
            yield from row(name, f"| {kind}\n| {default}", meanings.get(option.name, ""))
        else:
            yield from row(name, kind, default)
    yield ""


def default_text(option: Option) -> str:
    """An option's default in RST."""
    if option.required:
        return "*required*"
    if option.default is None:
        return "none"
    return f"``{toml(option.default)}``"


def row(*cells: str) -> Iterator[str]:
    """The lines of one row of a list-table."""
    bullet = "*"
    for cell in cells:
        first, *more = cell.splitlines() or [""]
        yield f"   {bullet} - {first}"
        bullet = " "
        yield from (f"       {line}" for line in more)


class Components(SphinxDirective):
    """``.. components:: KIND`` describes every component of a kind."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0]
        if kind not in KINDS:
            raise self.error(f"no kind {kind!r}; there are {', '.join(KINDS)}")
        found = described(kind)
        lines: list[str] = []
        for component in found:
            lines += rst_of(component)
        if not found:
            lines = [
                "No package of this project that is installed here offers "
                f"{ARTICLES.get(kind, 'a')} {kind} yet."
            ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class ExitCodes(SphinxDirective):
    """``.. exit-codes::`` lists the errors by the exit code of the command line."""

    def run(self) -> list[nodes.Node]:
        own = []
        for error in vars(errors).values():
            is_class = isinstance(error, type) and error.__module__ == errors.__name__
            if is_class and error is not errors.QgenError:
                own.append(error)
        lines = [".. list-table::", "   :header-rows: 1", ""]
        lines += row("exit code", "error", "meaning")
        for error in sorted(own, key=lambda error: error.exit_code):
            first = dedent(error.__doc__ or "").strip().splitlines()[0]
            lines += row(str(error.exit_code), f"``{error.__name__}``", first)
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("components", Components)
    app.add_directive("exit-codes", ExitCodes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
