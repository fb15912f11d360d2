"""What a device or a simulator counted: outcomes and how often, read wrongly, spread out, or summed up."""

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
    """Outcomes (K,), wire 0 the most significant bit, and the number of shots of each (K,)."""

    outcomes: Integers
    numbers: Integers

    @classmethod
    def of(cls, counted: Mapping[str, int], shots: int) -> Counts:
        """From hexadecimal keys. Raises Unsupported when the numbers are not those of so many shots."""
        numbers = np.fromiter(counted.values(), dtype=np.int64, count=len(counted))
        if numbers.sum() != shots or np.any(numbers < 0):
            raise Unsupported(f"the counts of {shots} shots sum to {numbers.sum()}")
        return cls(np.array([int(key, 16) for key in counted], dtype=np.int64), numbers)

    def misread(self, confusion: Floats | None, rng: Rng) -> Counts:
        """The same shots read through a confusion (Q, 2, 2): each bit of each shot by itself."""
        if confusion is None:
            return self
        outcomes, numbers = self.outcomes, self.numbers
        for wire, matrix in enumerate(confusion):
            place = len(confusion) - 1 - wire
            bit = outcomes >> place & 1
            wrong = rng.binomial(numbers, np.where(bit, matrix[0, 1], matrix[1, 0]))
            outcomes, where = np.unique(
                np.concatenate([outcomes, outcomes ^ (1 << place)]), return_inverse=True
            )
            numbers = np.bincount(
                where, np.concatenate([numbers - wrong, wrong]), len(outcomes)
            ).astype(np.int64)
        return Counts(outcomes, numbers)

    def table(self, num_wires: int) -> Floats:
        """How often each basis state came (2^Q,)."""
        return np.asarray(np.bincount(self.outcomes, self.numbers, 2**num_wires), dtype=np.float64)

    def bits(self, num_wires: int, rng: Rng) -> NDArray[np.int8]:
        """The shots (S, Q) in random order."""
        return index_to_bits(rng.permutation(np.repeat(self.outcomes, self.numbers)), num_wires)

    def mean_parity(self, word: str) -> float:
        """The mean of (-1)^(ones under the letters of a Pauli word)."""
        mask = int("".join("0" if letter == "I" else "1" for letter in word), 2)
        signs = 1 - 2 * (np.bitwise_count(self.outcomes & mask) & 1).astype(np.int64)
        return float(signs @ self.numbers / self.numbers.sum())
