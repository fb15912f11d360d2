"""The encoder ``logit``: fractions between 0 and 1 to the real line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats


class LogitEncoder(ColumnEncoder):
    """``logit(alpha + (1 - 2 alpha) x)`` with ``logit(t) = ln(t / (1 - t))``, for x in [0, 1].

    Events (N, F), fractions without a unit, give (N, F). Decoding returns 0 and 1 for values of a
    model beyond the images of 0 and 1.

    Args:
        alpha: keeps the images of 0 and 1 finite; if it is 0, these two values are not accepted.
        zero: subtract the image of 0, so that an empty cell is encoded as 0.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for alpha outside [0, 0.5), or 0 together with ``zero``.

    Source: CaloFlow and CaloDREAM (alpha 1e-6, docs/readings.md); with ``zero`` and
    alpha 1e-7 the scaling of the CaloQVAE code (docs/readings.md).

    >>> import numpy as np
    >>> x = np.array([[0.0], [0.5]])
    >>> encoder = LogitEncoder(zero=True).fit(x)
    >>> encoder.encode(x).round(3).ravel().tolist()
    [0.0, 13.816]
    >>> encoder.decode(encoder.encode(x), rng=np.random.default_rng(0)).round(9).ravel().tolist()
    [0.0, 0.5]
    """

    name = "logit"

    def __init__(
        self,
        *,
        alpha: float = 1e-6,
        zero: bool = False,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if not 0 <= alpha < 0.5 or (zero and alpha == 0):
            raise BadOption(
                "alpha of logit is in [0, 0.5), and above 0 if zero is to be encoded as 0; "
                f"not {alpha:g}"
            )
        self.alpha = alpha
        self.zero = zero
        self._shift = 0.0
        self._ends = np.array([-np.inf, np.inf])
        if alpha > 0:
            self._ends = self._map(np.array([0.0, 1.0]))
        if zero:
            self._shift = float(self._ends[0])
            self._ends -= self._shift

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (x > 0) & (x < 1)
        if self.alpha > 0:
            inside = (x >= 0) & (x <= 1)
        return inside

    def _allowed(self) -> str:
        if self.alpha > 0:
            return "values from 0 to 1"
        return "values from 0 to 1, without the ends"

    def _inner(self, x: Floats) -> tuple[Floats, Floats]:
        """t and 1 - t of ``t = alpha + (1 - 2 alpha) x``, each without cancellation near 0."""
        stretch = 1.0 - 2.0 * self.alpha
        return self.alpha + stretch * x, self.alpha + stretch * (1.0 - x)

    def _map(self, x: Floats) -> Floats:
        t, rest = self._inner(x)
        result: Floats = np.log(t) - np.log(rest) - self._shift
        return result

    def _unmap(self, y: Floats) -> Floats:
        t = np.exp(-np.logaddexp(0.0, -(y + self._shift)))
        x = np.clip((t - self.alpha) / (1.0 - 2.0 * self.alpha), 0.0, 1.0)
        x[y <= self._ends[0]] = 0.0
        x[y >= self._ends[1]] = 1.0
        return x

    def _log_slope(self, x: Floats) -> Floats:
        t, rest = self._inner(x)
        result: Floats = np.log1p(-2.0 * self.alpha) - np.log(t) - np.log(rest)
        return result
