"""What a reader returns: named columns of numbers, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_core.typing import Floats
from qgen_hep.readers.cuts import Cut


@dataclass(frozen=True, eq=False)
class Table:
    """N events of named columns: ``values`` (N, F), all finite.

    ``path`` and ``sha256`` name the file and its content, ``attributes`` what the file says about
    itself, ``rows`` how many events it holds, ``dropped`` how many were left out by reason.
    ``groups`` has the columns that each requested name stands for: several for an array.
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
        """The events where ``keep`` (N,) is true, the others counted under ``reason``."""
        gone = int(len(keep) - keep.sum())
        if not gone:
            return self
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + gone}
        return replace(self, values=self.values[keep], dropped=dropped)

    def passing(self, cuts: Sequence[Cut]) -> Table:
        """The events that pass all cuts, counted one after the other."""
        table = self
        for cut in cuts:
            table = table.take(cut.keeps(table.column(cut.column)), f"not {cut}")
        return table

    def only(self, names: Sequence[str]) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
        """Values (N, F), column names and units of what was requested as ``names``."""
        columns = [column for name in names for column in self.groups[name]]
        at = [self.names.index(column) for column in columns]
        return (
            np.ascontiguousarray(self.values[:, at]),
            tuple(columns),
            tuple(self.units[i] for i in at),
        )
