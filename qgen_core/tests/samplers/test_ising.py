"""Ising energies against sums written out, graphs and their colours, rows, and bad input."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import DataError
from qgen_core.ising import PIECE

GRAPHS = {
    "no edges": qgen.Graph(5, np.empty((0, 2))),
    "one edge": qgen.Graph(5, np.array([[1, 3]])),
    "complete bipartite": qgen.Graph.complete_bipartite(2, 3),
    "bipartite, shuffled": qgen.Graph(5, np.array([[1, 4], [0, 3], [0, 4], [1, 2]])),
    "bipartite, mixed sides": qgen.Graph(5, np.array([[0, 4], [1, 4], [1, 2], [0, 2], [3, 4]])),
    "odd ring": qgen.Graph(5, np.array([[0, 1], [1, 2], [2, 3], [3, 4], [0, 4]])),
    "complete": qgen.Graph(5, np.array(list(itertools.combinations(range(5), 2)))),
}
STATES = np.array(list(itertools.product((-1, 1), repeat=5)), dtype=np.int8)


class Enumerating(qgen.Sampler):
    """Independent draws from all states of five spins."""

    def __init__(self, beta: float) -> None:
        self.beta = beta

    def sample(self, ising, n, *, rng, initial=None):  # type: ignore[no-untyped-def]
        weights = np.exp(-self.beta * ising.energy(STATES))
        spins = STATES[rng.choice(len(STATES), n, p=weights / weights.sum())]
        return spins, {"source": "enumeration", "energies": ising.energy(spins)}


def written_out(ising: qgen.Ising, s: np.ndarray) -> float:
    """The energy of one configuration as the definition has it."""
    energy = ising.offset
    for i, field in enumerate(ising.h):
        energy += field * s[i]
    for (i, j), coupling in zip(ising.edges, ising.J, strict=True):
        energy += coupling * s[i] * s[j]
    return float(energy)


@pytest.mark.parametrize("name", GRAPHS)
def test_energies_are_the_sums_of_the_definition(name: str) -> None:
    graph = GRAPHS[name]
    rng = np.random.default_rng(3)
    ising = qgen.Ising(rng.normal(size=5), rng.normal(size=len(graph.edges)), graph, offset=0.3)
    expected = [written_out(ising, s) for s in STATES]
    np.testing.assert_allclose(ising.energy(STATES), expected, atol=1e-13)
    np.testing.assert_allclose(ising.energy(STATES.reshape(4, 8, 5)).ravel(), expected, atol=1e-13)
    np.testing.assert_allclose(ising.scaled(-2.0).energy(STATES[7]), -2 * expected[7], atol=1e-13)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_two_coupled_spins_have_the_same_colour(name: str) -> None:
    graph = GRAPHS[name]
    assert np.all(graph.colours[graph.edges[:, 0]] != graph.colours[graph.edges[:, 1]])
    assert sorted(np.concatenate(graph.groups).tolist()) == list(range(5))
    assert graph.is_bipartite == (name not in {"odd ring", "complete"})


def test_a_large_sparse_graph_is_sparse_and_right() -> None:
    rng = np.random.default_rng(5)
    pairs = np.sort(rng.integers(0, 400, size=(900, 2)), axis=1)
    graph = qgen.Graph(400, np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0))
    ising = qgen.Ising(rng.normal(size=400), rng.normal(size=len(graph.edges)), graph)
    spins = rng.choice([-1, 1], size=(6, 400)).astype(np.int8)
    assert not isinstance(ising.couplings, np.ndarray)
    expected = [written_out(ising, s) for s in spins]
    np.testing.assert_allclose(ising.energy(spins), expected, rtol=1e-12)
    assert len(graph.groups) <= 1 + np.bincount(graph.edges.ravel()).max()


def test_rows_of_fields_and_of_clamped_spins() -> None:
    graph = GRAPHS["odd ring"]
    rng = np.random.default_rng(7)
    h = rng.normal(size=(2, 5))
    couplings = rng.normal(size=5)
    fixed = np.array([[0, 1, 0, 0, 0], [0, -1, 0, 0, 1]])
    assert qgen.Ising(h[0], couplings, graph).rows is None
    for ising in (
        qgen.Ising(h, couplings, graph),
        qgen.Ising(h[0], couplings, graph, fixed=fixed),
        qgen.Ising(h, couplings, graph, fixed=fixed),
    ):
        assert ising.rows == 2
        spins = rng.choice([-1, 1], size=(2, 3, 5)).astype(np.int8)
        found = ising.energy(spins)
        for row, alone in enumerate(ising.by_row()):
            assert alone.rows is None and alone.graph is graph
            np.testing.assert_allclose(found[row], alone.energy(spins[row]), atol=1e-13)
            if ising.fixed is not None:
                np.testing.assert_array_equal(alone.fixed, fixed[row])


def test_an_energy_does_not_follow_the_arrays_that_it_was_made_of() -> None:
    h = np.zeros(5)
    couplings = np.ones(6)
    ising = qgen.Ising(h, couplings, GRAPHS["complete bipartite"])
    before = ising.energy(STATES)
    h += 1
    couplings *= 2
    np.testing.assert_array_equal(ising.energy(STATES), before)
    with pytest.raises(ValueError, match="read-only"):
        ising.J[0] = 3.0


def test_energies_of_many_configurations_need_little_memory() -> None:
    graph = qgen.Graph.complete_bipartite(300, 300)
    ising = qgen.Ising(np.zeros(600), np.ones(90_000), graph)
    spins = np.ones((40_000, 600), dtype=np.int8)
    ising.energy(spins[:1])
    tracemalloc.start()
    energies = ising.energy(spins)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.all(energies == 90_000)
    assert peak < 5 * 8 * PIECE  # doubles of one piece, its sides and their product


@pytest.mark.parametrize("beta", [0.5, 3.0])
def test_draw_is_at_inverse_temperature_one_whatever_the_sampler_has(beta: float) -> None:
    rng = np.random.default_rng(9)
    graph = GRAPHS["odd ring"]
    ising = qgen.Ising(rng.normal(size=5), rng.normal(size=5), graph, offset=0.2)
    weights = np.exp(-ising.energy(STATES))
    spins, info = Enumerating(beta).draw(ising, 40_000, rng=np.random.default_rng(1))
    np.testing.assert_allclose(info["energies"], ising.energy(spins), atol=1e-12)
    exact = (weights / weights.sum()) @ STATES
    error = np.sqrt((1 - exact**2) / 40_000)
    assert np.all(np.abs(spins.mean(axis=0) - exact) < 5 * error)


@pytest.mark.parametrize(
    ("h", "couplings", "graph", "fixed", "message"),
    [
        (np.zeros(0), [], np.empty((0, 2)), None, "fields h"),
        (np.zeros(2), [1.0, 1.0], [[0, 1]], None, "one J per edge"),
        (np.zeros(3), [1.0], qgen.Graph(2, np.array([[0, 1]])), None, "a graph of 2 spins"),
        (np.zeros(2), [1.0], [[1, 0]], None, "pairs i < j"),
        (np.zeros(2), [1.0], [[0, 2]], None, "pairs i < j of spins 0 to 1"),
        (np.zeros(2), [1.0, 1.0], [[0, 1], [0, 1]], None, "occurs twice"),
        (np.zeros(2), [np.nan], [[0, 1]], None, "finite"),
        (np.zeros(2), [1.0], [[0, 1]], [0, 2], "fixed holds -1, 0 or 1"),
        (np.zeros(2), [1.0], [[0, 1]], [0, 0.5], "fixed holds -1, 0 or 1"),
        (np.zeros(2), [1.0], [[0, 1]], [0, 1, 0], "fixed holds -1, 0 or 1"),
        (np.zeros((3, 2)), [1.0], [[0, 1]], np.zeros((2, 2)), "h has 3 rows and fixed has 2"),
    ],
)
def test_what_does_not_fit_is_refused(h, couplings, graph, fixed, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=message):
        qgen.Ising(h, couplings, graph, fixed=fixed)


def test_other_fields_leave_couplings_and_clamped_spins_as_they_are() -> None:
    pair = qgen.Ising([1.0, 2.0], [3.0], [[0, 1]], 5.0, fixed=[[0, 1], [0, -1]])
    changed = pair.with_fields(np.ones((2, 2)))
    assert changed.J is pair.J and changed.fixed is pair.fixed and changed.offset == 0
    assert changed.energy(np.ones((2, 1, 2))).tolist() == [[5.0], [5.0]]
    assert pair.h.tolist() == [1.0, 2.0] and pair.offset == 5.0
    for h in (np.ones(3), np.ones((3, 2)), [np.inf, 0.0]):
        with pytest.raises(DataError, match="fields are finite|h has 3 rows"):
            pair.with_fields(h)


def test_spins_of_another_shape_are_refused() -> None:
    ising = qgen.Ising(np.zeros((2, 5)), np.ones(6), GRAPHS["complete bipartite"])
    with pytest.raises(DataError, match=r"\(2, n, 5\)"):
        ising.energy(STATES)
    with pytest.raises(DataError, match=r"\(..., 5\)"):
        ising.energy(np.ones((2, 3, 4)))


def test_checking_a_graph_once_makes_energies_cheap() -> None:
    # No sort, no search: what is left is copying, so the cost per number is that of a few passes.
    graph = qgen.Graph.complete_bipartite(200, 200)
    h = np.zeros(400)
    couplings = np.ones(40_000)
    energies = [qgen.Ising(h, couplings, graph) for _ in range(3)]
    assert all(energy.graph is graph for energy in energies)
    assert np.shares_memory(energies[0].couplings, energies[0].J)
