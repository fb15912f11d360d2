"""Tables of texts, printed in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table to print: rows of texts, and notes below it.

    >>> print(Table("Losses", ["seed", "loss"], [["1", "0.25"]], ["After 300 steps."]).markdown())
    ### Losses
    <BLANKLINE>
    | seed | loss |
    |------|------|
    | 1    | 0.25 |
    <BLANKLINE>
    After 300 steps.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """The table in Markdown, its columns padded so that the source is readable as well.

        Raises ValueError for a row with more or fewer texts than there are columns.
        """
        widths = [len(text) for text in self.columns]
        for row in self.rows:
            widths = [max(width, len(text)) for width, text in zip(widths, row, strict=True)]
        rule = "|".join("-" * (width + 2) for width in widths)
        lines = [
            f"### {self.title}\n",
            _line(self.columns, widths),
            f"|{rule}|",
            *(_line(row, widths) for row in self.rows),
            *(f"\n{note}" for note in self.notes),
        ]
        return "\n".join(lines)


def _line(texts: Iterable[str], widths: Iterable[int]) -> str:
    padded = [text.ljust(width) for text, width in zip(texts, widths, strict=True)]
    return "| " + " | ".join(padded) + " |"
