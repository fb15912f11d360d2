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
    for coupling, (i, j) in zip(model.J, [(0, 1), (0, 2), (1, 2)], strict=True):
        energies += coupling * SPINS[:, i] * SPINS[:, j]
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


@pytest.mark.parametrize("output", ["objective", "log_prob"])
def test_gradients_are_those_of_differences(output: str) -> None:
    rng = np.random.default_rng(3)
    model = ising(condition=Space("reals", 2))
    events = Batch(
        BITS[rng.integers(8, size=20)], rng.normal(size=(4, 2))[rng.integers(4, size=20)]
    )
    weights = rng.normal(size=20)

    def total() -> float:
        return float(weights @ model.forward(output, events, rng=RNG)[0])

    _, pullback = model.forward(output, events, rng=RNG)
    gradient = pullback(weights)
    assert set(gradient) == set(model.parameters())
    for name, value in model.parameters().items():
        for place in np.ndindex(value.shape):
            before = value[place]
            value[place] = before + 1e-5
            above = total()
            value[place] = before - 1e-5
            below = total()
            value[place] = before
            assert gradient[name][place] == pytest.approx((above - below) / 2e-5, abs=1e-7)


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
    weights = np.exp(-SPINS @ model.h - model.J[0] * SPINS[:, 0] * SPINS[:, 2])
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
