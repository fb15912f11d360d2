"""Measured outcomes and their counts, with readout errors, as frequencies, bits or parities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import Unsupported
from qgen_core.events import index_to_bits
from qgen_core.typing import Floats, Rng

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Outcomes (K,), wire 0 the most significant bit, and the number of shots of each (K,).

    >>> counts = Counts.from_hexadecimal({"0x0": 3, "0x3": 1}, shots=4)
    >>> counts.table(num_wires=2)
    array([3., 0., 0., 1.])
    >>> counts.mean_parity("ZI")
    0.5
    """

    outcomes: Integers
    numbers: Integers

    @classmethod
    def from_hexadecimal(cls, counted: Mapping[str, int], shots: int) -> Counts:
        """From Aer's dictionary with hexadecimal keys.

        Raises Unsupported if the numbers are negative or do not sum to the shots.
        """
        numbers = np.fromiter(counted.values(), dtype=np.int64, count=len(counted))
        if numbers.sum() != shots or np.any(numbers < 0):
            raise Unsupported(f"the counts of {shots} shots sum to {numbers.sum()}")
        return cls(np.array([int(key, 16) for key in counted], dtype=np.int64), numbers)

    def with_readout_errors(self, confusion: Floats | None, rng: Rng) -> Counts:
        """The same shots with each bit of each shot flipped independently.

        The probabilities are those of the confusion matrices (Q, 2, 2), ``[wire, read, true]``.
        """
        if confusion is None:
            return self
        outcomes = self.outcomes
        numbers = self.numbers
        for wire, matrix in enumerate(confusion):
            place = len(confusion) - 1 - wire
            bit = outcomes >> place & 1
            flipped = rng.binomial(numbers, np.where(bit, matrix[0, 1], matrix[1, 0]))
            both = np.concatenate([outcomes, outcomes ^ (1 << place)])
            outcomes, where = np.unique(both, return_inverse=True)
            weights = np.concatenate([numbers - flipped, flipped])
            numbers = np.bincount(where, weights, len(outcomes)).astype(np.int64)
        return Counts(outcomes, numbers)

    def table(self, num_wires: int) -> Floats:
        """The number of shots of each basis state, (2^Q,)."""
        return np.asarray(np.bincount(self.outcomes, self.numbers, 2**num_wires), dtype=np.float64)

    def bits(self, num_wires: int, rng: Rng) -> NDArray[np.int8]:
        """The shots (S, Q) in random order."""
        shots = rng.permutation(np.repeat(self.outcomes, self.numbers))
        return index_to_bits(shots, num_wires)

    def mean_parity(self, word: str) -> float:
        """The mean of (-1)^(number of ones under the letters X, Y, Z of a Pauli word)."""
        mask = 0
        for letter in word:
            mask = 2 * mask + (letter != "I")
        signs = 1 - 2 * (np.bitwise_count(self.outcomes & mask) & 1).astype(np.int64)
        return float(signs @ self.numbers / self.numbers.sum())
