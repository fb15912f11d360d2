"""Draws from given probabilities: the alias table is exact, both ways of drawing follow it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from qgen_core.simulators import outcomes
from qgen_core.simulators.outcomes import (
    WORTH_BINOMIALS,
    WORTH_TABLE,
    alias_table,
    sample_counts,
    sample_indices,
)

RNG = np.random.default_rng(8)
DISTRIBUTIONS = {
    "equal": np.ones(7),
    "halves": np.array([0.25, 0.25, 0.5, 0.0]),
    "light first": np.array([0.125, 0.125, 0.375, 0.375]),
    "heavy first": np.array([0.375, 0.375, 0.125, 0.125]),
    "one of many": np.eye(64)[40],
    "one": np.ones(1),
    "smooth": RNG.exponential(size=4096),
    "steep": RNG.exponential(size=1000) ** 8,
    "thirds": np.full(3, 1 / 3),
    "sums of tenths": np.arange(1, 30) / 10,
}


def assert_follow(counts: NDArray[np.int64], p: NDArray[np.float64]) -> None:
    """Chi-square of counts (K,), in groups of outcomes with about 50 expected each."""
    expected = p * counts.sum()
    sums = np.cumsum(expected)
    group = np.minimum(sums // 50, sums[-1] // 50 - 1).astype(int)
    seen = np.bincount(group, counts)
    wanted = np.bincount(group, expected)
    filled = wanted > 0
    distance = np.sum((seen[filled] - wanted[filled]) ** 2 / wanted[filled])
    assert filled.sum() == 1 or chi2.sf(distance, filled.sum() - 1) > 1e-6


@pytest.fixture(params=list(DISTRIBUTIONS))
def p(request: pytest.FixtureRequest) -> NDArray[np.float64]:
    raw = DISTRIBUTIONS[request.param]
    return raw / raw.sum()


def test_the_columns_of_the_table_hold_every_outcome_in_full(p: NDArray[np.float64]) -> None:
    share, other = alias_table(p)
    numbers = np.arange(len(p))
    held = np.bincount(numbers, share, len(p)) + np.bincount(other, 1 - share, len(p))
    assert np.max(np.abs(held / len(p) - p)) < 1e-13
    assert np.min(share) > -1e-10 and np.max(share) <= 1


@pytest.mark.parametrize(
    "each", [WORTH_TABLE / 2, WORTH_TABLE, 60], ids=["shuffled", "first looked up", "looked up"]
)
def test_samples_follow_the_probabilities_and_come_in_random_order(
    p: NDArray[np.float64], each: float
) -> None:
    shots = max(int(each * len(p)), 2)
    rng = np.random.default_rng(5)
    index = np.concatenate(
        [sample_indices(p, shots, rng) for _ in range(min(1 + 200_000 // shots, 2000))]
    )
    assert not np.any(p[index] == 0)
    for part in (index, index[::2], index[: len(index) // 2]):
        assert_follow(np.bincount(part, minlength=len(p)), p)
    if np.count_nonzero(p) > 1:
        assert abs(np.corrcoef(index[:-1], index[1:])[0, 1]) < 5 / np.sqrt(len(index))


@pytest.mark.parametrize("each", [1, WORTH_BINOMIALS], ids=["looked up", "binomials"])
def test_counts_of_each_row_follow_its_probabilities(
    p: NDArray[np.float64], each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "PIECE", 1000)  # rows begin and end within pieces
    shots = max(each * len(p), 2)
    rows = np.stack([p, p[::-1]] * max(2, 3000 // shots))
    counts = sample_counts(rows, shots, np.random.default_rng(6))
    assert np.all(counts.sum(axis=1) == shots)
    assert np.all(counts[rows == 0] == 0)
    assert_follow(counts[::2].sum(axis=0), p)
    assert_follow(counts[1::2].sum(axis=0), p[::-1])


def test_counts_vary_and_hang_together_as_those_of_a_multinomial_distribution() -> None:
    """The covariance of the counts of a row, and none between rows."""
    p = np.array([0.5, 0.3, 0.15, 0.05])
    shots = 20
    rows = np.tile(p, (20_000, 1))
    counts = sample_counts(rows, shots, np.random.default_rng(7))
    expected = shots * (np.diag(p) - np.outer(p, p))
    np.testing.assert_allclose(np.cov(counts.T), expected, atol=0.15)
    between = np.cov(counts[::2, 0], counts[1::2, 0])[0, 1]
    assert abs(between) < 0.25


def test_the_seed_decides() -> None:
    p = np.full(16, 1 / 16)
    one, again, other = (sample_indices(p, 1000, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
