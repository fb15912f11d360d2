"""The kits' own mathematics: p-values, finite differences, the reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, param
from qgen_core.circuits.measures import Expectations, Probabilities
from qgen_core.testing import circuits, reference, statistics
from qgen_core.testing.slopes import gradient, slope


def test_chi_square_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(8))
    counts = rng.multinomial(5000, p)
    assert counts.min() > 10
    assert_allclose(
        statistics.chi_square(counts, p), stats.chisquare(counts, 5000 * p).pvalue, rtol=1e-10
    )


def test_chi_square_merges_rare_bins() -> None:
    """Two bins of 3 expected events count as one of 6."""
    counts, p = np.array([2, 5, 40, 53]), np.array([0.03, 0.03, 0.44, 0.5])
    merged = stats.chisquare([7, 40, 53], [6, 44, 50]).pvalue
    assert_allclose(statistics.chi_square(counts, p), merged, rtol=1e-10)


def test_what_is_left_over_joins_the_last_full_bin() -> None:
    group = statistics._merged_bins(np.array([3.0, 3.0, 3.0]))
    assert np.bincount(group, [3.0, 3.0, 3.0]).tolist() == [9.0]


def test_p_values_are_uniform() -> None:
    """Of a correct sampler, a p-value below u comes with probability u."""
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(20))
    found = [statistics.chi_square(rng.multinomial(2000, p), p) for _ in range(400)]
    assert stats.kstest(found, "uniform").pvalue > 1e-3
    pairs = [statistics.same_distribution(*rng.multinomial(2000, p, 2)) for _ in range(400)]
    assert stats.kstest(pairs, "uniform").pvalue > 1e-3


def test_an_impossible_outcome_has_no_chance() -> None:
    assert statistics.chi_square([999, 1], [1.0, 0.0]) == 0.0
    assert statistics.chi_square([1000, 0], [1.0, 0.0]) == 1.0


def test_correlated_draws_count_less() -> None:
    counts, p = np.array([560, 440]), np.array([0.5, 0.5])
    assert_allclose(
        statistics.chi_square(counts, p, correlated=4.0), stats.chisquare([140, 110]).pvalue
    )


def test_the_floor_of_total_variation() -> None:
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(16))
    seen = [0.5 * np.abs(rng.multinomial(4000, p) / 4000 - p).sum() for _ in range(400)]
    assert_allclose(statistics.total_variation_floor(p, 4000), np.mean(seen), rtol=0.03)


def test_slopes() -> None:
    assert_allclose(slope(lambda t: float(np.exp(2 * t)), 1e-3), 2.0, rtol=1e-11)
    at = np.array([[0.3, -1.2], [0.5, 2.0]])
    assert_allclose(
        gradient(lambda x: float(np.sum(np.sin(x) * [[1, 2], [3, 4]])), at),
        np.cos(at) * [[1, 2], [3, 4]],
    )


def test_reference_states_by_hand() -> None:
    """A Bell pair on wires 2 and 0 of three, the control below the target."""
    bell = Circuit(3, (Gate("h", (2,)), Gate("cx", (2, 0))))
    expected = np.zeros(8)
    expected[[0b000, 0b101]] = np.sqrt(0.5)
    assert_allclose(reference.state(bell, np.empty(0)), expected, atol=1e-15)
    words = ("ZIZ", "XIX", "YIY", "IZI", "ZII")
    values = reference.values(bell, np.empty((1, 0)), Expectations(words))
    assert_allclose(values, [[1, 1, -1, 1, 0]], atol=1e-15)


def test_reference_channels_by_hand() -> None:
    """Damping takes a fixed part of the excited state; coherences shrink by its root."""
    damping = Channel(np.array([[[1, 0], [0, np.sqrt(0.64)]], [[0, 0.6], [0, 0]]]), (0,))
    circuit = Circuit(1, (Gate("ry", (0,), param(0)), damping))
    theta = 0.8
    excited = np.sin(theta / 2) ** 2
    table = reference.values(circuit, np.array([[theta]]), Probabilities())
    assert_allclose(table, [[1 - 0.64 * excited, 0.64 * excited]])
    x = reference.values(circuit, np.array([[theta]]), Expectations(("X",)))
    assert_allclose(x, [[0.8 * np.sin(theta)]])


def test_reference_readout_by_hand() -> None:
    confusion = np.array([[[0.9, 0.3], [0.1, 0.7]], [[1.0, 0.0], [0.0, 1.0]]])
    circuit = Circuit(2, (Gate("x", (0,)),))
    table = reference.values(circuit, np.empty((1, 0)), Probabilities(confusion))
    assert_allclose(table, [[0.3, 0, 0.7, 0]], atol=1e-15)
    signs = reference.values(circuit, np.empty((1, 0)), Expectations(("ZI", "IZ", "ZZ"), confusion))
    assert_allclose(signs, [[-0.4, 1, -0.4]], atol=1e-15)


def test_reference_gradient_by_hand() -> None:
    """Constant angles are differentiated as well."""
    circuit = Circuit(1, (Gate("rx", (0,), const(0.4)), Gate("rx", (0,), param(0))))
    angles = np.array([[0.4, 0.9]])
    found = reference.gradient(circuit, angles, Expectations(("Z",)), np.array([[2.0]]))
    assert_allclose(found, [[-2 * np.sin(1.3), -2 * np.sin(1.3)]], rtol=1e-14)


@pytest.mark.parametrize("wires", [1, 3])
def test_there_and_back_does_nothing(wires: int) -> None:
    rng = np.random.default_rng(5)
    circuit = circuits.there_and_back(
        frozenset({"rx", "ecr", "p", "cry", "h", "s"}), wires, 60, rng
    )
    assert len(circuit.gates) == 60
    state = reference.state(circuit, circuit.bind([])[0])
    assert_allclose(abs(state[0]), 1.0, rtol=1e-12)


def test_trained_circuits_have_every_gate_with_an_angle() -> None:
    rng = np.random.default_rng(6)
    gates = frozenset({"rx", "ry", "rzz", "crz", "p", "h", "cx"})
    circuit = circuits.trained(gates, 3, 10, rng)
    turning = [g.name for g in circuit.gates if g.angle is not None and g.angle.source != "const"]
    assert len(turning) == 10
    assert set(turning) == {"rx", "ry", "rzz", "crz", "p"}
