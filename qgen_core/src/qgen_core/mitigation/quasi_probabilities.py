"""Estimated probabilities that may be negative: the nearest distribution, and bits with it.

Mitigation estimates probabilities as sums with coefficients of both signs, so estimates of small
ones may be below zero (quasi-probabilities).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats, Rng


def nearest_distribution(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The probability vectors (B, K) nearest to ``values`` in the square norm, and their support.

    The support (B, K) says which entries are positive, for :func:`cotangent_of_values`.

    Source: Smolin, Gambetta and Smith, Phys. Rev. Lett. 108, 070502 (2012), arXiv:1106.5458.

    >>> nearest_distribution(np.array([[0.8, 0.4, -0.2]]))[0].round(3)
    array([[0.7, 0.3, 0. ]])
    """
    descending = -np.sort(-values, axis=1)
    excess = (np.cumsum(descending, axis=1) - 1) / np.arange(1, values.shape[1] + 1)
    kept = np.count_nonzero(descending > excess, axis=1)
    shifted = values - np.take_along_axis(excess, kept[:, None] - 1, axis=1)
    # An entry that is zero counts as positive, so the projection of a distribution is the identity.
    support = shifted > -1e-12
    return np.clip(shifted, 0, None), support


def cotangent_of_values(cotangent: Floats, support: NDArray[np.bool_]) -> Floats:
    """The pullback (B, K) of :func:`nearest_distribution`, from d loss / d distribution.

    The derivative of the projection is symmetric: it subtracts the mean over the support, and is
    zero elsewhere.

    >>> cotangent_of_values(np.array([[3.0, 1.0, 5.0]]), np.array([[True, True, False]]))
    array([[ 1., -1.,  0.]])
    """
    inside = np.where(support, cotangent, 0.0)
    mean = inside.sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True)
    return np.where(support, inside - mean, 0.0)


def systematic_outcomes(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Outcomes (shots,) in random order, as often as ``probabilities`` (K,) say.

    Numbers of each outcome are rounded by systematic resampling, with one random offset for all:
    independent draws would double the variance of probabilities that were themselves measured. The
    mean number of each outcome is exact.

    >>> outcomes = systematic_outcomes(np.array([0.25, 0.75]), 4, np.random.default_rng(1))
    >>> np.bincount(outcomes)
    array([1, 3])
    """
    positions = np.floor(np.cumsum(probabilities) * shots + rng.random())
    ends = np.minimum(positions, shots).astype(np.int64)
    ends[-1] = shots
    outcomes = np.repeat(np.arange(len(probabilities)), np.diff(ends, prepend=0))
    rng.shuffle(outcomes)
    return outcomes
