"""Docstrings and signatures of the code as RST: what autodoc and napoleon need help with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sphinx.application import Sphinx

#: How an indented example behind a paragraph begins, without the two colons that RST asks for.
EXAMPLE = re.compile(r"( +)(?:class|import|from|def) ")

_attributes: dict[str, list[str]] = {}


def literal_bars(text: str) -> str:
    """RST in which bars outside of code are bars, as in \\|p - q\\|, and no substitutions."""
    return re.sub(r"(``.*?``)|\|", lambda m: m[1] or r"\|", text, flags=re.DOTALL)


def keep_attribute(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Before napoleon, which takes what stands before the first colon of an attribute's text for
    its type.
    """
    if what in ("attribute", "data", "property"):
        _attributes[name] = list(lines)


def mend_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """For autodoc: in the code's docstrings bars are bars, and an indented example in Python is
    code.
    """
    text = literal_bars("\n".join(_attributes.pop(name, lines)))
    lines[:] = with_examples(text.splitlines())


def with_examples(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a docstring with indented examples marked as code."""
    inside = ""
    for before, line in zip(["text", *lines], lines, strict=False):
        if inside and line and not line.startswith(inside):
            inside = ""
        start = None if inside or before else EXAMPLE.match(line)
        if start:
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
    """For autodoc: aliases of types under their short names also inside of other types."""
    alias = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
    return signature and alias.sub(r"\1", signature), returns and alias.sub(r"\1", returns)


def leave_out_tests(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """For autodoc: of a conformance kit only what its user says or may change is listed."""
    return True if name.startswith("test_") else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", keep_attribute, priority=400)
    app.connect("autodoc-process-docstring", mend_docstring, priority=600)
    app.connect("autodoc-process-signature", short_types)
    app.connect("autodoc-skip-member", leave_out_tests)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
