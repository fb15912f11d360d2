"""Metrics without bins: correlations, Wasserstein, MMD, energy sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.metrics.correlation import correlation, correlation_loss, pearson
from qgen_core.metrics.energy_sum import energy_sum
from qgen_core.metrics.mean_image import mean_image_mse
from qgen_core.metrics.mmd import mmd
from qgen_core.metrics.wasserstein import wasserstein


def events(
    seed: int, n: int = 150, width: int = 3, weighted: bool = True, shift: float = 0.0
) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, size=(n, width)) * np.arange(1, width + 1)
    x[:, 1] += 0.8 * x[:, 0]
    return Events(x, weight=rng.uniform(0.2, 3.0, n) if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
def test_pearson_is_that_of_plain_sums(weighted: bool) -> None:
    a = events(1, weighted=weighted)
    w = a.weights / a.weights.sum()
    for i in range(3):
        for j in range(3):
            mean = [sum(w[k] * a.x[k, c] for k in range(len(w))) for c in (i, j)]
            moments = [
                sum(w[k] * (a.x[k, c] - mean[u]) * (a.x[k, d] - mean[v]) for k in range(len(w)))
                for c, d, u, v in ((i, j, 0, 1), (i, i, 0, 0), (j, j, 1, 1))
            ]
            assert math.isclose(
                pearson(a)[i, j], moments[0] / math.sqrt(moments[1] * moments[2]), rel_tol=1e-10
            )
    if not weighted:
        assert np.allclose(pearson(a), np.corrcoef(a.x.T), rtol=1e-12)


def test_correlation_gives_the_generated_pairs_by_name() -> None:
    a, b = events(1), events(2).replace(columns=("pt", "m", "eta"))
    with pytest.raises(DataError):
        correlation(a, b)
    a = a.replace(columns=("pt", "m", "eta"))
    matrix = pearson(b)
    assert correlation(a, b) == {
        "corr(pt,m)": matrix[0, 1], "corr(pt,eta)": matrix[0, 2], "corr(m,eta)": matrix[1, 2],
    }  # fmt: skip


def test_correlation_loss_sums_all_entries() -> None:
    a, b = events(1), events(2)
    difference = pearson(b) - pearson(a)
    expected = sum(difference[i, j] ** 2 for i in range(3) for j in range(3))
    assert math.isclose(correlation_loss(a, b)["correlation loss"], expected, rel_tol=1e-12)
    assert correlation_loss(a, a)["correlation loss"] == 0


@pytest.mark.parametrize("value", [0.0, 3.0, 1e8, 0.1])
def test_a_column_that_does_not_vary_correlates_with_nothing(value: float) -> None:
    a = events(1)
    a.x[:, 2] = value
    matrix = pearson(a)
    assert np.array_equal(matrix[2], [0, 0, 1]) and np.array_equal(matrix[:, 2], [0, 0, 1])
    assert abs(matrix[0, 1]) > 0.2


def test_a_small_spread_on_a_large_mean_is_seen() -> None:
    a = events(1, weighted=False)
    moved = a.replace(x=a.x + np.array([1e6, 0.0, 0.0]))
    assert np.allclose(pearson(moved), pearson(a), atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_wasserstein_is_scipys(weighted: bool) -> None:
    a, b = events(1, 150, weighted=weighted), events(2, 220, weighted=weighted, shift=0.4)
    found = wasserstein(a, b, unit="column")
    scaled = wasserstein(a, b)
    for column in range(3):
        expected = wasserstein_distance(a.x[:, column], b.x[:, column], a.weight, b.weight)
        spread = math.sqrt(np.cov(a.x[:, column], ddof=0, aweights=a.weight))
        assert math.isclose(found[f"W1(x{column})"], expected, rel_tol=1e-10)
        assert math.isclose(scaled[f"W1(x{column})"], expected / spread, rel_tol=1e-10)


def test_a_shift_is_its_own_wasserstein_distance() -> None:
    a = events(1)
    assert np.allclose(list(wasserstein(a, a.replace(x=a.x + 0.7), unit="column").values()), 0.7)
    flat = Events(np.full((5, 1), 2.0))
    assert wasserstein(flat, flat.replace(x=flat.x + 3)) == {"W1(x0)": 3.0}


def by_pairs(
    a: np.ndarray, b: np.ndarray, w: np.ndarray, v: np.ndarray, bandwidth: float, same: bool
) -> float:
    total = norm = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            if same and i == j:
                continue
            total += w[i] * v[j] * math.exp(-sum((a[i] - b[j]) ** 2) / (2 * bandwidth**2))
            norm += w[i] * v[j]
    return total / norm


@pytest.mark.parametrize("weighted", [False, True])
def test_mmd_is_the_u_statistic_of_a_double_loop(weighted: bool) -> None:
    a, b = events(1, 40, weighted=weighted), events(2, 50, weighted=weighted, shift=0.5)
    for standardise in (False, True):
        scale = (
            np.sqrt(np.diag(np.cov(a.x.T, ddof=0, aweights=a.weight)))
            if standardise
            else np.ones(3)
        )
        x, y = a.x / scale, b.x / scale
        distances = [math.dist(x[i], x[j]) for i in range(40) for j in range(i)]
        for bandwidth in (None, 0.8):
            s = float(np.median(distances)) if bandwidth is None else bandwidth
            expected = by_pairs(x, x, a.weights, a.weights, s, True) + by_pairs(
                y, y, b.weights, b.weights, s, True
            )
            expected -= 2 * by_pairs(x, y, a.weights, b.weights, s, False)
            found = mmd(a, b, bandwidth=bandwidth, standardise=standardise)["mmd2"].value
            assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


def test_mmd_is_zero_on_average_for_one_distribution_and_negative_at_times() -> None:
    values = [
        mmd(events(2 * s, 50), events(2 * s + 1, 60), bandwidth=2.0)["mmd2"].value
        for s in range(200)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(200)
    assert min(values) < 0 < max(values)


def test_mmd_sees_a_shift_that_grows() -> None:
    a = events(1, 400)
    values = [
        mmd(a, events(2, 400, shift=shift), bandwidth=2.0)["mmd2"].value
        for shift in (0.0, 0.3, 0.6, 1.2)
    ]
    assert np.all(np.diff(values) > 0)


def test_mmd_thins_large_samples_evenly() -> None:
    a, b = events(1, 100), events(2, 90)
    thin_a, thin_b = a.take(np.arange(25) * 4), b.take(np.arange(25) * 90 // 25)
    expected = mmd(thin_a, thin_b, bandwidth=1.5, standardise=False)
    assert mmd(a, b, bandwidth=1.5, standardise=False, events=25) == expected


def test_energy_sum_of_known_sums() -> None:
    rng = np.random.default_rng(0)
    a = Events(rng.exponential(size=(500, 4)), units=("MeV",) * 4)
    b = a.replace(x=a.x * 1.1)
    total = a.x.sum(axis=1)
    found = energy_sum(a, b, bins=30)
    assert math.isclose(found["energy-sum bias"], 0.1 * total.mean() / total.std(), rel_tol=1e-10)
    assert math.isclose(found["energy-sum W1"], 0.1 * total.mean() / total.std(), rel_tol=1e-10)
    assert energy_sum(a, a) == {
        "energy-sum bias": 0,
        "energy-sum W1": 0,
        "energy-sum chi2/ndf": 0,
        "energy-sum chi2": 0,
    }
    low, high = total.min(), total.max()
    cuts = np.linspace(low, high, 31)
    r = np.histogram(total, cuts)[0].tolist()
    g = np.histogram(np.minimum(total * 1.1, high), cuts)[0].tolist()
    pairs = [(x, y) for x, y in zip(r, g, strict=True) if x + y]
    expected = sum((x - y) ** 2 / (x + y) for x, y in pairs) / (len(pairs) - 1)
    assert math.isclose(found["energy-sum chi2/ndf"], expected, rel_tol=1e-10)


def test_sums_of_different_units_are_refused() -> None:
    a = Events(np.ones((3, 2)), units=("GeV", "1"))
    with pytest.raises(BadOption, match="columns of one unit, these have 1, GeV"):
        energy_sum(a, a)


@pytest.mark.parametrize("bad", [{"bandwidth": 0.0}, {"events": 1}])
def test_impossible_options_of_mmd_are_refused(bad: dict) -> None:
    with pytest.raises(BadOption, match="mmd needs"):
        mmd(events(1), events(2), **bad)


def test_chi2_of_the_energy_sum_is_that_of_the_counts() -> None:
    """Counts of the sums in two bins: 3 and 1 of the reference, 1 and 3 generated."""
    a = Events(np.array([[0.0, 0.0], [0.1, 0.1], [0.2, 0.1], [1.0, 1.0]]))
    b = Events(np.array([[0.0, 0.0], [1.0, 0.5], [1.0, 0.8], [0.9, 1.0]]))
    found = energy_sum(a, b, bins=2)
    assert math.isclose(found["energy-sum chi2"], (3 - 1) ** 2 / 4 + (1 - 3) ** 2 / 4)
    assert found["energy-sum chi2/ndf"] == found["energy-sum chi2"]


@pytest.mark.parametrize("weighted", [False, True])
def test_mean_image_mse_is_that_of_weighted_means(weighted: bool) -> None:
    a, b = events(1, weighted=weighted), events(2, 90, weighted=weighted, shift=0.3)
    expected = 0.0
    for column in range(3):
        means = [sum(e.weights * e.x[:, column]) / sum(e.weights) for e in (a, b)]
        expected += (means[1] - means[0]) ** 2 / 3
    assert math.isclose(mean_image_mse(a, b)["mean-image MSE"], expected, rel_tol=1e-10)


def test_mean_image_mse_has_the_floor_that_it_states() -> None:
    values = []
    for seed in range(200):
        a, b = events(2 * seed, 40, weighted=False), events(2 * seed + 1, 60, weighted=False)
        values.append(mean_image_mse(a, b)["mean-image MSE"])
    variance = (1 + (4 + 0.64) + 9) / 3
    expected = (1 / 40 + 1 / 60) * variance
    assert abs(np.mean(values) - expected) < 3 * np.std(values) / math.sqrt(len(values))


def test_mean_image_mse_refuses_columns_of_different_units() -> None:
    a = Events(np.ones((2, 2)), units=("GeV", "1"))
    with pytest.raises(BadOption, match="one unit"):
        mean_image_mse(a, a)


def test_biased_mmd_has_the_bias_that_it_states_and_is_never_negative() -> None:
    a, b = events(1, 30, weighted=False), events(2, 50, weighted=False)
    options = {"bandwidth": 2.0, "standardise": False}
    unbiased = mmd(a, b, **options)["mmd2"].value
    biased = mmd(a, b, estimator="biased", **options)["mmd2"].value
    bias = 0.0
    for sample in (a, b):
        d2 = np.sum((sample.x[:, None] - sample.x[None]) ** 2, axis=2)
        kernel = np.exp(-d2 / (2 * 2.0**2))
        n = len(sample)
        different = (kernel.sum() - n) / (n * (n - 1))
        bias += (1 - different) / n
    assert math.isclose(biased - unbiased, bias, rel_tol=1e-9)
    same = mmd(a, a, estimator="biased", **options)["mmd2"].value
    assert abs(same) < 1e-15


def test_the_root_of_mmd_and_its_note() -> None:
    a, b = events(1, 60), events(2, 60, shift=1.0)
    squared = mmd(a, b, bandwidth=2.0)["mmd2"]
    ((name, plain),) = mmd(a, b, bandwidth=2.0, squared=False).items()
    assert name == "mmd" and math.isclose(plain.value**2, squared.value)
    assert squared.note == "unbiased estimate, Gaussian kernel of bandwidth 2"
    assert mmd(a, a, bandwidth=2.0, squared=False)["mmd"].value == 0  # of a negative estimate
