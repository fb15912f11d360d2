"""The samplers of the core: exact marginals and correlations, threads, and refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, Unsupported
from qgen_core.samplers.chains import ChainOptions, chains_of
from qgen_core.samplers.diagonalisation import Diagonalisation
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.samplers.gauge_averaged import reversed_spins
from qgen_core.samplers.gibbs_kernels import CHAINS
from qgen_core.testing import statistics


def chain(length: int) -> qgen.Graph:
    return qgen.Graph(length, np.stack([np.arange(length - 1), np.arange(1, length)], axis=1))


def grid(side: int) -> qgen.Graph:
    number = np.arange(side * side).reshape(side, side)
    right = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1)
    down = np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1)
    return qgen.Graph(side * side, np.concatenate([right, down]))


def zephyr_like() -> qgen.Graph:
    """Crossing lines with odd couplings along them: four colours, as in a Zephyr chip."""
    size = 8
    edges = [(i, size + j) for i in range(size) for j in range(size) if (i + j) % 3]
    for first in (0, size):
        edges += [(first + i, first + i + 1) for i in range(size - 1)]
        edges += [(first + i, first + i + 2) for i in range(0, size - 2, 2)]
    return qgen.Graph(2 * size, np.array(edges))


GRAPHS = {
    "chain": chain(12),
    "grid": grid(4),
    "bipartite": qgen.Graph.complete_bipartite(5, 40),
    "zephyr": zephyr_like(),
    "two parts": qgen.Graph(9, np.array([[0, 2], [2, 4], [0, 4], [1, 3], [3, 5], [5, 7]])),
}
SAMPLERS: dict[str, dict[str, Any]] = {
    "exact": {"name": "exact"},
    "gibbs": {"name": "gibbs", "sweeps": 80},
    "tempering": {"name": "tempering", "sweeps": 25, "rungs": 4},
}
DRAWS = 4000


def energy_on(graph: qgen.Graph, seed: int = 5, strength: float = 0.25) -> qgen.Ising:
    rng = np.random.default_rng(seed)
    h = rng.normal(0.0, 0.3, graph.num_spins)
    degree = 2 * len(graph.edges) / graph.num_spins
    couplings = rng.normal(0.0, strength, len(graph.edges)) * 2 / np.sqrt(degree)
    return qgen.Ising(h, couplings, graph, offset=0.4)


def p_value(means: np.ndarray, exact: np.ndarray, draws: int) -> float:
    """The p-value of means of variables -1 and +1, each with its own chi-square; the least of them.

    It is multiplied by their number (Bonferroni), because they are correlated.
    """
    least = 1.0
    for mean, expected in zip(means, exact, strict=True):
        counts = draws * np.array([(1 - mean) / 2, (1 + mean) / 2])
        probabilities = np.array([(1 - expected) / 2, (1 + expected) / 2])
        least = min(least, statistics.chi_square(counts, probabilities))
    return least * len(exact)


@pytest.mark.parametrize("beta", [0.3, 1.0, 1.8])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_marginals_and_correlations_are_exact(graph: str, sampler: str, beta: float) -> None:
    ising = energy_on(GRAPHS[graph])
    means, products = Enumeration(ising, beta=beta).moments()
    options = dict(SAMPLERS[sampler])
    chosen = qgen.sampler("scaled", sampler=options, factor=beta)
    spins, _ = chosen.sample(ising, DRAWS, rng=np.random.default_rng(11))
    pairs = spins[:, ising.edges[:, 0]] * spins[:, ising.edges[:, 1]]
    assert p_value(spins.mean(axis=0), means, DRAWS) > 1e-6
    assert p_value(pairs.mean(axis=0), products, DRAWS) > 1e-6


@pytest.mark.parametrize("graph", ["chain", "grid", "two parts", "zephyr"])
def test_enumeration_is_the_sum_over_all_states(graph: str) -> None:
    ising = energy_on(GRAPHS[graph])
    count = ising.num_spins
    states = np.array(list(itertools.product((-1, 1), repeat=count)), dtype=np.int8)
    log_weights = -0.8 * ising.energy(states)
    log_z = np.logaddexp.reduce(log_weights)
    p = np.exp(log_weights - log_z)
    exact = Enumeration(ising, beta=0.8)
    means, products = exact.moments()
    assert exact.log_z == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(means, p @ states, atol=1e-12)
    of_edges = states[:, ising.edges[:, 0]] * states[:, ising.edges[:, 1]]
    np.testing.assert_allclose(products, p @ of_edges, atol=1e-12)


def test_the_larger_side_of_a_machine_is_not_enumerated() -> None:
    # log Z by the sum over the visible side, written out.
    rng = np.random.default_rng(1)
    h = rng.normal(size=4 + 300)
    couplings = 0.2 * rng.normal(size=(4, 300))
    ising = qgen.Ising(h, couplings.ravel(), qgen.Graph.complete_bipartite(4, 300))
    terms = []
    for visible in itertools.product((-1, 1), repeat=4):
        fields = h[4:] + np.array(visible) @ couplings
        terms.append(-np.dot(visible, h[:4]) + np.logaddexp(fields, -fields).sum())
    assert Enumeration(ising).log_z == pytest.approx(np.logaddexp.reduce(terms), rel=1e-13)
    with pytest.raises(Unsupported, match="enumeration is of up to 3 spins; 304 spins.*and 4 of"):
        Enumeration(ising, most_spins=3)


def test_a_transverse_field_of_uncoupled_spins_is_known() -> None:
    h = np.array([0.3, -0.8])
    ising = qgen.Ising(h, [], np.empty((0, 2)), transverse=0.7, offset=0.2)
    size = np.hypot(h, 0.7)
    exact = Diagonalisation(ising, beta=1.4)
    means, _ = exact.moments()
    assert exact.log_z == pytest.approx(np.log(2 * np.cosh(1.4 * size)).sum() - 1.4 * 0.2)
    np.testing.assert_allclose(means, -h / size * np.tanh(1.4 * size), atol=1e-12)
    with pytest.raises(Unsupported, match="up to 12 spins, not 13"):
        Diagonalisation(qgen.Ising(np.zeros(13), [], np.empty((0, 2)), transverse=1.0))


@pytest.mark.parametrize("graph", ["bipartite", "zephyr"])
@pytest.mark.parametrize("sampler", ["gibbs", "tempering"])
def test_threads_do_not_change_samples(graph: str, sampler: str) -> None:
    ising = energy_on(GRAPHS[graph])
    drawn = []
    for threads in (1, 2, 3):
        chosen = qgen.sampler(sampler, sweeps=5, threads=threads)
        drawn.append(chosen.sample(ising, 5 * CHAINS + 3, rng=np.random.default_rng(2))[0])
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("graph", ["bipartite", "zephyr"])
def test_chains_follow_their_own_scale(graph: str) -> None:
    ising = energy_on(GRAPHS[graph])
    start = np.ones((2 * DRAWS, ising.num_spins), dtype=np.int8)
    chains = chains_of(ising, start, ChainOptions(), np.random.default_rng(3))
    chains.scale[DRAWS:] = 0.0
    chains.run(100)
    spins = chains.spins
    energies = ising.energy(spins) - spins @ ising.h - ising.offset
    np.testing.assert_allclose(chains.coupling_energies(), energies, atol=1e-4)
    means, _ = Enumeration(ising).moments()
    assert p_value(spins[:DRAWS].mean(axis=0), means, DRAWS) > 1e-6
    assert p_value(spins[DRAWS:].mean(axis=0), -np.tanh(ising.h), DRAWS) > 1e-6


@pytest.mark.parametrize("graph", ["bipartite", "grid"])
def test_many_rows_of_one_sample_each(graph: str) -> None:
    base = energy_on(GRAPHS[graph])
    count = base.num_spins
    fields = np.stack([base.h, -base.h])
    fixed = np.zeros((2, count), dtype=np.int8)
    fixed[:, 0] = [1, -1]
    fixed[:, 3] = [1, 1]
    row = np.arange(2 * DRAWS) % 2
    ising = qgen.Ising(fields[row], base.J, base.graph, fixed=fixed[row])
    spins, _ = qgen.sampler("gibbs").sample(ising, 1, rng=np.random.default_rng(4))
    assert spins.shape == (2 * DRAWS, 1, count)
    for kind in range(2):
        of_kind = spins[kind::2, 0]
        free = fixed[kind] == 0
        assert np.all(of_kind[:, ~free] == fixed[kind, ~free])
        alone = qgen.Ising(fields[kind], base.J, base.graph, fixed=fixed[kind])
        reference, _ = qgen.sampler("exact").sample(alone, 200_000, rng=np.random.default_rng(5))
        exact = reference[:, free].mean(axis=0)
        error = np.sqrt((1 - exact**2) * (1 / DRAWS + 1 / 200_000))
        assert np.all(np.abs(of_kind[:, free].mean(axis=0) - exact) < 5.5 * error)


def test_clamping_everything_draws_nothing() -> None:
    ising = qgen.Ising([0.0, 0.0], [1.0], [[0, 1]], fixed=[[1, -1], [0, 1]])
    spins, _ = qgen.sampler("gibbs").sample(ising, 3, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(spins[0], [[1, -1]] * 3)


def test_sweeps_start_at_the_initial_spins_and_visible_spins_come_first() -> None:
    # One sweep of strong couplings: visible spins follow the initial hidden ones.
    ising = qgen.Ising(np.zeros(4), [-30.0, 0.0, 0.0, -30.0], qgen.Graph.complete_bipartite(2, 2))
    initial = np.array([[1, 1, -1, 1], [1, -1, 1, 1]], dtype=np.int8)
    once = qgen.sampler("gibbs", sweeps=1)
    spins, _ = once.sample(ising, 2, rng=np.random.default_rng(1), initial=initial)
    np.testing.assert_array_equal(spins, [[-1, 1, -1, 1], [1, 1, 1, 1]])


def test_tempering_leaves_a_mode_that_gibbs_does_not() -> None:
    strong = qgen.Ising(np.zeros(16), -0.6 * np.ones(64), qgen.Graph.complete_bipartite(8, 8))
    up = np.ones((400, 16), dtype=np.int8)
    gibbs = qgen.sampler("gibbs", sweeps=60)
    stuck, _ = gibbs.sample(strong, 400, rng=np.random.default_rng(1), initial=up)
    assert np.mean(stuck.mean(axis=1) > 0) > 0.95
    tempering = qgen.sampler("tempering", sweeps=200, rungs=8)
    free, info = tempering.sample(strong, 400, rng=np.random.default_rng(1), initial=up)
    assert abs(np.mean(free.mean(axis=1) > 0) - 0.5) < 0.15
    assert 0.1 < info["least_swap_rate"] <= info["swap_rate"] < 1


def test_a_ladder_without_overlap_reports_it() -> None:
    graph = qgen.Graph.complete_bipartite(50, 50)
    strong = qgen.Ising(np.zeros(100), np.full(2500, -1.0), graph)
    start = np.ones((64, 100), dtype=np.int8)
    tempering = qgen.sampler("tempering", sweeps=20, ladder=[0.0, 1.0])
    _, info = tempering.sample(strong, 64, rng=np.random.default_rng(1), initial=start)
    assert info["swap_rate"] == info["least_swap_rate"] < 0.06  # of the first step alone


def test_gauges_cancel_a_device_s_offset() -> None:
    class Offset(qgen.Sampler):
        """Adds 1 to each field, as a device does that prefers one sign."""

        def sample(self, ising: qgen.Ising, n: int, **options: Any) -> Any:
            shifted = qgen.Ising(ising.h + 1.0, ising.J, ising.graph)
            spins, info = qgen.sampler("exact").sample(shifted, n, **options)
            return spins, {**info, "job": f"job of {n}", "energies": ising.energy(spins), "x": 2}

    free = qgen.Ising(np.zeros(40), [], np.empty((0, 2)))
    averaged = qgen.sampler("gauge-averaged", sampler=Offset(), gauges=50)
    spins, info = averaged.sample(free, 5000, rng=np.random.default_rng(1))
    # Within a gauge a spin has the mean +-tanh 1; the mean over 50 signs is of order 1/sqrt(50).
    assert np.abs(spins.mean(axis=0)).mean() < 0.15
    assert info["source"] == "exact enumeration, 50 gauges"
    assert info["job"] == ["job of 100"] * 50 and info["x"] == 2.0
    np.testing.assert_allclose(info["energies"], free.energy(spins))


def test_reversed_spins_have_the_same_energies() -> None:
    ising = energy_on(GRAPHS["zephyr"])
    rng = np.random.default_rng(1)
    signs = rng.choice([-1, 1], 16).astype(np.int8)
    spins = rng.choice([-1, 1], (50, 16)).astype(np.int8)
    turned = reversed_spins(ising, signs)
    np.testing.assert_allclose(turned.energy(spins * signs), ising.energy(spins), atol=1e-12)


def test_scaled_keeps_the_distribution_that_a_model_draws() -> None:
    ising = energy_on(GRAPHS["grid"])
    plain = qgen.sampler("exact").draw(ising, 50, rng=np.random.default_rng(1))[0]
    scaled = qgen.sampler("scaled", sampler="exact", factor=0.25)
    np.testing.assert_array_equal(scaled.draw(ising, 50, rng=np.random.default_rng(1))[0], plain)
    assert scaled.beta == 0.25


def test_tracked_calls_hold_what_was_asked_and_answered() -> None:
    tracked: Any = qgen.sampler("tracked", sampler={"name": "exact", "beta": 0.5}, keep=1)
    ising = energy_on(GRAPHS["chain"])
    spins, info = tracked.draw(ising, 7, rng=np.random.default_rng(1))
    [call] = tracked.calls
    np.testing.assert_array_equal(call.spins, spins)
    np.testing.assert_allclose(call.ising.h, 2 * ising.h)
    assert call.beta == 0.5 and call.seconds == info["seconds"] > 0
    assert tracked.take_record().numbers["seconds"] == info["seconds"]


def test_wrapped_samplers_hold_the_state_of_the_sampler() -> None:
    class Counter(qgen.Sampler):
        beta = 2.0

        def __init__(self) -> None:
            self.calls = 0

        def state(self) -> Any:
            return {"calls": np.array(self.calls)}

        def load(self, state: Any) -> None:
            self.calls = int(state["calls"])

        def sample(self, ising: qgen.Ising, n: int, **options: Any) -> Any:
            raise AssertionError

    for name, options in (("scaled", {"factor": 3.0}), ("gauge-averaged", {}), ("tracked", {})):
        inner = Counter()
        wrapped = qgen.sampler(name, sampler=inner, **options)
        wrapped.load({"calls": np.array(5)})
        assert inner.calls == 5 and wrapped.state() == {"calls": 5}
        assert wrapped.beta == (6.0 if name == "scaled" else 2.0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("exact", {"beta": 0.0}, "above 0"),
        ("exact", {"most_spins": 0}, "above 0"),
        ("gibbs", {"sweeps": 0}, "at least 1"),
        ("gibbs", {"beta": -1.0}, "above 0"),
        ("gibbs", {"threads": 0}, "at least 1"),
        ("tempering", {"rungs": 1}, "two rungs"),
        ("tempering", {"ladder": [0.0, 0.5]}, "to 1"),
        ("tempering", {"ladder": [0.5, 0.2, 1.0]}, "increases"),
        ("scaled", {"sampler": "exact", "factor": 0.0}, "above 0"),
        ("gauge-averaged", {"sampler": "exact", "gauges": 0}, "at least 1"),
        ("tracked", {"sampler": "exact", "keep": -1}, "at least 0"),
    ],
)
def test_options_out_of_range_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        qgen.sampler(name, **options)


def test_no_samples_are_refused() -> None:
    with pytest.raises(BadOption, match="at least 1, not 0"):
        qgen.sampler("gibbs").sample(energy_on(GRAPHS["chain"]), 0, rng=np.random.default_rng(1))
