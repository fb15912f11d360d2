"""The AUC of a classifier, its uncertainty and its floor."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from qgen_core.errors import BadOption, BrokenPlugin, DataError
from qgen_core.events import Events
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


@pytest.mark.long
def test_the_floor_of_the_trained_classifier_is_that_of_repeated_samples() -> None:
    found = [auc(normal(500, 2 * s), normal(700, 2 * s + 1), seed=s) for s in range(150)]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(0.5, abs=4 * values.std() / np.sqrt(150))
    spread = np.mean([one.floor_spread for one in found])
    assert spread == pytest.approx(values.std(), rel=0.15)


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
