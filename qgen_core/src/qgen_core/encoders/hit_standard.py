"""The encoder ``hit-standard``: cells of showers, scaled by what they hold when they are hit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import constant_columns
from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Array, Floats


class HitStandardEncoder(ColumnEncoder):
    """``(x - least) / deviation + eps`` where a cell is hit, x > 0, and 0 exactly where it is not.

    Events (N, F) of energies of at least 0, in any unit, give (N, F) without a unit. ``least`` and
    ``deviation`` are the smallest hit of a cell and the standard deviation of its hits, both of the
    training events: the hits of each cell are standardised and then shifted, so that the smallest
    is ``eps``. A hit below ``least`` is mapped to ``eps x / least``, so every hit has a value above
    0 and decodes to itself. Decoding gives 0 for all values of a model that are not above 0.

    A cell with fewer than 2 different training hits has the deviation of the hits of all cells
    together; one with no hit also the smallest of them.

    Args:
        eps: the image of the smallest hit, above 0.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for ``eps`` not above 0; ``fit`` raises DataError for events with negative
    values or without any hit.

    Source: the scaling of the CaloQVAE code with its eps of 0.01 (docs/readings.md), which maps
    hits below ``least`` to values that may be negative.

    >>> import numpy as np
    >>> x = np.array([[0.0, 5.0], [2.0, 0.0], [6.0, 0.0]])
    >>> encoder = HitStandardEncoder().fit(x)
    >>> encoder.encode(x).round(3).tolist()
    [[0.0, 0.01], [0.01, 0.0], [2.01, 0.0]]
    >>> encoder.decode(encoder.encode(x) - 0.005, rng=np.random.default_rng(0))[0].tolist()
    [0.0, 2.5]
    """

    name = "hit-standard"
    learns = ("least", "deviation")

    def __init__(
        self,
        *,
        eps: float = 0.01,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if not (np.isfinite(eps) and eps > 0):
            raise BadOption(f"eps of hit-standard is a number above 0, not {eps:g}")
        self.eps = eps

    def _learn(self, x: Floats) -> dict[str, Floats]:
        if x.min() < 0:
            raise DataError(
                f"hit-standard cannot be fitted: {int((x < 0).sum())} values are negative; "
                "energies of cells are 0 or more"
            )
        hit = x > 0
        if not hit.any():
            raise DataError("hit-standard cannot be fitted: no cell of the training events is hit")
        least, deviation = _of_hits(x, hit)
        every_hit = x[hit][:, None]
        least_of_all, deviation_of_all = _of_hits(every_hit, every_hit > 0)
        alike = deviation == 0
        if deviation_of_all[0] == 0:
            deviation_of_all[0] = 1.0
        return {
            "least": np.where(np.isfinite(least), least, least_of_all),
            "deviation": np.where(alike, deviation_of_all, deviation),
        }

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        return x >= 0

    def _allowed(self) -> str:
        return "energies of 0 and more"

    def _map(self, x: Floats) -> Floats:
        least = self.learned["least"]
        above = (x - least) / self.learned["deviation"] + self.eps
        return np.where(x < least, x * (self.eps / least), above)

    def _unmap(self, y: Floats) -> Floats:
        least = self.learned["least"]
        above = least + (y - self.eps) * self.learned["deviation"]
        return np.where(y < self.eps, np.maximum(y, 0.0) * (least / self.eps), above)

    def _log_slope(self, x: Floats) -> Floats:
        """Of a cell that is not hit, the slope from above."""
        least = self.learned["least"]
        below = np.log(self.eps / least)
        return np.where(x < least, below, -np.log(self.learned["deviation"]))


def _of_hits(x: Floats, hit: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The smallest hit of each column, infinity without one, and the deviation of its hits."""
    least = np.where(hit, x, np.inf).min(axis=0)
    largest = x.max(axis=0)
    counts = np.maximum(hit.sum(axis=0), 1)
    mean = x.sum(axis=0) / counts
    variance = np.where(hit, (x - mean) ** 2, 0.0).sum(axis=0) / counts
    # equal hits have the deviation 0, also where their mean is rounded
    return least, np.where(constant_columns(least, largest), 0.0, np.sqrt(variance))
