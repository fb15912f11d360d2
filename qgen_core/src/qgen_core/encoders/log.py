"""The encoder ``log``: the logarithm of each column."""

from __future__ import annotations

from math import e

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats


class LogEncoder(ColumnEncoder):
    """``log(x + offset)``, for x > -offset.

    Args:
        offset: in the column's unit; a small one lets zeros pass.
        base: of the logarithm.
        columns: numbers of the columns to map; None: all.

    Raises BadOption for an offset below 0 or a base that is not above 0 and other than 1.

    >>> import numpy as np
    >>> energy = np.array([[8.0], [1.0]])
    >>> LogEncoder(base=2.0).fit(energy).encode(energy).ravel().tolist()
    [3.0, 0.0]
    """

    name = "log"

    def __init__(
        self, *, offset: float = 0.0, base: float = e, columns: list[int] | None = None
    ) -> None:
        super().__init__(columns)
        if not (np.isfinite(offset) and offset >= 0):
            raise BadOption(f"offset is 0 or more, not {offset:g}")
        if not (np.isfinite(base) and base > 0 and base != 1):
            raise BadOption(f"base is a number above 0 other than 1, not {base:g}")
        self.offset, self.base = offset, base
        self._unit = float(np.log(base))

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        return x > -self.offset

    def _allowed(self) -> str:
        return f"values above {-self.offset or 0.0:g}"

    def _map(self, x: Floats) -> Floats:
        result: Floats = np.log(x + self.offset) / self._unit
        return result

    def _unmap(self, y: Floats) -> Floats:
        result: Floats = np.exp(y * self._unit) - self.offset
        return result

    def _log_slope(self, x: Floats) -> Floats:
        result: Floats = -np.log(x + self.offset) - np.log(abs(self._unit))
        return result
