"""MMD as a mean over words: against tables, by pairs, without bias, with weights and conditions."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space, Words, index_to_bits
from qgen_core.generators.iqp import InstantaneousQuantumPolynomial
from qgen_core.losses.mmd import MaximumMeanDiscrepancy
from qgen_core.losses.words import usual_scales, values_of_words
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing.slopes import slope

SIGMAS = (2.0, 8.0)


def loss_of(width: int, **options: Any) -> MaximumMeanDiscrepancy:
    return MaximumMeanDiscrepancy(
        space=Space("bits", width), reads="correlators", bandwidth=SIGMAS, **options
    )


def drawn(loss: MaximumMeanDiscrepancy, seed: int) -> Words:
    words = loss.words(rng=np.random.default_rng(seed))
    assert words is not None
    return words


def test_words_average_to_the_kernel() -> None:
    """The mean over words of Z_a(x) Z_a(x') is the kernel of the distance of x and x'."""
    loss = loss_of(8, words=200_000)
    bits = np.array([[0] * 8, [1] + [0] * 7, [1] * 4 + [0] * 4, [1] * 8])
    values = values_of_words(drawn(loss, 1), bits).astype(float)
    found = values @ values.T / values.shape[1]
    distance = np.abs(bits[:, None] - bits).sum(axis=2)
    kernel = np.mean([np.exp(-distance / sigma) for sigma in SIGMAS], axis=0)
    assert np.max(np.abs(found - kernel)) < 4.5 / np.sqrt(200_000)


def test_default_words_have_few_wires() -> None:
    loss = MaximumMeanDiscrepancy(space=Space("bits", 500), reads="correlators", words=20_000)
    sizes = drawn(loss, 1).sizes
    assert sizes.mean() == pytest.approx(7 / 3, abs=0.1)
    assert len(usual_scales(1)) == 3


def test_equals_the_mmd_of_exact_probabilities() -> None:
    """At 10 wires, with all events of the target: within the error of the drawn words."""
    width = 10
    space = Space("bits", width)
    rng = np.random.default_rng(3)
    bits = (rng.random((3000, width)) < 0.35).astype(np.int8)
    bits[:, 1] |= bits[:, 0]
    model = InstantaneousQuantumPolynomial(
        backend=StatevectorBackend(), space=space, start="random", scale=0.3, seed=1
    )
    _, target = Events(bits).target(space)
    table, pull_table = model.forward("probabilities", Batch(), rng=rng)
    of_tables = MaximumMeanDiscrepancy(space=space, distance="hamming", bandwidth=SIGMAS)
    expected, d_table = of_tables(table, Batch(target=target))
    slope_of_table = pull_table(d_table)["fields"]
    loss = loss_of(width, words=500, estimator="biased")
    values = []
    slopes = []
    for seed in range(60):
        batch = Batch(bits, words=drawn(loss, seed))
        output, pullback = model.forward("correlators", batch, rng=rng)
        value, cotangent = loss(output, batch)
        values.append(value)
        slopes.append(pullback(cotangent)["fields"])
    for found, exact in ((values, expected), (slopes, slope_of_table)):
        error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
        assert np.all(np.abs(np.mean(found, axis=0) - exact) < 4.5 * error)
    assert np.std(values) < 0.2 * expected


def by_pairs(output: np.ndarray, values: np.ndarray, weight: np.ndarray) -> float:
    """Means over pairs of different rows, and of different events, by loops."""
    total = np.zeros(output.shape[1])
    for first, second in permutations(range(len(output)), 2):
        total += output[first] * output[second] / (len(output) * (len(output) - 1))
    share = weight / weight.sum()
    of_data = np.zeros(output.shape[1])
    pairs = 0.0
    for first, second in permutations(range(len(values)), 2):
        of_data += share[first] * share[second] * values[first] * values[second]
        pairs += share[first] * share[second]
    cross = output.mean(axis=0) * (share @ values)
    return float(np.mean(total - 2 * cross + of_data / pairs))


def test_value_is_that_of_pairs() -> None:
    loss = loss_of(5, words=40)
    rng = np.random.default_rng(2)
    bits = rng.integers(2, size=(9, 5), dtype=np.int8)
    weight = rng.uniform(-0.2, 2.0, 9)
    batch = Batch(bits, weight=weight, words=drawn(loss, 4))
    output = rng.uniform(-1, 1, (6, 40))
    assert batch.words is not None
    expected = by_pairs(output, values_of_words(batch.words, bits).astype(float), weight)
    assert loss(output, batch)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("exact_wires", [12, 0])
@pytest.mark.parametrize("weighted", [False, True])
def test_unbiased_where_model_and_data_agree(exact_wires: int, weighted: bool) -> None:
    space = Space("bits", 6)
    model = InstantaneousQuantumPolynomial(
        backend=StatevectorBackend(),
        space=space,
        start="random",
        scale=0.5,
        exact_wires=exact_wires,
        samples=10,
        seed=2,
    )
    loss = loss_of(6, words=20)
    found = []
    for seed in range(800):
        rng = np.random.default_rng([5, seed])
        weight = None
        if weighted:
            weight = rng.uniform(0.2, 2.0, 12)
        batch = Batch(model.sample(12, rng=rng), weight=weight, words=drawn(loss, seed))
        output, _ = model.forward("correlators", batch, rng=rng)
        found.append(loss.value(output, batch))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error
    # the biased estimate is above 0 by the pairs of each event with itself
    biased = loss_of(6, words=20, estimator="biased").value(output, batch)
    assert biased - loss.value(output, batch) > 5 * error


def conditional_model(slopes: float) -> InstantaneousQuantumPolynomial:
    model = InstantaneousQuantumPolynomial(
        backend=StatevectorBackend(),
        space=Space("bits", 4),
        condition=Space("reals", 1),
        start="random",
        scale=0.1,
        seed=2,
    )
    model.fields[:] = 0.7
    model.slopes[:, 0] = slopes
    return model


def test_with_conditions_only_the_right_dependence_has_the_value_zero() -> None:
    true = conditional_model(0.5)
    condition = np.random.default_rng(1).normal(size=(60, 1))
    data = Events(np.zeros((60, 4)), condition)
    loss = loss_of(4, data=data, words=30)
    found: dict[str, list[float]] = {"true": [], "without": []}
    for seed in range(300):
        rng = np.random.default_rng([7, seed])
        condition = rng.normal(size=(60, 1))
        bits = true.sample(60, condition, rng=rng)
        batch = Batch(bits, condition, words=drawn(loss, seed))
        for name, model in (("true", true), ("without", conditional_model(0.0))):
            output, _ = model.forward("correlators", batch, rng=rng)
            found[name].append(loss.value(output, batch))
    error = {name: np.std(values, ddof=1) / np.sqrt(300) for name, values in found.items()}
    assert abs(np.mean(found["true"])) < 4 * error["true"]
    assert np.mean(found["without"]) > 10 * error["without"]


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_with_conditions_the_value_is_the_mean_over_pairs_of_events(estimator: Any) -> None:
    rng = np.random.default_rng(4)
    loss = loss_of(4, words=7, estimator=estimator)  # without events D is 1
    batch = Batch(
        rng.integers(2, size=(6, 4), dtype=np.int8),
        rng.normal(size=(6, 2)),
        rng.uniform(0.2, 1.0, 6),
        words=drawn(loss, 3),
    )
    output = rng.uniform(-1.0, 1.0, size=(6, 7))
    residuals = values_of_words(batch.words, batch.x) - output
    total = weights = 0.0
    for first, second in product(range(6), repeat=2):
        if estimator == "unbiased" and first == second:
            continue
        weight = batch.weight[first] * batch.weight[second]
        apart = np.sum((batch.condition[first] - batch.condition[second]) ** 2)
        kernel = np.exp(-apart)
        total += weight * kernel * np.mean(residuals[first] * residuals[second])
        weights += weight
    assert loss.value(output, batch) == pytest.approx(total / weights, rel=1e-12)


def test_gradient_with_conditions_is_that_of_differences() -> None:
    model = conditional_model(0.3)
    rng = np.random.default_rng(1)
    loss = loss_of(4, words=30)
    batch = Batch(
        rng.integers(2, size=(15, 4), dtype=np.int8),
        rng.normal(size=(15, 1)),
        rng.uniform(0.1, 1.0, 15),
        words=drawn(loss, 3),
    )

    def value(t: float) -> float:
        moved = conditional_model(0.3)
        moved.slopes[:, 0] += t * np.array([1.0, -2.0, 0.5, 0.0])
        moved.couplings += t
        output, _ = moved.forward("correlators", batch, rng=rng)
        return loss.value(output, batch)

    output, pullback = model.forward("correlators", batch, rng=rng)
    gradient = pullback(loss(output, batch)[1])
    along = gradient["slopes"][:, 0] @ [1.0, -2.0, 0.5, 0.0] + gradient["couplings"].sum()
    assert along == pytest.approx(slope(value, 1e-3), rel=1e-6)


def test_refusals() -> None:
    for options in (
        {"space": Space("spins", 4)},
        {"space": None},
        {"space": Space("bits", 4), "distance": "registers"},
        {"space": Space("bits", 4), "words": 0},
    ):
        with pytest.raises(BadOption):
            MaximumMeanDiscrepancy(reads="correlators", **options)
    loss = loss_of(4)
    words = drawn(loss, 1)
    bits = index_to_bits(np.arange(3), 4)
    output = np.zeros((1, len(words)))
    for batch in (
        Batch(bits),
        Batch(words=words),
        Batch(bits[:, :3], words=words),
        Batch(bits, np.zeros((3, 1)), words=words),
        Batch(bits[:1], words=words),
    ):
        with pytest.raises(OutputMismatch):
            loss(output, batch)
