"""Circuits, angles and Pauli words for the tests of the engines."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Angle, Circuit, Gate, Label, const, given, param
from qgen_core.circuits.gates import GATES


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
