"""What measures read of a density matrix in the Pauli basis, and the adjoint of reading it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.measures import Expectations, Measure, blocks_of_wires, on_blocks_of_wires
from qgen_core.simulators.density.pauli import LETTERS
from qgen_core.simulators.density.plan import ALL_DIGITS, Kept
from qgen_core.typing import Floats

#: Sets of words whose digits and places are kept, because every run of a training asks for them.
WORD_SETS = 64
#: The Walsh transform of one wire, over 2.
WALSH = np.array([[0.5, 0.5], [0.5, -0.5]])


def kept_digits(measure: Measure, num_wires: int) -> Kept:
    """The letters that a measure reads of each wire, as digits: one, two or all four.

    >>> kept_digits(Expectations(("ZI", "XI", "II")), 2)
    ((0, 1, 2, 3), (0,))
    """
    if not isinstance(measure, Expectations):
        return ((LETTERS.index("I"), LETTERS.index("Z")),) * num_wires
    return _digits_of_words(measure.paulis, num_wires)


@lru_cache(WORD_SETS)
def _digits_of_words(words: tuple[str, ...], num_wires: int) -> Kept:
    """The digits of each wire that some words read."""
    kept: list[tuple[int, ...]] = []
    for wire in range(num_wires):
        found = {LETTERS.index("I")}
        for word in words:
            found.add(LETTERS.index(word[wire]))
        if len(found) < 3:
            kept.append(tuple(sorted(found)))
        else:
            kept.append(ALL_DIGITS)
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
    """The Walsh transform of rows (B, 2^Q), over 2^Q: probabilities from words of I and Z.

    It is a symmetric matrix, so it also maps cotangents of probabilities to those of words.
    """
    return on_blocks_of_wires(values, _walsh_blocks(num_wires))


@lru_cache
def _walsh_blocks(num_wires: int) -> list[Floats]:
    """The transforms of all wires, some wires at a time."""
    return blocks_of_wires(np.tile(WALSH, (num_wires, 1, 1)))


@lru_cache(WORD_SETS)
def places(words: tuple[str, ...], kept: Kept) -> NDArray[np.intp]:
    """The place of each word among the kept coefficients.

    >>> places(("ZI", "IZ"), ((0, 3), (0, 3)))
    array([2, 1])
    """
    found: list[int] = []
    for word in words:
        place = 0
        for letter, digits in zip(word, kept, strict=True):
            place = place * len(digits) + digits.index(LETTERS.index(letter))
        found.append(place)
    out = np.array(found, dtype=np.intp)
    out.flags.writeable = False  # it is handed out again
    return out
