"""phase-qft: the trained density, the sampling circuit, and that both are the same distribution."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Probabilities
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Events, Space, bits_to_index, index_to_bits
from qgen_core.generators.fourier import inverse_fourier, phase_map
from qgen_core.generators.phase_qft import PhaseQft
from qgen_core.interfaces import Backend
from qgen_core.losses.nll import NegativeLogLikelihood
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.testing import reference
from qgen_core.typing import Complex, Floats

Shape = Callable[..., Circuit]
CASES: dict[str, dict[str, Any]] = {
    "one feature": {"wires": 4},
    "two features": {"wires": [3, 2], "features": 2},
    "a condition": {"wires": 3, "inputs": 2},
}
CONDITION = np.array([0.4, -1.1])


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def engine() -> Backend:
    """The embedded engine, for tests that run thousands of circuits."""
    return qgen.backend("statevector")


def make(
    backend: Backend, ansatz: Shape, features: int = 1, inputs: int = 0, **options: Any
) -> PhaseQft:
    condition = Space("angles", inputs) if inputs else None
    given = {"init": "uniform", "scale": 3.0, "seed": 5, **options}
    space = given.pop("space", Space("angles", features))
    return PhaseQft(ansatz=ansatz, backend=backend, space=space, condition=condition, **given)


def wires_of(model: PhaseQft) -> list[int]:
    return [len(register) for register in model._registers]


def phase_state(phi: Floats, wires: list[int]) -> Complex:
    """The product of sum_k exp(i phi k) |k> over the registers, by its formula."""
    parts = []
    for angle, count in zip(phi, wires, strict=True):
        parts.append(np.exp(1j * angle * np.arange(2**count)) / 2 ** (count / 2))
    return reference.kron(parts)


def density(model: PhaseQft, ansatz: Shape, phi: Floats, condition: Any = None) -> Floats:
    """|<0| U V(phi) |0>|^2 in radians for angles (N, F), from the ansatz alone."""
    wires = wires_of(model)
    inputs = 0 if condition is None else len(condition)
    circuit = ansatz(sum(wires), inputs=inputs, registers=tuple(wires))
    u = reference.unitary(circuit, circuit.bind(model.theta, condition)[0])
    amplitudes = np.array([u[0] @ phase_state(row, wires) for row in phi])
    return np.abs(amplitudes) ** 2 * np.prod(2.0 ** np.array(wires) / (2 * pi))


def rows(condition: Any, n: int) -> Any:
    return None if condition is None else np.tile(condition, (n, 1))


def grid(wires: list[int]) -> Floats:
    """The angles of all grid points (2^n, F) in [-pi, pi), in the order of outcomes."""
    points = np.stack(np.unravel_index(np.arange(2 ** sum(wires)), [2**n for n in wires]), axis=1)
    phi = 2 * pi * points / 2.0 ** np.array(wires)
    return phi - 2 * pi * (phi >= pi)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_feature_map_at_integers_is_the_fourier_transform(count: int) -> None:
    wires = list(range(count))
    size = 2**count
    x = np.arange(size)
    fourier = np.exp(2j * pi * np.outer(x, x) / size) / np.sqrt(size)
    mapping = Circuit(count, tuple(phase_map(wires, 0)))
    for column in x:
        angles = mapping.bind([], [2 * pi * column / size])[0]
        np.testing.assert_allclose(reference.state(mapping, angles), fourier[:, column], atol=1e-13)
    back = Circuit(count, tuple(inverse_fourier(wires)))
    found = reference.unitary(back, back.bind([])[0])
    np.testing.assert_allclose(found, fourier.conj().T, atol=1e-13)


def test_the_kernel_is_a_product_of_cosines() -> None:
    """|<x|x'>|^2 = prod cos^2(pi d / 2^j) = (sin(pi d) / (2^N sin(pi d / 2^N)))^2."""
    mapping = Circuit(4, tuple(phase_map(range(4), 0)))
    x = np.array([0.3, 2.0, 7.77, 15.9])
    states = [reference.state(mapping, mapping.bind([], [2 * pi * one / 16])[0]) for one in x]
    overlaps = np.abs(np.conj(states) @ np.transpose(states)) ** 2
    d = x[:, None] - x
    cosines = np.prod([np.cos(pi * d / 2**j) ** 2 for j in range(1, 5)], axis=0)
    np.testing.assert_allclose(overlaps, cosines, atol=1e-14)
    off = ~np.eye(4, dtype=bool)
    ratio = (np.sin(pi * d[off]) / (16 * np.sin(pi * d[off] / 16))) ** 2
    np.testing.assert_allclose(overlaps[off], ratio, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_log_prob_is_the_density_of_the_formula(dense: Any, ansatz: Shape, case: str) -> None:
    model = make(dense, ansatz, **CASES[case])
    condition = CONDITION if model.condition else None
    phi = rng().uniform(-pi, pi, (9, model.space.width))
    batch = Batch(phi, rows(condition, 9))
    found, _ = model.forward("log_prob", batch, rng=rng())
    expected = density(model, ansatz, phi, condition)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-10)
    assert np.ptp(expected) > 0.05
    assert model.outputs == {"log_prob", "samples"} and model.floor_hits == 0


