"""reversible-circuit: its latents, what they cannot learn, exact inversion, and the posterior."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, CheckpointError, DataError, Unsupported
from qgen_core.events import Batch, Events, Space, bits_to_index, index_to_bits
from qgen_core.generators.reversible import ReversibleCircuit
from qgen_core.interfaces import Backend
from qgen_core.losses.nll import NegativeLogLikelihood
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.testing import reference

Shape = Callable[..., Circuit]
BITS, ANGLES = Space("bits", 3, (2, 1)), Space("angles", 2)
CONDITION = np.array([0.4, -1.1])
P_ONE = [0.1, 0.3, 0.7]
MODES: dict[str, dict[str, Any]] = {
    "zero": {"latent": "zero"},
    "bernoulli": {"p_one": P_ONE},
    "drawn": {"p_one": "drawn"},
    "ancilla": {"latent": "ancilla", "latent_wires": 2},
    "angles": {"latent": "angles", "variance": 0.7},
}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def make(backend: Backend, ansatz: Shape, space: Space = BITS, **options: Any) -> ReversibleCircuit:
    return ReversibleCircuit(ansatz=ansatz, backend=backend, space=space, seed=5, **options)


@pytest.fixture(scope="module")
def engine() -> Backend:
    """The embedded engine, for tests that run thousands of circuits."""
    return qgen.backend("statevector")


def matrix(model: ReversibleCircuit, ansatz: Shape, condition: Any = None) -> np.ndarray:
    """U by the reference, from the ansatz alone."""
    inputs = 0 if condition is None else len(condition)
    circuit = ansatz(model.space.width, inputs=inputs, registers=model.space.registers)
    return reference.unitary(circuit, circuit.bind(model.theta, condition)[0])


def latent_distribution(mode: str, model: ReversibleCircuit) -> np.ndarray:
    """p(z) of all basis states of three wires, the wires without latents in 0."""
    ones = {
        "zero": [0.0, 0.0, 0.0],
        "bernoulli": P_ONE,
        "ancilla": [0.5, 0.5, 0.0],
        "angles": [(1 - np.exp(-0.35)) / 2] * 3,
    }
    p = ones.get(mode)
    if p is None:
        p = model.state()["p_one"]
    return reference.kron([np.array([1 - one, one]) for one in p])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("conditional", [False, True])
def test_probabilities_are_the_mean_over_latents(
    dense: Any, ansatz: Shape, mode: str, conditional: bool
) -> None:
    condition = ANGLES if conditional else None
    model = make(dense, ansatz, condition=condition, **MODES[mode])
    rows = np.array([[0.4, -1.1], [2.0, 0.3]]) if conditional else None
    table, _ = model.forward("probabilities", Batch(condition=rows), rng=rng())
    p_z = latent_distribution(mode, model)
    for number, found in enumerate(table):
        u = matrix(model, ansatz, None if rows is None else rows[number])
        np.testing.assert_allclose(found, np.abs(u) ** 2 @ p_z, atol=1e-14)
    assert len(table) == (2 if conditional else 1)
    positive = p_z[p_z > 0]
    assert model.latent_entropy == pytest.approx(-np.sum(positive * np.log(positive)))
    assert -np.sum(table * np.log(table), axis=1).min() >= model.latent_entropy - 1e-12


def test_zero_latents_are_a_born_machine(dense: Any, ansatz: Shape) -> None:
    born = qgen.generator("qcbm", ansatz=ansatz, backend=dense, space=BITS, seed=5)
    model = make(dense, ansatz, latent="zero")
    batch = Batch(index_to_bits(np.arange(8), 3))
    for output in ("log_prob", "samples"):
        ours, _ = model.forward(output, batch, rng=rng())
        np.testing.assert_array_equal(ours, born.forward(output, batch, rng=rng())[0])
    assert model.latents(4, rng=rng()).shape == (4, 0) and model.latent_entropy == 0


def test_normal_angles_are_bits_on_average(dense: Any, ansatz: Shape) -> None:
    """The mean of |<x|U S(z)|0>|^2 over normal angles, by quadrature."""
    model = make(dense, ansatz, latent="angles", variance=0.7, latent_wires=1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    mean = weights @ model.conditional(np.sqrt(0.7) * nodes[:, None]) / weights.sum()
    table, _ = model.forward("probabilities", Batch(), rng=rng())
    np.testing.assert_allclose(table[0], mean, atol=1e-12)
    assert np.ptp(mean) > 0.01


def test_uniform_latents_learn_nothing(dense: Any, ansatz: Shape) -> None:
    """The matrix of any U is doubly stochastic, so x is at least as mixed as z."""
    model = make(dense, ansatz, p_one=0.2)
    for seed in range(3):
        model.theta[:] = rng(seed).normal(size=len(model.theta))
        stochastic = np.abs(model.unitary()) ** 2
        np.testing.assert_allclose(stochastic @ np.full(8, 1 / 8), 1 / 8, atol=1e-15)
        np.testing.assert_allclose(stochastic.sum(axis=0), 1, atol=1e-14)
        p_z = np.sort(reference.kron([np.array([0.8, 0.2])] * 3))[::-1]
        p_x = np.sort(model.forward("probabilities", Batch(), rng=rng())[0][0])[::-1]
        assert np.all(np.cumsum(p_x) <= np.cumsum(p_z) + 1e-14)  # x is majorised by z


@pytest.mark.parametrize(
    "options",
    [
        {"latent": "uniform"},
        {"latent": "ancilla", "latent_wires": 3},
        {"p_one": 0.5},
        {"p_one": [0.5, 0.5, 0.5]},
        {"latent": "angles", "variance": 200.0},
    ],
)
def test_uniform_latents_are_refused_with_the_reason(
    dense: Any, ansatz: Shape, options: dict[str, Any]
) -> None:
    with pytest.raises(BadOption, match=r"p\(x\) = 2\^-3 .* doubly stochastic.* entropy of x"):
        make(dense, ansatz, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p_one": 0.0}, "above 0 and below 1"),
        ({"p_one": [0.1, 0.2]}, "a list for the 3"),
        ({"latent": "zero", "p_one": 0.1}, "p_one is of latent = 'bernoulli'"),
        ({"variance": 1.0}, "variance is of latent = 'angles'"),
        ({"latent": "angles", "variance": -1.0}, "above 0, not -1"),
        ({"latent": "zero", "latent_wires": 1}, "0 to 0 latent_wires"),
        ({"latent": "ancilla", "latent_wires": 4}, "1 to 3 latent_wires on 3 wires, not 4"),
        ({"latent_wires": 0}, "1 to 3 latent_wires"),
        ({"space": Space("reals", 3)}, "makes bits"),
    ],
)
def test_options_that_do_not_fit(
    dense: Any, ansatz: Shape, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadOption, match=message):
        make(dense, ansatz, **options)


@pytest.mark.parametrize("mode", ["bernoulli", "ancilla", "angles", "zero"])
@pytest.mark.parametrize("conditional", [False, True])
def test_states_lead_back_to_their_latents(
    dense: Any, ansatz: Shape, mode: str, conditional: bool
) -> None:
    model = make(dense, ansatz, condition=ANGLES if conditional else None, **MODES[mode])
    z = model.latents(6, rng=rng())
    condition = np.tile(CONDITION, (6, 1)) if conditional else None
    if condition is not None:
        condition[3:] += 1.0
    states = model.states(z, condition)
    for row, state in enumerate(states):
        of_row = None if condition is None else condition[row]
        prepared = [np.array([1.0, 0.0])] * 3
        for wire, value in enumerate(z[row]):
            half = value / 2 if mode == "angles" else np.pi * value / 2
            prepared[wire] = np.array([np.cos(half), np.sin(half)])
        expected = matrix(model, ansatz, of_row) @ reference.kron(prepared)
        np.testing.assert_allclose(state, expected, atol=1e-13)
        back = model.inverse(state[None], None if of_row is None else of_row[None])[0]
        np.testing.assert_allclose(back, reference.kron(prepared), atol=1e-12)
    np.testing.assert_allclose(model.unitary(CONDITION if conditional else None).shape, (8, 8))
    measured = np.abs(model.states(z, condition)) ** 2
    np.testing.assert_allclose(model.conditional(z, condition), measured, atol=1e-13)


def test_the_posterior_is_that_of_bayes(dense: Any, ansatz: Shape) -> None:
    model = make(dense, ansatz, latent="bernoulli", latent_wires=2, p_one=[0.1, 0.3])
    x = index_to_bits(np.array([0, 5, 5, 7]), 3)
    found = model.posterior(x)
    assert found.shape == (4, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-14)
    u = matrix(model, ansatz)
    prior = reference.kron([np.array([0.9, 0.1]), np.array([0.7, 0.3])])
    for row, index in enumerate(bits_to_index(x)):
        joint = np.abs(u[index, ::2]) ** 2 * prior  # wire 2 is in 0: every second basis state
        np.testing.assert_allclose(found[row], joint / joint.sum(), atol=1e-14)
    assert np.ptp(found) > 0.1


def test_latents_of_events_follow_the_posterior(dense: Any, ansatz: Shape) -> None:
    model = make(dense, ansatz, p_one=P_ONE)
    x = np.tile(index_to_bits(np.array([6]), 3), (20_000, 1))
    z = model.to_latent(x, rng=rng())
    assert z.shape == (20_000, 3) and z.dtype == np.int8
    counts = np.bincount(bits_to_index(z), minlength=8)
    assert chisquare(counts, 20_000 * model.posterior(x[:1])[0]).pvalue > 1e-3
    # there and back: latents of events of the model are distributed as latents
    drawn = model.to_latent(model.sample(20_000, rng=rng(2)), rng=rng(3))
    prior = reference.kron([np.array([1 - p, p]) for p in P_ONE])
    assert chisquare(np.bincount(bits_to_index(drawn), minlength=8), 20_000 * prior).pvalue > 1e-3


@pytest.mark.parametrize("mode", ["bernoulli", "angles"])
def test_events_of_drawn_latents_follow_the_model(
    engine: Backend, ansatz: Shape, mode: str
) -> None:
    model = make(engine, ansatz, **MODES[mode])
    z = model.latents(4_000, rng=rng(2))
    if mode == "angles":
        assert z.var(axis=0) == pytest.approx(np.full(3, 0.7), rel=0.1)
    counts = np.bincount(bits_to_index(model.to_data(z, rng=rng(3))), minlength=8)
    table, _ = model.forward("probabilities", Batch(), rng=rng())
    assert chisquare(counts, 4_000 * table[0]).pvalue > 1e-3


@pytest.mark.parametrize("mode", ["bernoulli", "angles"])
def test_a_device_measures_one_latent_an_event(device: Any, ansatz: Shape, mode: str) -> None:
    model = make(device, ansatz, shots=100, **MODES[mode])
    counts = np.bincount(bits_to_index(model.sample(600, rng=rng())), minlength=8)
    expected = np.abs(matrix(model, ansatz)) ** 2 @ latent_distribution(mode, model)
    assert chisquare(counts, 600 * expected).pvalue > 1e-3
    for method in (model.states, model.conditional):
        with pytest.raises(Unsupported, match="exact values only"):
            method(model.latents(2, rng=rng()))
    with pytest.raises(Unsupported, match="exact values only"):
        model.inverse(np.eye(8)[:1])


def test_density_matrices_have_no_states(ansatz: Shape) -> None:
    model = make(qgen.backend("density"), ansatz, p_one=P_ONE)
    with pytest.raises(Unsupported, match="[Ss]tate"):
        model.states(np.zeros((1, 3)))


def test_what_the_inversion_refuses(dense: Any, ansatz: Shape) -> None:
    model = make(dense, ansatz, p_one=P_ONE)
    with pytest.raises(DataError, match=r"finite numbers \(n, 3\), not \(2, 2\)"):
        model.states(np.zeros((2, 2)))
    with pytest.raises(DataError, match="bits, 0 or 1"):
        model.states(np.full((1, 3), 0.5))
    with pytest.raises(DataError, match=r"states have the shape \(n, 8\)"):
        model.inverse(np.zeros((1, 4)))
    with pytest.raises(DataError, match="takes no condition"):
        model.unitary(np.zeros(2))
    of_angles = make(dense, ansatz, latent="angles")
    with pytest.raises(Unsupported, match="no table"):
        of_angles.posterior(np.zeros((1, 3), dtype=np.int8))
    still = make(dense, lambda wires, **_: Circuit(wires, ()), latent="zero")
    with pytest.raises(DataError, match="1 of 2 events have the probability 0"):
        still.posterior(np.array([[0, 0, 0], [0, 0, 1]]))


def test_events_below_the_floor_are_counted(dense: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = make(dense, lambda wires, **_: Circuit(wires, ()), latent="ancilla")
    x = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.int8)
    for call in (1, 2):
        logs, _ = model.forward("log_prob", Batch(x), rng=rng())
        assert model.floor_hits == 2 * call
    np.testing.assert_allclose(logs[:2], np.log(0.5))
    np.testing.assert_allclose(logs[2:], np.log(1e-12) - 1)
    assert caplog.text.count("gives 2 of 4 events a probability below 1e-12") == 1


@pytest.mark.parametrize("mode", ["bernoulli", "ancilla", "angles"])
def test_gradients_are_those_of_finite_differences(
    engine: Backend, ansatz: Shape, mode: str
) -> None:
    model = make(engine, ansatz, condition=ANGLES, **MODES[mode])
    each = Batch(
        index_to_bits(rng(2).integers(0, 8, 20), 3),
        np.array([CONDITION, CONDITION + 1.0])[rng(3).integers(0, 2, 20)],
    )
    loss = NegativeLogLikelihood(reads="log_prob")
    output, back = model.forward("log_prob", each, rng=rng())
    gradient = back(loss(output, each)[1])["theta"]
    steps = 1e-5 * np.concatenate([np.eye(len(model.theta)), -np.eye(len(model.theta))])
    outputs = model.outputs_at("log_prob", model.theta + steps, each, rng=rng())
    values = np.array([loss(one, each)[0] for one in outputs]).reshape(2, -1)
    numeric = (values[0] - values[1]) / 2e-5
    assert np.abs(numeric).max() > 0.01
    np.testing.assert_allclose(gradient, numeric, atol=1e-8)


def test_shots_estimate_without_bias(engine: Backend, ansatz: Shape) -> None:
    options: dict[str, Any] = {"latent": "ancilla", "latent_wires": 1}
    noisy = make(engine, ansatz, shots=200, smoothing=0.0, **options)
    exact = make(engine, ansatz, **options)
    direction = rng(8).normal(size=(1, 8))
    tables, gradients = [], []
    for seed in range(40):
        table, back = noisy.forward("probabilities", Batch(), rng=rng(seed))
        tables.append(table[0])
        gradients.append(back(direction)["theta"])
    table, back = exact.forward("probabilities", Batch(), rng=rng())
    for found, truth in ((tables, table[0]), (gradients, back(direction)["theta"])):
        error = np.std(found, axis=0) / np.sqrt(40) + 1e-9
        assert np.abs((np.mean(found, axis=0) - truth) / error).max() < 4.5


def test_drawn_probabilities_are_saved(dense: Any, ansatz: Shape) -> None:
    model = make(dense, ansatz, p_one="drawn")
    other = ReversibleCircuit(ansatz=ansatz, backend=dense, space=BITS, p_one="drawn", seed=6)
    assert np.all((model.state()["p_one"] > 0) & (model.state()["p_one"] <= 0.5))
    assert not np.array_equal(other.state()["p_one"], model.state()["p_one"])
    other.load(model.state())
    tables = [one.forward("probabilities", Batch(), rng=rng())[0] for one in (model, other)]
    np.testing.assert_array_equal(*tables)
    assert set(model.parameters()) == {"theta"}
    with pytest.raises(CheckpointError):
        make(dense, ansatz).load(model.state())


def test_it_learns_a_small_distribution(engine: Backend, ansatz: Shape) -> None:
    """A mixture of two basis states, whose entropy is that of one uniform latent."""
    target = np.zeros(8)
    target[[1, 6]] = 0.5
    x = index_to_bits(np.repeat([1, 6], 50), 3)
    model = make(engine, ansatz, latent="ancilla", latent_wires=1)
    trainer = qgen.trainer("adam", learning_rate=0.1, steps=150)
    history = trainer.fit(model, Events(x), qgen.loss("nll", reads="log_prob"), seed=1)
    table, _ = model.forward("probabilities", Batch(), rng=rng())
    assert history.losses[-1] == pytest.approx(np.log(2), abs=0.02)
    np.testing.assert_allclose(table[0], target, atol=0.02)


def skewed() -> Events:
    x = np.column_stack([rng(1).exponential(size=400), rng(2).normal(size=400)])
    return Events(x, provenance={"kind": "stand-in"})


def test_a_run_resumes_bit_by_bit_and_keeps_its_drawn_latents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))  # forgotten after the test
    qgen.register("dataset", "skewed-of-test", skewed)
    recipe = Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "skewed-of-test",
            "encoder": {"name": "binning", "bits": 2},
            "generator": {"name": "reversible-circuit", "ansatz": "brick", "p_one": "drawn"},
            "loss": {"name": "nll", "reads": "log_prob"},
            "trainer": {"name": "adam", "steps": 6, "learning_rate": 0.05, "batch_size": 50},
        }
    )
    whole = runs.train(recipe, tmp_path / "whole")
    runs.train(recipe.changed(["trainer.steps=2"]), tmp_path / "parts")
    parts = runs.train(recipe, tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(whole.losses, parts.losses)
    states = [runs.Run(tmp_path / name).assembly.generator.state() for name in ("whole", "parts")]
    for name in ("theta", "p_one"):
        np.testing.assert_array_equal(states[0][name], states[1][name])


def test_the_density_has_the_widths_of_the_bins(engine: Backend, ansatz: Shape) -> None:
    x = skewed().x
    encoder = qgen.encoder("binning", bits=[2, 1], spacing="quantile").fit(x)
    model = make(engine, ansatz, space=encoder.space, p_one=P_ONE)
    density = qgen.Model(model, encoder).log_prob(Events(x), rng=rng())
    table, _ = model.forward("probabilities", Batch(), rng=rng())
    widths = np.outer(np.diff(encoder.edges[0]), np.diff(encoder.edges[1])).reshape(8)
    index = bits_to_index(encoder.encode(x))
    np.testing.assert_allclose(density, np.log(table[0] / widths)[index], atol=1e-12)
