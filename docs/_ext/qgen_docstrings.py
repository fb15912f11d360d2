"""Corrections of docstrings and signatures before autodoc and napoleon read them as RST."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sphinx.application import Sphinx

#: The beginning of an indented example after a paragraph, without the two colons of RST.
EXAMPLE = re.compile(r"( +)(?:class|import|from|def) ")

_attributes: dict[str, list[str]] = {}


def literal_bars(text: str) -> str:
    """RST with bars outside of code escaped, as in \\|p - q\\|, lest they mark substitutions."""
    return re.sub(r"(``.*?``)|\|", _escaped, text, flags=re.DOTALL)


def _escaped(code_or_bar: re.Match[str]) -> str:
    return code_or_bar[1] or r"\|"


def keep_attribute(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Keep the text of an attribute, before napoleon reads the part before a colon as its type."""
    if what in ("attribute", "data", "property"):
        _attributes[name] = list(lines)


def mend_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Escape bars, and mark indented examples in Python as code."""
    text = literal_bars("\n".join(_attributes.pop(name, lines)))
    lines[:] = with_examples(text.splitlines())


def with_examples(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a docstring with indented examples marked as code."""
    inside = ""
    for before, line in zip(["text", *lines], lines, strict=False):
        if inside and line and not line.startswith(inside):
            inside = ""
        start = EXAMPLE.match(line)
        if start and not inside and not before:
            inside = start[1]
            yield from (".. code-block:: python", "")
        yield line


def short_types(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Show aliases of types under their short names, also within other types."""
    alias = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
    if signature:
        signature = alias.sub(r"\1", signature)
    if returns:
        returns = alias.sub(r"\1", returns)
    return signature, returns


def leave_out_tests(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the tests of a conformance kit; its page lists what a subclass may set."""
    if name.startswith("test_"):
        return True
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", keep_attribute, priority=400)
    app.connect("autodoc-process-docstring", mend_docstring, priority=600)
    app.connect("autodoc-process-signature", short_types)
    app.connect("autodoc-skip-member", leave_out_tests)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