@pytest.mark.parametrize("case", CASES)
def test_what_is_sampled_is_what_was_trained(dense: Any, ansatz: Shape, case: str) -> None:
    """At grid points the probabilities of the sampling circuit are those of the training one."""
    model = make(dense, ansatz, **CASES[case])
    condition = CONDITION if model.condition else None
    wires = wires_of(model)
    size = 2 ** sum(wires)
    cells = 2 * pi / 2.0 ** np.array(wires)
    for part in (0.0, 0.37):  # of a cell, by which the grid is shifted
        inputs = np.concatenate([part * cells, [] if condition is None else condition])
        angles = model.sampling_circuit.bind(model.theta, inputs)
        table = reference.values(model.sampling_circuit, angles, Probabilities())[0]
        phi = grid(wires) + part * cells
        phi -= 2 * pi * (phi >= pi)
        log_prob, _ = model.forward("log_prob", Batch(phi, rows(condition, size)), rng=rng())
        trained = np.exp(log_prob) * np.prod(cells)
        np.testing.assert_allclose(table, trained, atol=1e-12)
        assert trained.sum() == pytest.approx(1, abs=1e-12)


def test_bits_are_the_grid_alone(dense: Any, ansatz: Shape) -> None:
    angles = make(dense, ansatz, features=2, wires=[3, 2])
    bits = make(dense, ansatz, space=Space("bits", 5, (3, 2)))
    np.testing.assert_array_equal(bits.theta, angles.theta)
    table, _ = bits.forward("probabilities", Batch(), rng=rng())
    expected = density(angles, ansatz, grid([3, 2])) * (2 * pi) ** 2 / 32
    np.testing.assert_allclose(table[0], expected, atol=1e-13)
    x = index_to_bits(np.arange(32), 5)
    log_prob, _ = bits.forward("log_prob", Batch(x), rng=rng())
    np.testing.assert_allclose(log_prob, np.log(table[0]), atol=1e-12)
    drawn = bits.sample(20_000, rng=rng())
    counts = np.bincount(bits_to_index(drawn), minlength=32)
    assert drawn.dtype == np.int8 and chisquare(counts, 20_000 * table[0]).pvalue > 1e-3


@pytest.mark.parametrize("case", ["one feature", "two features"])
def test_the_integral_is_one(dense: Any, ansatz: Shape, case: str) -> None:
    """2^(N + 1) equal steps integrate a trigonometric polynomial of degree 2^N - 1 exactly."""
    model = make(dense, ansatz, **CASES[case])
    axes = [np.linspace(-pi, pi, 2 ** (n + 1), endpoint=False) for n in wires_of(model)]
    phi = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
    log_prob, _ = model.forward("log_prob", Batch(phi), rng=rng())
    step = np.prod([axis[1] - axis[0] for axis in axes])
    assert np.exp(log_prob).sum() * step == pytest.approx(1, abs=1e-12)


