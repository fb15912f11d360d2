"""The AUC of a classifier, its uncertainty and its floor."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from qgen_core.errors import BadOption, BrokenPlugin, DataError
from qgen_core.events import Events
from qgen_core.metrics import classifier_auc as metric
from qgen_core.metrics.classifier_auc import area, classifier_auc
from qgen_core.metrics.score import score


def normal(n: int, seed: int, rho: float = 0.0, weight=None) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    x[:, 1] = rho * x[:, 0] + np.sqrt(1 - rho**2) * x[:, 1]
    return Events(x, weight=weight)


def auc(reference: Events, generated: Events, seed: int = 1, **options):
    rng = np.random.default_rng(seed)
    return classifier_auc(reference, generated, rng=rng, **options)["classifier AUC"]


def test_the_area_is_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    scores = rng.integers(30, size=400) / 10.0  # many are equal
    positive = rng.random(400) < 0.4
    weight = rng.uniform(0.1, 3.0, 400)
    expected = roc_auc_score(positive, scores, sample_weight=weight)
    assert area(scores, positive, weight)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_both_variances_are_those_of_repeated_samples(shift: float, ties: bool) -> None:
    rng = np.random.default_rng(2)
    positive = np.arange(500) < 200
    found = []
    for _ in range(1500):
        scores = rng.normal(size=500) + shift * positive
        if ties:
            scores = np.round(scores)
        weight = rng.uniform(0.1, 2.0, 500)
        found.append(area(scores, positive, weight))
    values, variances, null_variances = np.array(found).T
    assert variances.mean() == pytest.approx(values.var(), rel=4 * np.sqrt(2 / 1500))
    if shift == 0.0:
        assert values.mean() == pytest.approx(0.5, abs=4 * values.std() / np.sqrt(1500))
        assert null_variances.mean() == pytest.approx(values.var(), rel=4 * np.sqrt(2 / 1500))


def test_without_ties_the_floor_is_hanley_and_mcneils() -> None:
    rng = np.random.default_rng(3)
    _, _, variance = area(rng.normal(size=900), np.arange(900) < 300, np.ones(900))
    assert variance == pytest.approx((1 / 300 + 1 / 600) / 12, rel=1e-4)


def test_a_correlation_is_seen_and_an_exact_model_is_not() -> None:
    reference = normal(400, 1)
    other = auc(reference, normal(500, 2, rho=0.8), folds=2)
    same = auc(reference, normal(500, 3), folds=2)
    assert other.value - 0.5 > 5 * other.floor_spread
    assert abs(same.value - 0.5) < 4 * same.floor_spread
    assert same.uncertainty == pytest.approx(same.floor_spread, rel=0.1)


def test_the_same_seed_gives_the_same() -> None:
    first = auc(normal(60, 1), normal(50, 2), folds=2)
    assert auc(normal(60, 1), normal(50, 2), folds=2) == first


class MeanDifference:
    """A classifier along the difference of both means, in place of scikit-learn's."""

    def __init__(self, random_state: int) -> None:
        self.direction = np.zeros(0)

    def fit(self, x, label, sample_weight) -> None:
        means = [
            np.average(x[label == one], axis=0, weights=sample_weight[label == one])
            for one in (0, 1)
        ]
        self.direction = means[1] - means[0]

    def decision_function(self, x):
        return x @ self.direction


def _scatter(pair, repeats: int, **options) -> tuple[float, float, float]:
    """Mean, uncertainty and floor's spread over the standard deviation of repeated values."""
    found = [auc(*pair(number), seed=number, **options) for number in range(repeats)]
    values = np.array([one.value for one in found])
    uncertainty = np.mean([one.uncertainty for one in found])
    floor_spread = np.mean([one.floor_spread for one in found])
    return values.mean(), uncertainty / values.std(), floor_spread / values.std()


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.5])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_parts_that_share_their_training_scatter_together(
    folds: int, shift: float, monkeypatch
) -> None:
    """Parts that are taken for independent give 0.7 of the scatter if nothing differs."""
    ensemble = SimpleNamespace(HistGradientBoostingClassifier=MeanDifference)
    threads = SimpleNamespace(threadpool_limits=lambda *args, **options: nullcontext())
    monkeypatch.setattr(metric, "_scikit_learn", lambda: (ensemble, threads))

    def pair(number: int) -> tuple[Events, Events]:
        rng = np.random.default_rng([7, number])
        return Events(rng.normal(size=(200, 8))), Events(rng.normal(size=(300, 8)) + shift)

    mean, uncertainty, floor_spread = _scatter(pair, 250, folds=folds)
    assert uncertainty == pytest.approx(1, abs=0.15)
    if shift == 0.0:
        assert mean == pytest.approx(0.5, abs=0.01)
        assert floor_spread == pytest.approx(1, abs=0.15)


@pytest.mark.long
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_trained_classifier_scatters_as_it_says(shift: float) -> None:
    def pair(number: int) -> tuple[Events, Events]:
        moved = normal(700, 2 * number + 1)
        return normal(500, 2 * number), moved.replace(x=moved.x + shift)

    mean, uncertainty, floor_spread = _scatter(pair, 150)
    assert uncertainty == pytest.approx(1, abs=0.15)
    if shift == 0.0:
        assert mean == pytest.approx(0.5, abs=0.01)
        assert floor_spread == pytest.approx(1, abs=0.15)


def test_weights_undo_a_difference() -> None:
    reference = normal(600, 1)
    moved = normal(600, 2)
    moved = moved.replace(x=moved.x + np.array([0.8, 0.0]))
    ratio = np.exp(-0.8 * moved.x[:, 0] + 0.32)
    plain = auc(reference, moved, folds=2)
    weighted = auc(reference, moved.replace(weight=ratio), folds=2)
    assert plain.value - 0.5 > 5 * plain.floor_spread
    assert abs(weighted.value - 0.5) < 4 * weighted.floor_spread
    assert weighted.floor_spread > plain.floor_spread


def test_a_score_trains_it_once() -> None:
    rng = np.random.default_rng(4)
    (found,) = score(classifier_auc, normal(100, 1), normal(100, 2), rng=rng)
    assert found.name == "classifier AUC" and found.floor == 0.5
    assert found.uncertainty > 0 and found.floor_spread > 0


def test_what_cannot_be_classified_is_refused() -> None:
    negative = normal(100, 1, weight=np.where(np.arange(100) < 10, -1.0, 1.0))
    with pytest.raises(DataError, match="negative weights, which the other events have"):
        auc(normal(100, 2), negative)
    with pytest.raises(DataError, match="at least 10 reference events, not 9"):
        auc(normal(9, 2), normal(100, 1))
    with pytest.raises(BadOption, match="at least 2 folds"):
        auc(normal(100, 2), normal(100, 1), folds=1)


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BrokenPlugin, match=r"needs scikit-learn; `pip install .*\[classifier\]"):
        auc(normal(100, 1), normal(100, 2))
