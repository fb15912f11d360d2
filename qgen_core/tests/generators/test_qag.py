"""The Quantum Angle Generator and its controls against their mathematics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import Batch, Circuit, Events, Gate, Space, param
from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.generators.gaussian import Gaussian
from qgen_core.generators.noise_mlp import NoiseMlp
from qgen_core.generators.qag import QuantumAngleGenerator
from qgen_core.interfaces import Backend
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.support.parameters import flatten

PIXELS = 4


def model(**options: Any) -> QuantumAngleGenerator:
    options.setdefault("backend", StatevectorBackend(threads=1))
    options.setdefault("space", Space("reals", PIXELS))
    return QuantumAngleGenerator(seed=3, **options)


def free(wires: int, *, inputs: int = 0, registers: tuple[int, ...] = ()) -> Circuit:
    """RY on each wire and nothing else: every pixel is cos(x + theta)."""
    return Circuit(wires, tuple(Gate("ry", (wire,), param(wire)) for wire in range(wires)))


def batch(n: int = 6, conditions: int = 0) -> Batch:
    rng = np.random.default_rng(2)
    condition = rng.normal(size=(n, conditions)) if conditions else None
    return Batch(rng.uniform(-1, 1, (n, PIXELS)), condition)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_free_pixels_are_cosines_of_normal_angles():
    variance = 0.3
    made = model(ansatz=free, variance=variance)
    images = made.sample(20_000, rng=rng())
    # E cos(x + t) = cos(t) exp(-variance / 2) for normal x
    expected = np.cos(made.theta) * np.exp(-variance / 2)
    assert np.allclose(images.mean(axis=0), expected, atol=5 / np.sqrt(20_000))
    angles = rng(7).normal(0.0, np.sqrt(variance), (5, PIXELS))
    samples, _ = made.forward("samples", batch(5), rng=rng(7))
    assert np.allclose(samples, np.cos(angles + made.theta), atol=1e-12)


def test_without_an_ansatz_both_axes_agree_for_the_same_angles():
    def bare(wires: int, **_: Any) -> Circuit:
        return Circuit(wires, ())

    first = model(ansatz=bare, axis="y").sample(9, rng=rng())
    second = model(ansatz=bare, axis="x").sample(9, rng=rng())
    assert np.allclose(first, second, atol=1e-12)
    assert np.allclose(model(ansatz=bare, variance=0.0).sample(2, rng=rng()), 1.0, atol=1e-12)


def test_the_default_ansatz_is_the_stand_in():
    made = model(space=Space("reals", 8))
    assert made.circuit.num_params == 24
    assert made.circuit.counts == {"cx": 14, "ry": 32}
    assert "stand-in" in repr(made.ansatz)
    wide = model(space=Space("reals", 16))
    assert wide.circuit.num_params == 48
    assert wide.sample(2, rng=rng()).shape == (2, 16)


@pytest.mark.parametrize("name", ["qag-chain", "mera-up", "clic8", "hardware-efficient"])
def test_random_angles_come_once_before_any_ansatz(name: str):
    made = model(ansatz=qgen.ansatz(name))
    sources = [angle.source for angle in made.circuit.angles]
    assert sources[:PIXELS] == ["input"] * PIXELS and sources.count("input") == PIXELS
    conditional = model(ansatz=qgen.ansatz(name), condition=Space("angles", 2))
    assert conditional.circuit.num_inputs == PIXELS + 2
    first = conditional.sample(3, np.zeros((3, 2)), rng=rng())
    other = conditional.sample(3, np.ones((3, 2)), rng=rng())
    assert np.max(np.abs(first - other)) > 0.05


def test_binomial_shots_have_the_mean_and_variance_of_the_pixel():
    shots, repeats = 64, 4000
    exact, _ = model().forward("samples", batch(), rng=rng(4))
    made = model(shots=shots, drawing="binomial", variance=0.0)
    exact = model(variance=0.0).sample(1, rng=rng())[0]
    images = made.sample(repeats, rng=rng())
    variance = (1 - exact**2) / shots
    assert np.allclose(images.mean(axis=0), exact, atol=5 * np.sqrt(variance.max() / repeats))
    assert np.allclose(images.var(axis=0), variance, rtol=5 * np.sqrt(2 / repeats))
    correlation = np.corrcoef(images.T)
    assert np.max(np.abs(correlation - np.eye(PIXELS))) < 5 / np.sqrt(repeats)


def test_joint_shots_have_the_covariance_of_the_device():
    shots, repeats = 64, 4000
    made = model(shots=shots, variance=0.0)
    exact = model(variance=0.0)
    images = made.sample(repeats, rng=rng())
    angles = exact.circuit.bind(exact.theta, np.zeros((1, PIXELS)))
    p = exact.backend.run(exact.circuit, angles, qgen.Probabilities())[0]
    outcome = 1 - 2.0 * ((np.arange(2**PIXELS)[:, None] >> np.arange(PIXELS)[::-1]) & 1)
    mean = p @ outcome
    covariance = ((p[:, None] * outcome).T @ outcome - np.outer(mean, mean)) / shots
    spread = np.sqrt(np.diag(covariance))
    assert np.max(np.abs(covariance - np.diag(np.diag(covariance)))) > 0.2 * spread.min() ** 2
    assert np.allclose(images.mean(axis=0), mean, atol=5 * spread.max() / np.sqrt(repeats))
    allowed = 7 * np.outer(spread, spread).max() / np.sqrt(repeats)
    assert np.allclose(np.cov(images.T, bias=True), covariance, atol=allowed)


@pytest.mark.parametrize("drawing", ["joint", "binomial"])
def test_with_shots_the_pullback_is_unbiased_at_a_fixed_cotangent(drawing: str):
    cotangent = rng(5).normal(size=(6, PIXELS))
    exact, pullback = model().forward("samples", batch(), rng=rng(8))
    expected = pullback(cotangent)["theta"]
    found = []
    for _ in range(20):
        numbers = rng(8)  # the same random angles, since they are drawn first
        made = model(shots=50, drawing=drawing)
        inputs = made._inputs(6, None, numbers)
        angles = made.circuit.bind(made.theta, inputs)
        _, pull = made._differentiable(angles, rng(len(found) + 100))
        d_params, _ = made.circuit.pullback(pull(cotangent))
        found.append(d_params.sum(axis=0))
    spread = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    if drawing == "binomial":
        assert np.allclose(found, expected, atol=1e-12)
    else:
        assert spread.max() > 0
        assert np.all(np.abs(np.mean(found, axis=0) - expected) < 5 * spread)


@pytest.mark.parametrize("options", [{}, {"head": "affine"}, {"head": "tanh", "frozen": True}])
def test_gradients_of_mmd_are_differences(options: dict[str, Any]):
    loss = qgen.loss("mmd", reads="samples", bandwidth=(1.0,), space=Space("reals", PIXELS))
    made = model(condition=Space("angles", 1), **options)
    data = batch(conditions=1)
    output, pullback = made.forward("samples", data, rng=rng(3))
    gradient = flatten(pullback(loss(output, data)[1]))
    theta = flatten(made.parameters())
    assert gradient.shape == theta.shape
    for number in range(0, theta.size, 3):
        shift = np.zeros(theta.size)
        shift[number] = 1e-5
        at = made.outputs_at("samples", np.stack([theta + shift, theta - shift]), data, rng=rng(3))
        slope = (loss(at[0], data)[0] - loss(at[1], data)[0]) / 2e-5
        assert np.isclose(slope, gradient[number], atol=1e-8)


def test_images_in_another_order_have_the_same_loss_and_gradient():
    loss = qgen.loss("mmd", reads="samples", bandwidth=(0.5,), space=Space("reals", PIXELS))
    made = model()
    data = batch(8)
    order = rng(1).permutation(8)
    first = loss(made.forward("samples", data, rng=rng(2))[0], data)[0]
    second = loss(made.forward("samples", data, rng=rng(2))[0], Batch(data.x[order]))[0]
    assert np.isclose(first, second, rtol=1e-12)
    angles = made.circuit.bind(made.theta, made._inputs(8, None, rng(2)))
    images = made.backend.run(made.circuit, angles, made.measure)
    of_order = made.backend.run(made.circuit, angles[order], made.measure)
    assert np.allclose(images[order], of_order, atol=1e-14)


def test_outputs_at_gives_all_vectors_the_same_random_angles():
    made = model(head="affine")
    theta = flatten(made.parameters())
    found = made.outputs_at("samples", np.stack([theta, theta + 0.2, theta]), batch(), rng=rng(1))
    assert np.array_equal(found[0], found[2]) and not np.allclose(found[0], found[1])
    assert np.allclose(found[0], made.forward("samples", batch(), rng=rng(1))[0], atol=1e-14)


class ShotsOnly(Backend):
    """A device: no exact values."""

    capabilities = qgen.Capabilities(exact=False)

    def run(self, circuit, angles, measure, shots=None):
        if shots is None:
            raise BadOption("a device needs shots")
        return StatevectorBackend().run(circuit, angles, measure, shots)


def test_a_device_measures_and_is_replaced_by_an_exact_reference():
    device = model(backend=ShotsOnly(), shots=30)
    images = device.sample(5, rng=rng())
    counts = (images + 1) / 2 * 30
    assert np.allclose(counts, np.round(counts), atol=1e-9) and np.abs(images).max() <= 1
    theta = device.theta[None]
    reference = StatevectorBackend()
    exact = device.outputs_at("samples", theta, batch(), rng=rng(1), backend=reference)
    expected = model().outputs_at("samples", theta, batch(), rng=rng(1))
    assert np.allclose(exact, expected, atol=1e-14)
    with pytest.raises(BadOption, match="binomial"):
        model(backend=ShotsOnly(), shots=30, drawing="binomial")


def test_readout_errors_move_binomial_shots_as_they_move_joint_ones():
    noisy = NoisyBackend(qgen.backend("density"), qgen.noise("readout", p01=0.1, p10=0.02))
    exact = model(backend=noisy, variance=0.0).sample(1, rng=rng())[0]
    clean = model(variance=0.0).sample(1, rng=rng())[0]
    # z is read as a + b z
    slope, offset = np.polyfit(clean, exact, 1)
    assert np.isclose(slope, 1 - 0.12) and np.isclose(abs(offset), 0.08)
    for drawing in ("joint", "binomial"):
        made = model(backend=noisy, variance=0.0, shots=400, drawing=drawing)
        found = made.sample(500, rng=rng()).mean(axis=0)
        assert np.allclose(found, exact, atol=5 / np.sqrt(400 * 500))


def test_a_frozen_unitary_keeps_its_parameters_and_saves_them():
    frozen = model(frozen=True, head="affine")
    start = frozen.theta.copy()
    loss = qgen.loss("mmd", reads="samples", bandwidth=(1.0,), space=Space("reals", PIXELS))
    qgen.trainer("adam", steps=3, learning_rate=0.1).fit(frozen, Events(batch(20).x), loss, seed=1)
    assert np.array_equal(frozen.theta, start)
    assert not np.array_equal(frozen.parameters()["head_weight"], np.eye(PIXELS))
    other = QuantumAngleGenerator(
        backend=StatevectorBackend(),
        space=Space("reals", PIXELS),
        frozen=True,
        head="affine",
        seed=9,
    )
    other.load(frozen.state())
    assert np.array_equal(other.theta, start)


@pytest.mark.parametrize("trainer", ["adam", "cobyla", "spsa"])
@pytest.mark.parametrize("which", ["frozen", "gaussian"])
def test_a_model_without_parameters_trains_for_one_step(trainer: str, which: str):
    data = Events(batch(20).x)
    made = model(frozen=True) if which == "frozen" else Gaussian(space=model().space, data=data)
    loss = qgen.loss("mmd", reads="samples", bandwidth=(1.0,), space=Space("reals", PIXELS))
    history = qgen.trainer(trainer, steps=50).fit(made, data, loss, seed=1)
    assert len(history.records) == 1 and "no parameters" in history.stopped
    assert history.warnings == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"axis": "z"},
        {"variance": -1.0},
        {"scale": np.nan},
        {"space": Space("bits", 3)},
        {"condition": Space("reals", 1)},
        {"ansatz": lambda wires, **_: Circuit(wires + 1, ())},
        {"ansatz": free, "condition": Space("angles", 1)},
        {"shots": 0},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any]):
    with pytest.raises(BadOption):
        model(**wrong)


def test_wrong_calls_are_refused():
    with pytest.raises(BadOption):
        model().sample(-1, rng=rng())
    with pytest.raises(DataError):
        model().sample(2, np.zeros((2, 1)), rng=rng())
    with pytest.raises(OutputMismatch):
        model().forward("samples", Batch(), rng=rng())
    with pytest.raises(OutputMismatch):
        model().forward("probabilities", batch(), rng=rng())


@pytest.mark.parametrize(("layer", "size", "layers"), [("local", 2, 2), ("hidden", 2, 4)])
def test_the_classical_control_has_as_many_parameters(layer: Any, size: int, layers: int):
    for pixels in (8, 16):
        control = NoiseMlp(space=Space("reals", pixels), layer=layer, size=size)
        circuit = qgen.ansatz("clic8", layers=layers)(pixels)
        assert flatten(control.parameters()).size == circuit.num_params


def test_the_classical_control_gets_the_random_numbers_of_the_circuit():
    control = NoiseMlp(space=Space("reals", PIXELS), size=1, init="zeros", variance=0.3)
    control.parameters()["weight"][:] = 1.0
    samples, _ = control.forward("samples", batch(), rng=rng(7))
    angles, _ = model(ansatz=free, init="zeros", variance=0.3).forward(
        "samples", batch(), rng=rng(7)
    )
    assert np.allclose(np.cos(np.arctanh(samples)), angles, atol=1e-9)


def test_the_gaussian_has_the_moments_of_the_data():
    numbers = rng(3)
    x = numbers.normal(size=(300, 3)) @ numbers.normal(size=(3, 3)) + 1.0
    weight = numbers.uniform(0.5, 2, 300)
    made = Gaussian(space=Space("reals", 3), data=Events(x, weight=weight))
    samples = made.sample(60_000, rng=rng())
    expected = np.cov(x.T, aweights=weight, bias=True)
    assert np.allclose(samples.mean(axis=0), np.average(x, axis=0, weights=weight), atol=0.05)
    assert np.allclose(np.cov(samples.T), expected, atol=0.03 * np.abs(expected).max())
    clipped = Gaussian(space=Space("reals", 3), data=Events(x), clip=(-0.5, 1.5))
    assert clipped.sample(100, rng=rng()).min() == -0.5


def test_the_conditional_gaussian_follows_its_condition():
    numbers = rng(3)
    condition = numbers.normal(size=(500, 1))
    x = 2.0 * condition + 1.0 + 0.1 * numbers.normal(size=(500, 1))
    made = Gaussian(space=Space("reals", 1), condition=Space("reals", 1), data=Events(x, condition))
    samples = made.sample(2000, np.full((2000, 1), 3.0), rng=rng())
    assert np.isclose(samples.mean(), 7.0, atol=0.05) and np.isclose(samples.std(), 0.1, rtol=0.1)
