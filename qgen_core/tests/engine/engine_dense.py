"""A plain dense simulator: whole matrices built by kron, multiplied in order. Slow and obvious."""

from __future__ import annotations

from functools import reduce

import numpy as np

from qgen_core.circuits.circuit import Angle, Circuit, Gate, Label, const, given, param
from qgen_core.circuits.gates import GATES, PAULI


def kron(matrices):
    return reduce(np.kron, matrices, np.ones((1, 1)))


def embedded(matrix, wires, num_wires):
    """A one- or two-wire matrix as a matrix on all wires, entry by entry."""
    states = np.arange(2**num_wires)
    shifts = [num_wires - 1 - wire for wire in wires]
    column = sum((states >> shift & 1) << (len(wires) - 1 - k) for k, shift in enumerate(shifts))
    cleared = states & ~sum(1 << shift for shift in shifts)
    total = np.zeros((2**num_wires, 2**num_wires), dtype=complex)
    for row in range(2 ** len(wires)):
        target = cleared | sum(
            (row >> (len(wires) - 1 - k) & 1) << shift for k, shift in enumerate(shifts)
        )
        total[target, states] = matrix[row, column]
    return total


def dense_state(circuit, angles):
    """The state (2^Q,) for one row of angles."""
    state = np.zeros(2**circuit.num_wires, dtype=complex)
    state[0] = 1
    column = 0
    for gate in circuit.gates:
        spec = GATES[gate.name]
        matrix = spec.matrix(angles[column]) if spec.has_angle else spec.matrix()
        column += spec.has_angle
        state = embedded(matrix, gate.wires, circuit.num_wires) @ state
    return state


def dense_states(circuit, angles):
    return np.array([dense_state(circuit, row) for row in angles])


def dense_expectations(states, words):
    operators = [kron([PAULI[letter] for letter in word]) for word in words]
    return np.array([[np.vdot(s, o @ s).real for o in operators] for s in states])


def random_words(rng, num_wires, count):
    return tuple("".join(rng.choice(list("IXYZ"), num_wires)) for _ in range(count))


def random_circuit(rng, num_wires, length, names=tuple(GATES)):
    """Gates at random; angles from shared parameters, inputs and constants, scaled and shifted."""
    names = [n for n in names if GATES[n].wires <= num_wires]
    gates = []
    for _ in range(length):
        name = names[rng.integers(len(names))]
        wires = tuple(int(w) for w in rng.permutation(num_wires)[: GATES[name].wires])
        angle = None
        if GATES[name].has_angle:
            scale, offset = rng.uniform(-2, 2, 2)
            angle = [param, given][rng.integers(2)](int(rng.integers(4)), scale, offset)
            angle = const(offset) if rng.random() < 0.1 else angle
        gates.append(Gate(name, wires, angle))
    return Circuit(num_wires, tuple(gates))


def random_rows(rng, circuit, batch):
    return circuit.bind(
        rng.uniform(-np.pi, np.pi, (batch, circuit.num_params)),
        rng.uniform(-np.pi, np.pi, (batch, circuit.num_inputs)),
    )


def brick(wires, layers):
    """Ansatz 1 of docs/readings.md, written out."""
    gates, labels = [], []

    def rot(layer, wire):
        for k, name in enumerate(("rz", "ry", "rz")):
            gates.append(Gate(name, (wire,), Angle("param", len(labels))))
            labels.append(Label(layer, wire, k))

    for layer in range(layers):
        for wire in range(wires):
            rot(layer, wire)
        gates.extend(Gate("cx", (w, w + 1)) for w in range(0, wires - 1, 2))
        for wire in range(1, wires - (wires % 2 == 0)):
            rot(layer, wire)
        gates.extend(Gate("cx", (w, w + 1)) for w in range(1, wires - 1, 2))
    for wire in range(wires):
        rot(layers, wire)
    return Circuit(wires, tuple(gates), tuple(labels))


def finite_differences(run, angles, cotangent, step=1e-5):
    """Central differences of sum(cotangent * run(angles)), all shifted rows in one batch."""
    batch, columns = angles.shape
    shifts = np.repeat(np.eye(columns), batch, axis=0) * step
    rows = np.tile(angles, (columns, 1))
    slopes = (run(rows + shifts) - run(rows - shifts)) / (2 * step)
    return (slopes.reshape(columns, batch, -1) * cotangent).sum(axis=2).T if columns else angles
