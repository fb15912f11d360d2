"""What measures read of a density matrix in the Pauli basis, and the adjoint of that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.measures import Expectations, Measure
from qgen_core.simulators.density.pauli import LETTERS
from qgen_core.simulators.density.plan import Kept
from qgen_core.typing import Floats


def kept_digits(measure: Measure, num_wires: int) -> Kept:
    """The letters that a measure reads of each wire: one, two or all four."""
    if not isinstance(measure, Expectations):
        return ((0, 3),) * num_wires
    letters = [
        sorted({0, *(LETTERS.index(word[w]) for word in measure.paulis)}) for w in range(num_wires)
    ]
    kept: list[tuple[int, ...]] = []
    for found in letters:
        if len(found) < 3:
            kept.append(tuple(found))
        else:
            kept.append((0, 1, 2, 3))
    return tuple(kept)


def read(final: Floats, measure: Measure, kept: Kept) -> Floats:
    """Probabilities (B, 2^Q) or expectations (B, words) from the kept coefficients (B, K)."""
    if isinstance(measure, Expectations):
        return final[:, places(measure.paulis, kept)]
    return _signed_sums(final, len(kept))


def seed(cotangent: Floats, measure: Measure, kept: Kept) -> Floats:
    """The cotangent of the kept coefficients, given that of the output."""
    if not isinstance(measure, Expectations):
        return _signed_sums(cotangent, len(kept))
    out = np.zeros((len(cotangent), int(np.prod([len(digits) for digits in kept]))))
    np.add.at(out.T, places(measure.paulis, kept), cotangent.T)
    return out


def _signed_sums(values: Floats, num_wires: int) -> Floats:
    """Walsh transform of rows (B, 2^Q), over 2^Q: from <I> and <Z> to probabilities.

    It is symmetric.
    """
    out = np.array(values, dtype=np.float64)
    for wire in range(num_wires):
        split = out.reshape(len(out), 2**wire, 2, 2 ** (num_wires - 1 - wire))
        out = (
            np.stack([split[:, :, 0] + split[:, :, 1], split[:, :, 0] - split[:, :, 1]], axis=2) / 2
        )
    return out.reshape(len(values), 2**num_wires)


def places(words: tuple[str, ...], kept: Kept) -> NDArray[np.intp]:
    """Where each word stands among the kept coefficients."""
    found: list[int] = []
    for word in words:
        place = 0
        for letter, digits in zip(word, kept, strict=True):
            place = place * len(digits) + digits.index(LETTERS.index(letter))
        found.append(place)
    return np.array(found, dtype=np.intp)
