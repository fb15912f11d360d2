"""CSV and other tables of text with one event per line.

Lines before the table that begin with ``#`` are comments. The first line of the table names the
columns; if it holds numbers, the last comment does, where it has as many names, else they are
called "0", "1" and so on. Empty cells are NaN.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from qgen_core.errors import DataError
from qgen_core.support.numbers import inexact
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, refuse

MAX_HEADER = 2**20
MAX_COMMENTS = 1000
#: From here on float64 does not hold every integer.
LARGE = 2.0**53
_EMPTY = re.compile(r"(^|[,;\t])[ ]*([,;\t]|\s*$)")
_WHOLE = re.compile(r"[+-]?\d+")
BLOCK = 100_000
#: A number of an event that is behind all others: to read any, begin anew.
ENDED = 2**62


@contextmanager
def open_text(path: Path) -> Iterator[TextSource]:
    """The table, open within the block."""
    with open(path, encoding="utf-8-sig", newline=None) as file:
        yield TextSource(path, file)


class TextSource:
    """Columns of an open table."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path = path
        self.file = file
        comments, first, second = self._beginning()
        self.skipped = len(comments)
        #: The events that are left to read, and the number of the first of them.
        self.lines: Iterator[str] = iter(())
        self.next_row = ENDED
        if not first:  # a table without events
            first = [line for line in comments if line.strip()][-1].lstrip("#")
        self.delimiter = _delimiter_of(first)
        cells = self._split(first)
        self.columns = cells
        if _are_numbers(cells) and not self._are_names(first, second):
            self.columns = self._names_above(comments, len(cells))
        else:
            self.skipped += 1

    def names(self) -> Sequence[str]:
        """The column names."""
        return self.columns

    def declared(self, name: str) -> Declared | None:
        """A column; its length is not known yet. Raises DataError for a name that is not unique."""
        if self.columns.count(name) > 1:
            raise refuse(self.path, name, "one column", f"{self.columns.count(name)} of this name")
        if name not in self.columns:
            return None
        return Declared(None)

    def load(self, picks: Sequence[Pick], rows: slice) -> list[Array]:
        """Parse the columns in one pass, a block of lines at a time."""
        positions = [self.columns.index(pick.name) for pick in picks]
        lines = self._from(rows)
        blocks: list[Array] = [np.empty((0, len(positions)))]
        parsed = rows.start
        while block := list(islice(lines, BLOCK)):
            blocks.append(self._parse(block, positions, parsed))
            parsed += len(blocks[-1])
        self.next_row = parsed
        return list(np.concatenate(blocks).T)

    def _from(self, rows: slice) -> Iterator[str]:
        """The lines of these events; those that follow the last ones are read on."""
        start = rows.start - self.next_row
        if start < 0:
            self.file.seek(0)
            self.lines = self._lines()
            start = rows.start
        stop = rows.stop
        if stop is not None:
            stop += start - rows.start
        self.next_row = ENDED  # unless these are parsed
        return islice(self.lines, start, stop)

    def attributes(self) -> Mapping[str, str]:
        """None: a table of text has no attributes."""
        return {}

    def _beginning(self) -> tuple[list[str], str, str]:
        """The lines before the table, which begin with # or are blank, and its first two lines."""
        before: list[str] = []
        following: list[str] = []
        for _ in range(MAX_COMMENTS):
            line = self.file.readline(MAX_HEADER)
            if not line or not (line.strip() or before or following):
                break
            if "\0" in line or not (line.endswith("\n") or following):
                raise DataError(
                    f"{self.path}: expected a line of column names and lines of numbers, "
                    "found no such lines"
                )
            if following or (line.strip() and not line.startswith("#")):
                following.append(line)
            else:
                before.append(line)
            if len(following) == 2:
                break
        if not "".join([*before, *following]).strip():
            raise DataError(f"{self.path}: expected a line of column names, found nothing")
        following += ["", ""]
        return before, following[0], following[1]

    def _are_names(self, first: str, second: str) -> bool:
        """Whether a first line of numbers holds names, as data frames write "0,1,2".

        Raises DataError where the numbers may as well be the first event.
        """
        cells = self._split(first)
        if cells != [str(number) for number in range(len(cells))]:
            return False
        if '"' in first:
            return True
        if not second.strip() or all(cell.isdigit() for cell in self._split(second)):
            raise DataError(
                f"{self.path}: the first line, {first.strip()!r}, may be names or an event; "
                "put a line of names above it, or write these ones in quotes"
            )
        return True

    def _names_above(self, comments: Sequence[str], count: int) -> list[str]:
        """The names in the last comment, if there are as many as columns; else numbers."""
        named = [line for line in comments if line.strip()]
        if named:
            cells = self._split(named[-1].lstrip("#").strip())
            if len(cells) == count:
                return cells
        return [str(number) for number in range(count)]

    def _lines(self) -> Iterator[str]:
        """The lines of events, each checked to have as many cells as the first one."""
        expected = len(self.columns)
        for number, line in enumerate(self.file, start=1):
            if not line.strip() or number <= self.skipped:
                continue
            found = self._cell_count(line)
            if found != expected:
                raise DataError(
                    f"{self.path}: line {number}: expected {expected} cells, found {found}"
                )
            yield line

    def _cell_count(self, line: str) -> int:
        if self.delimiter is None:
            return len(line.split())
        return line.count(self.delimiter) + 1

    def _parse(self, lines: list[str], positions: list[int], before: int) -> Array:
        """The cells at these positions of lines, which ``before`` events precede."""
        if self.delimiter is not None:
            lines = [self._filled(line, self.delimiter) for line in lines]
        try:
            values: Array = np.loadtxt(
                lines, delimiter=self.delimiter, usecols=positions, ndmin=2, comments=None
            )
        except ValueError as error:
            raise DataError(
                f"{self.path}: events from {before} on: expected numbers, found: {error}"
            ) from error
        for row, column in np.argwhere(np.abs(values) >= LARGE):
            self._require_exact(lines[row], positions[column], before + int(row))
        return values

    def _filled(self, line: str, delimiter: str) -> str:
        """A line whose empty cells are NaN."""
        if _EMPTY.search(line) is None:
            return line
        cells = [cell.strip() or "nan" for cell in line.split(delimiter)]
        return delimiter.join(cells) + "\n"

    def _require_exact(self, line: str, position: int, event: int) -> None:
        """Raise DataError if a whole number in a line is one that float64 rounds."""
        cell = line.split(self.delimiter)[position].strip()
        if _WHOLE.fullmatch(cell) and int(float(cell)) != int(cell):
            raise inexact(f"{self.path}: {self.columns[position]!r}", int(cell), event)

    def _split(self, line: str) -> list[str]:
        """The cells of a line of names; in quotes they may contain the delimiter."""
        if self.delimiter is None:  # any white space
            return [cell.strip('"') for cell in line.split()]
        cells = next(csv.reader([line.strip("\n")], delimiter=self.delimiter), [])
        return [cell.strip().strip('"') for cell in cells]


def _delimiter_of(line: str) -> str | None:
    for delimiter in (",", ";", "\t"):
        if delimiter in line:
            return delimiter
    return None


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(map(_is_number, cells))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
