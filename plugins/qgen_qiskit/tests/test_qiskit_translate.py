"""Translating circuits: order of wires, of matrices and of angles."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from qiskit.quantum_info import DensityMatrix, Operator, Statevector

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.gates import GATES, embedded
from qgen_core.circuits.measures import Probabilities
from qgen_core.errors import BadOption
from qgen_core.testing import circuits, reference
from qgen_qiskit.translate import free_angles, free_columns, qubits_of, to_qiskit


def test_probabilities_need_no_reversal() -> None:
    """Random circuits of all gates, wires of very different states."""
    rng = np.random.default_rng(0)
    for wires in (1, 2, 4):
        circuit = circuits.trained(set(GATES), wires, 8, rng)
        angles = circuits.rows(circuit, 1, rng)
        built, _ = to_qiskit(circuit)
        bound = built.assign_parameters(free_angles(circuit, angles)[0])
        found = Statevector(bound).probabilities()
        assert np.max(np.abs(found - reference.values(circuit, angles, Probabilities())[0])) < 1e-12
        order = "XYZI"[:wires]
        word = Statevector(bound).expectation_value(Operator.from_label(order)).real
        (expected,) = reference.values(circuit, angles, _word(order))[0]
        assert word == pytest.approx(expected, abs=1e-12)


def _word(letters: str):
    from qgen_core.circuits.measures import Expectations

    return Expectations((letters,))


@pytest.mark.parametrize("name", [n for n, spec in GATES.items() if spec.wires == 2])
def test_two_wire_gates_are_the_matrices(name: str) -> None:
    """Control first: wire 0 is most significant in the gate's matrix, in both orders of wires."""
    angle = const(0.7) if GATES[name].has_angle else None
    for wires in ((0, 1), (1, 0)):
        circuit = Circuit(2, (Gate(name, wires, angle),))
        expected = embedded(GATES[name].matrix(0.7), wires, 2)
        found = Operator(to_qiskit(circuit)[0]).data
        phase = np.vdot(expected, found) / 4
        assert np.max(np.abs(found - phase * expected)) < 1e-12
        assert abs(phase) == pytest.approx(1)


def test_kraus_operators_keep_their_wires() -> None:
    """A channel that treats its two wires differently, on wires apart and the wrong way round."""
    rng = np.random.default_rng(2)
    isometry = np.linalg.qr(rng.normal(size=(12, 4)) + 1j * rng.normal(size=(12, 4)))[0]
    channel = Channel(isometry.reshape(3, 4, 4), (2, 0))
    gates = tuple(Gate("ry", (w,), const(0.4 + w)) for w in range(3))
    circuit = Circuit(3, (*gates, channel, *gates))
    found = DensityMatrix(to_qiskit(circuit)[0]).probabilities()
    assert (
        np.max(np.abs(found - reference.values(circuit, circuit.bind([]), Probabilities())[0]))
        < 1e-12
    )


def test_constants_are_numbers_and_the_rest_parameters() -> None:
    circuit = Circuit(
        2, (Gate("rx", (0,), const(0.3)), Gate("ry", (1,), param(0)), Gate("rz", (0,), const(1.0)),
            Gate("cry", (0, 1), given(0, 2.0)), Gate("rxx", (1, 0), param(0, -1.0)))
    )  # fmt: skip
    built, vector = to_qiskit(circuit)
    assert len(vector) == built.num_parameters == 3
    assert list(free_columns(circuit)) == [1, 3, 4]
    angles = circuit.bind([0.5], [0.1])
    assert np.array_equal(free_angles(circuit, angles), [[0.5, 0.2, -0.5]])
    angles[0, 2] = 1.1
    with pytest.raises(BadOption, match="gives a constant angle of the circuit another value"):
        free_angles(circuit, angles)
    with pytest.raises(BadOption, match=r"the circuit needs \(B, 5\)"):
        free_angles(circuit, angles[:, :3])


def test_it_is_made_once_and_goes_with_its_circuit() -> None:
    circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    built = to_qiskit(circuit)[0]
    assert to_qiskit(circuit)[0] is built
    assert to_qiskit(Circuit(1, circuit.instructions))[0] is not built
    gone = weakref.ref(built)
    del built, circuit
    gc.collect()
    assert gone() is None


def test_wires_and_qubits() -> None:
    assert qubits_of((0, 3), 4) == [3, 0]
