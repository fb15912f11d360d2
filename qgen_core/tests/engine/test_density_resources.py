"""The density backend's parts, threads, memory, shots, and what it refuses."""

import subprocess
import sys

import numpy as np
import pytest
from density_cases import noisy_circuit, random_channel
from engine_circuits import random_rows
from scipy.stats import chi2

from qgen_core.circuits.circuit import Channel, Circuit, Gate, param
from qgen_core.circuits.measures import Expectations, Probabilities, State, pauli_z
from qgen_core.errors import BadOption, ResourceRefused, Unsupported
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.support import resources


def blocks_of(rng, groups, num_wires):
    """Noisy circuits on unconnected groups of wires, their instructions interleaved."""
    inner = [noisy_circuit(rng, len(group), 12).instructions for group in groups]
    instructions = []
    for step in range(max(map(len, inner))):
        for group, own in zip(groups, inner, strict=True):
            if step < len(own):
                wires = tuple(group[w] for w in own[step].wires)
                old = own[step]
                instructions.append(
                    Channel(old.kraus, wires, old.name)
                    if isinstance(old, Channel)
                    else Gate(old.name, wires, old.angle)
                )
    return Circuit(num_wires, tuple(instructions))


@pytest.mark.parametrize(
    "groups", [((0, 1, 2), (3, 4)), ((0, 3), (1, 4), (2,)), ((4, 0), (3, 1), (2, 5))]
)
def test_parts_equal_the_whole(groups):
    rng = np.random.default_rng(len(groups))
    num_wires = 1 + max(w for group in groups for w in group)
    circuit = blocks_of(rng, groups, num_wires)
    angles = random_rows(rng, circuit, 3)
    apart, whole = DensityBackend(parts=True), DensityBackend(parts=False)
    assert len(apart._find_parts(circuit)) >= len(groups)
    assert not whole._find_parts(circuit)
    words = Expectations(("Z" * num_wires, "XY" + "I" * (num_wires - 2), "I" * num_wires))
    for measure in (Probabilities(), words):
        (a, back_a), (b, back_b) = (
            e.exact_forward(circuit, angles, measure) for e in (apart, whole)
        )
        np.testing.assert_allclose(a, b, atol=1e-13)
        cotangent = rng.normal(size=a.shape)
        np.testing.assert_allclose(back_a(cotangent), back_b(cotangent), atol=1e-12)


def test_a_channel_connects_its_wires():
    rng = np.random.default_rng(1)
    circuit = Circuit(3, (random_channel(rng, (2, 0), 2), Gate("h", (1,))))
    assert [part.wires for part in DensityBackend()._find_parts(circuit)] == [(0, 2), (1,)]


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_threads_change_no_bit(batch):
    rng = np.random.default_rng(batch)
    circuit = noisy_circuit(rng, 4, 30)
    angles = random_rows(rng, circuit, batch)
    results = []
    for threads in (1, 2, 5):
        engine = DensityBackend(threads=threads)
        output, back = engine.exact_forward(circuit, angles, Probabilities())
        results.append(
            (output, back(np.cos(1e3 * output)), engine.exact(circuit, angles, pauli_z(4)))
        )
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def ring(num_wires):
    """Every wire is needed from the first gate to the last."""
    pairs = [(w, (w + 1) % num_wires) for w in range(num_wires)]
    return Circuit(num_wires, tuple(Gate("cx", pair) for pair in pairs * 2))


def test_memory_is_refused_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(resources, "available_memory", lambda: 21 * 2**30)
    engine, circuit = DensityBackend(threads=1), ring(16)
    none = circuit.bind([])
    with pytest.raises(
        ResourceRefused, match="16 qubits need 64 GiB, 21 GiB free; at most 15 here"
    ):
        engine.run(circuit, none, Probabilities())
    # one matrix takes 32 GiB: two for the adjoint, one and an eighth kept, up to 2 3/4 computed
    # again
    with pytest.raises(
        ResourceRefused, match="16 qubits need 188 GiB to train, 21 GiB free; at most 14 here"
    ):
        engine.forward(circuit, none, Probabilities())
    with pytest.raises(ResourceRefused, match="to train for a batch of 50"):
        engine.require(ring(15), Probabilities(), 50)
    engine.require(ring(14), Probabilities(), 50)  # each row is computed again on its way back
    with pytest.raises(ResourceRefused, match="60 qubits need"):
        engine.run(ring(60), none, pauli_z(60))


def test_unconnected_wires_need_little_memory():
    pairs = Circuit(34, tuple(Gate("ry", (w,), param(w)) for w in range(34)))
    angles = pairs.bind(np.linspace(0, 3, 34))
    np.testing.assert_allclose(
        DensityBackend().run(pairs, angles, pauli_z(34)), np.cos(angles), atol=1e-13
    )
    with pytest.raises(ResourceRefused, match="34 qubits need"):
        DensityBackend().run(pairs, angles, Probabilities())


def test_samples_follow_the_exact_probabilities():
    rng = np.random.default_rng(2)
    circuit = noisy_circuit(rng, 5, 30)
    theta, inputs = rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_inputs)
    engine = DensityBackend()
    exact = engine.probabilities(circuit, theta, inputs)
    shots = 100_000
    bits = engine.sample(circuit, theta, inputs, shots=shots, seed=7)
    np.testing.assert_array_equal(bits, engine.sample(circuit, theta, inputs, shots=shots, seed=7))
    assert (bits != engine.sample(circuit, theta, inputs, shots=shots, seed=8)).any()
    counts = np.bincount(bits @ (1 << np.arange(4, -1, -1)), minlength=32)
    for observed in (
        counts,
        shots * engine.probabilities(circuit, theta, inputs, shots=shots, seed=9),
    ):
        kept = shots * exact >= 5
        assert kept.sum() > 5
        statistic = ((observed - shots * exact)[kept] ** 2 / (shots * exact)[kept]).sum()
        assert chi2.sf(statistic, kept.sum() - 1) > 1e-6


def test_what_is_refused():
    engine, plain = DensityBackend(), Circuit(1, ())
    with pytest.raises(
        Unsupported, match="mixed states, which no state vector describes; use e.g. 'statevector'"
    ):
        engine.run(plain, plain.bind([]), State())
    with pytest.raises(BadOption, match="threads must be at least 1, not 0"):
        DensityBackend(threads=0)
    with pytest.raises(BadOption, match=r"angles have the shape \(1, 2\)"):
        engine.run(ring(2), np.zeros((1, 2)), Probabilities())
    wide = Circuit(6, (Channel(np.eye(64)[None], tuple(range(6)), "everything"),))
    expected = "'everything' acts on 6 wires; density supports channels on at most 5 wires"
    with pytest.raises(Unsupported, match=expected):
        engine.run(wide, wide.bind([]), Probabilities())


def test_programs_are_forgotten_with_their_circuits():
    engine, rng = DensityBackend(), np.random.default_rng(0)
    for circuit in (ring(3), blocks_of(rng, ((0, 1), (2, 3)), 4)):
        engine.run(circuit, random_rows(rng, circuit, 1), Probabilities())
    assert engine._programs._values
    del circuit
    assert not engine._programs._values
    assert not engine._split._values


def test_numba_is_imported_at_the_first_run_only():
    code = (
        "import sys, qgen_core.simulators.density.backend as b; "
        "b.DensityBackend(); sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
