"""Directives that write the reference from the code: components with their options, and exit codes.

What is described are the components of this project's own packages, as far as they are installed.
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
from qgen_core.discovery.registry import KINDS, Description, Option, known, offers
from qgen_docstrings import literal_bars

ARTICLES = {"encoder": "an", "ansatz": "an", "executor": "an"}
OPTION = re.compile(r"^    (\w+): (.*)")


def our_packages() -> set[str]:
    """Distributions of this project; what others have installed here is no part of its
    documentation.
    """
    return {package for by_name in known().values() for package in by_name.values()}


def described(kind: str) -> list[Description]:
    """The installed components of a kind that come from this project."""
    ours = our_packages()
    return [
        describe(kind, name) for name in names(kind) if offers(kind)[name][0].distribution in ours
    ]


def split(doc: str) -> tuple[str, dict[str, str], str]:
    """A docstring before its "Args:", what those say by option, and what comes after them."""
    before, marker, rest = literal_bars(doc).partition("\nArgs:\n")
    if not marker:
        return before, {}, ""
    lines = rest.splitlines()
    end = next((i for i, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    options: dict[str, list[str]] = {}
    for line in lines[:end]:
        head = OPTION.match(line)
        if head:
            options[head[1]] = [head[2]]
        elif line.strip():
            options[next(reversed(options))].append(line.strip())
    return before, {name: " ".join(text) for name, text in options.items()}, "\n".join(lines[end:])


def toml(value: Any) -> str:
    """A default as it stands in a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def type_text(option: Option) -> str:
    """An option's type in RST; a component is linked to the page of its kind."""
    component = re.fullmatch(r"(\w+) \(name or table\)", option.type)
    if component:
        return f":doc:`{component[1]} </reference/{component[1]}>`"
    text = option.type
    several = re.sub(r"qgen_core\.interfaces\.(\w+)", lambda m: m[1].lower(), text)
    plain = re.sub(r"Optional\[(.*)\]$", r"\1 | None", several)
    while (shorter := re.sub(r"Union\[((?:[^\[\]]|\[[^\[\]]*\])*)\]", _joined, plain)) != plain:
        plain = shorter
    plain = plain.replace(" | None", "")  # TOML has no null: an option without a value is left out
    words = re.sub(
        r"Literal\[([^\]]*)\]", lambda m: m[1].replace(", ", " | ").replace("'", '"'), plain
    )
    return f"``{words}``"


def _joined(union: re.Match[str]) -> str:
    """The members of a union, separated by bars; commas inside of brackets stay."""
    return " | ".join(re.split(r", (?![^\[]*\])", union[1]))


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
    widths = "16 34 50" if meanings else "24 46 30"
    yield from (
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {widths}",
        "   :class: options",
        "",
    )
    yield from row(
        "option", *(["type, default", "what it does"] if meanings else ["type", "default"])
    )
    for option in options:
        name, kind, default = f"``{option.name}``", type_text(option), default_text(option)
        if meanings:
            yield from row(name, f"| {kind}\n| {default}", meanings.get(option.name, ""))
        else:
            yield from row(name, kind, default)
    yield ""


def default_text(option: Option) -> str:
    """An option's default in RST."""
    if option.required:
        return "*required*"
    return "none" if option.default is None else f"``{toml(option.default)}``"


def row(*cells: str) -> Iterator[str]:
    for i, cell in enumerate(cells):
        first, *more = cell.splitlines() or [""]
        yield f"   {'*' if i == 0 else ' '} - {first}"
        yield from (f"       {line}" for line in more)


class Components(SphinxDirective):
    """``.. components:: KIND`` describes every component of a kind."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0]
        if kind not in KINDS:
            raise self.error(f"no kind {kind!r}; there are {', '.join(KINDS)}")
        found = described(kind)
        lines = [line for one in found for line in rst_of(one)]
        if not found:
            lines = [
                "No package of this project that is installed here offers "
                f"{ARTICLES.get(kind, 'a')} {kind} yet."
            ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class ExitCodes(SphinxDirective):
    """``.. exit-codes::`` lists the errors by the exit code of the command line."""

    def run(self) -> list[nodes.Node]:
        own = [
            e
            for e in vars(errors).values()
            if isinstance(e, type) and e.__module__ == errors.__name__
        ]
        lines = [".. list-table::", "   :header-rows: 1", ""]
        lines += row("exit code", "error", "what it says")
        for error in sorted(own, key=lambda e: e.exit_code):
            if error is not errors.QgenError:
                first = dedent(error.__doc__ or "").strip().splitlines()[0]
                lines += row(str(error.exit_code), f"``{error.__name__}``", first)
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("components", Components)
    app.add_directive("exit-codes", ExitCodes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
