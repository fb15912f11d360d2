"""The result of reading a file: named columns of numbers, and counts of what was dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_core.support.cuts import Cut
from qgen_core.typing import Floats


@dataclass(frozen=True, eq=False)
class Table:
    """N events with named columns: ``values`` (N, F), all finite.

    ``path`` and ``sha256`` identify the file and its content, ``attributes`` are those stored in
    the file, ``rows`` is the number of events in it, ``dropped`` how many were left out, by reason.
    ``groups`` lists the columns of each requested name: several for an array. Of the file ``read``
    events were read, from ``first`` on; ``complete`` says whether these are all.

    >>> table = Table(
    ...     Path("a.csv"), "", ("pt",), ("GeV",), np.array([[1.0], [2.0]]), 2, {"pt": ("pt",)}
    ... )
    >>> chosen = table.passing([Cut("pt", min=1.5)])
    >>> len(chosen), chosen.dropped
    (1, {'not pt >= 1.5': 1})
    """

    path: Path
    sha256: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Floats
    rows: int
    groups: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    first: int = 0
    read: int = 0
    complete: bool = True

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> Floats:
        """One column (N,). Raises DataError when it was not read."""
        if name not in self.names:
            raise DataError(
                f"{self.path}: no column {name!r} was read, only {', '.join(self.names)}"
            )
        found: Floats = self.values[:, self.names.index(name)]
        return found

    def take(self, keep: NDArray[np.bool_], reason: str) -> Table:
        """The events where ``keep`` (N,) is true; ``dropped`` counts the others by ``reason``."""
        removed = int(len(keep) - keep.sum())
        if not removed:
            return self
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + removed}
        kept = self.values.take(np.flatnonzero(keep), axis=0)
        return replace(self, values=kept, dropped=dropped)

    def passing(self, cuts: Sequence[Cut]) -> Table:
        """The events that pass all cuts; each cut counts the events that it removes."""
        table = self
        for cut in cuts:
            table = table.take(cut.keeps(table.column(cut.column)), f"not {cut}")
        return table

    def only(self, names: Sequence[str]) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
        """Values (N, F), column names and units of the requested ``names``."""
        columns: list[str] = []
        for name in names:
            columns.extend(self.groups[name])
        place = {name: position for position, name in enumerate(self.names)}
        positions = [place[column] for column in columns]
        values = self.values
        if positions != list(range(len(self.names))):
            values = values.take(positions, axis=1)
        units = [self.units[position] for position in positions]
        return values, tuple(columns), tuple(units)


def joined(tables: Sequence[Table]) -> Table:
    """Consecutive slices of one file as one table."""
    dropped: dict[str, int] = {}
    for table in tables:
        for reason, count in table.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    values = tables[0].values
    if len(tables) > 1:
        values = np.concatenate([table.values for table in tables])
    return replace(
        tables[0],
        values=values,
        rows=sum(table.rows for table in tables),
        dropped=dropped,
    )
