"""A circuit has the values of the reference on every backend: every gate, random circuits, long
circuits, batches (F38).

Sizes are chosen so that the slowest backends, which take tens of microseconds for a gate, need
seconds: of the 200 random circuits every tenth has the greatest size, 8 wires and 100 gates, and
the others have 10 gates in the median.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES
from qgen_core.testing import reference
from qgen_core.testing.circuits import turned

RANDOM, LARGEST = 200, (8, 100)
LONG = 4_000


def placed() -> list[tuple[str, tuple[int, ...]]]:
    """Every gate on every ordered choice of three wires."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for name, spec in GATES.items():
        for wires in permutations(range(3), spec.wires):
            found.append((name, wires))
    return found


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
        angle = None
        if GATES[gate].has_angle:
            angle = qgen.param(0, -1.3, 0.2)
        tried = qgen.Gate(gate, wires, angle)
        before = turned(GATES.keys(), 3, rng)
        after = turned(GATES.keys(), 3, rng)
        circuit = qgen.Circuit(3, (*entangled, *before, tried, *after))
        angles = agreement.random_rows(circuit, 2, rng)
        found = backend.run(circuit, angles, qgen.Probabilities())
        off = np.max(np.abs(found - reference.values(circuit, angles, qgen.Probabilities())))
        if off > agreement.tolerance(name):
            wrong[gate, wires] = off
    assert wrong == {}


def random_sizes() -> list[tuple[int, int]]:
    """Wires and gates of the random circuits."""
    rng = np.random.default_rng(2)
    sizes = [(1 + k % 8, int(np.exp(rng.uniform(0, np.log(100))))) for k in range(RANDOM)]
    sizes[::10] = [LARGEST] * len(sizes[::10])
    return sizes


@cache
def random_circuits() -> list[tuple[qgen.Circuit, np.ndarray, np.ndarray]]:
    """The random circuits, each with a row of angles and its probabilities."""
    rng = np.random.default_rng(3)
    circuits = [agreement.random_circuit(*size, rng) for size in random_sizes()]
    found = []
    for circuit in circuits:
        angles = agreement.random_rows(circuit, 1, rng)
        expected = reference.values(circuit, angles, qgen.Probabilities())
        found.append((circuit, angles, expected))
    return found


def test_random_circuits(name: str, backend: qgen.Backend) -> None:
    sizes = random_sizes()
    assert len(sizes) == RANDOM and sizes.count(LARGEST) >= RANDOM // 10
    assert (
        max(w for w, _ in sizes) == 8
        and max(g for _, g in sizes) == 100
        and {w for w, _ in sizes} == set(range(1, 9))
    )
    for circuit, angles, expected in random_circuits():
        found = backend.run(circuit, angles, qgen.Probabilities())
        off = np.max(np.abs(found - expected))
        assert off <= agreement.tolerance(name), (
            f"{circuit.num_wires} wires, {len(circuit.gates)} gates"
        )


@pytest.mark.parametrize("wires", [2, 3, 4, 5, 6])
def test_long_circuits(name: str, backend: qgen.Backend, wires: int) -> None:
    """4,000 gates: rounding errors add up, and parsers and recursions reach their limits."""
    rng = np.random.default_rng(wires)
    circuit = agreement.random_circuit(wires, LONG, rng)
    assert len(circuit.gates) == LONG
    angles = agreement.random_rows(circuit, 1, rng)
    found = backend.run(circuit, angles, qgen.Probabilities())
    off = np.max(np.abs(found - reference.values(circuit, angles, qgen.Probabilities())))
    assert off <= agreement.tolerance(name)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches(name: str, backend: qgen.Backend, batch: int) -> None:
    """Each row, of probabilities and of expectations, is what the reference gives for that row."""
    rng = np.random.default_rng(batch)
    circuit = agreement.random_circuit(3, 14, rng)
    angles = agreement.random_rows(circuit, batch, rng)
    for measure in (
        qgen.Probabilities(),
        qgen.Expectations(("ZII", "IIZ", "XYZ", "IXI", "III")),
    ):
        found = backend.run(circuit, angles, measure)
        expected = reference.values(circuit, angles, measure)
        np.testing.assert_allclose(found, expected, rtol=0, atol=agreement.tolerance(name))
