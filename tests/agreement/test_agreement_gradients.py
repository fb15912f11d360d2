"""Gradients are those of the embedded engine's adjoint sweep: 20 circuits up to 5 wires and 24
angles; batches.
"""

from __future__ import annotations

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES

#: Wires and angles: every fifth circuit has the greatest size.
SIZES = [((1, 3), (2, 6), (3, 8), (4, 12), (5, 24))[k % 5] for k in range(20)]
#: A gradient sums two or four values, times cotangents of up to four.
SUMMED = 20


def circuit_of(wires: int, angles: int, rng: np.random.Generator) -> qgen.Circuit:
    """So many turning gates of all kinds, and as many others strewn in."""
    names = [name for name, spec in GATES.items() if spec.wires <= wires]
    turning = rng.permutation([name for name in names if GATES[name].has_angle] * angles)[:angles]
    gates = []
    for number, name in enumerate(turning):
        fixed = rng.choice([name for name in names if not GATES[name].has_angle])
        for one, angle in ((str(name), qgen.param(number)), (str(fixed), None)):
            gates.append(
                qgen.Gate(one, tuple(map(int, rng.permutation(wires)[: GATES[one].wires])), angle)
            )
    return qgen.Circuit(wires, tuple(gates))


def check(
    name: str, backend: qgen.Backend, circuit: qgen.Circuit, batch: int, rng: np.random.Generator
) -> None:
    angles = agreement.random_rows(circuit, batch, rng)
    cotangent = rng.uniform(-2, 2, (batch, 2**circuit.num_wires))
    found = backend.forward(circuit, angles, qgen.Probabilities())[1](cotangent)
    expected = agreement.expected_slopes(name, circuit, angles, cotangent)
    np.testing.assert_allclose(found, expected, rtol=0, atol=SUMMED * agreement.tolerance(backend))


def test_gradients(name: str, backend: qgen.Backend) -> None:
    assert len(SIZES) == 20 and max(SIZES) == (5, 24)
    rng = np.random.default_rng(11)
    for wires, angles in SIZES:
        circuit = circuit_of(wires, angles, rng)
        assert circuit.num_angles == angles
        check(name, backend, circuit, 1, rng)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_gradients_of_batches(name: str, backend: qgen.Backend, batch: int) -> None:
    """Each row has a cotangent of its own."""
    rng = np.random.default_rng(12)
    check(name, backend, circuit_of(2, 3, rng), batch, rng)
