"""SPSA against Spall's recipe written out, and its gradient against the true one."""

from __future__ import annotations

import numpy as np
import pytest
from training_toys import Point, ProductBorn, SquaredError, WeightedMean, bits_events, real_events

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.support.random_streams import stream
from qgen_core.trainers.spsa import Spsa


def test_spsa_is_spalls_recipe() -> None:
    data, generator = real_events(), Point()
    Spsa(a=0.3, c=0.1, alpha=0.7, gamma=0.2, stability=4.0, samples=3, steps=20).fit(
        generator, data, WeightedMean(), seed=9
    )
    w = data.weights / data.weights.sum()

    def loss(theta):
        return sum(w[i] * 0.5 * sum((theta - data.x[i]) ** 2) for i in range(len(w)))

    theta = np.zeros(3)
    for k in range(20):
        rng, c_k, gradient = stream(9, "spsa", k), 0.1 / (k + 1) ** 0.2, np.zeros(3)
        signs = 2 * rng.integers(0, 2, size=(3, 3)) - 1
        for delta in signs:
            difference = loss(theta + c_k * delta) - loss(theta - c_k * delta)
            gradient += np.array([difference / (2 * c_k * d) for d in delta]) / 3
        theta = theta - 0.3 / (k + 1 + 4.0) ** 0.7 * gradient
    assert np.allclose(generator.place, theta, rtol=0, atol=1e-12)


def test_a_step_asks_once_for_all_its_values() -> None:
    generator = ProductBorn()
    Spsa(samples=4, calibration=6, steps=3).fit(generator, bits_events(), SquaredError(), seed=1)
    assert generator.calls == [(12, None), (8, None), (8, None)]
    generator = ProductBorn()
    Spsa(a=0.1, steps=3).fit(generator, bits_events(), SquaredError(), seed=1)
    assert generator.calls == [(2, None)] * 3


def test_the_gradient_is_right_on_average() -> None:
    generator, pairs = ProductBorn(), 10_000
    before = generator.theta.copy()
    Spsa(a=1.0, c=1e-4, alpha=0.0, samples=pairs, steps=1).fit(
        generator, bits_events(), SquaredError(), seed=1
    )
    estimate = before - generator.theta
    reference, data = ProductBorn(), bits_events()
    target = data.target(reference.space)[1]
    exact = np.zeros_like(before)
    for place in np.ndindex(before.shape):
        ends = []
        for sign in (1, -1):
            moved = before.copy()
            moved[place] += sign * 1e-5
            ends.append(
                np.sum((reference.table(moved.ravel())[0].prod(axis=1)[None] - target) ** 2)
            )
        exact[place] = (ends[0] - ends[1]) / 2e-5
    spread = np.sqrt((exact**2).sum() / pairs)
    assert np.all(np.abs(estimate - exact) < 4.5 * spread)
    assert np.max(np.abs(exact)) > 20 * spread


@pytest.mark.parametrize("stability", [0.0, 30.0])
def test_calibration_gives_the_first_step_its_size(stability: float) -> None:
    data = Events(np.array([[50.0, 0.0, 0.0]]))
    generator = Point()
    trainer = Spsa(calibration=1, first_step=0.25, c=0.01, stability=stability, steps=1)
    trainer.fit(generator, data, WeightedMean(), seed=1)
    assert np.allclose(np.abs(generator.place), 0.25, rtol=1e-9)


def test_a_given_gain_is_not_calibrated() -> None:
    trainer = Spsa(a=0.7, steps=2)
    trainer.fit(ProductBorn(), bits_events(), SquaredError(), seed=1)
    assert trainer.state()["gain"] == 0.7


def test_a_flat_landscape_warns_and_stays() -> None:
    class Flat(ProductBorn):
        def table(self, theta):
            return super().table(np.zeros_like(theta))

    generator = Flat()
    before = generator.theta.copy()
    history = Spsa(steps=3).fit(generator, bits_events(), SquaredError(), seed=1)
    assert np.array_equal(generator.theta, before)
    assert "gradient vanished" in history.warnings[0]


def test_spsa_learns_from_shots() -> None:
    generator, data = ProductBorn(shots=2000), bits_events(4000)
    history = Spsa(steps=400, samples=2).fit(generator, data, SquaredError(), seed=1)
    exact = generator.table(generator.theta)[0].prod(axis=1)
    assert np.sum((exact - data.target(generator.space)[1]) ** 2) < 2e-3 < history.losses[0]


@pytest.mark.parametrize(
    "bad",
    [
        {"a": 0.0},
        {"c": 0.0},
        {"alpha": -0.1},
        {"gamma": -1.0},
        {"stability": -1.0},
        {"samples": 0},
        {"calibration": 0},
    ],
)
def test_impossible_options_are_refused(bad: dict) -> None:
    with pytest.raises(BadOption, match="spsa needs"):
        Spsa(**bad)