def cumulative(model: PhaseQft, ansatz: Shape) -> Callable[[Floats], Floats]:
    """The distribution function of one feature, exact up to fine steps."""
    edges = np.linspace(-pi, pi, 2**12 + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    total = np.concatenate([[0.0], np.cumsum(density(model, ansatz, middle[:, None]))])
    return lambda phi: np.interp(phi, edges, total * (edges[1] - edges[0]))


def test_samples_follow_the_density_within_the_cells(engine: Backend, ansatz: Shape) -> None:
    model = make(engine, ansatz, wires=3)
    phi = model.sample(20_000, rng=rng())
    assert phi.shape == (20_000, 1) and np.abs(phi).max() <= pi
    of_density = cumulative(model, ansatz)
    assert kstest(phi[:, 0], of_density).pvalue > 1e-3
    edges = np.linspace(-pi, pi, 101)  # bins much finer than the 8 cells
    counts, _ = np.histogram(phi, edges)
    assert chisquare(counts, 20_000 * np.diff(of_density(edges))).pvalue > 1e-3
    # grid points with a uniform part of a cell are no samples of it
    on_grid = np.floor((phi + pi) / (pi / 4)) * (pi / 4) - pi
    uniform = on_grid + pi / 4 * rng(2).random(phi.shape)
    assert kstest(uniform[:, 0], of_density).pvalue < 1e-6


def test_samples_of_two_features_and_conditions(engine: Backend, ansatz: Shape) -> None:
    model = make(engine, ansatz, features=2, inputs=2, wires=[2, 3])
    conditions = np.array([CONDITION, CONDITION + 1.5])[rng(3).integers(0, 2, 12_000)]
    phi = model.sample(12_000, conditions, rng=rng())
    centres = np.linspace(-pi, pi, 16, endpoint=False) + pi / 16
    points = np.stack([axis.ravel() for axis in np.meshgrid(centres, centres, indexing="ij")], 1)
    tables = []
    for condition in (CONDITION, CONDITION + 1.5):
        mine = phi[conditions[:, 0] == condition[0]]
        counts, _, _ = np.histogram2d(*mine.T, bins=np.linspace(-pi, pi, 9))
        p = density(model, ansatz, points, condition).reshape(8, 2, 8, 2).sum(axis=(1, 3))
        tables.append(p / p.sum())
        assert chisquare(counts.ravel(), len(mine) * tables[-1].ravel()).pvalue > 1e-3
    assert np.abs(tables[0] - tables[1]).sum() > 0.2


def test_a_device_measures_one_shift_an_event(device: Any, ansatz: Shape) -> None:
    model = make(device, ansatz, wires=2, shots=50)
    phi = model.sample(400, rng=rng())
    assert device.batches[-1] == 400
    assert kstest(phi[:, 0], cumulative(model, ansatz)).pvalue > 1e-3
    assert model.sample(0, rng=rng()).shape == (0, 1)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_finite_differences(
    engine: Backend, ansatz: Shape, case: str
) -> None:
    model = make(engine, ansatz, **CASES[case])
    condition = CONDITION if model.condition else None
    batch = Batch(rng(2).uniform(-pi, pi, (15, model.space.width)), rows(condition, 15))
    loss = NegativeLogLikelihood(reads="log_prob")
    output, back = model.forward("log_prob", batch, rng=rng())
    gradient = back(loss(output, batch)[1])["theta"]
    steps = 1e-5 * np.concatenate([np.eye(len(model.theta)), -np.eye(len(model.theta))])
    outputs = model.outputs_at("log_prob", model.theta + steps, batch, rng=rng())
    values = np.array([loss(one, batch)[0] for one in outputs]).reshape(2, -1)
    numeric = (values[0] - values[1]) / 2e-5
    assert np.abs(numeric).max() > 0.1
    np.testing.assert_allclose(gradient, numeric, atol=1e-7)


def test_log_prob_from_shots_is_of_frequencies(engine: Backend, ansatz: Shape) -> None:
    model = make(engine, ansatz, wires=2, shots=4000, smoothing=0.0)
    phi = rng().uniform(-pi, pi, (6, 1))
    runs_of_six = [model.forward("log_prob", Batch(phi), rng=rng(s))[0] for s in range(40)]
    p = np.exp(runs_of_six) * 2 * pi / 4
    np.testing.assert_allclose(p * 4000, np.rint(p * 4000), atol=1e-6)
    truth = density(model, ansatz, phi) * 2 * pi / 4
    error = np.sqrt(truth * (1 - truth) / 4000 / 40)
    assert np.abs((p.mean(axis=0) - truth) / error).max() < 4.5


def test_small_parameters_start_near_the_uniform_density(engine: Backend) -> None:
    for scale, spread in ((0.0, 1e-12), (0.1, 1.5)):
        model = qgen.generator(
            "phase-qft",
            ansatz="hardware-efficient",
            backend=engine,
            space=Space("angles", 2),
            wires=3,
            scale=scale,
            seed=1,
        )
        phi = rng().uniform(-pi, pi, (50, 2))
        log_prob, _ = model.forward("log_prob", Batch(phi), rng=rng())
        assert np.abs(log_prob + 2 * np.log(2 * pi)).mean() <= spread


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": Space("reals", 1)}, "angles or bits, not 1 reals"),
        ({"space": Space("bits", 3), "wires": 3}, "leave wires out"),
        ({"wires": [2, 3]}, "for each of 1 features"),
        ({"wires": 0}, "at least 1"),
        ({"scale": -1.0}, "at least 0"),
    ],
)
def test_options_that_do_not_fit(
    dense: Any, ansatz: Shape, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadOption, match=message):
        make(dense, ansatz, **options)


