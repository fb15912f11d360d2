"""The encoder ``energy-bits``: an energy as three binary numbers, for a model of bits."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.energies import EnergyCode, EnergyUnit, conversion
from qgen_core.events import bits_to_index, index_to_bits
from qgen_core.typing import Array, Floats, Rng

#: Bits of each of the three numbers.
BITS = 20
#: Units of the third number in one unit of the logarithm.
LOG_SCALE = float(np.exp(10.0))
#: Part of a cell at each of its ends in which no energy is drawn, for the sake of rounding.
MARGIN = 1e-6


class EnergyBitsEncoder(EnergyCode):
    """The whole parts of ``E``, ``sqrt(10 E)`` and ``e^10 ln E``, as 20 bits each.

    Energies (N, K) give bits (N, 60 K) int8: the three numbers of an energy one after the other,
    the most significant bit of each first. E is counted in ``counted_unit``; energies from 1 of it
    up to 2^20 = 1,048,576, without the end, are accepted. The three numbers change over different
    scales: the first resolves steps of one unit, the last relative steps of 4.5e-5.

    Decoding draws uniformly among the energies that have all three numbers. Where a model made up
    numbers that no energy has together, it draws among those of the first number. Encoding has the
    density of these cells.

    Args:
        unit: the unit of the energies.
        counted_unit: the unit in which they are counted.

    Source: the condition of the CaloQVAE with a four-partite prior (docs/readings.md), whose
    energies are in MeV.

    >>> import numpy as np
    >>> energy = np.array([[2.5]])  # GeV, counted in MeV
    >>> encoder = EnergyBitsEncoder().fit(energy)
    >>> bits = encoder.encode(energy)
    >>> [int("".join(map(str, number)), 2) for number in bits.reshape(3, 20)]
    [2500, 158, 172336]
    >>> decoded = encoder.decode(bits, rng=np.random.default_rng(0))
    >>> decoded.round(3).tolist()
    [[2.5]]
    """

    name = "energy-bits"
    kind: Literal["reals", "bits", "spins"] = "bits"
    columns_each = 3 * BITS

    def __init__(self, *, unit: EnergyUnit = "GeV", counted_unit: EnergyUnit = "MeV") -> None:
        self.unit = unit
        self.counted_unit = counted_unit
        self._factor = conversion(unit, counted_unit)

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """Minus the logarithm of the width of each energy's cell, summed over the energies (N,)."""
        low, high = _cell(_numbers(self._accepted(x) * self._factor))
        total: Floats = -np.log((high - low) / self._factor).sum(axis=1)
        return total

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        counted = x.astype(np.float64) * self._factor
        inside: NDArray[np.bool_] = (counted >= 1) & (counted < 2**BITS)
        return inside

    def _allowed(self) -> str:
        least = 1 / self._factor
        largest = 2**BITS / self._factor
        return f"energies from {least:g} to below {largest:g} {self.unit}"

    def _code(self, x: Floats) -> Array:
        bits = index_to_bits(_numbers(x * self._factor), BITS)
        return bits.reshape(len(x), -1)

    def _energies(self, z: Array, rng: Rng) -> Floats:
        numbers = bits_to_index(z.reshape(len(z), -1, 3, BITS))
        low, high = _cell(numbers)
        part = rng.uniform(MARGIN, 1 - MARGIN, low.shape)
        energies: Floats = (low + part * (high - low)) / self._factor
        return energies


def _numbers(energy: Floats) -> NDArray[np.int64]:
    """The three numbers (N, K, 3) of energies (N, K) in the unit that is counted."""
    scales = [energy, np.sqrt(10 * energy), LOG_SCALE * np.log(energy)]
    numbers: NDArray[np.int64] = np.floor(np.stack(scales, axis=-1)).astype(np.int64)
    return numbers


def _cell(numbers: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The ends (N, K) of the range of energies that have the numbers (N, K, 3)."""
    lows = _least_energies(numbers)
    highs = _least_energies(numbers + 1)
    low = lows.max(axis=-1)
    high = highs.min(axis=-1)
    contradiction = low >= high
    # without an energy of all three numbers, those of the first number from 1 on
    low = np.where(contradiction, np.maximum(lows[..., 0], 1.0), low)
    high = np.where(contradiction, np.maximum(highs[..., 0], 2.0), high)
    return low, high


def _least_energies(numbers: NDArray[np.int64]) -> Floats:
    """The least energies (N, K, 3) that have each of the numbers alone."""
    exponents = np.minimum(numbers[..., 2] / LOG_SCALE, np.log(2.0**BITS))
    return np.stack(
        [numbers[..., 0].astype(np.float64), numbers[..., 1] ** 2 / 10, np.exp(exponents)], axis=-1
    )
