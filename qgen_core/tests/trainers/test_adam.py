"""Adam against the algorithm written out entry by entry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from training_toys import Point, ProductBorn, SquaredError, WeightedMean, bits_events, real_events

from qgen_core.errors import BadOption, CheckpointError
from qgen_core.events import Space
from qgen_core.interfaces import Generator
from qgen_core.trainers import adam
from qgen_core.trainers.adam import Adam
from qgen_core.trainers.schedules import factor


def one_by_one(gradient_at, theta, rates, beta1, beta2, epsilon, pennylane=False):
    """Algorithm 1 of 1412.6980 on plain floats; PennyLane's form puts epsilon elsewhere."""
    theta = list(theta)
    m, v = [0.0] * len(theta), [0.0] * len(theta)
    for t, rate in enumerate(rates, start=1):
        g = gradient_at(theta)
        for i in range(len(theta)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            if pennylane:
                eta = rate * math.sqrt(1 - beta2**t) / (1 - beta1**t)
                theta[i] -= eta * m[i] / (math.sqrt(v[i]) + epsilon)
            else:
                theta[i] -= (
                    rate * (m[i] / (1 - beta1**t)) / (math.sqrt(v[i] / (1 - beta2**t)) + epsilon)
                )
    return theta


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize(
    ("beta1", "beta2", "epsilon"), [(0.9, 0.999, 1e-8), (0.7, 0.99, 1e-3), (0.0, 0.0, 1e-8)]
)
def test_adam_is_algorithm_1(schedule: str, beta1: float, beta2: float, epsilon: float) -> None:
    data, generator, steps = real_events(), Point(), 25
    options = {"learning_rate": 0.05, "beta1": beta1, "beta2": beta2, "epsilon": epsilon}
    Adam(**options, schedule=schedule, steps=steps).fit(generator, data, WeightedMean(), seed=1)
    mean = np.average(data.x, axis=0, weights=data.weight)
    scale = {
        "constant": lambda k: 1.0,
        "linear": lambda k: 1 - k / steps,
        "cosine": lambda k: math.cos(math.pi * k / (2 * steps)) ** 2,
    }[schedule]
    rates = [0.05 * scale(k) for k in range(steps)]
    expected = one_by_one(lambda theta: theta - mean, [0.0] * 3, rates, beta1, beta2, epsilon)
    assert np.allclose(generator.place, expected, rtol=0, atol=1e-13)


def test_pennylane_is_beta2_of_099_up_to_epsilon() -> None:
    data, generator = real_events(), Point()
    Adam(learning_rate=0.05, beta2=0.99, epsilon=1e-12, steps=25).fit(
        generator, data, WeightedMean(), seed=1
    )
    mean = np.average(data.x, axis=0, weights=data.weight)
    pennylane = one_by_one(
        lambda x: x - mean, [0.0] * 3, [0.05] * 25, 0.9, 0.99, 1e-12, pennylane=True
    )
    assert np.allclose(generator.place, pennylane, rtol=0, atol=1e-10)


def test_the_first_step_is_the_learning_rate_in_every_direction() -> None:
    generator = Point()
    Adam(learning_rate=0.01, steps=1).fit(generator, real_events(), WeightedMean(), seed=1)
    assert np.allclose(generator.place, 0.01, rtol=1e-6)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_schedules_fall_from_one_towards_zero(schedule: str) -> None:
    factors = [factor(schedule, step, 50) for step in range(51)]
    assert factors[0] == 1 and abs(factors[50]) < 1e-15 and abs(factors[25] - 0.5) < 1e-15
    assert np.all(np.diff(factors) < 0)
    assert {factor("constant", step, 50) for step in range(51)} == {1.0}


class Mixed(Generator):
    """Parameters of several shapes and types, each pulled to its own number."""

    outputs = frozenset({"objective"})
    goals = {"matrix": 1.0, "scalar": -2.0, "single": 0.5}

    def __init__(self) -> None:
        self.space = Space("reals", 3)
        self.arrays = {
            "matrix": np.zeros((2, 3)),
            "scalar": np.zeros(()),
            "single": np.zeros(4, dtype=np.float32),
        }

    def parameters(self):
        return self.arrays

    def forward(self, output, batch, *, rng):
        value = sum(np.sum((a - self.goals[n]) ** 2) for n, a in self.arrays.items())
        gradient = {n: 2 * (a - self.goals[n]) for n, a in self.arrays.items()}
        return np.full(len(batch.x), value), lambda c: {n: c.sum() * g for n, g in gradient.items()}

    def sample(self, n, condition=None, *, rng):
        raise AssertionError


def test_arrays_of_any_shape_and_type_are_moved_in_place(tmp_path) -> None:
    generator = Mixed()
    live = dict(generator.arrays)
    trainer = Adam(learning_rate=0.05, steps=400)
    trainer.fit(generator, real_events(), WeightedMean(), seed=1, run=tmp_path)
    for name, array in generator.arrays.items():
        assert array is live[name] and np.allclose(array, generator.goals[name], atol=1e-3), name
    assert generator.arrays["single"].dtype == np.float32
    again = Mixed()
    Adam(learning_rate=0.05, steps=400).fit(
        again, real_events(), WeightedMean(), seed=1, run=tmp_path
    )
    assert all(
        np.array_equal(again.arrays[n], a) and again.arrays[n].shape == a.shape
        for n, a in live.items()
    )


def test_adam_learns_a_distribution() -> None:
    generator, data = ProductBorn(), bits_events(2000)
    history = Adam(learning_rate=0.05, steps=200).fit(generator, data, SquaredError(), seed=1)
    assert history.losses[-1] < 1e-3 < history.losses[0]
    ones = generator.sample(200_000, rng=np.random.default_rng(0)).mean(axis=0)
    assert np.allclose(ones, data.x.mean(axis=0), atol=0.02)


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"epsilon": 0.0},
        {"beta1": 1.0},
        {"beta2": -0.1},
    ],
)
def test_impossible_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadOption, match="adam needs"):
        Adam(**bad)


def test_state_is_a_copy_and_comes_back() -> None:
    trainer = Adam(steps=3)
    assert trainer.state() == {}
    trainer.fit(Point(), real_events(), WeightedMean(), seed=1)
    state = trainer.state()
    assert set(state) == {"first/place", "second/place"}
    state["first/place"][...] = 7
    assert not np.any(trainer.state()["first/place"] == 7)
    other = Adam()
    other.load(state)
    assert all(np.array_equal(other.state()[name], array) for name, array in state.items())
    with pytest.raises(CheckpointError, match="adam has no state 'third/place'"):
        other.load({"third/place": np.zeros(3)})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_updates_are_those_of_numpy(monkeypatch, dtype) -> None:
    rng = np.random.default_rng(5)
    size = 3 * adam.PIECE + 5
    start = [rng.normal(size=size), rng.normal(size=size), rng.random(size)]
    gradient = rng.normal(size=size).astype(dtype)
    moved = []
    for limit in (1, 2 * size):
        monkeypatch.setattr(adam, "WORTH_COMPILING", limit)
        live, first, second = (array.copy() for array in start)
        Adam(beta1=0.8)._move(live, gradient, first, second, 0.01, 1.3)
        moved.append((live, first, second))
    assert not np.any(moved[0][0] == start[0])
    for compiled, plain in zip(*moved, strict=True):
        assert np.array_equal(compiled, plain)
