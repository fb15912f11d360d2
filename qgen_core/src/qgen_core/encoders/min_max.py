"""The encoder ``min-max``: a linear map of each column from its window to a range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from qgen_core.encoders.checks import constant_columns
from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Floats


class MinMaxEncoder(ColumnEncoder):
    """Maps the window [low, low + length] of each column linearly to [first, last].

    ``z = first + (last - first) (x - low) / length``, with ``length = margin (max - low)`` and the
    largest training value ``max``. Events (N, F) in any unit give (N, F). Values outside the window
    are accepted, and mapped by the same formula. For a column with one single value, length is 1.

    Args:
        range: [first, last], the images of the two ends of the window; [1, -1] reverses the
            direction. The expectations of a Quantum Angle Generator, ``z = 1 - 2 E / Emax`` with
            ``Emax = 1.05 max E``, are ``range = [1, -1], start = "zero", margin = 1.05``.
        start: ``low`` is the smallest training value (``min``) or 0 (``zero``).
        margin: factor on the length of the window; above 1, the largest training value is mapped
            to the inside of the range.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for an empty range or a margin that is not above 0.

    Source: docs/readings.md (encoding of Rehm et al.), the margin is our reading.

    >>> import numpy as np
    >>> pixels = np.array([[0.0], [1.0], [4.0]])
    >>> encoder = MinMaxEncoder(range=(1.0, -1.0), start="zero").fit(pixels)
    >>> z = encoder.encode(pixels)
    >>> z.ravel().tolist()
    [1.0, 0.5, -1.0]
    >>> encoder.decode(z, rng=np.random.default_rng(0)).ravel().tolist()
    [0.0, 1.0, 4.0]
    """

    name = "min-max"
    learns = ("low", "length")

    def __init__(
        self,
        *,
        range: tuple[float, float] = (0.0, 1.0),
        start: Literal["min", "zero"] = "min",
        margin: float = 1.0,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if range[0] == range[1] or not np.isfinite(range).all():
            raise BadOption(
                f"the range of min-max is [first, last], two different numbers, not {list(range)}"
            )
        if not (np.isfinite(margin) and margin > 0):
            raise BadOption(f"the margin of min-max is a factor above 0, not {margin:g}")
        self.range = range
        self.start = start
        self.margin = margin

    def _learn(self, x: Floats) -> dict[str, Floats]:
        low = np.zeros(x.shape[1])
        if self.start == "min":
            low = x.min(axis=0)
        high = x.max(axis=0)
        constant = constant_columns(low, high)
        return {"low": low, "length": np.where(constant, 1.0, self.margin * (high - low))}

    @property
    def _slope(self) -> Floats:
        slope: Floats = (self.range[1] - self.range[0]) / self.learned["length"]
        return slope

    def _map(self, x: Floats) -> Floats:
        return self.range[0] + (x - self.learned["low"]) * self._slope

    def _unmap(self, y: Floats) -> Floats:
        return self.learned["low"] + (y - self.range[0]) / self._slope

    def _log_slope(self, x: Floats) -> Floats:
        return np.broadcast_to(np.log(np.abs(self._slope)), x.shape)
