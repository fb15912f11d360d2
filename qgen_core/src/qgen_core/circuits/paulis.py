"""Expectations of Pauli words in numpy, for adapters whose SDK is slower at them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Complex, Floats

# From letters to bits: X and Y flip a basis state, Y and Z change its sign.
_FLIP_BITS = str.maketrans("IXYZ", "0110")
_SIGN_BITS = str.maketrans("IXYZ", "0011")


def expectations_of_states(states: Complex, words: tuple[str, ...]) -> Floats:
    """``<psi|P|psi>`` (B, words) of normalised states (B, 2^Q).

    Wire 0 is the most significant bit of a state and the first letter of a word.

    >>> expectations_of_states(np.array([[1, 1j]]) / np.sqrt(2), ("Y", "Z")).round(6)
    array([[1., 0.]])
    """
    values = []
    for moved, phase in _actions(words):
        terms = states.conj()[:, moved] * states * phase
        values.append(terms.sum(axis=1).real)
    return np.stack(values, axis=1).astype(np.float64)


def expectations_of_densities(densities: Complex, words: tuple[str, ...]) -> Floats:
    """``Tr(P rho)`` (B, words) of density matrices (B, 2^Q, 2^Q).

    >>> mixed = np.array([[[0.7, 0.0], [0.0, 0.3]]])
    >>> expectations_of_densities(mixed, ("Z", "X")).round(6)
    array([[0.4, 0. ]])
    """
    here = np.arange(densities.shape[-1])
    values = []
    for moved, phase in _actions(words):
        terms = densities[:, here, moved] * phase
        values.append(terms.sum(axis=1).real)
    return np.stack(values, axis=1).astype(np.float64)


def _actions(words: tuple[str, ...]) -> Iterator[tuple[NDArray[np.int64], Complex]]:
    """For each word, ``moved`` and ``phase`` with ``P |i> = phase[i] |moved[i]>``."""
    here = np.arange(2 ** len(words[0]))
    for word in words:
        flips = int(word.translate(_FLIP_BITS), 2)
        signs = int(word.translate(_SIGN_BITS), 2)
        odd = np.bitwise_count(here & signs) & 1
        yield here ^ flips, np.where(odd, -1, 1) * 1j ** word.count("Y")
