"""Qiskit Aer under the noise of a device, with the errors that Aer itself makes of the calibration.

Gates, qubits and order are those of our noise model, so that both simulate the same circuit; every
row is bound in one job, on density matrices, which took a tenth of the time of trajectories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.batch_task import BatchTask
from benchmarks.task import Floats
from qgen_core.circuits.circuit import Circuit

GATES = ("rz", "sx", "x", "cx", "cz", "ecr")


def errors_of(device: Any, qubits: list[int]) -> dict[tuple[str, tuple[int, ...]], Any]:
    """Aer's errors of the gates on these qubits, by gate and qubits."""
    from qiskit.transpiler import Target
    from qiskit_aer.noise.device import basic_device_gate_errors

    whole = device.target
    cut = Target(num_qubits=whole.num_qubits, qubit_properties=whole.qubit_properties)
    for name in set(GATES) & set(whole.operation_names):
        known = {on: record for on, record in whole[name].items() if set(on) <= set(qubits)}
        cut.add_instruction(whole.operation_from_name(name), known, name=name)
    return {(name, tuple(on)): error for name, on, error in basic_device_gate_errors(target=cut)}


def frequencies(
    task: BatchTask, noisy: Circuit, device: Any, read: list[int], shots: int | None
) -> Callable[[], Floats]:
    """Frequencies of shots for each row, readout perfect; ``shots`` None: exact probabilities."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

    top = noisy.num_wires - 1
    sources = {
        "param": ParameterVector("theta", len(task.params)),
        "input": ParameterVector("x", task.inputs.shape[1]),
    }
    model, built = NoiseModel(basis_gates=list(GATES)), QuantumCircuit(noisy.num_wires)
    errors, known = errors_of(device, read), set()
    for gate in noisy.gates:
        turn = []
        if gate.angle is not None:
            a = gate.angle
            turn = [
                a.offset if a.source == "const" else a.scale * sources[a.source][a.index] + a.offset
            ]
        qubits = [top - w for w in gate.wires]
        getattr(built, gate.name)(*turn, *qubits)
        error = errors.get((gate.name, tuple(read[w] for w in gate.wires)))
        if error is not None and (gate.name, gate.wires) not in known:
            known.add((gate.name, gate.wires))
            model.add_quantum_error(error, gate.name, qubits)
    if shots is None:
        built.save_probabilities()
    else:
        built.measure_all()
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    rows = len(task.inputs)
    binds = {p: [float(v)] * rows for p, v in zip(sources["param"], task.params, strict=True)}
    binds |= {p: column.tolist() for p, column in zip(sources["input"], task.inputs.T, strict=True)}

    def call() -> Floats:
        result = simulator.run(
            [built], parameter_binds=[binds], shots=shots or 1, seed_simulator=5
        ).result()
        if shots is None:
            return np.array([result.data(k)["probabilities"] for k in range(rows)])
        out = np.zeros((rows, 2**noisy.num_wires))
        for k in range(rows):
            for key, count in result.data(k)["counts"].items():
                out[k, int(key, 16)] = count / shots
        return out

    return call
