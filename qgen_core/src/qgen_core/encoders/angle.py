"""The encoder ``angle``: numbers to rotation angles, mostly used for conditions."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import constant_columns
from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Array, Floats


class AngleEncoder(ColumnEncoder):
    """Maps each column linearly from its window to a range of angles, in radians.

    ``angle = first + (last - first) (x - min) / (max - min)``, with the window [min, max] and the
    range [first, last]. Events (N, F) in any unit give angles (N, F).

    Args:
        range: the angles of the two ends of the window. The default leaves out a tenth on either
            side: rotations by -pi and +pi give the same state, so over [-pi, pi] a model could
            not tell the smallest condition from the largest. The paper uses [-pi, pi].
        bins: replace each value by the centre of one of this many equal bins of the window, so
            that a continuous condition has few distinct values and a distribution can be
            tabulated for each. Encoding then has no density (``log_det`` is None). None: no bins.
        window: [min, max] of each column; values outside are not accepted. None: from the
            smallest to the largest training value.

    Raises BadOption for an empty range, fewer than one bin or an empty window; ``fit`` raises
    DataError for a column with one single value.

    Source: Kiss et al., arXiv:2205.07674 (conditional Born machine); the inner range is ours.

    >>> import numpy as np
    >>> energy = np.array([[100.0], [150.0], [200.0]])
    >>> encoder = AngleEncoder(range=(-1.0, 1.0)).fit(energy)
    >>> angles = encoder.encode(energy)
    >>> angles.ravel().tolist()
    [-1.0, 0.0, 1.0]
    >>> encoder.decode(angles, rng=np.random.default_rng(0)).ravel().tolist()
    [100.0, 150.0, 200.0]
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
                f"the range of angle is [first, last], two different numbers, not {list(range)}"
            )
        if bins is not None and bins < 1:
            raise BadOption(f"bins must be at least 1, not {bins}")
        for bounds in window or ():
            if not (np.isfinite(bounds).all() and bounds[0] < bounds[1]):
                raise BadOption(f"a window of angle is [min, max] with min < max, not {window}")
        self.range = range
        self.bins = bins
        self.window = window

    def _allowed(self) -> str:
        bounds = zip(self.learned["low"], self.learned["high"], strict=True)
        windows = [f"[{low:g}, {high:g}]" for low, high in bounds]
        return f"values in {', '.join(windows)}"

    def _learn(self, x: Floats) -> dict[str, Floats]:
        if self.window is not None:
            if len(self.window) != x.shape[1]:
                raise BadOption(
                    f"angle has windows for {len(self.window)} columns, the events have "
                    f"{x.shape[1]}"
                )
            low, high = np.array(self.window, dtype=np.float64).T
            return {"low": low, "high": high}
        low = x.min(axis=0)
        high = x.max(axis=0)
        constant = constant_columns(low, high)
        if np.any(constant):
            column = int(np.argmax(constant))
            raise DataError(
                f"column {column} has the one value {low[column]:g}; give angle a window, or "
                "leave the column out"
            )
        return {"low": low, "high": high}

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        low = self.learned["low"].astype(x.dtype)
        high = self.learned["high"].astype(x.dtype)
        inside: NDArray[np.bool_] = (x >= low) & (x <= high)
        return inside

    @property
    def _slope(self) -> Floats:
        return (self.range[1] - self.range[0]) / (self.learned["high"] - self.learned["low"])

    def _map(self, x: Floats) -> Floats:
        low = self.learned["low"]
        if self.bins is not None:
            bin_width = (self.learned["high"] - low) / self.bins
            number = np.clip(np.floor((x - low) / bin_width), 0, self.bins - 1)
            x = low + (number + 0.5) * bin_width
        return self.range[0] + (x - low) * self._slope

    def _unmap(self, y: Floats) -> Floats:
        return self.learned["low"] + (y - self.range[0]) / self._slope

    def _log_slope(self, x: Floats) -> Floats:
        return np.broadcast_to(np.log(np.abs(self._slope)), x.shape)

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """log |d encode / d x| per event (N,); None with bins."""
        if self.bins is not None:
            return None
        return super().log_det(x, condition)
