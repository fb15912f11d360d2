"""Generators rbm and qbm: gradients against sums over all states, training, log Z."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import qgen_core as qgen
from qgen_core.circuits.gates import PAULI, embedded
from qgen_core.errors import BadOption, DataError, OutputMismatch, Unsupported
from qgen_core.events import Batch, Events, Space
from qgen_core.generators import rbm as rbm_module
from qgen_core.generators.couplings import all_pairs
from qgen_core.generators.rbm_kernels import LANES, hidden_means
from qgen_core.interfaces import Model
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.samplers import spin_products
from qgen_core.samplers.annealing import annealed_log_z, reverse_annealed_log_z
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.support.parameters import assign, flatten


def rbm(**options: Any) -> Any:
    defaults: dict[str, Any] = {"space": Space("bits", 3), "sampler": "exact", "hidden": 2}
    return qgen.generator("rbm", **{**defaults, "seed": 3, "scale": 0.5, **options})


def qbm(**options: Any) -> Any:
    defaults: dict[str, Any] = {"space": Space("bits", 3), "transverse": 0.8, "scale": 0.6}
    return qgen.generator("qbm", **{**defaults, "seed": 3, **options})


def rungs(left: int, right: int) -> np.ndarray:
    """Each visible unit with the hidden ones of the same number and of the next lower one."""
    return np.array([(i, j) for i in range(left) for j in range(right) if i - j in (0, 1)])


COUPLINGS = pytest.mark.parametrize("couplings", [None, rungs], ids=["all pairs", "some pairs"])
BITS = np.array(list(itertools.product((0, 1), repeat=3)), dtype=np.int8)
EVENTS = BITS[[0, 0, 3, 5, 7, 7, 7, 1]]


def drawn_by_all_states(model: Any, x: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
    """log p of events by sums over all states of all units, from the energy alone."""
    values = []
    width = model.space.width
    states = np.array(list(itertools.product((-1, 1), repeat=width + model.hidden)))
    for number, event in enumerate(x):
        given = np.empty((len(states), 0))
        if condition is not None:
            given = np.tile(2.0 * condition[number] - 1, (len(states), 1))
        units = np.concatenate([given, states], axis=1)
        h = np.concatenate([np.zeros(given.shape[1]), model.h])
        energy = qgen.Ising(h, model.J.ravel(), model.energy(condition).graph).energy(units)
        same = np.all(states[:, :width] == 2 * event - 1, axis=1)
        values.append(np.logaddexp.reduce(-energy[same]) - np.logaddexp.reduce(-energy))
    return np.array(values)


@COUPLINGS
@pytest.mark.parametrize("conditional", [False, True])
def test_log_prob_is_the_sum_over_all_states(conditional: bool, couplings: Any) -> None:
    condition = None
    options: dict[str, Any] = {"couplings": couplings}
    if conditional:
        condition = np.array([[0, 1], [1, 1]] * 4, dtype=np.int8)
        options["condition"] = Space("bits", 2)
    model = rbm(**options)
    model.h[:] = np.random.default_rng(1).normal(size=5)
    values, _ = model.forward("log_prob", Batch(EVENTS, condition), rng=np.random.default_rng(1))
    np.testing.assert_allclose(values, drawn_by_all_states(model, EVENTS, condition), atol=1e-12)


@COUPLINGS
@pytest.mark.parametrize("method", ["pcd", "cd"])
@pytest.mark.parametrize("conditional", [False, True])
def test_the_objective_has_the_gradient_of_the_likelihood(
    conditional: bool, method: str, couplings: Any
) -> None:
    # With exact samples both methods have chains that follow the model.
    condition = None
    options: dict[str, Any] = {"method": method, "chains": 50_000}
    options["couplings"] = couplings
    if conditional:
        condition = np.array([[0, 1], [1, 1]] * 4, dtype=np.int8)
        options["condition"] = Space("bits", 2)
    model = rbm(**options)
    batch = Batch(EVENTS, condition)
    model.prepare(batch, rng=np.random.default_rng(2))
    weights = np.full(len(EVENTS), 1 / len(EVENTS))
    _, pullback = model.forward("objective", batch, rng=np.random.default_rng(1))
    _, exact = model.forward("log_prob", batch, rng=np.random.default_rng(1))
    for name, value in exact(-weights).items():
        np.testing.assert_allclose(pullback(weights)[name], value, atol=5 / np.sqrt(50_000))


CONDITIONS = np.array([[0, 1], [1, 1], [1, 1], [0, 1]] * 2, dtype=np.int8)


@COUPLINGS
@pytest.mark.parametrize("conditional", [False, True])
def test_centred_couplings_act_on_units_less_their_means(conditional: bool, couplings: Any) -> None:
    condition = None
    options: dict[str, Any] = {"couplings": couplings}
    units = 2.0 * EVENTS - 1
    if conditional:
        condition = CONDITIONS
        options["condition"] = Space("bits", 2)
        units = np.concatenate([2.0 * condition - 1, units], axis=1)
    model = rbm(data=Events(EVENTS, condition), **options)
    np.testing.assert_allclose(model.offsets, units.mean(axis=0))
    model.h[:] = np.random.default_rng(1).normal(size=5)
    matrix = np.zeros((units.shape[1], 2))
    matrix[tuple((couplings or all_pairs)(*matrix.shape).T)] = model.J.ravel()
    fields = (units - model.offsets) @ matrix + model.h[3:]
    free = (2.0 * EVENTS - 1) @ model.h[:3] - np.logaddexp(fields, -fields).sum(axis=1)
    np.testing.assert_allclose(model.free_energy(units.astype(np.int8)), free)
    energy = model.energy(condition)
    hidden = np.random.default_rng(2).choice([-1.0, 1.0], (8, 2))
    expected = (2.0 * EVENTS - 1) @ model.h[:3] + np.sum(hidden * fields, axis=1)
    states = np.concatenate([units, hidden], axis=1)
    np.testing.assert_allclose(
        qgen.Ising(energy.h, energy.J, energy.graph).energy(states), expected, atol=1e-12
    )


@COUPLINGS
@pytest.mark.parametrize("conditional", [False, True])
def test_the_gradients_of_a_centred_machine_are_those_of_differences(
    conditional: bool, couplings: Any, check_slopes: Any
) -> None:
    condition = None
    options: dict[str, Any] = {"couplings": couplings, "chains": 6}
    if conditional:
        condition = CONDITIONS
        options["condition"] = Space("bits", 2)
    model = rbm(data=Events(EVENTS, condition), **options)
    for output in ("log_prob", "objective"):  # the chains stay, as nothing prepares them
        check_slopes(model, output, Batch(EVENTS, condition))


def test_a_centred_machine_learns_the_same_from_reversed_bits() -> None:
    signs = np.array([-1, 1, 1])
    trained = []
    for events in (EVENTS, np.abs(EVENTS - (signs < 0))):
        model = rbm(data=Events(events))
        if trained:
            model.J[:] = signs[:, None] * model.J
        loss = qgen.loss("nll", reads="log_prob")
        trainer = qgen.trainer("adam", steps=20, learning_rate=0.05)
        trainer.fit(model, Events(events), loss, seed=1)
        trained.append(model)
    plain, reversed_ = trained
    np.testing.assert_allclose(reversed_.J, signs[:, None] * plain.J, atol=1e-9)
    np.testing.assert_allclose(reversed_.h, plain.h * [*signs, 1, 1], atol=1e-9)


def test_chains_go_on_at_conditions_near_to_their_last_ones() -> None:
    model = rbm(condition=Space("bits", 2), chains=40)
    rng = np.random.default_rng(1)
    conditions = rng.integers(2, size=(40, 2), dtype=np.int8)
    events = BITS[rng.integers(8, size=40)]
    model.prepare(Batch(events, conditions), rng=rng)
    before = model.chains[:, :2].copy()
    model.prepare(Batch(events, rng.permutation(conditions)), rng=rng)
    np.testing.assert_array_equal(model.chains[:, :2], before)


def test_chains_of_a_wide_machine_keep_to_the_means_of_biased_events() -> None:
    # Many couplings that move together must not shift the other side.
    rng = np.random.default_rng(1)
    common = rng.random((2000, 1)) < 0.5
    events = (rng.random((2000, 100)) < np.where(common, 0.98, 0.8)).astype(np.int8)
    data = Events(events)
    sampler = {"name": "gibbs", "sweeps": 5, "threads": 1}
    model = rbm(
        space=Space("bits", 100), data=data, hidden=80, scale=0.01, sampler=sampler, chains=500
    )
    trainer = qgen.trainer("adam", steps=200, learning_rate=0.001, batch_size=500)
    trainer.fit(model, data, "mean", seed=1)
    difference = (model.chains[:, :100] > 0).mean(axis=0) - events.mean(axis=0)
    assert np.sqrt(np.mean(difference**2)) < 0.05


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_means_of_hidden_spins_are_right_to_the_last_digits(dtype) -> None:
    rng = np.random.default_rng(1)
    fields = (rng.normal(size=(9, 1300)) * 10.0 ** rng.uniform(-9, 3, (9, 1300))).astype(dtype)
    fields[0, :3] = 0.0, 1e4, -1e4
    h = rng.normal(size=1300).astype(dtype) * dtype(0.01)
    total = fields.astype(np.float64) + h
    log_sums = np.empty(9)
    hidden_means(fields, h, log_sums, np.empty((2, LANES)))
    np.testing.assert_allclose(fields, -np.tanh(total), rtol=0, atol=2 * np.finfo(dtype).eps)
    exact = np.logaddexp(total, -total).sum(axis=1)
    np.testing.assert_allclose(log_sums, exact, rtol=1e-13)


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("conditional", [False, True])
def test_the_gradient_is_the_sum_over_events_and_chains(
    conditional: bool, tables: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tables:  # as in large machines
        monkeypatch.setattr(spin_products, "LEAST_ROWS", 1)
        monkeypatch.setattr(spin_products, "LEAST_PRODUCTS", 1)
        monkeypatch.setattr(rbm_module, "WORTH_COMPILING", 1)
    rng = np.random.default_rng(4)
    clamped = 2 * conditional
    options: dict[str, Any] = {"chains": 7, "hidden": 600}
    condition = None
    if conditional:
        condition = rng.integers(2, size=(8, 2))
        options["condition"] = Space("bits", 2)
    model = rbm(**options)
    model.h[:] = rng.normal(size=603)
    model.offsets[:] = rng.uniform(-1, 1, size=clamped + 3)
    batch = Batch(EVENTS, condition)
    cotangent = rng.random(8)
    value, pullback = model.forward("objective", batch, rng=rng)
    found = pullback(cotangent)

    events = 2.0 * EVENTS - 1
    if conditional:
        events = np.concatenate([2.0 * condition - 1, events], axis=1)
    visible = np.concatenate([events, model.chains[:, : clamped + 3]])
    fields = (visible - model.offsets) @ model.J + model.h[3:]
    free = visible[:, clamped:] @ model.h[:3] - np.logaddexp(fields, -fields).sum(axis=1)
    np.testing.assert_allclose(value, free[:8] - free[8:].mean(), rtol=1e-12, atol=1e-10)
    hidden = -np.tanh(fields)
    weights = np.concatenate([cotangent, np.full(7, -cotangent.sum() / 7)])
    couplings = np.zeros(model.J.shape)
    for weight, v, s in zip(weights, visible, hidden, strict=True):
        couplings += weight * np.outer(v - model.offsets, s)
    np.testing.assert_allclose(found["J"], couplings, atol=1e-12)
    own = np.concatenate([weights @ visible[:, clamped:], weights @ hidden])
    np.testing.assert_allclose(found["h"], own, atol=1e-10)


def test_persistent_chains_go_on_and_those_of_cd_start_at_the_events() -> None:
    class Recorder(qgen.Sampler):
        def __init__(self) -> None:
            self.starts: list[np.ndarray] = []

        def sample(self, ising: Any, n: int, *, rng: Any, initial: Any = None) -> Any:
            self.starts.append(np.array(initial))
            return -np.asarray(initial, dtype=np.int8), {"source": "recorder"}

    persistent = rbm(sampler=Recorder(), chains=4)
    first = persistent.chains.copy()
    for _ in range(3):
        persistent.prepare(Batch(EVENTS), rng=np.random.default_rng(1))
    starts = persistent.sampler.starts
    np.testing.assert_array_equal(starts[0], first)
    np.testing.assert_array_equal(starts[1], -first)
    np.testing.assert_array_equal(starts[2], first)
    contrastive = rbm(sampler=Recorder(), chains=10, method="cd")
    contrastive.prepare(Batch(EVENTS), rng=np.random.default_rng(1))
    visible = contrastive.sampler.starts[0][:, :3]
    np.testing.assert_array_equal(visible, 2 * EVENTS[np.arange(10) % 8] - 1)


@pytest.mark.parametrize("name", ["rbm", "pairwise-ising"])
def test_samples_start_at_all_chains(name: str) -> None:
    class Unmoved(qgen.Sampler):
        def sample(self, ising: Any, n: int, *, rng: Any, initial: Any = None) -> Any:
            return np.asarray(initial, dtype=np.int8), {"source": "unmoved"}

    options: dict[str, Any] = {"space": Space("bits", 8), "sampler": Unmoved(), "chains": 20}
    model = qgen.generator(name, seed=3, method="pcd", **options)
    drawn = model.sample(400, rng=np.random.default_rng(1))
    assert set(np.unique(model.chains)) == {-1, 1}
    chains = np.unique(model.chains[:, :8], axis=0)
    np.testing.assert_array_equal(np.unique(2 * drawn - 1, axis=0), chains)


PROBABILITIES = np.array([0.3, 0.02, 0.02, 0.16, 0.02, 0.16, 0.02, 0.3])


def total_variation(model: Any) -> float:
    drawn = model.sample(20_000, rng=np.random.default_rng(5))
    counts = np.bincount(drawn @ [4, 2, 1], minlength=8)
    return float(0.5 * np.abs(counts / counts.sum() - PROBABILITIES).sum())


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"sampler": {"name": "gibbs", "sweeps": 20}}, "mean"),
        ({"sampler": {"name": "gibbs", "sweeps": 20}, "method": "cd"}, "mean"),
        ({"sampler": {"name": "tempering", "sweeps": 4, "rungs": 3}, "centred": False}, "mean"),
        ({"sampler": "exact"}, {"name": "nll", "reads": "log_prob"}),
    ],
)
def test_training_learns_a_distribution(options: dict[str, Any], loss: Any) -> None:
    x = BITS[np.random.default_rng(1).choice(8, 1000, p=PROBABILITIES)]
    model = rbm(hidden=6, chains=1000, data=Events(x), **options)
    trainer = qgen.trainer("adam", steps=200, learning_rate=0.03)
    trainer.fit(model, Events(x), loss, seed=1)
    log_prob, _ = model.forward("log_prob", Batch(BITS), rng=np.random.default_rng(1))
    assert 0.5 * np.abs(np.exp(log_prob) - PROBABILITIES).sum() < 0.12


def test_the_first_fields_are_those_of_the_data() -> None:
    x = (np.random.default_rng(1).random((5000, 3)) < [0.1, 0.5, 0.8]).astype(np.int8)
    model = rbm(data=Events(x), scale=0.0)
    np.testing.assert_allclose(
        model.sample(50_000, rng=np.random.default_rng(1)).mean(axis=0), x.mean(axis=0), atol=0.015
    )


def test_pseudo_likelihood_is_that_of_the_conditionals() -> None:
    model = rbm()
    model.h[:] = [0.4, -0.3, 0.2, 0.5, -0.6]
    table, _ = model.forward("log_prob", Batch(BITS), rng=np.random.default_rng(1))
    expected = []
    for event in BITS:
        total = 0.0
        for unit in range(3):
            other = event.copy()
            other[unit] = 1 - other[unit]
            mine = table[event @ [4, 2, 1]]
            total += mine - np.logaddexp(mine, table[other @ [4, 2, 1]])
        expected.append(total)
    np.testing.assert_allclose(model.log_pseudo_likelihood(BITS), expected, atol=1e-12)
    metric = qgen.metric("pseudo-likelihood")
    whole = Model(model, Identity())
    number = metric(Events(BITS), Events(BITS), model=whole, rng=np.random.default_rng(1))
    assert number["log pseudo-likelihood"].value == pytest.approx(np.mean(expected))


class Identity(qgen.Encoder):
    """Bits are themselves."""

    space = Space("bits", 3)

    def encode(self, x: Any, condition: Any = None, *, rng: Any = None) -> Any:
        return x

    def decode(self, z: Any, condition: Any = None, *, rng: Any) -> Any:
        return z


def strong_machine() -> qgen.Ising:
    rng = np.random.default_rng(4)
    h = rng.normal(0.0, 0.3, 40 + 12)
    return qgen.Ising(h, rng.normal(0.0, 0.25, 480), qgen.Graph.complete_bipartite(40, 12), 0.7)


def test_the_bracket_of_annealing_holds_the_exact_value() -> None:
    ising = strong_machine()
    exact = Enumeration(ising)
    rng = np.random.default_rng(1)
    forward = annealed_log_z(ising, rng=rng, chains=200, steps=200)
    backward = reverse_annealed_log_z(ising, exact.sample(200, rng=rng), rng=rng, steps=200)
    assert forward.bound - 3 * forward.bound_error < exact.log_z
    assert exact.log_z < backward.bound + 3 * backward.bound_error
    assert abs(forward.value - exact.log_z) < 4 * forward.error
    assert abs(backward.value - exact.log_z) < 4 * backward.error
    assert forward.bound < forward.value and backward.value < backward.bound
    assert backward.bound - forward.bound < 1.0
    coarse = annealed_log_z(ising, rng=rng, chains=300, steps=3)
    assert coarse.effective_size < 0.5 * forward.effective_size


def test_annealing_works_on_any_graph() -> None:
    rng = np.random.default_rng(2)
    edges = np.array([[i, j] for i in range(10) for j in range(i + 1, 10) if (i + j) % 3])
    ising = qgen.Ising(rng.normal(size=10), rng.normal(0.0, 0.4, len(edges)), edges)
    exact = Enumeration(ising).log_z
    found = annealed_log_z(ising, rng=rng, chains=200, steps=200)
    assert abs(found.value - exact) < 4 * found.error < 0.2


def test_metric_log_z_says_what_is_a_bound() -> None:
    metric = qgen.metric("log-z", chains=200, steps=100, sweeps=50)
    events = Events(BITS)
    small = Model(rbm(), Identity())
    found = metric(events, events, model=small, rng=np.random.default_rng(1))
    assert list(found) == [
        "log Z exact",
        "log Z AIS",
        "log Z AIS bound",
        "log Z reverse AIS",
        "log Z reverse AIS bound",
    ]
    exact = found["log Z exact"].value
    assert exact == pytest.approx(Enumeration(small.generator.energy()).log_z)  # type: ignore[attr-defined]
    lower = found["log Z AIS bound"]
    upper = found["log Z reverse AIS bound"]
    assert lower.value - 3 * lower.uncertainty < exact < upper.value + 3 * upper.uncertainty
    large = Model(rbm(space=Space("bits", 24), hidden=24, sampler="gibbs"), Identity())
    found = metric(events, events, model=large, rng=np.random.default_rng(1))
    assert list(found) == ["log Z AIS", "log Z AIS bound", "log Z reverse AIS estimate"]
    quantum = Model(qbm(), Identity())
    found = metric(events, events, model=quantum, rng=np.random.default_rng(1))
    assert list(found) == ["log Z exact"]


def test_metric_log_z_of_conditions_is_their_mean() -> None:
    model = rbm(condition=Space("bits", 2), scale=1.0)
    condition = np.array([[0, 1], [1, 1], [0, 1], [0, 0]] * 2, dtype=np.int8)
    weight = np.array([1.0, 2.0, 1.0, 4.0] * 2)
    events = Events(EVENTS, condition=condition, weight=weight)
    metric = qgen.metric("log-z", chains=200, steps=100, conditions=8)
    found = metric(
        events, events, model=Model(model, Identity(), Identity()), rng=np.random.default_rng(1)
    )
    log_prob, _ = model.forward("log_prob", Batch(EVENTS, condition), rng=np.random.default_rng(1))
    spins = 2.0 * np.concatenate([condition, EVENTS], axis=1) - 1
    of_events = -model.free_energy(spins) - log_prob
    expected = weight @ of_events / weight.sum()
    assert found["log Z exact"].value == pytest.approx(expected, abs=1e-12)
    for name in ("log Z AIS", "log Z reverse AIS"):
        assert abs(found[name].value - expected) < 4 * found[name].uncertainty < 0.2
    assert found["log Z AIS"].note.startswith("mean over 3 conditions, at least ")
    with pytest.raises(BadOption, match="at least 1, not 0"):
        none = qgen.metric("log-z", conditions=0)
        none(
            events, events, model=Model(model, Identity(), Identity()), rng=np.random.default_rng(1)
        )


def hamiltonian(model: Any) -> np.ndarray:
    """H by products of Pauli matrices; spin up is bit 1, so s^z = -Z."""
    ising = model.energy()
    count = ising.num_spins
    total = np.zeros((2**count, 2**count))
    for spin in range(count):
        total -= ising.h[spin] * np.real(embedded(PAULI["Z"], (spin,), count))
        total -= ising.transverse * np.real(embedded(PAULI["X"], (spin,), count))
    for (i, j), coupling in zip(ising.edges, ising.J, strict=True):
        both = embedded(PAULI["Z"], (i,), count) @ embedded(PAULI["Z"], (j,), count)
        total += coupling * np.real(both)
    return total


@pytest.mark.parametrize("hidden", [0, 2])
def test_qbm_against_matrix_exponentials(hidden: int) -> None:
    model = qbm(hidden=hidden)
    model.h[:] = np.random.default_rng(2).normal(0.0, 0.5, 3 + hidden)
    rho = expm(-hamiltonian(model))
    z = np.trace(rho)
    p = np.diag(rho).reshape(8, -1).sum(axis=1) / z
    rng = np.random.default_rng(1)
    log_prob, _ = model.forward("log_prob", Batch(BITS), rng=rng)
    np.testing.assert_allclose(np.exp(log_prob), p, rtol=1e-10)
    bound, _ = model.forward("objective", Batch(BITS), rng=rng)
    clamped = hamiltonian(model).reshape(8, 2**hidden, 8, 2**hidden)
    for state in range(8):
        block = expm(-clamped[state, :, state, :])
        assert bound[state] == pytest.approx(np.log(z) - np.log(np.trace(block)), rel=1e-10)
    assert np.all(bound > -log_prob)
    assert np.exp(-bound).sum() < 1  # the bound is no distribution


def test_qbm_without_a_transverse_field_is_a_boltzmann_machine() -> None:
    model = qbm(hidden=2, transverse=0.0)
    rng = np.random.default_rng(1)
    bound, of_bound = model.forward("objective", Batch(BITS), rng=rng)
    log_prob, of_log_prob = model.forward("log_prob", Batch(BITS), rng=rng)
    np.testing.assert_allclose(bound, -log_prob, rtol=1e-10)
    weights = rng.normal(size=8)
    for name, value in of_log_prob(-weights).items():
        np.testing.assert_allclose(of_bound(weights)[name], value, atol=1e-10)


@pytest.mark.parametrize("output", ["objective", "log_prob"])
def test_gradients_of_eight_units_agree_with_differences(output: str) -> None:
    model = qbm(space=Space("bits", 6), hidden=2)
    x = np.random.default_rng(1).integers(2, size=(20, 6)).astype(np.int8)
    weights = np.random.default_rng(2).normal(size=20)
    _, pullback = model.forward(output, Batch(x), rng=np.random.default_rng(1))
    gradient = flatten({name: pullback(weights)[name] for name in model.parameters()})
    theta = flatten(model.parameters())
    for number in (0, 7, 8, 20, len(theta) - 1):
        values = []
        for step in (-1e-4, 1e-4):
            moved = theta.copy()
            moved[number] += step
            assign(model.parameters(), moved)
            values.append(
                weights @ model.forward(output, Batch(x), rng=np.random.default_rng(1))[0]
            )
        assert gradient[number] == pytest.approx((values[1] - values[0]) / 2e-4, abs=1e-6)


@pytest.mark.parametrize(("hidden", "loss", "most"), [(0, "mean", 0.25), (2, "nll", 0.05)])
def test_qbm_learns_a_distribution(hidden: int, loss: str, most: float) -> None:
    x = BITS[np.random.default_rng(1).choice(8, 2000, p=PROBABILITIES)]
    model = qbm(hidden=hidden, transverse=0.3)
    before = total_variation(model)
    trainer = qgen.trainer("adam", steps=150, learning_rate=0.05)
    table = {"mean": "mean", "nll": {"name": "nll", "reads": "log_prob"}}[loss]
    trainer.fit(model, Events(x), table, seed=1)
    assert total_variation(model) < min(most, before / 2)


def test_qbm_draws_with_a_sampler_that_is_given() -> None:
    model = qbm(sampler={"name": "exact", "beta": 0.4})
    drawn = model.sample(40_000, rng=np.random.default_rng(1))
    log_prob, _ = model.forward("log_prob", Batch(BITS), rng=np.random.default_rng(1))
    counts = np.bincount(drawn @ [4, 2, 1], minlength=8)
    assert 0.5 * np.abs(counts / counts.sum() - np.exp(log_prob)).sum() < 0.02
    refusing = qbm(sampler="gibbs")
    with pytest.raises(Unsupported, match="transverse field"):
        refusing.sample(5, rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (rbm, {"space": Space("reals", 3)}, "bits or spins, not 3 reals"),
        (rbm, {"condition": Space("angles", 1)}, "conditions of a Boltzmann machine"),
        (rbm, {"hidden": 0}, "at least 1, not 0 and 256"),
        (rbm, {"scale": -1.0}, "at least 0"),
        (rbm, {"couplings": lambda left, right: [(left, 0)]}, "the first 3 and the first 2 units"),
        (rbm, {"couplings": lambda left, right: [(0, 1), (0, 1)]}, "each pair once"),
        (qbm, {"space": Space("angles", 3)}, "bits or spins"),
        (qbm, {"hidden": 10}, "up to 12 units, not 13"),
        (qbm, {"transverse": -1.0}, "at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Any, options: Any, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        make(**options)


def test_data_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(1)
    model = rbm()
    with pytest.raises(DataError, match=r"events have the shape \(N, 3\), not \(2, 4\)"):
        model.forward("objective", Batch(np.zeros((2, 4))), rng=rng)
    with pytest.raises(DataError, match="takes no condition"):
        model.sample(2, np.zeros((2, 1)), rng=rng)
    conditional = rbm(condition=Space("bits", 2))
    with pytest.raises(DataError, match=r"conditions have the shape \(N, 2\), not None"):
        conditional.sample(2, rng=rng)
    with pytest.raises(DataError, match="3 conditions were given for 2 events"):
        conditional.sample(2, np.zeros((3, 2)), rng=rng)
    with pytest.raises(DataError, match="3 conditions were given for 2 events"):
        conditional.forward("objective", Batch(BITS[:2], np.zeros((3, 2))), rng=rng)
    with pytest.raises(OutputMismatch, match="rbm offers"):
        model.forward("probabilities", Batch(), rng=rng)
    with pytest.raises(DataError, match="takes no condition"):
        qbm().sample(2, np.zeros((2, 1)), rng=rng)


def pairs() -> Events:
    x = np.random.default_rng(4).gamma(2.0, 1.0, size=(400, 2))
    return Events(x + x[:, ::-1], columns=("a", "b"), provenance={"kind": "stand-in"})


def test_a_recipe_trains_resumes_and_is_evaluated(tmp_path: Path) -> None:
    qgen.register("dataset", "pairs-of-test", pairs)
    recipe = Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "pairs-of-test",
            "encoder": {"name": "binning", "bits": 2},
            "sampler": {"name": "gibbs", "sweeps": 3},
            "generator": {"name": "rbm", "hidden": 3, "chains": 20},
            "loss": "mean",
            "trainer": {"name": "adam", "steps": 6, "learning_rate": 0.05},
            "metrics": [{"name": "log-z", "steps": 20, "chains": 20}, "pseudo-likelihood"],
        }
    )
    whole = runs.train(recipe, tmp_path / "whole")
    runs.train(recipe.changed(["trainer.steps=2"]), tmp_path / "parts")
    parts = runs.train(recipe, tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(whole.losses, parts.losses)
    assert whole.draws.sources == ["Gibbs sampling, 3 sweeps"]
    result = runs.Run(tmp_path / "whole")
    from qgen_core.runs.evaluation import evaluate

    text = str(evaluate(result))
    assert "log Z reverse AIS bound" in text and "log pseudo-likelihood" in text
