"""Pauli words on states and density matrices in numpy, for adapters whose SDK is slower at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats

Complex = NDArray[np.complexfloating[Any, Any]]


def expectations_of_states(states: Complex, words: tuple[str, ...]) -> Floats:
    """``<psi|P|psi>`` (B, words) of normalised states (B, 2^Q).

    Wire 0 is the most significant bit.
    """
    values = (
        (states.conj()[:, moved] * states * phase).sum(axis=1).real
        for moved, phase in _actions(words)
    )
    return np.stack(list(values), axis=1).astype(np.float64)


def expectations_of_densities(densities: Complex, words: tuple[str, ...]) -> Floats:
    """``Tr(P rho)`` (B, words) of density matrices (B, 2^Q, 2^Q)."""
    here = np.arange(densities.shape[-1])
    values = (
        (densities[:, here, moved] * phase).sum(axis=1).real for moved, phase in _actions(words)
    )
    return np.stack(list(values), axis=1).astype(np.float64)


def _actions(words: tuple[str, ...]) -> Iterator[tuple[NDArray[np.int64], Complex]]:
    """For each word, ``moved`` and ``phase`` with ``P |i> = phase[i] |moved[i]>``."""
    here = np.arange(2 ** len(words[0]))
    for word in words:
        flips = int("".join("1" if letter in "XY" else "0" for letter in word), 2)
        signs = int("".join("1" if letter in "YZ" else "0" for letter in word), 2)
        odd = np.bitwise_count(here & signs) & 1
        yield here ^ flips, np.where(odd, -1, 1) * 1j ** word.count("Y")
