"""One circuit gives the same on every backend: every gate, random circuits, long ones, batches
(F38).

Sizes are chosen so that the slowest backends, tens of microseconds and more a gate, take seconds:
of the 200 random circuits every tenth has the greatest size, 8 wires and 100 gates, and the others
10 gates in the middle.
"""

from __future__ import annotations

from functools import cache

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES, PAULI
from qgen_core.testing.circuits import turned

RANDOM, LARGEST = 200, (8, 100)
LONG = 4_000


def placed() -> list[tuple[str, tuple[int, ...]]]:
    """Every gate on every ordered choice of three wires."""
    wires = range(3)
    pairs = [(a, b) for a in wires for b in wires if a != b]
    return [
        (name, w)
        for name, spec in GATES.items()
        for w in (pairs if spec.wires == 2 else [(a,) for a in wires])
    ]


def test_every_gate_on_every_order_of_wires(name: str, backend: qgen.Backend) -> None:
    """On a random entangled state, and turned afterwards, so that phases count."""
    rng = np.random.default_rng(1)
    wrong = {}
    for gate, wires in placed():
        if gate not in backend.capabilities.gates:
            continue
        entangled = [
            *turned(GATES.keys(), 3, rng),
            qgen.Gate("cx", (0, 1)),
            qgen.Gate("cz", (1, 2)),
        ]
        tried = qgen.Gate(gate, wires, qgen.param(0, -1.3, 0.2) if GATES[gate].has_angle else None)
        circuit = qgen.Circuit(
            3, (*entangled, *turned(GATES.keys(), 3, rng), tried, *turned(GATES.keys(), 3, rng))
        )
        angles = agreement.random_rows(circuit, 2, rng)
        found = backend.run(circuit, angles, qgen.Probabilities())
        off = np.max(np.abs(found - np.abs(agreement.by_matrices(circuit, angles)) ** 2))
        if off > agreement.tolerance(backend):
            wrong[gate, wires] = off
    assert wrong == {}


def random_sizes() -> list[tuple[int, int]]:
    """Wires and gates of the random circuits."""
    rng = np.random.default_rng(2)
    sizes = [(1 + k % 8, int(np.exp(rng.uniform(0, np.log(100))))) for k in range(RANDOM)]
    sizes[::10] = [LARGEST] * len(sizes[::10])
    return sizes


@cache
def random_circuits() -> list[tuple[qgen.Circuit, np.ndarray]]:
    """The random circuits with a row of angles each; the same objects for all backends."""
    rng = np.random.default_rng(3)
    circuits = [agreement.random_circuit(*size, rng) for size in random_sizes()]
    return [(circuit, agreement.random_rows(circuit, 1, rng)) for circuit in circuits]


def test_random_circuits(name: str, backend: qgen.Backend) -> None:
    sizes = random_sizes()
    assert len(sizes) == RANDOM and sizes.count(LARGEST) >= RANDOM // 10
    assert (
        max(w for w, _ in sizes) == 8
        and max(g for _, g in sizes) == 100
        and {w for w, _ in sizes} == set(range(1, 9))
    )
    for circuit, angles in random_circuits():
        found = backend.run(circuit, angles, qgen.Probabilities())
        off = np.max(np.abs(found - agreement.expected_probabilities(name, circuit, angles)))
        assert off <= agreement.tolerance(backend), (
            f"{circuit.num_wires} wires, {len(circuit.gates)} gates"
        )


@pytest.mark.parametrize("wires", [2, 3, 4, 5, 6])
def test_long_circuits(name: str, backend: qgen.Backend, wires: int) -> None:
    """4,000 gates: what is lost a gate adds up, and parsers and recursions meet their limits.

    Held against matrices, as the embedded engine is, which takes seconds to plan each of them.
    """
    rng = np.random.default_rng(wires)
    circuit = agreement.random_circuit(wires, LONG, rng)
    assert len(circuit.gates) == LONG
    angles = agreement.random_rows(circuit, 1, rng)
    found = backend.run(circuit, angles, qgen.Probabilities())
    off = np.max(np.abs(found - np.abs(agreement.by_matrices(circuit, angles)) ** 2))
    assert off <= agreement.tolerance(backend)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches(name: str, backend: qgen.Backend, batch: int) -> None:
    """Each row, of probabilities and of expectations, is what matrices give for that row."""
    rng = np.random.default_rng(batch)
    circuit = agreement.random_circuit(3, 14, rng)
    angles = agreement.random_rows(circuit, batch, rng)
    states = agreement.by_matrices(circuit, angles)
    found = backend.run(circuit, angles, qgen.Probabilities())
    np.testing.assert_allclose(
        found, np.abs(states) ** 2, rtol=0, atol=agreement.tolerance(backend)
    )
    words = ("ZII", "IIZ", "XYZ", "IXI", "III")
    values = backend.run(circuit, angles, qgen.Expectations(words))
    paulis = [np.kron(np.kron(*(PAULI[c] for c in word[:2])), PAULI[word[2]]) for word in words]
    expected = np.stack(
        [np.einsum("bi,ij,bj->b", states.conj(), p, states).real for p in paulis], axis=1
    )
    np.testing.assert_allclose(values, expected, rtol=0, atol=agreement.tolerance(backend))
