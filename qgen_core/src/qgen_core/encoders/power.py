"""The encoder ``power``: a power of each column, to shorten long tails."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats


class PowerEncoder(ColumnEncoder):
    """``x^exponent`` of each column, for x >= 0; for a negative exponent, for x > 0.

    Events (N, F) give (N, F). Decoding returns 0 for values of a model below 0.

    Args:
        exponent: not 0; the default, 0.2, is used for transverse momenta.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for an exponent that is 0 or not finite.

    Source: the preprocessing of the conditional GAN, docs/readings.md.

    >>> import numpy as np
    >>> x = np.array([[32.0], [0.0]])
    >>> encoder = PowerEncoder().fit(x)
    >>> encoder.encode(x).ravel().tolist()
    [2.0, 0.0]
    >>> encoder.decode(encoder.encode(x), rng=np.random.default_rng(0)).ravel().tolist()
    [32.0, 0.0]
    """

    name = "power"

    def __init__(
        self,
        *,
        exponent: float = 0.2,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if exponent == 0 or not np.isfinite(exponent):
            raise BadOption(f"the exponent of power is a number other than 0, not {exponent:g}")
        self.exponent = exponent

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        if self.exponent > 0:
            return x >= 0
        return x > 0

    def _allowed(self) -> str:
        if self.exponent > 0:
            return "values of 0 or more"
        return "values above 0"

    def _map(self, x: Floats) -> Floats:
        result: Floats = x**self.exponent
        return result

    def _unmap(self, y: Floats) -> Floats:
        least = 0.0
        if self.exponent < 0:
            least = float(np.finfo(np.float64).tiny)
        result: Floats = np.maximum(y, least) ** (1.0 / self.exponent)
        return result

    def _log_slope(self, x: Floats) -> Floats:
        with np.errstate(divide="ignore"):  # at 0 the slope is infinite or 0
            result: Floats = np.log(abs(self.exponent) * x ** (self.exponent - 1.0))
        return result
