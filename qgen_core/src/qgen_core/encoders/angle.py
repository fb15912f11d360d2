"""The encoder ``angle``: numbers to rotation angles, for conditions above all."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Array, Floats


class AngleEncoder(ColumnEncoder):
    """Each column linearly from its window to a range of angles, in radians.

    Args:
        range: the angles of the window's two ends. The default leaves out a tenth on either
            side: a rotation by -pi and one by +pi make the same state, so over [-pi, pi] a
            model cannot tell the least condition from the greatest. [-pi, pi] is the mode of
            the paper.
        bins: replace each value by the centre of one of so many equal bins of the window, so
            that a continuous condition has few distinct values and a distribution can be
            tabulated for each. Encoding then has no density (``log_det`` is None). None: no bins.
        window: [min, max] of each column; values outside are not accepted. None: from the
            least to the greatest training value.

    Raises BadOption for an empty range, less than one bin or an empty window.

    Source: Kiss et al., arXiv:2205.07674 (conditional Born machine); the inner range is ours.

    >>> import numpy as np
    >>> energy = np.array([[100.0], [150.0], [200.0]])
    >>> (AngleEncoder(range=(-1.0, 1.0)).fit(energy).encode(energy)).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """

    name = "angle"
    kind = "angles"
    learns = ("low", "high")

    def __init__(
        self,
        *,
        range: tuple[float, float] = (-0.9 * pi, 0.9 * pi),
        bins: int | None = None,
        window: list[tuple[float, float]] | None = None,
    ) -> None:
        super().__init__()
        if range[0] == range[1] or not np.isfinite(range).all():
            raise BadOption(
                f"the range of angles is [first, last], two different numbers, not {list(range)}"
            )
        if bins is not None and bins < 1:
            raise BadOption(f"bins must be at least 1, not {bins}")
        if any(not (np.isfinite(w).all() and w[0] < w[1]) for w in window or ()):
            raise BadOption(f"a window of angle is [min, max] with min < max, not {window}")
        self.range, self.bins, self.window = range, bins, window

    def _allowed(self) -> str:
        low, high = self.learned["low"], self.learned["high"]
        return "values in " + ", ".join(f"[{a:g}, {b:g}]" for a, b in zip(low, high, strict=True))

    def _learn(self, x: Floats) -> dict[str, Floats]:
        if self.window is not None:
            if len(self.window) != x.shape[1]:
                raise BadOption(
                    f"angle has windows for {len(self.window)} columns, the values have {x.shape[1]}"
                )
            low, high = np.array(self.window, dtype=np.float64).T
            return {"low": low, "high": high}
        low, high = x.min(axis=0), x.max(axis=0)
        if np.any(low == high):
            column = int(np.argmax(low == high))
            raise DataError(
                f"column {column} has the one value {low[column]:g}; give angle a window, or leave the column out"
            )
        return {"low": low, "high": high}

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        low, high = (self.learned[side].astype(x.dtype) for side in ("low", "high"))
        inside: NDArray[np.bool_] = (x >= low) & (x <= high)
        return inside

    @property
    def _slope(self) -> Floats:
        return (self.range[1] - self.range[0]) / (self.learned["high"] - self.learned["low"])

    def _map(self, x: Floats) -> Floats:
        low, high = self.learned["low"], self.learned["high"]
        if self.bins is not None:
            step = (high - low) / self.bins
            x = low + (np.clip(np.floor((x - low) / step), 0, self.bins - 1) + 0.5) * step
        return self.range[0] + (x - low) * self._slope

    def _unmap(self, y: Floats) -> Floats:
        return self.learned["low"] + (y - self.range[0]) / self._slope

    def _log_slope(self, x: Floats) -> Floats:
        return np.broadcast_to(np.log(np.abs(self._slope)), x.shape)

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """The log Jacobian per event (N,); None with bins."""
        return None if self.bins is not None else super().log_det(x, condition)
