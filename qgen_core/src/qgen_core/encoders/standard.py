"""The encoder ``standard``: mean 0 and standard deviation 1 in each column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qgen_core.encoders.checks import constant_columns
from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.typing import Floats


class StandardEncoder(ColumnEncoder):
    """``(x - mean) / deviation`` of each column, with both taken from the training events.

    Events (N, F) in any unit give (N, F) without a unit. The deviation is the root of the mean
    square (divided by N, not N - 1); for a column with one single value, up to rounding, it is 1.

    Args:
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for column numbers that are negative or occur twice; ``fit`` raises it for
    those that the events do not have.

    >>> import numpy as np
    >>> x = np.array([[1.0], [3.0]])
    >>> encoder = StandardEncoder().fit(x)
    >>> encoder.encode(x).ravel().tolist()
    [-1.0, 1.0]
    >>> encoder.decode(encoder.encode(x), rng=np.random.default_rng(0)).ravel().tolist()
    [1.0, 3.0]
    """

    name = "standard"
    learns = ("mean", "deviation")

    def __init__(
        self, *, columns: list[int | str] | None = None, column_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(columns, column_names)

    def _learn(self, x: Floats) -> dict[str, Floats]:
        constant = constant_columns(x.min(axis=0), x.max(axis=0))
        return {"mean": x.mean(axis=0), "deviation": np.where(constant, 1.0, x.std(axis=0))}

    def _map(self, x: Floats) -> Floats:
        return (x - self.learned["mean"]) / self.learned["deviation"]

    def _unmap(self, y: Floats) -> Floats:
        return self.learned["mean"] + y * self.learned["deviation"]

    def _log_slope(self, x: Floats) -> Floats:
        return np.broadcast_to(-np.log(self.learned["deviation"]), x.shape)
