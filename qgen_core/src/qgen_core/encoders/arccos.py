"""The encoder ``arccos``: numbers to expectations of Z, through the angle of a rotation."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats


class ArccosEncoder(ColumnEncoder):
    """Maps each column by ``z = cos(pi E / Emax)``, so that the angle arccos z is linear in E.

    It is the expectation of Z after RY by ``pi E / Emax``: zero energy is the state 0, ``Emax`` the
    state 1. Events (N, F) in any unit, each chosen column in its window [0, Emax], give (N, F) in
    [-1, 1]; values outside the window are not accepted. Decoding gives ``E = Emax arccos(z) / pi``;
    of values outside [-1, 1], which no expectation has, it takes the nearer end. For a column whose
    training values are all 0, ``Emax`` is 1.

    An expectation from N shots gives an energy to ``Emax / (pi sqrt(N))`` everywhere in the window.

    Args:
        margin: ``Emax`` is ``margin`` times the largest training value of the column.
        window: ``Emax`` of each chosen column, in place of the margin.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for a margin below 1, a window that is not above 0 or does not fit the columns.

    Source: docs/readings.md (our reading of the decoding of Monaco et al., EPS-HEP 2025).

    >>> pixels = np.array([[0.0], [1.0], [2.0]])
    >>> encoder = ArccosEncoder(margin=1.0).fit(pixels)
    >>> encoder.encode(pixels).round(6).ravel().tolist()
    [1.0, 0.0, -1.0]
    >>> encoder.decode(np.array([[0.5]]), rng=np.random.default_rng(0)).round(6).tolist()
    [[0.666667]]
    """

    name = "arccos"
    learns = ("high",)

    def __init__(
        self,
        *,
        margin: float = 1.05,
        window: list[float] | None = None,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if not (np.isfinite(margin) and margin >= 1):
            raise BadOption(f"the margin of arccos is a factor of at least 1, not {margin:g}")
        for high in window or ():
            if not (np.isfinite(high) and high > 0):
                raise BadOption(f"a window of arccos is an Emax above 0, not {window}")
        self.margin = margin
        self.window = window

    def _learn(self, x: Floats) -> dict[str, Floats]:
        if self.window is not None:
            if len(self.window) != x.shape[1]:
                raise BadOption(
                    f"arccos has windows for {len(self.window)} columns, it maps {x.shape[1]}"
                )
            return {"high": np.array(self.window, dtype=np.float64)}
        high = self.margin * x.max(axis=0)
        return {"high": np.where(high > 0, high, 1.0)}

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        high = self.learned["high"].astype(x.dtype)
        inside: NDArray[np.bool_] = (x >= 0) & (x <= high)
        return inside

    def _allowed(self) -> str:
        windows = [f"[0, {high:g}]" for high in self.learned["high"]]
        return f"values in {', '.join(windows)}"

    def _map(self, x: Floats) -> Floats:
        return np.cos(pi * x / self.learned["high"])

    def _unmap(self, y: Floats) -> Floats:
        angle: Floats = np.arccos(np.clip(y, -1.0, 1.0))
        return self.learned["high"] * angle / pi

    def _log_slope(self, x: Floats) -> Floats:
        """It is -inf at the ends of the window, where the map is flat."""
        rate = pi / self.learned["high"]
        with np.errstate(divide="ignore"):
            slope: Floats = np.log(rate * np.abs(np.sin(rate * x)))
        return slope
