"""One-line descriptions of components, read from their source files without importing them.

Importing a component takes seconds where it brings a framework. The first line of its docstring
stands in its source file, behind the first tokens of its definition.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

#: Tokens that may stand between the end of a definition's head and its docstring.
_BETWEEN = (tokenize.NEWLINE, tokenize.INDENT, tokenize.NL, tokenize.COMMENT)


def summary_of(entry: importlib.metadata.EntryPoint) -> str:
    """What an entry point offers, on one line; empty where there is no docstring or no source.

    It is the first paragraph of the docstring of the class or function. A module whose docstring
    begins with the component's name and a colon, as "The loss ``js``: the divergence", describes
    it better: the first line of a class may be a formula.

    >>> from qgen_core.discovery.entry_points import entries
    >>> (js,) = (entry for entry in entries("qgen.losses") if entry.name == "js")
    >>> summary_of(js)
    'the Jensen-Shannon divergence of probability tables.'
    """
    module, _, name = entry.value.partition(":")
    try:
        text = _source(module.strip())
    except (OSError, UnicodeDecodeError, ImportError, ValueError):
        return ""
    of_module = _docstring(_tokens(text))
    _, named, description = of_module.partition(f"``{entry.name}``: ")
    if named:
        return first_line(description)
    defined = re.search(rf"^(?:class|def) {re.escape(name.strip())}\b", text, re.MULTILINE)
    if defined is None:
        return first_line(of_module)
    return first_line(_docstring_after_head(text[defined.start() :]) or of_module)


def first_line(docstring: str) -> str:
    r"""The first paragraph of a docstring, on one line and without marks of literal text.

    >>> first_line("The map ``x``\n    of x.\n\n    More.")
    'The map x of x.'
    """
    paragraph = docstring.strip().partition("\n\n")[0]
    return " ".join(paragraph.replace("``", "").split())


def _source(module: str) -> str:
    """The source of a module; only its outermost package is looked up, and none is imported."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise ImportError(module)
    file = Path(spec.origin)
    if rest:
        file = file.parent.joinpath(*rest)
        if file.is_dir():
            file /= "__init__.py"
        else:
            file = file.with_suffix(".py")
    return file.read_text(encoding="utf-8")


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    lines = iter(text.splitlines(keepends=True))
    return tokenize.generate_tokens(lambda: next(lines, ""))


def _docstring_after_head(text: str) -> str:
    """The docstring of the class or function whose definition ``text`` begins with."""
    tokens = _tokens(text)
    depth = 0
    try:
        for token in tokens:
            if token.type != tokenize.OP:
                continue
            if token.string in "([{":
                depth += 1
            elif token.string in ")]}":
                depth -= 1
            elif token.string == ":" and depth == 0:
                return _docstring(tokens)
    except (tokenize.TokenError, SyntaxError):
        pass
    return ""


def _docstring(tokens: Iterator[tokenize.TokenInfo]) -> str:
    """The text literal that comes next; empty if something else does."""
    try:
        for token in tokens:
            if token.type == tokenize.STRING:
                return str(ast.literal_eval(token.string))
            if token.type not in _BETWEEN:
                return ""
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return ""
