"""js, kl, nll and mean: against plain loops, against finite differences, at empty bins."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pytest

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch
from qgen_core.interfaces import Loss
from qgen_core.losses.js import JensenShannon
from qgen_core.losses.kl import KullbackLeibler
from qgen_core.losses.mean import Mean
from qgen_core.losses.nll import NegativeLogLikelihood

TABLE_LOSSES: list[Callable[[], Loss]] = [JensenShannon, KullbackLeibler, NegativeLogLikelihood]


def tables(rows: int = 3, size: int = 16, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(size), rows), rng.dirichlet(np.ones(size), rows)


def plain_js(p: np.ndarray, target: np.ndarray) -> float:
    total = 0.0
    for row, goal in zip(p, target, strict=True):
        for a, b in zip(row, goal, strict=True):
            m = (a + b) / 2
            total += 0.5 * ((b * log(b / m) if b else 0.0) + (a * log(a / m) if a else 0.0))
    return total / len(p)


def plain_kl(p: np.ndarray, target: np.ndarray) -> float:
    total = 0.0
    for row, goal in zip(p, target, strict=True):
        total += sum(b * log(b / a) for a, b in zip(row, goal, strict=True) if b)
    return total / len(p)


def plain_nll(p: np.ndarray, target: np.ndarray) -> float:
    total = 0.0
    for row, goal in zip(p, target, strict=True):
        total -= sum(b * log(a) for a, b in zip(row, goal, strict=True) if b)
    return total / len(p)


@pytest.mark.parametrize(
    ("make", "plain"),
    [(JensenShannon, plain_js), (KullbackLeibler, plain_kl), (NegativeLogLikelihood, plain_nll)],
)
def test_value_is_the_formula(make: Callable[[], Loss], plain: Callable[..., float]) -> None:
    p, target = tables()
    target[0, 3] = 0.0
    target[0] /= target[0].sum()
    assert make()(p, Batch(target=target))[0] == pytest.approx(plain(p, target), rel=1e-13)


def test_js_of_empty_bins_on_both_sides_is_the_formula() -> None:
    p, target = tables()
    p[0, 2] = p[1, 5] = target[0, 3] = target[1, 5] = 0.0
    p, target = (t / t.sum(axis=1, keepdims=True) for t in (p, target))
    assert JensenShannon()(p, Batch(target=target))[0] == pytest.approx(
        plain_js(p, target), rel=1e-13
    )


@pytest.mark.parametrize("make", TABLE_LOSSES)
def test_cotangent_is_the_derivative(make: Callable[[], Loss]) -> None:
    p, target = tables()
    target[1, 4] = 0.0
    loss, batch = make(), Batch(target=target)
    _, cotangent = loss(p, batch)
    assert cotangent.shape == p.shape
    h = 1e-7
    for place in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[place] += h
        down[place] -= h
        numeric = (loss(up, batch)[0] - loss(down, batch)[0]) / (2 * h)
        # js: M moves with p, and the terms of M's derivative cancel only as a whole
        assert cotangent[place] == pytest.approx(numeric, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("make", TABLE_LOSSES)
def test_the_target_is_the_minimum(make: Callable[[], Loss]) -> None:
    p, target = tables()
    loss = make()
    least = loss(target, Batch(target=target))[0]
    assert all(
        loss(target + t * (p - target), Batch(target=target))[0] > least for t in (0.1, 0.5, 1.0)
    )
    if not isinstance(loss, NegativeLogLikelihood):
        assert least == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("make", TABLE_LOSSES)
def test_empty_bins_stay_finite_and_pull_towards_the_target(make: Callable[[], Loss]) -> None:
    p = np.array([[0.5, 0.5, 0.0, 0.0, -1e-18]])
    target = np.array([[0.0, 0.5, 0.0, 0.5, 0.0]])
    value, cotangent = make()(p, Batch(target=target))
    assert np.isfinite(value) and np.all(np.isfinite(cotangent))
    assert cotangent[0, 3] < -10 < cotangent[0, 1] < cotangent[0, 0]


def test_js_is_bounded_by_log_two_and_the_limit_of_an_empty_pair_is_half_log_two() -> None:
    value, cotangent = JensenShannon()(
        np.array([[1.0, 0.0, 0.0]]), Batch(target=np.array([[0.0, 1.0, 0.0]]))
    )
    assert value == pytest.approx(np.log(2), rel=1e-15)
    assert cotangent[0, 2] == pytest.approx(0.5 * np.log(2))
    assert cotangent[0, 1] == pytest.approx(0.5 * np.log(2e-12), rel=1e-9)


def test_below_the_floor_kl_goes_on_as_its_tangent() -> None:
    loss, target = KullbackLeibler(floor=1e-3), np.array([[0.4, 0.6]])
    values = [
        loss(np.array([[a, 1.0]]), Batch(target=target))[0] for a in (0.0, 2.5e-4, 5e-4, 1e-3)
    ]
    steps = np.diff(values) / np.diff([0.0, 2.5e-4, 5e-4, 1e-3])
    assert np.allclose(steps, -0.4 / 1e-3, rtol=1e-9)
    assert np.allclose(loss(np.array([[0.0, 1.0]]), Batch(target=target))[1], [[-400.0, -0.6]])


def test_js_of_frequencies_clipped_at_half_a_count() -> None:
    shots = 100
    p = np.array([[0.0, 0.01, 0.99]])
    target = np.array([[0.2, 0.3, 0.5]])
    value, cotangent = JensenShannon(floor=1 / (2 * shots))(p, Batch(target=target))
    assert value == pytest.approx(plain_js(p, target), rel=1e-13)
    assert cotangent[0, 0] == pytest.approx(0.5 * np.log(0.005 / 0.1), rel=1e-12)
    assert cotangent[0, 1] == pytest.approx(0.5 * np.log(0.01 / 0.155), rel=1e-12)


def test_kl_is_nll_less_the_entropy_and_has_the_same_gradient() -> None:
    p, target = tables()
    entropy = -np.mean(np.sum(target * np.log(target), axis=1))
    nll, slope = NegativeLogLikelihood()(p, Batch(target=target))
    kl, same = KullbackLeibler()(p, Batch(target=target))
    assert kl == pytest.approx(nll - entropy, rel=1e-12) and np.array_equal(slope, same)


def test_nll_of_log_prob_is_the_weighted_mean_and_agrees_with_the_table() -> None:
    rng = np.random.default_rng(4)
    (p, _), index, weight = tables(1, 8), rng.integers(0, 8, 50), rng.random(50)
    target = np.bincount(index, weight, 8)[None] / weight.sum()
    loss = NegativeLogLikelihood(reads="log_prob")
    assert loss.reads == "log_prob"
    value, cotangent = loss(np.log(p[0, index]), Batch(weight=weight))
    assert value == pytest.approx(NegativeLogLikelihood()(p, Batch(target=target))[0], rel=1e-12)
    assert np.allclose(cotangent, -weight / weight.sum())


def test_mean_is_the_weighted_mean() -> None:
    value, cotangent = Mean()(np.array([1.0, 2.0, 6.0]), Batch())
    assert value == 3.0 and np.allclose(cotangent, 1 / 3)
    value, cotangent = Mean()(np.array([1.0, 2.0, 6.0]), Batch(weight=np.array([1.0, -0.5, 1.5])))
    assert value == pytest.approx((1 - 1 + 9) / 2) and np.allclose(cotangent, [0.5, -0.25, 0.75])


@pytest.mark.parametrize("weight", [np.array([1.0, -1.0]), np.ones(3)])
def test_mean_refuses_weights_that_make_no_mean(weight: np.ndarray) -> None:
    with pytest.raises(OutputMismatch, match="weight"):
        Mean()(np.array([1.0, 2.0]), Batch(weight=weight))


@pytest.mark.parametrize("make", TABLE_LOSSES)
def test_shapes_are_checked(make: Callable[[], Loss]) -> None:
    with pytest.raises(
        OutputMismatch, match=r"\(1, 4\) need a target of their shape, not \(2, 4\)"
    ):
        make()(np.ones((1, 4)) / 4, Batch(target=np.ones((2, 4)) / 4))
    with pytest.raises(OutputMismatch, match="none"):
        make()(np.ones((1, 4)) / 4, Batch())


@pytest.mark.parametrize("make", [JensenShannon, KullbackLeibler, NegativeLogLikelihood])
def test_the_floor_is_a_probability(make: Callable[..., Loss]) -> None:
    for floor in (0.0, -1.0, 1.0, float("nan")):
        with pytest.raises(BadOption, match="floor"):
            make(floor=floor)
