"""The generator chow-liu-tree against all trees and all states."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError, OutputMismatch, ResourceRefused
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.chow_liu_tree import ChowLiuTree

RNG = np.random.default_rng(0)  # of outputs that draw nothing
BITS = np.array(list(product((0, 1), repeat=4)), dtype=np.int8)


def tree(x: np.ndarray, space: Space | None = None, **options: Any) -> ChowLiuTree:
    events = Events(x, options.pop("rows", None), weight=options.pop("weight", None))
    if space is None:
        space = Space("bits", x.shape[1])
    return ChowLiuTree(space=space, data=events, **options)


def log_prob(model: ChowLiuTree, x: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    return model.forward("log_prob", Batch(x, rows), rng=RNG)[0]


def some_bits(seed: int, n: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return BITS[rng.choice(16, n, p=rng.dirichlet(np.full(16, 0.3)))]


def log_likelihood_of(edges: Any, x: np.ndarray) -> float:
    """The largest log likelihood of events under a given tree: sum log p(i, j) - log p(i) p(j)."""
    total = 0.0
    for column in x.T:
        share = np.bincount(column, minlength=2) / len(x)
        total += float(np.log(share[column]).sum())
    for i, j in edges:
        pair = np.bincount(2 * x[:, i] + x[:, j], minlength=4).reshape(2, 2) / len(x)
        ratio = pair[x[:, i], x[:, j]] / (pair.sum(1)[x[:, i]] * pair.sum(0)[x[:, j]])
        total += float(np.log(ratio).sum())
    return total


def is_tree(edges: Any) -> bool:
    reached = {0}
    for _ in range(4):
        reached |= {node for edge in edges if reached & set(edge) for node in edge}
    return len(reached) == 4


@pytest.mark.parametrize("seed", range(6))
def test_no_other_tree_has_a_larger_likelihood(seed: int) -> None:
    x = some_bits(seed)
    trees = [t for t in combinations(combinations(range(4), 2), 3) if is_tree(t)]
    assert len(trees) == 16  # Cayley: 4^2
    best = max(log_likelihood_of(edges, x) for edges in trees)
    model = tree(x, pseudo_events=0)
    assert log_prob(model, x).sum() == pytest.approx(best, rel=1e-12)
    assert log_likelihood_of(model.edges(), x) == pytest.approx(best, rel=1e-12)
    assert model.num_params == 7


def test_pairs_on_the_tree_have_the_frequencies_of_the_data() -> None:
    x = some_bits(3)
    model = tree(x, pseudo_events=0)
    p = np.exp(log_prob(model, BITS))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    for i, j in model.edges():
        of_model = np.bincount(2 * BITS[:, i] + BITS[:, j], weights=p)
        of_data = np.bincount(2 * x[:, i] + x[:, j], minlength=4) / len(x)
        np.testing.assert_allclose(of_model, of_data, atol=1e-12)


def test_pseudo_events_are_uniform_events() -> None:
    x = some_bits(4, n=40)
    with_all = np.concatenate([x, BITS])
    weight = np.concatenate([np.ones(40), np.full(16, 3 / 16)])
    added = tree(with_all, weight=weight, pseudo_events=0)
    model = tree(x, pseudo_events=3)
    np.testing.assert_allclose(log_prob(model, BITS), log_prob(added, BITS), atol=1e-12)
    assert np.all(np.isfinite(log_prob(model, BITS)))


def test_registers_are_columns_of_many_values() -> None:
    # Three registers in a chain: the second is the first plus noise, modulo 4, and so on.
    rng = np.random.default_rng(2)
    first = rng.integers(4, size=3000)
    second = (first + rng.integers(2, size=3000)) % 4
    third = second // 2 ^ (rng.random(3000) < 0.1)
    columns = [first // 2, first % 2, second // 2, second % 2, third]
    x = np.stack(columns, axis=1).astype(np.int8)
    space = Space("bits", 5, (2, 2, 1))
    model = tree(x, space, columns="registers", pseudo_events=0)
    assert model.edges() == [(0, 1), (1, 2)]
    assert model.num_params == 3 + 4 * 3 + 4 * 1
    plain = 0.0
    for a, b, c in zip(first, second, third, strict=True):
        p_first = np.mean(first == a)
        p_second = np.mean(second[first == a] == b)
        p_third = np.mean(third[second == b] == c)
        plain += float(np.log(p_first * p_second * p_third))
    assert log_prob(model, x).sum() == pytest.approx(plain, rel=1e-12)
    drawn = model.sample(30_000, rng=np.random.default_rng(3))
    values = drawn @ np.array([16, 8, 4, 2, 1])
    states = np.array(list(product((0, 1), repeat=5)), dtype=np.int8)
    expected = 30_000 * np.exp(log_prob(model, states))
    occurs = expected > 5
    counts = np.bincount(values, minlength=32)
    assert counts[expected == 0].sum() == 0
    chi2 = np.sum((counts - expected)[occurs] ** 2 / expected[occurs])
    assert chi2 < 75  # fewer than 32 degrees of freedom: p > 1e-5


def test_each_stratum_of_the_condition_has_a_tree_of_its_own() -> None:
    rng = np.random.default_rng(1)
    rows = rng.uniform(0, 1, size=(2000, 1))
    x = (rng.random((2000, 4)) < 0.2 + 0.6 * (rows > 0.5)).astype(np.int8)
    x[:, 1] = x[:, 0]
    high = rows[:, 0] >= np.median(rows)
    model = tree(x, rows=rows, condition=Space("reals", 1), strata=2)
    parts = [tree(x[~high]), tree(x[high])]
    for part, chosen in zip(parts, (~high, high), strict=True):
        together = log_prob(model, x[chosen], rows[chosen])
        np.testing.assert_allclose(together, log_prob(part, x[chosen]), atol=1e-12)
    conditions = np.array([[0.1], [0.9]] * 5000)
    means = model.sample(10_000, conditions, rng=rng).reshape(5000, 2, 4).mean(axis=0)
    np.testing.assert_allclose(means[0], x[~high].mean(axis=0), atol=0.03)
    np.testing.assert_allclose(means[1], x[high].mean(axis=0), atol=0.03)


def test_what_does_not_fit_is_refused() -> None:
    x = some_bits(0)
    with pytest.raises(BadOption, match="one column"):
        tree(x, rows=np.zeros((300, 2)), condition=Space("reals", 2))
    with pytest.raises(BadOption, match="at least 1 and pseudo_events"):
        tree(x, strata=0)
    with pytest.raises(DataError, match="stratum 0 of the condition has no events"):
        tree(x, rows=np.zeros((300, 1)), condition=Space("reals", 1))
    with pytest.raises(DataError, match="takes no condition"):
        tree(x).sample(1, np.zeros((1, 1)), rng=RNG)
    with pytest.raises(OutputMismatch, match="chow-liu-tree offers"):
        tree(x).forward("objective", Batch(x), rng=RNG)
    wide = Space("bits", 80, (40, 40))
    with pytest.raises(ResourceRefused, match="registers of fewer bits"):
        tree(np.zeros((3, 80), dtype=np.int8), wide, columns="registers")


def test_there_is_nothing_to_train() -> None:
    x = some_bits(5)
    model = tree(x)
    before = log_prob(model, BITS)
    loss = {"name": "nll", "reads": "log_prob"}
    history = qgen.trainer("adam", steps=50).fit(model, Events(x), loss, seed=1)
    assert len(history.records) == 1
    assert history.losses[0] == pytest.approx(-log_prob(model, x).mean(), rel=1e-12)
    np.testing.assert_array_equal(log_prob(model, BITS), before)
