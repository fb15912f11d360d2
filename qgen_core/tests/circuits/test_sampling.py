"""Draws from given probabilities: the alias table is exact, both ways of drawing follow it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from qgen_core.simulators.outcomes import WORTH_TABLE, alias_table, sample_indices

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
        expected = p * len(part)
        group = np.minimum(np.cumsum(expected) // 50, np.cumsum(expected)[-1] // 50 - 1).astype(int)
        seen, wanted = (
            np.bincount(group, np.bincount(part, minlength=len(p))),
            np.bincount(group, expected),
        )
        filled = wanted > 0
        distance = np.sum((seen[filled] - wanted[filled]) ** 2 / wanted[filled])
        assert filled.sum() == 1 or chi2.sf(distance, filled.sum() - 1) > 1e-6
    if np.count_nonzero(p) > 1:
        assert abs(np.corrcoef(index[:-1], index[1:])[0, 1]) < 5 / np.sqrt(len(index))


def test_the_seed_decides() -> None:
    p = np.full(16, 1 / 16)
    one, again, other = (sample_indices(p, 1000, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
