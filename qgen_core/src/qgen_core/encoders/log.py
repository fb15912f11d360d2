"""The encoder ``log``: the logarithm of each column."""

from __future__ import annotations

from collections.abc import Sequence
from math import e

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats


class LogEncoder(ColumnEncoder):
    """``log(x + offset)`` of each column, for x > -offset.

    Events (N, F) give (N, F) without a unit; values of -offset and below are not accepted.

    Args:
        offset: in the unit of the column; with one above 0, zeros are accepted.
        base: base of the logarithm.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for an offset below 0, or a base that is 1 or not above 0.

    >>> import numpy as np
    >>> energy = np.array([[8.0], [1.0]])
    >>> encoder = LogEncoder(base=2.0).fit(energy)
    >>> encoder.encode(energy).ravel().tolist()
    [3.0, 0.0]
    >>> encoder.decode(encoder.encode(energy), rng=np.random.default_rng(0)).ravel().round(9)
    array([8., 1.])
    """

    name = "log"

    def __init__(
        self,
        *,
        offset: float = 0.0,
        base: float = e,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if not (np.isfinite(offset) and offset >= 0):
            raise BadOption(f"the offset of log is 0 or more, not {offset:g}")
        if not (np.isfinite(base) and base > 0 and base != 1):
            raise BadOption(f"the base of log is a number above 0 other than 1, not {base:g}")
        self.offset = offset
        self.base = base
        self._log_base = float(np.log(base))

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        return x > -self.offset

    def _allowed(self) -> str:
        return f"values above {-self.offset or 0.0:g}"

    def _map(self, x: Floats) -> Floats:
        result: Floats = np.log(x + self.offset) / self._log_base
        return result

    def _unmap(self, y: Floats) -> Floats:
        result: Floats = np.exp(y * self._log_base) - self.offset
        return result

    def _log_slope(self, x: Floats) -> Floats:
        result: Floats = -np.log(x + self.offset) - np.log(abs(self._log_base))
        return result
