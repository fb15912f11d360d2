"""Differences over equal seeds: their statistics, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from qgen_core.studies import NONE
from qgen_hep.studies.shared.paired import LEVEL, UNSEEN, Paired, holm

#: Studies that are simulated.
STUDIES = 2500


def verdicts(shift: float, seeds: int) -> list[str]:
    """The verdicts of studies whose pairs have the events of a seed in common."""
    rng = np.random.default_rng(seeds)
    common = rng.normal(0.0, 3.0, (STUDIES, seeds))
    first = common + rng.normal(shift, 1.0, (STUDIES, seeds))
    second = common + rng.normal(0.0, 1.0, (STUDIES, seeds))
    return [Paired.of(*pair).verdict() for pair in zip(first, second, strict=True)]


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_without_a_difference_none_is_seen_in_95_percent_of_the_studies(seeds: int) -> None:
    found = verdicts(0.0, seeds)
    error = np.sqrt(LEVEL * (1 - LEVEL) / STUDIES)
    assert found.count(UNSEEN) / STUDIES == pytest.approx(LEVEL, abs=4 * error)
    # what is seen by chance has either sign
    for way in ("better", "worse"):
        assert 0.012 < found.count(way) / STUDIES < 0.038


def test_a_difference_is_seen_the_more_often_the_larger_it_is() -> None:
    seen = []
    for shift in (0.0, 1.0, 3.0):
        found = verdicts(shift, 5)
        seen.append(found.count("worse") / STUDIES)
    assert seen[0] < 0.04 < seen[1] < 0.5 < seen[2]
    assert verdicts(-3.0, 5).count("better") > 0.5 * STUDIES


def test_the_interval_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 6))
    found = Paired.of(list(first), list(second))
    expected = ttest_rel(first, second)
    assert found.mean / found.error == pytest.approx(expected.statistic)
    interval = expected.confidence_interval(LEVEL)
    assert found.mean - found.half_width == pytest.approx(interval.low)
    assert found.mean + found.half_width == pytest.approx(interval.high)


def test_what_pairs_have_in_common_drops_out() -> None:
    common = np.array([0.0, 50.0, -30.0])
    found = Paired.of(list(common + 1.0), list(common + [0.0, 0.1, -0.1]))
    assert found.verdict() == "worse" and found.mean == pytest.approx(1.0)


def test_one_seed_or_none_says_nothing() -> None:
    assert Paired.of([1.0], [2.0]).verdict() == NONE
    assert Paired.of([1.0], [2.0]).text() == "-1"
    assert Paired.of([], []).text() == NONE


def test_the_probability_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        first, second = rng.normal(size=(2, 5))
        assert Paired.of(first, second).probability == pytest.approx(
            ttest_rel(first, second).pvalue
        )
    assert Paired.of([1.0, 2.0], [1.0, 2.0]).probability == 1.0
    assert Paired.of([1.0, 2.0], [2.0, 3.0]).probability == 0.0
    assert np.isnan(Paired.of([1.0], [2.0]).probability)


def test_holm_keeps_the_rate_of_any_false_difference() -> None:
    """Of five comparisons without a difference, one or more is seen in 5 % of the studies."""
    drawn = np.random.default_rng(2).random((STUDIES, 5))
    rate = np.mean([min(holm(row.tolist())) <= 0.05 for row in drawn])
    assert rate == pytest.approx(1 - 0.99**5, abs=4 * np.sqrt(0.05 * 0.95 / STUDIES))


def test_holm_is_monotonic_and_leaves_out_what_is_not_known() -> None:
    adjusted = holm([0.5, 0.001, float("nan"), 0.02])
    assert adjusted[1] == pytest.approx(0.003)
    assert adjusted[3] == pytest.approx(0.04)
    assert adjusted[0] == pytest.approx(0.5)
    assert np.isnan(adjusted[2])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
