"""Unconnected parts, threads, memory, sampling, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from engine_circuits import brick, random_circuit, random_rows
from scipy.stats import chi2

from qgen_core.circuits.circuit import Channel, Circuit, Gate, param
from qgen_core.circuits.measures import Expectations, Probabilities, State, pauli_z
from qgen_core.errors import BadOption, ResourceRefused, Unsupported
from qgen_core.simulators.connected_parts import find_parts
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.support import resources


def blocks_of(rng, groups, num_wires):
    """Random circuits on groups of wires that are never connected."""
    gates, inner = [], [random_circuit(rng, len(group), 15) for group in groups]
    for step in range(15):
        for group, circuit in zip(groups, inner, strict=True):
            gate = circuit.gates[step]
            gates.append(Gate(gate.name, tuple(group[w] for w in gate.wires), gate.angle))
    return Circuit(num_wires, tuple(gates))


def test_parts_are_found():
    circuit = Circuit(5, (Gate("cx", (3, 0)), Gate("h", (2,)), Gate("rzz", (1, 4), param(0))))
    assert [part.wires for part in find_parts(circuit)] == [(0, 3), (1, 4), (2,)]
    assert [part.columns.tolist() for part in find_parts(circuit)] == [[], [0], []]


@pytest.mark.parametrize(
    "groups", [((0, 1, 2), (3, 4)), ((0, 3, 5), (1, 6), (2, 4)), ((5, 0), (4, 1), (3, 2), (6,))]
)
def test_parts_equal_the_whole(groups):
    rng = np.random.default_rng(len(groups))
    num_wires = 1 + max(w for group in groups for w in group)
    circuit = blocks_of(rng, groups, num_wires)
    assert len(find_parts(circuit)) >= len(groups)
    angles = random_rows(rng, circuit, 3)
    apart, whole = StatevectorBackend(parts=True), StatevectorBackend(parts=False)
    words = Expectations(("Z" * num_wires, "XY" + "I" * (num_wires - 2), "I" * num_wires))
    np.testing.assert_allclose(
        apart.exact(circuit, angles, State()), whole.exact(circuit, angles, State()), atol=1e-13
    )
    for measure in (Probabilities(), words):
        (a, back_a), (b, back_b) = (
            e.exact_forward(circuit, angles, measure) for e in (apart, whole)
        )
        np.testing.assert_allclose(a, b, atol=1e-13)
        cotangent = rng.normal(size=a.shape)
        np.testing.assert_allclose(back_a(cotangent), back_b(cotangent), atol=1e-13)


def test_parts_are_taken_apart_where_it_pays():
    rng = np.random.default_rng(3)
    for num_wires, apart in ((8, False), (12, True)):
        groups = [tuple(range(w, w + 4)) for w in range(0, num_wires, 4)]
        circuit = blocks_of(rng, groups, num_wires)
        found = len(find_parts(circuit))
        assert len(StatevectorBackend()._find_parts(circuit)) == (found if apart else 0)
        assert len(StatevectorBackend(parts=True)._find_parts(circuit)) >= num_wires // 4


@pytest.mark.parametrize(
    ("num_wires", "batch", "local"), [(14, 1, None), (10, 1, 7), (6, 9, None), (9, 3, 6)]
)
@pytest.mark.parametrize("precision", ["double", "single"])
def test_threads_change_no_bit(num_wires, batch, local, precision):
    circuit = brick(num_wires, 2)
    rng = np.random.default_rng(5)
    angles = rng.uniform(-3, 3, (batch, circuit.num_angles))
    results = []
    for threads in (1, 2, 5):
        engine = StatevectorBackend(precision=precision, threads=threads)
        engine._local = local
        output, back = engine.exact_forward(circuit, angles, Probabilities())
        values, back_z = engine.exact_forward(circuit, angles, pauli_z(num_wires))
        results.append((output, back(np.cos(1e3 * output)), values, back_z(values)))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_memory_is_refused_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(resources, "available_memory", lambda: 21 * 2**30)
    engine = StatevectorBackend()
    wide = Circuit(34, tuple(Gate("cx", (w, w + 1)) for w in range(33)))
    with pytest.raises(
        ResourceRefused, match="34 qubits need 512 GiB to train, 21 GiB free; at most 29 here"
    ):
        engine.forward(wide, wide.bind([]), pauli_z(34))
    with pytest.raises(
        ResourceRefused, match="34 qubits need 256 GiB, 21 GiB free; at most 30 here"
    ):
        engine.run(wide, wide.bind([]), pauli_z(34))
    with pytest.raises(ResourceRefused, match="to train for a batch of 50"):
        engine.forward(Circuit(26, wide.instructions[:25]), np.zeros((50, 0)), pauli_z(26))


def test_unconnected_wires_need_little_memory():
    """34 wires in pairs fit; the joint probabilities of 34 wires do not."""
    pairs = Circuit(34, tuple(Gate("ry", (w,), param(w)) for w in range(34)))
    angles = pairs.bind(np.linspace(0, 3, 34))
    np.testing.assert_allclose(
        StatevectorBackend().run(pairs, angles, pauli_z(34)), np.cos(angles), atol=1e-13
    )
    with pytest.raises(ResourceRefused, match="34 qubits need"):
        StatevectorBackend().run(pairs, angles, Probabilities())


def test_samples_follow_the_exact_probabilities():
    circuit = brick(6, 1)
    theta = np.random.default_rng(2).uniform(-3, 3, circuit.num_params)
    engine = StatevectorBackend()
    exact = engine.probabilities(circuit, theta)
    shots = 100_000
    bits = engine.sample(circuit, theta, shots=shots, seed=7)
    np.testing.assert_array_equal(bits, engine.sample(circuit, theta, shots=shots, seed=7))
    assert (bits != engine.sample(circuit, theta, shots=shots, seed=8)).any()
    counts = np.bincount(bits @ (1 << np.arange(5, -1, -1)), minlength=64)
    for observed in (counts, shots * engine.probabilities(circuit, theta, shots=shots, seed=9)):
        kept = shots * exact >= 5
        statistic = ((observed - shots * exact)[kept] ** 2 / (shots * exact)[kept]).sum()
        assert chi2.sf(statistic, kept.sum() - 1) > 1e-6


def test_what_is_refused():
    noisy = Circuit(1, (Channel(np.eye(2)[None], (0,), "idle"),))
    with pytest.raises(Unsupported, match="holds the channel 'idle'"):
        StatevectorBackend().run(noisy, noisy.bind([]), Probabilities())
    with pytest.raises(BadOption, match="'double' or 'single', not 'half'"):
        StatevectorBackend(precision="half")
    with pytest.raises(BadOption, match="threads must be at least 1, not 0"):
        StatevectorBackend(threads=0)
    with pytest.raises(BadOption, match=r"angles have the shape \(1, 2\)"):
        StatevectorBackend().run(brick(2, 1), np.zeros((1, 2)), Probabilities())


def test_plans_are_forgotten_with_their_circuits():
    engine = StatevectorBackend()
    for circuit in (brick(4, 1), blocks_of(np.random.default_rng(0), ((0, 1), (2, 3)), 4)):
        engine.run(circuit, np.zeros((1, circuit.num_angles)), Probabilities())
    del circuit
    assert not engine._programs._values
    assert not engine._split._values


def test_numba_is_imported_at_the_first_run_only():
    code = (
        "import sys, qgen_core.simulators.statevector.backend as b; "
        "b.StatevectorBackend(); sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
