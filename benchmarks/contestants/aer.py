"""Qiskit Aer by parameter shift: all 2 P + 1 circuits in one call with ``parameter_binds``.

Rot is one U gate, which differs from it by a phase only; one circuit is transpiled for all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.contestants.arrays import by_parameter_shift
from benchmarks.task import Floats, Step, Task, fuse


def build(task: Task, precision: str) -> Step:
    """Wire w is Qiskit's qubit Q - 1 - w."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit_aer import AerSimulator

    theta = ParameterVector("theta", len(task.params))
    circuit, top = QuantumCircuit(task.wires), task.wires - 1
    for op in fuse(task.ops):
        if op.name == "cx":
            circuit.cx(top - op.wires[0], top - op.wires[1])
        else:
            phi, turn, omega = (theta[k] for k in op.params)
            circuit.u(turn, omega, phi, top - op.wires[0])
    circuit.save_probabilities()
    simulator = AerSimulator(method="statevector", precision=precision, max_parallel_threads=1)

    def probabilities(rows: Floats) -> NDArray[np.float64]:
        binds = {theta[k]: column.tolist() for k, column in enumerate(rows.T)}
        result = simulator.run([circuit], parameter_binds=[binds], shots=1).result()
        return np.array([result.data(k)["probabilities"] for k in range(len(rows))])

    return by_parameter_shift(task, probabilities)
