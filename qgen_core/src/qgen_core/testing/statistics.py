"""Samples against distributions: chi-square with merged bins, and how far shots may stray."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.typing import Floats

#: A correct component with another fixed seed fails a test once in a million times.
LEAST_P = 1e-6
#: The least expected number of events in a bin of a chi-square test.
LEAST_EXPECTED = 5.0
#: Shots may stray from the expectation by so many standard deviations.
SIGMAS = 6.0
#: An outcome of a smaller probability counts as impossible.
IMPOSSIBLE = 1e-12


def chi_square(counts: ArrayLike, probabilities: ArrayLike, *, correlated: float = 1.0) -> float:
    """The p-value of counts (K,) under probabilities (K,), rare bins merged.

    ``correlated`` draws count as one independent draw. Zero if an impossible outcome occurred.

    >>> chi_square([250, 250, 500], [0.25, 0.25, 0.5])
    1.0
    """
    found = np.asarray(counts, dtype=np.float64) / correlated
    p = np.asarray(probabilities, dtype=np.float64)
    if np.any(found[p < IMPOSSIBLE] > 0):
        return 0.0
    expected = found.sum() * p / p.sum()
    group = _groups(expected)
    merged = np.bincount(group, expected)
    return _survival(
        float(np.sum((np.bincount(group, found) - merged) ** 2 / merged)), len(merged) - 1
    )


def same_distribution(first: ArrayLike, second: ArrayLike) -> float:
    """The p-value that two rows of counts (K,) come from one distribution, rare bins merged."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    share = a.sum() / (a.sum() + b.sum())
    group = _groups((a + b) * min(share, 1 - share))
    a = np.bincount(group, a).astype(np.float64)
    both = a + np.bincount(group, b)
    statistic = float(np.sum((a - share * both) ** 2 / (share * (1 - share) * both)))
    return _survival(statistic, len(both) - 1)


def distribution(outcomes: NDArray[Any], size: int) -> Floats:
    """How often each outcome number below ``size`` occurs (size,)."""
    return np.bincount(outcomes, minlength=size).astype(np.float64)


def total_variation_floor(probabilities: Floats, draws: float) -> float:
    """The expected total variation between probabilities and the frequencies of so many draws."""
    return float(np.sum(np.sqrt(probabilities * (1 - probabilities) / (2 * np.pi * draws))))


def _groups(expected: Floats) -> NDArray[np.intp]:
    """The bin (K,) into which each outcome goes, filled from the rarest on to LEAST_EXPECTED or more."""
    order = np.argsort(expected, kind="stable")
    group = np.empty(len(expected), dtype=np.intp)
    number, held = 0, 0.0
    for outcome in order:
        group[outcome] = number
        held += expected[outcome]
        if held >= LEAST_EXPECTED:
            number, held = number + 1, 0.0
    if held and number:  # what is left over joins the last full bin
        group[group == number] = number - 1
    return group


def _survival(statistic: float, freedom: int) -> float:
    """The probability of a larger chi-square of so many degrees of freedom."""
    from scipy.special import gammaincc

    return float(gammaincc(freedom / 2, statistic / 2)) if freedom else 1.0
