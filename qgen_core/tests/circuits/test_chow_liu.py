"""The Chow-Liu tree against brute force and known distributions."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qgen_core.ansatze.chow_liu import chow_liu
from qgen_core.events import Events
from qgen_core.support import dependence_tree as trees_module
from qgen_core.support.dependence_tree import dependence_tree, joint_counts, mutual_information
from qgen_core.typing import Floats


def information_of_bits(bits: NDArray[Any], weight: Floats) -> Floats:
    levels = np.full(bits.shape[1], 2)
    return mutual_information(joint_counts(bits, levels, weight), levels)


def by_loops(bits: NDArray[Any], weight: Floats) -> Floats:
    """Mutual information, the plain way."""
    count = bits.shape[1]
    out = np.zeros((count, count))
    total = weight.sum()
    for i, j in product(range(count), repeat=2):
        for a, b in product((0, 1), repeat=2):
            both = (
                sum(w for row, w in zip(bits, weight, strict=True) if row[i] == a and row[j] == b)
                / total
            )
            first = sum(w for row, w in zip(bits, weight, strict=True) if row[i] == a) / total
            second = sum(w for row, w in zip(bits, weight, strict=True) if row[j] == b) / total
            if both > 0:
                out[i, j] += both * np.log(both / (first * second))
    return out


def spanning_trees(count: int) -> list[tuple[tuple[int, int], ...]]:
    """All of them, by trying every set of edges."""
    trees = []
    for edges in combinations(combinations(range(count), 2), count - 1):
        reached = {0}
        for _ in range(count):
            reached |= {w for edge in edges if reached & set(edge) for w in edge}
        if len(reached) == count:
            trees.append(edges)
    return trees


def markov_tree(rng: np.random.Generator, n: int) -> tuple[NDArray[np.int8], set[frozenset[int]]]:
    """Bits that copy their parent with probability 0.85 along a known tree of six wires."""
    parents = {3: None, 0: 3, 5: 3, 1: 5, 2: 1, 4: 0}
    bits = np.zeros((n, 6), dtype=np.int8)
    for child, parent in parents.items():
        if parent is None:
            bits[:, child] = rng.random(n) < 0.4
        else:
            bits[:, child] = bits[:, parent] ^ (rng.random(n) < 0.15)
    return bits, {frozenset((c, p)) for c, p in parents.items() if p is not None}


@pytest.mark.parametrize("weighted", [False, True])
def test_mutual_information_equals_the_plain_sum(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    bits = (rng.random((60, 4)) < [0.2, 0.5, 0.7, 0.9]).astype(np.int8)
    weight = rng.uniform(0.1, 3, size=60) if weighted else np.ones(60)
    np.testing.assert_allclose(
        information_of_bits(bits, weight), by_loops(bits, weight), rtol=0, atol=1e-13
    )


def test_mutual_information_of_known_pairs() -> None:
    bits = np.array(list(product((0, 1), repeat=2)))
    copied = np.concatenate([bits, bits[:, :1], np.zeros((4, 1), dtype=int)], axis=1)
    information = information_of_bits(copied, np.ones(4))
    expected = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]) * np.log(2)
    np.testing.assert_allclose(information, expected, rtol=0, atol=1e-15)


def test_many_rows_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees_module, "PIECE", 2**18)
    rng = np.random.default_rng(1)
    bits, _ = markov_tree(rng, 150_000)
    weight = rng.uniform(size=150_000)
    # the same 64 weighted patterns, put together beforehand
    index = bits @ (1 << np.arange(5, -1, -1))
    patterns = np.array(list(product((0, 1), repeat=6)))
    table = np.bincount(index, weights=weight, minlength=64).astype(np.float64)
    np.testing.assert_allclose(
        information_of_bits(bits, weight), information_of_bits(patterns, table), rtol=0, atol=1e-12
    )


def test_negative_weights_leave_numbers() -> None:
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, 1]])
    information = information_of_bits(bits, np.array([2.0, 1.0, 1.0, 2.0, -1.5]))
    assert np.all(np.isfinite(information)) and np.all(information >= 0)


@pytest.mark.parametrize("seed", range(10))
def test_no_spanning_tree_holds_more_information(seed: int) -> None:
    information = np.random.default_rng(seed).random((5, 5))
    information += information.T
    trees = spanning_trees(5)
    assert len(trees) == 125  # Cayley: 5^3
    best = max(sum(information[edge] for edge in tree) for tree in trees)
    found = dependence_tree(information)
    assert sum(information[edge] for edge in found) == pytest.approx(best, abs=1e-12)
    children = [child for _, child in found]
    assert sorted(children) == [1, 2, 3, 4]
    for k, (parent, _) in enumerate(found):  # every control is in the tree before its target
        assert parent == 0 or parent in children[:k]


def test_the_tree_of_tree_like_data_is_found() -> None:
    bits, truth = markov_tree(np.random.default_rng(2), 4000)
    circuit = chow_liu(6, data=Events(bits), layers=1)
    assert {frozenset(g.wires) for g in circuit.gates if g.name == "cx"} == truth


def test_weights_decide_the_tree() -> None:
    bits = np.array(
        [[0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 1, 0], [1, 0, 1]]
    )
    first = chow_liu(3, data=Events(bits, weight=np.array([1.0] * 4 + [0.1] * 4)), layers=1)
    second = chow_liu(3, data=Events(bits, weight=np.array([0.1] * 4 + [1.0] * 4)), layers=1)
    edges = [{frozenset(g.wires) for g in c.gates if g.name == "cx"} for c in (first, second)]
    assert frozenset((0, 1)) in edges[0]
    assert frozenset((0, 2)) in edges[1]


def test_equal_information_gives_one_circuit() -> None:
    # bars and stripes of 3 x 3: many pairs tie
    rows = [np.repeat(p, 3) for p in product((0, 1), repeat=3)] + [
        np.tile(p, 3) for p in product((0, 1), repeat=3)
    ]
    patterns = np.unique(np.array(rows), axis=0)
    assert len(patterns) == 14
    # each pattern seven times with seven weights: the sums differ by rounding from order to order
    rng, bits, weight = (
        np.random.default_rng(0),
        np.repeat(patterns, 7, axis=0),
        np.tile(np.arange(1, 8) / 10, 14),
    )
    orders = [rng.permutation(98) for _ in range(10)]
    circuits = [chow_liu(9, data=Events(bits[order], weight=weight[order])) for order in orders]
    assert all(circuit == circuits[0] for circuit in circuits)
    assert circuits[0].num_params == 279 and circuits[0].counts["cx"] == 80


def test_rotations_are_rz_rx_rz_without_the_idle_ones() -> None:
    circuit = chow_liu(2, data=Events(np.array([[0, 1], [1, 0]])), layers=2)
    names = [g.name for g in circuit.gates if g.wires == (0,)]
    assert names == ["rx", "rz", "rz", "rx", "rz", "rz", "rx"]
    assert [g.wires for g in circuit.gates if g.name == "cx"] == [(0, 1)] * 2
    assert chow_liu(1, data=Events(np.array([[0], [1]])), layers=2).num_params == 7
