"""Objects as HTML, which a notebook shows instead of their text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class ShownInNotebook:
    """Base class of objects that a notebook shows as HTML: their repr, and details below it.

    A subclass may have ``_details_html``, which returns HTML and escapes what is not its own.

    >>> class Pair(ShownInNotebook):
    ...     def __repr__(self):
    ...         return "a < b"
    ...
    ...     def _details_html(self):
    ...         return table(["letter"], [["a"], ["b"]])
    >>> Pair()._repr_html_()[:36]
    '<div><code>a &lt; b</code><table><th'
    """

    def _repr_html_(self) -> str:
        return f"<div><code>{escape(repr(self))}</code>{self._details_html()}</div>"

    def _details_html(self) -> str:
        return ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Texts as an HTML table; they are escaped.

    >>> table(["x"], [["<b>"]])
    '<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head = _cells("th", headings)
    body = "".join(_cells("td", row) for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def paragraph(text: str) -> str:
    """A text as an HTML paragraph; it is escaped.

    >>> paragraph("pT > 250 GeV")
    '<p>pT &gt; 250 GeV</p>'
    """
    return f"<p>{escape(text)}</p>"


def preformatted(text: str) -> str:
    """Lines of text as they are; they are escaped.

    >>> preformatted("a < b")
    '<pre>a &lt; b</pre>'
    """
    return f"<pre>{escape(text)}</pre>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    cells = "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
    return f"<tr>{cells}</tr>"
