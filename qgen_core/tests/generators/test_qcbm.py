"""The Born machine: outputs, gradients, conditions, shots, sampling and saving."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Probabilities
from qgen_core.errors import (
    BadOption,
    CheckpointError,
    DataError,
    NoGradient,
    OutputMismatch,
    Unsupported,
)
from qgen_core.events import Batch, Space, bits_to_index, index_to_bits
from qgen_core.generators import born
from qgen_core.generators.qcbm import CircuitBornMachine
from qgen_core.losses.js import JensenShannon
from qgen_core.losses.nll import NegativeLogLikelihood
from qgen_core.testing import reference

Shape = Callable[..., Circuit]
BITS, ANGLES = Space("bits", 3, (2, 1)), Space("angles", 2)
CONDITIONS = np.array([[-1.0, 0.3], [0.2, 0.7], [1.4, -2.0]])


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def plain(dense: Any, ansatz: Shape) -> CircuitBornMachine:
    return CircuitBornMachine(ansatz=ansatz, backend=dense, space=BITS, seed=5)


@pytest.fixture
def conditional(dense: Any, ansatz: Shape) -> CircuitBornMachine:
    return CircuitBornMachine(ansatz=ansatz, backend=dense, space=BITS, condition=ANGLES, seed=5)


def exact(model: CircuitBornMachine, conditions: Any = None) -> Any:
    return model.backend.run(
        model.circuit, model.circuit.bind(model.theta, conditions), Probabilities()
    )


def events(n: int = 40) -> Batch:
    return Batch(index_to_bits(rng(2).integers(0, 8, n), 3), weight=rng(3).random(n))


def numeric_gradient(
    model: CircuitBornMachine, output: str, batch: Batch, loss: Any, h: float = 1e-6
) -> Any:
    out = np.empty(len(model.theta))
    for i in range(len(out)):
        values = []
        for sign in (1, -1):
            model.theta[i] += sign * h
            values.append(loss(model.forward(output, batch, rng=rng())[0], batch)[0])
            model.theta[i] -= sign * h
        out[i] = (values[0] - values[1]) / (2 * h)
    return out


def test_the_ansatz_gets_wires_inputs_and_registers(dense: Any, ansatz: Shape) -> None:
    seen: dict[str, Any] = {}

    def spy(wires: int, **rest: Any) -> Circuit:
        seen.update(rest, wires=wires)
        return ansatz(wires, **rest)

    CircuitBornMachine(ansatz=spy, backend=dense, space=BITS, condition=ANGLES)
    assert seen == {"wires": 3, "inputs": 2, "registers": (2, 1)}


def test_probabilities_and_log_prob_are_those_of_the_circuit(plain: CircuitBornMachine) -> None:
    batch = events()
    p, _ = plain.forward("probabilities", Batch(), rng=rng())
    assert (
        p.shape == (1, 8)
        and np.allclose(p, exact(plain), atol=1e-15)
        and p.sum() == pytest.approx(1)
    )
    logs, _ = plain.forward("log_prob", batch, rng=rng())
    assert batch.x is not None and np.allclose(logs, np.log(p[0, bits_to_index(batch.x)]))


def test_gradients_of_probabilities_and_log_prob(plain: CircuitBornMachine) -> None:
    target = Batch(target=rng(4).dirichlet(np.ones(8), 1))
    for output, batch, loss in (
        ("probabilities", target, JensenShannon()),
        ("log_prob", events(), NegativeLogLikelihood(reads="log_prob")),
    ):
        value, back = plain.forward(output, batch, rng=rng())
        gradient = back(loss(value, batch)[1])
        assert set(gradient) == {"theta"}
        numeric = numeric_gradient(plain, output, batch, loss)
        assert np.max(np.abs(numeric)) > 1e-2
        assert np.allclose(gradient["theta"], numeric, atol=1e-8)


def test_gradients_with_conditions(conditional: CircuitBornMachine) -> None:
    which = rng(8).integers(0, 3, 60)
    x = index_to_bits(rng(9).integers(0, 8, 60), 3)
    each = Batch(x, CONDITIONS[which], rng(7).random(60))
    table = Batch(condition=CONDITIONS, target=rng(4).dirichlet(np.ones(8), 3))
    for output, batch, loss in (
        ("probabilities", table, JensenShannon()),
        ("log_prob", each, NegativeLogLikelihood(reads="log_prob")),
    ):
        value, back = conditional.forward(output, batch, rng=rng())
        gradient = back(loss(value, batch)[1])["theta"]
        assert np.allclose(gradient, numeric_gradient(conditional, output, batch, loss), atol=1e-8)
    logs, _ = conditional.forward("log_prob", each, rng=rng())
    p = exact(conditional, CONDITIONS)
    assert np.ptp(p[:, 0]) > 1e-3
    assert np.allclose(
        logs, [np.log(p[c, i]) for c, i in zip(which, bits_to_index(x), strict=True)]
    )
    assert conditional.backend.batches[-1] == 3  # type: ignore[attr-defined]


def test_samples_have_no_gradient(plain: CircuitBornMachine) -> None:
    found, back = plain.forward("samples", events(), rng=rng())
    assert found.shape == (40, 3) and found.dtype == np.int8
    with pytest.raises(NoGradient):
        back(found)


def test_samples_follow_the_probabilities(plain: CircuitBornMachine) -> None:
    bits = plain.sample(20000, rng=rng())
    assert bits.shape == (20000, 3) and bits.dtype == np.int8
    counts = np.bincount(bits_to_index(bits), minlength=8)
    assert chisquare(counts, 20000 * exact(plain)[0]).pvalue > 1e-3
    halves = [np.bincount(bits_to_index(b), minlength=8) for b in np.split(bits, 2)]
    assert chisquare(halves[0], 10000 * exact(plain)[0]).pvalue > 1e-3  # order is random


@pytest.mark.parametrize("table", [2**24, 16, 8])
def test_conditional_samples_follow_their_condition(
    conditional: CircuitBornMachine, monkeypatch: pytest.MonkeyPatch, table: int
) -> None:
    monkeypatch.setattr(born, "MAX_TABLE", table)  # all conditions at once, two, one
    four = np.concatenate([CONDITIONS, [[2.0, 2.0]]])
    which = rng(3).choice(4, 30000, p=[0.2, 0.4, 0.3, 0.1])
    index = bits_to_index(conditional.sample(30000, four[which], rng=rng()))
    for c, p in enumerate(exact(conditional, four)):
        mine = index[which == c]
        for part in (mine, mine[: len(mine) // 3]):  # in random order within a condition
            assert chisquare(np.bincount(part, minlength=8), len(part) * p).pvalue > 1e-3


def test_every_event_may_have_its_own_condition(conditional: CircuitBornMachine) -> None:
    own = rng(5).uniform(-2, 2, (800, 2))
    index = bits_to_index(conditional.sample(800, own, rng=rng()))
    p = exact(conditional, own)
    expected = p.sum(axis=0)
    variance = (p * (1 - p)).sum(axis=0)
    pulls = (np.bincount(index, minlength=8) - expected) / np.sqrt(variance)
    assert np.max(np.abs(pulls)) < 4
    # and the outcome goes with the event's own condition, not only in the sum
    information = (p * np.log(p)).sum(axis=1)
    spread = np.sqrt((p * np.log(p) ** 2).sum(axis=1) - information**2)
    pull = np.sum(np.log(p[np.arange(800), index]) - information) / np.sqrt(np.sum(spread**2))
    shuffled = np.sum(np.log(p[np.arange(800), np.roll(index, 1)]) - information) / np.sqrt(
        np.sum(spread**2)
    )
    assert abs(pull) < 4 < -shuffled
    assert conditional.backend.batches[-2] == 800  # type: ignore[attr-defined]


def test_a_device_is_measured_once_per_event(device: Any, ansatz: Shape) -> None:
    with pytest.raises(BadOption, match="give it shots"):
        CircuitBornMachine(ansatz=ansatz, backend=device, space=BITS)
    model = CircuitBornMachine(
        ansatz=ansatz, backend=device, space=BITS, condition=ANGLES, shots=100, seed=5
    )
    which = np.repeat([0, 1, 2, 0, 1], [3000, 2000, 5000, 1000, 2000])
    index = bits_to_index(model.sample(len(which), CONDITIONS[which], rng=rng()))
    assert device.batches == [2, 1]  # conditions 0 and 1 have 4000 events each, 2 has 5000
    angles = model.circuit.bind(model.theta, CONDITIONS)
    truth = reference.values(model.circuit, angles, Probabilities())
    for c, p in enumerate(truth):
        mine = index[which == c]
        assert chisquare(np.bincount(mine, minlength=8), len(mine) * p).pvalue > 1e-3


def test_one_batch_for_many_parameter_vectors(conditional: CircuitBornMachine) -> None:
    thetas = rng(6).normal(size=(4, len(conditional.theta)))
    before = conditional.theta.copy()
    each = Batch(index_to_bits(rng(2).integers(0, 8, 10), 3), CONDITIONS[rng(3).integers(0, 3, 10)])
    for output, batch in (("probabilities", Batch(condition=CONDITIONS)), ("log_prob", each)):
        conditional.backend.batches.clear()  # type: ignore[attr-defined]
        found = conditional.outputs_at(output, thetas, batch, rng=rng())
        assert conditional.backend.batches == [12]  # type: ignore[attr-defined]
        assert np.array_equal(conditional.theta, before)
        for theta, row in zip(thetas, found, strict=True):
            conditional.theta[:] = theta
            assert np.allclose(row, conditional.forward(output, batch, rng=rng())[0], atol=1e-14)
        conditional.theta[:] = before
    assert conditional.outputs_at("samples", thetas, each, rng=rng()).shape == (4, 10, 3)


def test_another_backend_evaluates_exactly_where_it_can(
    dense: Any, device: Any, ansatz: Shape
) -> None:
    model = CircuitBornMachine(ansatz=ansatz, backend=device, space=BITS, shots=50, seed=5)
    noisy = model.outputs_at("probabilities", model.theta[None], Batch(), rng=rng())[0]
    clean = model.outputs_at("probabilities", model.theta[None], Batch(), rng=rng(), backend=dense)[
        0
    ]
    angles = model.circuit.bind(model.theta)
    truth = reference.values(model.circuit, angles, Probabilities())[0]
    assert np.allclose(clean[0], truth, atol=1e-14)
    assert np.max(np.abs(noisy[0] - truth)) > 1e-3


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_frequencies_are_smoothed_by_pseudo_counts(
    dense: Any, ansatz: Shape, smoothing: float
) -> None:
    model = CircuitBornMachine(
        ansatz=ansatz, backend=dense, space=BITS, shots=20, smoothing=smoothing, seed=5
    )
    found, _ = model.forward("probabilities", Batch(), rng=rng())
    counts = found * (20 + 8 * smoothing) - smoothing
    assert np.allclose(counts, np.rint(counts)) and counts.sum() == pytest.approx(20)
    assert found.sum() == pytest.approx(1) and (found.min() > 0) == (smoothing > 0)
    again = model.outputs_at("probabilities", model.theta[None], Batch(), rng=rng())[0]
    assert np.array_equal(found, again)


def test_the_gradient_from_shots_is_that_of_the_smoothed_probabilities(
    dense: Any, ansatz: Shape
) -> None:
    shots = 400
    shape = partial(ansatz, depth=1)
    model = CircuitBornMachine(
        ansatz=shape, backend=dense, space=BITS, shots=shots, smoothing=2.0, seed=5
    )
    direction = rng(8).normal(size=(1, 8))
    gradients = []
    for seed in range(60):
        _, back = model.forward("probabilities", Batch(), rng=rng(seed))
        gradients.append(back(direction)["theta"])
    ideal = CircuitBornMachine(ansatz=shape, backend=dense, space=BITS, seed=5)
    expected = (
        ideal.forward("probabilities", Batch(), rng=rng())[1](direction)["theta"]
        * shots
        / (shots + 16)
    )
    pulls = (np.mean(gradients, axis=0) - expected) / (
        np.std(gradients, axis=0) / np.sqrt(60) + 1e-12
    )
    assert np.max(np.abs(pulls)) < 4.5 and np.max(np.abs(expected)) > 0.1


def adam(model: CircuitBornMachine, batch: Batch, steps: int, rate: float) -> float:
    """The exact JS after plain Adam."""
    loss, mean, square = JensenShannon(), np.zeros_like(model.theta), np.zeros_like(model.theta)
    for t in range(1, steps + 1):
        output, back = model.forward("probabilities", batch, rng=rng(t))
        gradient = back(loss(output, batch)[1])["theta"]
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        model.theta -= rate * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    return loss(exact(model), batch)[0]


def test_it_trains_from_shots_alone(dense: Any, ansatz: Shape) -> None:
    target = np.array([[0.05, 0.1, 0.3, 0.25, 0.15, 0.1, 0.05, 0.0]])
    shape = partial(ansatz, depth=1)
    model = CircuitBornMachine(ansatz=shape, backend=dense, space=BITS, shots=8192, seed=5)
    start = JensenShannon()(exact(model), Batch(target=target))[0]
    assert adam(model, Batch(target=target), 60, 0.1) < 0.005 < 0.1 * start


def test_the_seed_fixes_the_start(dense: Any, ansatz: Shape) -> None:
    def start(**options: Any) -> Any:
        return CircuitBornMachine(ansatz=ansatz, backend=dense, space=BITS, **options).theta

    assert np.array_equal(start(seed=3), start(seed=3))
    assert not np.array_equal(start(seed=3), start(seed=4))
    assert not np.array_equal(start(), start())
    many = np.concatenate([start(seed=s) for s in range(50)])
    assert np.abs(many).max() <= np.pi and many.std() == pytest.approx(np.pi / np.sqrt(3), rel=0.05)
    near = np.concatenate([start(seed=s, init="normal", scale=0.1) for s in range(50)])
    assert near.std() == pytest.approx(0.1, rel=0.1)
    assert not start(init="zeros").any()


def test_sampling_repeats_with_the_seed(conditional: CircuitBornMachine) -> None:
    condition = CONDITIONS[rng(3).integers(0, 3, 100)]
    first, second = (conditional.sample(100, condition, rng=rng(4)) for _ in range(2))
    assert np.array_equal(first, second)
    assert conditional.sample(0, np.empty((0, 2)), rng=rng()).shape == (0, 3)


def test_state_is_the_parameters(plain: CircuitBornMachine, dense: Any, ansatz: Shape) -> None:
    other = CircuitBornMachine(ansatz=ansatz, backend=dense, space=BITS, seed=6)
    other.load(plain.state())
    assert np.array_equal(other.theta, plain.theta) and other.theta is not plain.theta
    assert plain.parameters()["theta"] is plain.theta
    with pytest.raises(CheckpointError):
        other.load({"theta": np.zeros(3)})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"space": Space("reals", 3)}, BadOption, "makes bits, not 3 reals"),
        ({"condition": Space("bits", 2)}, BadOption, "as angles, not as 2 bits"),
        ({"shots": 0}, BadOption, "shots must be at least 1"),
        ({"shots": -5}, BadOption, "shots must be at least 1"),
        ({"smoothing": -1.0}, BadOption, "smoothing"),
        ({"scale": float("nan")}, BadOption, "scale"),
        ({"space": Space("bits", 9)}, Unsupported, "at most 8 wires"),
    ],
)
def test_options_that_do_not_fit(
    dense: Any, ansatz: Shape, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CircuitBornMachine(**{"ansatz": ansatz, "backend": dense, "space": BITS} | options)


def test_an_ansatz_that_does_not_fit(dense: Any, ansatz: Shape) -> None:
    with pytest.raises(BadOption, match="makes 4 wires, the events have 3 bits"):
        CircuitBornMachine(ansatz=lambda wires, **_: ansatz(4), backend=dense, space=BITS)
    with pytest.raises(BadOption, match="takes 0 inputs for 2 condition columns"):
        CircuitBornMachine(
            ansatz=lambda wires, **_: ansatz(wires), backend=dense, space=BITS, condition=ANGLES
        )


def test_conditions_that_do_not_fit(
    plain: CircuitBornMachine, conditional: CircuitBornMachine
) -> None:
    with pytest.raises(DataError, match="takes no condition; one was given"):
        plain.sample(3, CONDITIONS, rng=rng())
    with pytest.raises(DataError, match="conditions of 2 angles; none was given"):
        conditional.sample(3, rng=rng())
    with pytest.raises(DataError, match="a row for each of 5 events"):
        conditional.sample(5, CONDITIONS, rng=rng())
    with pytest.raises(BadOption, match="not -1"):
        plain.sample(-1, rng=rng())
    with pytest.raises(OutputMismatch, match="not objective"):
        plain.forward("objective", events(), rng=rng())
