"""Comparing samples with distributions: chi-square tests with merged bins, and tolerances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.typing import Floats

#: The least p-value that passes: a correct component with another seed fails once in a million.
LEAST_P = 1e-6
#: The least expected number of events in a bin of a chi-square test.
LEAST_EXPECTED = 5.0
#: How far an estimate from shots may be from the expectation, in standard deviations.
SIGMAS = 6.0
#: Outcomes with a smaller probability count as impossible.
IMPOSSIBLE = 1e-12


def chi_square(counts: ArrayLike, probabilities: ArrayLike, *, correlated: float = 1.0) -> float:
    """The p-value of counts (K,) under probabilities (K,), by a chi-square test.

    Rare outcomes are merged into bins of at least ``LEAST_EXPECTED`` expected counts. The p-value
    is 0 if an impossible outcome occurred. For correlated draws, ``correlated`` is the number of
    draws that count as one independent draw.

    >>> chi_square([250, 250, 500], [0.25, 0.25, 0.5])
    1.0
    """
    found = np.asarray(counts, dtype=np.float64) / correlated
    p = np.asarray(probabilities, dtype=np.float64)
    if np.any(found[p < IMPOSSIBLE] > 0):
        return 0.0
    expected = found.sum() * p / p.sum()
    bins = _merged_bins(expected)
    found_in_bin = np.bincount(bins, found)
    expected_in_bin = np.bincount(bins, expected)
    statistic = float(np.sum((found_in_bin - expected_in_bin) ** 2 / expected_in_bin))
    return _p_value(statistic, len(expected_in_bin) - 1)


def same_distribution(first: ArrayLike, second: ArrayLike) -> float:
    """The p-value of two rows of counts (K,) under the hypothesis of one common distribution.

    A chi-square test in which rare outcomes are merged, as in :func:`chi_square`.

    >>> same_distribution([500, 500], [50, 50])
    1.0
    """
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    share = a.sum() / (a.sum() + b.sum())
    bins = _merged_bins((a + b) * min(share, 1 - share))
    a_in_bin = np.bincount(bins, a).astype(np.float64)
    both_in_bin = a_in_bin + np.bincount(bins, b)
    difference = a_in_bin - share * both_in_bin
    variance = share * (1 - share) * both_in_bin
    statistic = float(np.sum(difference**2 / variance))
    return _p_value(statistic, len(both_in_bin) - 1)


def distribution(outcomes: NDArray[Any], size: int) -> Floats:
    """How often each outcome number below ``size`` occurs, (size,) float64.

    >>> distribution(np.array([0, 2, 2]), 4).tolist()
    [1.0, 0.0, 2.0, 0.0]
    """
    return np.bincount(outcomes, minlength=size).astype(np.float64)


def total_variation_floor(probabilities: Floats, draws: float) -> float:
    """The expected total variation between probabilities (K,) and frequencies of ``draws`` draws.

    >>> round(total_variation_floor(np.array([0.5, 0.5]), 10_000), 4)
    0.004
    """
    return float(np.sum(np.sqrt(probabilities * (1 - probabilities) / (2 * np.pi * draws))))


def _merged_bins(expected: Floats) -> NDArray[np.intp]:
    """The bin (K,) of each outcome; bins are filled to LEAST_EXPECTED or more, rarest first."""
    bins = np.empty(len(expected), dtype=np.intp)
    number = 0
    in_bin = 0.0
    for outcome in np.argsort(expected, kind="stable"):
        bins[outcome] = number
        in_bin += expected[outcome]
        if in_bin >= LEAST_EXPECTED:
            number += 1
            in_bin = 0.0
    if in_bin and number:  # the rest joins the last full bin
        bins[bins == number] = number - 1
    return bins


def _p_value(statistic: float, degrees_of_freedom: int) -> float:
    """The probability of a larger chi-square."""
    from scipy.special import gammaincc

    if degrees_of_freedom == 0:
        return 1.0
    return float(gammaincc(degrees_of_freedom / 2, statistic / 2))
