"""The encoder ``noise-threshold``: a little noise on cells, and none of them below a threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.columns import ColumnEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats

#: The increment and the multipliers of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class NoiseThresholdEncoder(ColumnEncoder):
    """``x + noise U`` with U uniform in [0, 1), so that cells without a hit have a density.

    Events (N, F) of energies of at least 0 give (N, F) in the same unit. Decoding subtracts the
    mean of the noise and sets what is below ``threshold`` to 0: cells hold 0, or the threshold and
    more. So a cell of 0 returns to 0, one above ``threshold + noise`` to itself within half of the
    noise, and one between 0 and the threshold is lost.

    The noise of an event is a function of its values and of ``seed``: encoding it again, and the
    density of encoders that follow in a chain, have the same noise. ``log_det`` is 0.

    Args:
        noise: the width of the noise, in the unit of the columns; 0: no noise.
        threshold: the least energy of a hit, at least half of the noise; None: the noise.
        seed: chooses the noise.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.

    Raises BadOption for a negative noise or seed, and a threshold below half of the noise.

    Source: CaloFlow adds uniform noise of up to 1 keV and CaloINN of up to 5e-6 of a layer
    (docs/readings.md).

    >>> import numpy as np
    >>> x = np.array([[0.0, 5.0, 0.3]])
    >>> encoder = NoiseThresholdEncoder(noise=0.001, threshold=1.0).fit(x)
    >>> z = encoder.encode(x)
    >>> bool(np.all((z >= x) & (z < x + 0.001)))
    True
    >>> encoder.decode(z, rng=np.random.default_rng(0)).round(2).tolist()
    [[0.0, 5.0, 0.0]]
    """

    name = "noise-threshold"

    def __init__(
        self,
        *,
        noise: float = 0.001,
        threshold: float | None = None,
        seed: int = 0,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if threshold is None:
            threshold = noise
        if not (np.isfinite(noise) and noise >= 0) or seed < 0:
            raise BadOption(
                f"noise and seed of {self.name} are at least 0, not {noise:g} and {seed}"
            )
        if not (np.isfinite(threshold) and threshold >= noise / 2):
            raise BadOption(
                f"the threshold of {self.name} is at least half of the noise, {noise / 2:g}, so "
                f"that cells without a hit stay empty; not {threshold:g}"
            )
        self.noise = noise
        self.threshold = threshold
        self.seed = seed

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        return x >= 0

    def _allowed(self) -> str:
        return "energies of 0 and more"

    def _map(self, x: Floats) -> Floats:
        if self.noise == 0:
            return x
        return x + self.noise * _uniform(x, self.seed)

    def _unmap(self, y: Floats) -> Floats:
        x = y - self.noise / 2
        return np.where(x < self.threshold, 0.0, x)

    def _log_slope(self, x: Floats) -> Floats:
        return np.zeros(x.shape)


def _uniform(x: Floats, seed: int) -> Floats:
    """Numbers in [0, 1) for each value (N, k), a function of the values of its row and the seed."""
    bits = (x + 0.0).view(np.uint64)  # + 0: the two zeros have other bits
    places = _GOLDEN * np.arange(1, x.shape[1] + 1, dtype=np.uint64)
    start = np.uint64(seed % 2**64)
    rows = _mixed(_mixed(bits + places).sum(axis=1, dtype=np.uint64) + start)
    mixed = _mixed(rows[:, None] + places)
    uniform: Floats = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of splitmix64: each bit depends on all bits of the word."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))
