"""The generator pairwise-ising against sums over all states."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.pairwise_ising import PairwiseIsing

BITS = np.array(list(product((0, 1), repeat=3)), dtype=np.int8)
SPINS = 2.0 * BITS - 1
RNG = np.random.default_rng(0)  # of outputs that draw nothing


def ising(**options: Any) -> PairwiseIsing:
    options.setdefault("space", Space("bits", 3))
    if options["space"].width == 3:
        options.setdefault("data", Events(BITS[[0, 0, 3, 5, 7, 7, 7, 1]]))
    model: PairwiseIsing = qgen.generator("pairwise-ising", sampler="exact", **options)
    rng = np.random.default_rng(7)
    for value in model.parameters().values():
        value[...] = rng.normal(size=value.shape)
    return model


def table(model: PairwiseIsing, condition: np.ndarray | None = None) -> np.ndarray:
    """p of the eight states of three bits, from the definition of the energy."""
    fields = model.h
    if condition is not None:
        fields = model.h + condition @ model.W
    energies = SPINS @ fields
    centred = SPINS - model.offsets
    for coupling, (i, j) in zip(model.J, [(0, 1), (0, 2), (1, 2)], strict=True):
        energies += coupling * centred[:, i] * centred[:, j]
    weights = np.exp(-energies)
    return np.asarray(weights / weights.sum())


def pseudo_likelihood(p: np.ndarray) -> np.ndarray:
    """sum_i log p(s_i | all other s) of the eight states, from their table."""
    cube = p.reshape(2, 2, 2)
    logs = np.zeros((2, 2, 2))
    for axis in range(3):
        logs += np.log(cube / cube.sum(axis=axis, keepdims=True))
    return logs.ravel()


@pytest.mark.parametrize("condition", [None, np.array([0.3, -1.2])])
def test_outputs_are_those_of_the_sum_over_all_states(condition: np.ndarray | None) -> None:
    options: dict[str, Any] = {}
    rows = None
    if condition is not None:
        options["condition"] = Space("reals", 2)
        rows = np.tile(condition, (8, 1))
    model = ising(**options)
    p = table(model, condition)
    batch = Batch(BITS, rows)
    logs, _ = model.forward("log_prob", batch, rng=RNG)
    np.testing.assert_allclose(logs, np.log(p), atol=1e-13)
    objective, _ = model.forward("objective", batch, rng=RNG)
    np.testing.assert_allclose(objective, -pseudo_likelihood(p), atol=1e-13)
    np.testing.assert_allclose(model.log_pseudo_likelihood(BITS, rows), -objective)


@pytest.mark.parametrize("method", ["pseudo-likelihood", "pcd"])
@pytest.mark.parametrize("output", ["objective", "log_prob"])
def test_gradients_are_those_of_differences(output: str, method: str, check_slopes: Any) -> None:
    rng = np.random.default_rng(3)
    model = ising(condition=Space("reals", 2), method=method, chains=7, seed=1)
    model.chain_conditions[:] = rng.normal(size=model.chain_conditions.shape)
    conditions = rng.normal(size=(4, 2))[rng.integers(4, size=20)]
    check_slopes(model, output, Batch(BITS[rng.integers(8, size=20)], conditions))


def test_samples_follow_the_distribution_of_each_condition() -> None:
    model = ising(condition=Space("reals", 1))
    model.sampler = qgen.sampler("gibbs", sweeps=60)
    conditions = np.repeat([[-0.5], [1.0]], 20_000, axis=0)
    drawn = model.sample(40_000, conditions, rng=np.random.default_rng(5))
    index = drawn @ np.array([4, 2, 1])
    for rows in (slice(0, 20_000), slice(20_000, 40_000)):
        expected = 20_000 * table(model, conditions[rows][0])
        chi2 = np.sum((np.bincount(index[rows], minlength=8) - expected) ** 2 / expected)
        assert chi2 < 38  # 7 degrees of freedom: p = 3e-6


def test_training_by_pseudo_likelihood_finds_the_model_of_the_data() -> None:
    truth = ising()
    truth.J[:] *= 0.5
    x = truth.sample(50_000, rng=np.random.default_rng(1))
    model = PairwiseIsing(space=Space("bits", 3), sampler=qgen.sampler("exact"), data=Events(x))
    trainer = qgen.trainer("adam", steps=300, learning_rate=0.05)
    history = trainer.fit(model, Events(x), "mean", seed=1)
    assert history.losses[-1] < history.losses[0]
    # The slope vanishes where the pseudo-likelihood of the data is largest.
    _, pullback = model.forward("objective", Batch(x), rng=RNG)
    for slope in pullback(np.full(len(x), 1 / len(x))).values():
        assert np.all(np.abs(slope) < 1e-3)
    # Errors of correlators of 50,000 events are below .005.
    np.testing.assert_allclose(table(model) @ SPINS, table(truth) @ SPINS, atol=0.03)
    products = SPINS[:, :, None] * SPINS[:, None, :]
    found = np.tensordot(table(model), products, axes=1)
    np.testing.assert_allclose(found, np.tensordot(table(truth), products, axes=1), atol=0.03)


@pytest.mark.parametrize("conditional", [False, True])
def test_persistent_chains_have_the_gradient_of_the_likelihood(conditional: bool) -> None:
    rows = None
    options: dict[str, Any] = {}
    if conditional:
        options["condition"] = Space("reals", 1)
        rows = np.repeat([[-0.5], [1.0]], 4, axis=0)
    model = ising(method="pcd", chains=50_000, seed=1, **options)
    batch = Batch(BITS, rows)
    model.prepare(batch, rng=np.random.default_rng(2))
    weights = np.full(8, 1 / 8)
    _, pullback = model.forward("objective", batch, rng=RNG)
    _, exact = model.forward("log_prob", batch, rng=RNG)
    for name, value in exact(-weights).items():
        np.testing.assert_allclose(pullback(weights)[name], value, atol=5 / np.sqrt(50_000))


def test_chains_stay_near_their_conditions_and_are_saved() -> None:
    model = ising(condition=Space("reals", 1), method="pcd", chains=100, seed=1)
    rng = np.random.default_rng(1)
    first = rng.normal(size=(100, 1))
    model.prepare(Batch(BITS[rng.integers(8, size=100)], first), rng=rng)
    before = model.chain_conditions.copy()
    np.testing.assert_array_equal(np.sort(before, axis=0), np.sort(first, axis=0))
    model.prepare(Batch(BITS[rng.integers(8, size=100)], rng.permutation(first + 0.01)), rng=rng)
    np.testing.assert_allclose(model.chain_conditions, before + 0.01)
    again = ising(condition=Space("reals", 1), method="pcd", chains=100, seed=2, data=None)
    again.load(model.state())
    for name, value in model.state().items():
        np.testing.assert_array_equal(again.state()[name], value)


def test_chains_learn_the_means_and_pairs_of_biased_events() -> None:
    # Many couplings that move together must not shift the fields of the units.
    rng = np.random.default_rng(1)
    own = rng.random((2000, 80)) < 0.8
    events = np.where(rng.random((2000, 80)) < 0.6, np.roll(own, 1, axis=1), own).astype(np.int8)
    model = qgen.generator(
        "pairwise-ising",
        space=Space("bits", 80),
        data=Events(events),
        sampler={"name": "gibbs", "sweeps": 5, "threads": 1},
        method="pcd",
        chains=500,
        seed=1,
    )
    options = {"schedule": "cosine", "learning_rate": 0.005, "batch_size": 500}
    trainer = qgen.trainer("adam", steps=300, **options)
    trainer.fit(model, Events(events), "mean", seed=1)
    model.sampler = qgen.sampler("gibbs", sweeps=100, threads=1)
    drawn = model.sample(2000, rng=np.random.default_rng(2))
    chance = np.sqrt(2 * 0.8 * 0.2 / 2000)
    difference = drawn.mean(axis=0) - events.mean(axis=0)
    assert np.sqrt(np.mean(difference**2)) < 1.5 * chance
    neighbours = (np.arange(79), np.arange(1, 80))
    pairs = np.triu_indices(80, k=1)
    for some, tolerance in ((neighbours, 0.2), (pairs, 0.4)):
        expected = np.cov(events.T)[some].mean()
        assert np.cov(drawn.T)[some].mean() == pytest.approx(expected, rel=tolerance)


def test_only_given_pairs_are_coupled() -> None:
    model = ising(edges=((2, 0),))
    assert model.energy().edges.tolist() == [[0, 2]]
    p = table_of_pair(model)
    logs, _ = model.forward("log_prob", Batch(BITS), rng=RNG)
    np.testing.assert_allclose(np.exp(logs), p, atol=1e-13)


def test_neighbours_in_a_lattice_are_coupled() -> None:
    model = ising(lattice=((1, 3),))
    assert model.energy().edges.tolist() == [[0, 1], [1, 2]]


def table_of_pair(model: PairwiseIsing) -> np.ndarray:
    """p of the eight states where columns 0 and 2 alone are coupled."""
    centred = SPINS - model.offsets
    weights = np.exp(-SPINS @ model.h - model.J[0] * centred[:, 0] * centred[:, 2])
    return np.asarray(weights / weights.sum())


def test_the_first_fields_are_those_of_the_data() -> None:
    x = (np.random.default_rng(1).random((5000, 3)) < [0.1, 0.5, 0.8]).astype(np.int8)
    model = qgen.generator(
        "pairwise-ising", sampler="exact", space=Space("bits", 3), data=Events(x)
    )
    ones = 1 / (1 + np.exp(2 * model.h))
    np.testing.assert_allclose(ones, x.mean(axis=0), atol=1 / 5000)


def test_what_does_not_fit_is_refused() -> None:
    for edges in (((0, 0),), ((0, 3),), ((0, 1), (1, 0))):
        with pytest.raises(BadOption, match="edges"):
            ising(edges=edges)
    with pytest.raises(BadOption, match="bits or spins"):
        ising(space=Space("reals", 3))
    model = ising()
    with pytest.raises(DataError, match="takes no condition"):
        model.sample(2, np.zeros((2, 1)), rng=RNG)
    with pytest.raises(OutputMismatch, match="pairwise-ising offers"):
        model.forward("probabilities", Batch(BITS), rng=RNG)
    assert "log_prob" not in ising(space=Space("bits", 17)).outputs
