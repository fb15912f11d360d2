"""The encoder ``standard``: mean 0 and standard deviation 1 in each column."""

from __future__ import annotations

import numpy as np

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.typing import Floats


class StandardEncoder(ColumnEncoder):
    """``(x - mean) / deviation`` of the training events; a column with one value keeps its scale.

    The deviation is that of the training events themselves (divided by N).

    Args:
        columns: numbers of the columns to map; None: all.

    >>> import numpy as np
    >>> x = np.array([[1.0], [3.0]])
    >>> StandardEncoder().fit(x).encode(x).ravel().tolist()
    [-1.0, 1.0]
    """

    name = "standard"
    learns = ("mean", "deviation")

    def __init__(self, *, columns: list[int] | None = None) -> None:
        super().__init__(columns)

    def _learn(self, x: Floats) -> dict[str, Floats]:
        constant = np.all(x == x[0], axis=0)
        return {"mean": x.mean(axis=0), "deviation": np.where(constant, 1.0, x.std(axis=0))}

    def _map(self, x: Floats) -> Floats:
        return (x - self.learned["mean"]) / self.learned["deviation"]

    def _unmap(self, y: Floats) -> Floats:
        return self.learned["mean"] + y * self.learned["deviation"]

    def _log_slope(self, x: Floats) -> Floats:
        return np.broadcast_to(-np.log(self.learned["deviation"]), x.shape)