def test_angles_outside_are_refused_and_dropped_by_the_encoder(dense: Any, ansatz: Shape) -> None:
    model = make(dense, ansatz, wires=2)
    with pytest.raises(DataError, match=r"2 of 4 events are outside \[-pi, pi\].*event 1"):
        model.forward("log_prob", Batch(np.array([[0.0], [3.2], [pi], [-7.0]])), rng=rng())
    with pytest.raises(DataError, match=r"angles \(N, 1\)"):
        model.forward("log_prob", Batch(np.zeros((2, 2))), rng=rng())
    with pytest.raises(OutputMismatch, match="offers log_prob, samples, not probabilities"):
        model.forward("probabilities", Batch(), rng=rng())
    mass = np.array([[60.0], [91.0], [119.0], [121.0]])
    encoder = qgen.encoder("angle", window=[[60.0, 120.0]]).fit(mass[:3])
    assert encoder.accepts(mass).tolist() == [True, True, True, False]
    events = Events(mass[:3])
    in_gev = qgen.Model(model, encoder).log_prob(events, rng=rng())
    phi = 0.9 * pi * (mass[:3] - 90.0) / 30.0
    np.testing.assert_allclose(
        np.exp(in_gev), density(model, ansatz, phi) * 0.9 * pi / 30.0, rtol=1e-9
    )


def diagonal() -> Events:
    """Two features that are nearly equal, each uniform in [-1, 1]."""
    first = rng(7).uniform(-1, 1, 600)
    x = np.stack([first, first + 0.15 * rng(8).normal(size=600)], axis=1)
    return Events(x, columns=("a", "b"), provenance={"kind": "stand-in"})


def recipe(steps: int) -> Recipe:
    return Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "diagonal-of-test",
            "encoder": {"name": "angle", "window": [[-1.5, 1.5], [-1.5, 1.5]]},
            "generator": {"name": "phase-qft", "wires": 3, "ansatz": "hardware-efficient"},
            "loss": {"name": "nll", "reads": "log_prob"},
            "trainer": {"name": "adam", "steps": steps, "learning_rate": 0.05, "batch_size": 100},
        }
    )


def test_it_learns_a_correlation_and_resumes_bit_by_bit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))  # forgotten after the test
    qgen.register("dataset", "diagonal-of-test", diagonal)
    whole = runs.train(recipe(120), tmp_path / "whole")
    runs.train(recipe(50), tmp_path / "parts")
    parts = runs.train(recipe(120), tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(whole.losses, parts.losses)
    run = runs.Run(tmp_path / "whole")
    states = [one.assembly.generator.state() for one in (run, runs.Run(tmp_path / "parts"))]
    np.testing.assert_array_equal(states[0]["theta"], states[1]["theta"])
    independent = 2 * np.log(2)  # the entropy of two uniform features
    assert -run.log_prob(run.assembly.parts[2]).mean() < independent - 0.2
    drawn = next(run.generate(2000)).x
    assert np.corrcoef(drawn.T)[0, 1] > 0.3
