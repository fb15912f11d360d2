"""CSV and other tables of text with one event per line.

The first line names the columns (a leading ``#`` is ignored); in a file that begins with
numbers they are called "0", "1" and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, refuse

MAX_HEADER = 2**20
BLOCK = 100_000


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
        first = file.readline(MAX_HEADER)
        if not first.strip():
            raise DataError(f"{path}: expected a line of column names, found nothing")
        if "\0" in first or not first.endswith("\n"):
            raise DataError(
                f"{path}: expected a line of column names and lines of numbers, found no such lines"
            )
        self.delimiter = _delimiter_of(first)
        self.columns = self._split(first.lstrip("#"))
        self.headless = all(map(_is_number, self.columns))
        if self.headless:
            self.columns = [str(i) for i in range(len(self.columns))]

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

    def load(self, picks: Sequence[Pick]) -> list[Array]:
        """Parse the columns in one pass, a block of lines at a time."""
        positions = [self.columns.index(pick.name) for pick in picks]
        self.file.seek(0)
        lines = self._lines()
        blocks: list[Array] = [np.empty((0, len(positions)))]
        parsed = 0
        while block := list(islice(lines, BLOCK)):
            blocks.append(self._parse(block, positions, parsed))
            parsed += len(blocks[-1])
        return list(np.concatenate(blocks).T)

    def attributes(self) -> Mapping[str, str]:
        """None: a table of text has no attributes."""
        return {}

    def _lines(self) -> Iterator[str]:
        """The lines of events, each checked to have as many cells as the first one."""
        expected = len(self.columns)
        for number, line in enumerate(self.file, start=1):
            if not line.strip() or (number == 1 and not self.headless):
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
        try:
            return np.loadtxt(
                lines, delimiter=self.delimiter, usecols=positions, ndmin=2, comments=None
            )
        except ValueError as error:
            raise DataError(
                f"{self.path}: events from {before} on: expected numbers, found: {error}"
            ) from error

    def _split(self, line: str) -> list[str]:
        # without a delimiter, cells are separated by any white space
        return [cell.strip().strip('"') for cell in line.split(self.delimiter)]


def _delimiter_of(line: str) -> str | None:
    for delimiter in (",", ";", "\t"):
        if delimiter in line:
            return delimiter
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
