"""Gradients are the exact ones of the reference simulator.

There are 20 random circuits of up to 5 wires and 24 angles, every gate with an angle alone, and
batches.
"""

from __future__ import annotations

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES
from qgen_core.testing import circuits, reference

#: Wires and angles: every fifth circuit has the greatest size.
SIZES = [((1, 3), (2, 6), (3, 8), (4, 12), (5, 24))[k % 5] for k in range(20)]
#: A gradient sums two or four values, times cotangents of up to four.
SUMMED = 20


def circuit_of(wires: int, angles: int, rng: np.random.Generator) -> qgen.Circuit:
    """This many gates with an angle, of all kinds, each followed by a gate without."""
    names = [name for name, spec in GATES.items() if spec.wires <= wires]
    turning = [name for name in names if GATES[name].has_angle]
    fixed = [name for name in names if not GATES[name].has_angle]
    order = rng.permutation(turning * angles)[:angles]
    gates = []
    for number, turn in enumerate(order):
        still = rng.choice(fixed)
        for name, angle in ((str(turn), qgen.param(number)), (str(still), None)):
            on = tuple(int(w) for w in rng.permutation(wires)[: GATES[name].wires])
            gates.append(qgen.Gate(name, on, angle))
    return qgen.Circuit(wires, tuple(gates))


def check(
    name: str,
    circuit: qgen.Circuit,
    batch: int,
    rng: np.random.Generator,
    measure: qgen.Probabilities | qgen.Expectations | None = None,
) -> None:
    """The gradient of a backend by angles that are not constant; embedded ones to rounding."""
    if measure is None:
        measure = qgen.Probabilities()
    angles = agreement.random_rows(circuit, batch, rng)
    output, pullback = agreement.build(name).forward(circuit, angles, measure)
    cotangent = rng.uniform(-2, 2, np.shape(output))
    allowed = agreement.tolerance(name)
    if name not in agreement.EMBEDDED:
        allowed *= SUMMED
    expected = reference.gradient(circuit, angles, measure, cotangent)
    variable = [angle.source != "const" for angle in circuit.angles]
    found = pullback(cotangent)
    np.testing.assert_allclose(found[:, variable], expected[:, variable], rtol=0, atol=allowed)


def test_gradients(name: str) -> None:
    assert len(SIZES) == 20 and max(SIZES) == (5, 24)
    rng = np.random.default_rng(11)
    for wires, angles in SIZES:
        circuit = circuit_of(wires, angles, rng)
        assert circuit.num_angles == angles
        check(name, circuit, 1, rng)


def test_gradients_by_the_angle_of_every_gate(name: str, backend: qgen.Backend) -> None:
    """Between general rotations, on several orders of wires, of probabilities and expectations."""
    rng = np.random.default_rng(13)
    names = [gate for gate, spec in GATES.items() if spec.has_angle]
    for gate in names:
        if gate not in backend.capabilities.gates:
            continue
        for wires in circuits.placed(gate, 3):
            before = circuits.turned(GATES.keys(), 3, rng)
            after = circuits.turned(GATES.keys(), 3, rng)
            tried = qgen.Gate(gate, wires, qgen.param(0, 0.7, 0.3))
            circuit = qgen.Circuit(3, (*before, qgen.Gate("cx", (0, 2)), tried, *after))
            check(name, circuit, 2, rng)
            check(name, circuit, 2, rng, qgen.Expectations(circuits.words(3, 3, rng)))


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_gradients_of_batches(name: str, batch: int) -> None:
    """Each row has a cotangent of its own."""
    rng = np.random.default_rng(12)
    check(name, circuit_of(2, 3, rng), batch, rng)
