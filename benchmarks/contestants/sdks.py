"""Each SDK called by hand in its best way on a batch: what our adapters are held against.

A function here takes the task and gives a call without arguments. Wire w is Qiskit's qubit Q - 1 -
w.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.batch_task import BatchTask
from benchmarks.task import Floats

Call = Callable[[], Floats]


def pennylane_probabilities(task: BatchTask) -> Call:
    """default.qubit in numpy, all rows by broadcasting, the device called without a QNode."""
    import pennylane as qml

    device = qml.device("default.qubit", wires=task.wires)
    config = qml.devices.ExecutionConfig()

    def call() -> Floats:
        (found,) = device.execute(
            (_tape(task, task.params, task.inputs.T, [qml.probs(wires=range(task.wires))]),), config
        )
        return np.asarray(found)

    return call


def pennylane_gradient(task: BatchTask) -> Call:
    """default.qubit in torch with backpropagation; gradients of parameters, inputs and all rows in
    one sweep.
    """
    import pennylane as qml
    import torch

    torch.set_num_threads(1)
    device = qml.device("default.qubit", wires=task.wires)
    config = qml.devices.ExecutionConfig(interface="torch", gradient_method="backprop")
    weights = torch.as_tensor(task.cotangent)

    def call() -> Floats:
        params = torch.tensor(task.params, requires_grad=True)
        inputs = torch.tensor(task.inputs, requires_grad=True)
        measured = [qml.expval(qml.Z(w)) for w in range(task.wires)]
        (found,) = device.execute(
            (_tape(task, params.unbind(), inputs.unbind(1), measured),), config
        )
        torch.stack(found, dim=1).backward(weights)
        return np.concatenate([np.asarray(params.grad), np.asarray(inputs.grad).sum(axis=0)])

    return call


def lightning_probabilities(task: BatchTask) -> Call:
    """lightning.qubit's classes of states and measurements, row by row, without QNodes."""
    from pennylane_lightning.lightning_qubit import LightningQubit

    device = LightningQubit(wires=task.wires)
    state = device.LightningStateVector(num_wires=task.wires)

    def call() -> Floats:
        rows = []
        for row in task.inputs:
            state.reset_state()
            state.get_final_state(_tape(task, task.params, row, []))
            psi = state.state
            rows.append(psi.real**2 + psi.imag**2)
        return np.array(rows)

    return call


def lightning_gradient(task: BatchTask) -> Call:
    """One adjoint sweep a row, of the sum of Z weighted by the cotangent."""
    import pennylane as qml
    from pennylane_lightning.lightning_qubit import LightningQubit

    device = LightningQubit(wires=task.wires)
    state = device.LightningStateVector(num_wires=task.wires)
    angles = len([op for op in task.ops if op.params or op.inputs])
    column = np.array(
        [k for op in task.ops for k in (*op.params, *(len(task.params) + i for i in op.inputs))]
    )

    def call() -> Floats:
        total = np.zeros(len(task.params) + task.inputs.shape[1])
        for row, weight in zip(task.inputs, task.cotangent, strict=True):
            observable = qml.Hamiltonian(weight, [qml.Z(w) for w in range(task.wires)])
            tape = _tape(
                task, task.params, row, [qml.expval(observable)], trainable_params=range(angles)
            )
            state.reset_state()
            state.get_final_state(tape)
            np.add.at(
                total, column, device.LightningAdjointJacobian(state).calculate_jacobian(tape)
            )
        return total

    return call


def _tape(task: BatchTask, params: Any, columns: Any, measured: list[Any], **options: Any) -> Any:
    import pennylane as qml

    gates = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ}
    ops = []
    for op in task.ops:
        if op.name == "cx":
            ops.append(qml.CNOT(op.wires))
            continue
        angle = params[op.params[0]] if op.params else columns[op.inputs[0]]
        ops.append(gates[op.name](angle, op.wires))
    return qml.tape.QuantumScript(ops, measured, **options)


def qiskit_circuit(task: BatchTask) -> tuple[Any, Any, Any]:
    """The circuit with its parameters and inputs as Qiskit's parameters."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    theta, x = (
        ParameterVector("theta", len(task.params)),
        ParameterVector("x", task.inputs.shape[1]),
    )
    circuit, top = QuantumCircuit(task.wires), task.wires - 1
    for op in task.ops:
        if op.name == "cx":
            circuit.cx(top - op.wires[0], top - op.wires[1])
        else:
            angle = theta[op.params[0]] if op.params else x[op.inputs[0]]
            getattr(circuit, op.name)(angle, top - op.wires[0])
    return circuit, theta, x


def binds_of(task: BatchTask, theta: Any, x: Any) -> dict[Any, list[float]]:
    """Lists of values over the rows, as Aer's ``parameter_binds`` takes them."""
    rows = len(task.inputs)
    fixed = {
        parameter: [float(value)] * rows
        for parameter, value in zip(theta, task.params, strict=True)
    }
    return fixed | {
        parameter: column.tolist() for parameter, column in zip(x, task.inputs.T, strict=True)
    }


def aer_probabilities(task: BatchTask) -> Call:
    """One job for the batch, exact probabilities."""
    from qiskit_aer import AerSimulator

    circuit, theta, x = qiskit_circuit(task)
    circuit.save_probabilities()
    simulator = AerSimulator(method="statevector", max_parallel_threads=1)

    def call() -> Floats:
        result = simulator.run(
            [circuit],
            parameter_binds=[binds_of(task, theta, x)],
            shots=1,
            runtime_parameter_bind_enable=True,
        ).result()
        return np.array([result.data(k)["probabilities"] for k in range(len(task.inputs))])

    return call


def signs_of(wires: int) -> Floats:
    """Z of each wire for each outcome, (2^Q, Q)."""
    bits = np.arange(2**wires)[:, None] >> np.arange(wires)[::-1] & 1
    return np.asarray(1.0 - 2.0 * bits)


def aer_expectations(task: BatchTask, shots: int) -> Call:
    """One job for the batch, the mean of Z of each wire from shots."""
    from qiskit_aer import AerSimulator

    circuit, theta, x = qiskit_circuit(task)
    circuit.measure_all()
    simulator = AerSimulator(method="statevector", max_parallel_threads=1)
    signs = signs_of(task.wires)

    def call() -> Floats:
        result = simulator.run(
            [circuit],
            parameter_binds=[binds_of(task, theta, x)],
            shots=shots,
            runtime_parameter_bind_enable=True,
        ).result()
        out = np.zeros((len(task.inputs), task.wires))
        for k in range(len(task.inputs)):
            for key, value in result.data(k)["counts"].items():
                out[k] += value / shots * signs[int(key, 16)]
        return out

    return call


def pennylane_expectations(task: BatchTask, shots: int) -> Call:
    """default.qubit in numpy, all rows by broadcasting, Z of each wire from the same shots."""
    import pennylane as qml

    device = qml.device("default.qubit", wires=task.wires, seed=7)
    config = qml.devices.ExecutionConfig()
    measured = [qml.expval(qml.Z(w)) for w in range(task.wires)]

    def call() -> Floats:
        tape = _tape(task, task.params, task.inputs.T, measured, shots=shots)
        (found,) = device.execute((tape,), config)
        return np.stack([np.asarray(column) for column in found], axis=1)

    return call


def aer_noisy(task: BatchTask, one: Any, two: Any) -> Call:
    """One job for the batch on density matrices; Kraus channels ``one`` after each rotation,
    ``two`` after each cx.
    """
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, kraus_error

    circuit, theta, x = qiskit_circuit(task)
    circuit.save_probabilities()
    model = NoiseModel(basis_gates=["rx", "ry", "rz", "cx"])
    model.add_all_qubit_quantum_error(kraus_error(list(one)), ["rx", "ry", "rz"])
    model.add_all_qubit_quantum_error(kraus_error(list(two)), ["cx"])
    simulator = AerSimulator(method="density_matrix", noise_model=model, max_parallel_threads=1)

    def call() -> Floats:
        result = simulator.run(
            [circuit], parameter_binds=[binds_of(task, theta, x)], shots=1
        ).result()
        return np.array([result.data(k)["probabilities"] for k in range(len(task.inputs))])

    return call


def aer_counts(task: BatchTask, shots: int) -> Call:
    """Frequencies of one circuit's shots."""
    from qiskit_aer import AerSimulator

    circuit, theta, x = qiskit_circuit(task)
    values = dict(zip([*theta, *x], [*task.params, *task.inputs[0]], strict=True))
    bound = circuit.assign_parameters(values)
    bound.measure_all()
    simulator = AerSimulator(method="statevector", max_parallel_threads=1)

    def call() -> Floats:
        counts = simulator.run(bound, shots=shots, seed_simulator=7).result().data(0)["counts"]
        out = np.zeros(2**task.wires)
        for key, value in counts.items():
            out[int(key, 16)] = value / shots
        return out

    return call


def qiskit_probabilities(task: BatchTask) -> Call:
    """``Statevector`` row by row."""
    from qiskit.quantum_info import Statevector

    circuit, theta, x = qiskit_circuit(task)
    order = {parameter: place for place, parameter in enumerate(circuit.parameters)}
    places = [order[p] for p in (*theta, *x)]

    def call() -> Floats:
        rows = []
        for row in task.inputs:
            values = np.empty(len(places))
            values[places] = [*task.params, *row]
            rows.append(Statevector(circuit.assign_parameters(values)).probabilities())
        return np.array(rows)

    return call


def cirq_circuit(task: BatchTask) -> Any:
    """The circuit with sympy symbols."""
    import cirq
    import sympy

    qubits = cirq.LineQubit.range(task.wires)
    gates = {"rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz}
    ops = []
    for op in task.ops:
        if op.name == "cx":
            ops.append(cirq.CNOT(*(qubits[w] for w in op.wires)))
        else:
            symbol = sympy.Symbol(f"t{op.params[0]}" if op.params else f"x{op.inputs[0]}")
            ops.append(gates[op.name](symbol).on(qubits[op.wires[0]]))
    return cirq.Circuit(ops)


def _resolvers(task: BatchTask) -> list[dict[str, float]]:
    fixed = {f"t{k}": float(value) for k, value in enumerate(task.params)}
    return [
        {**fixed, **{f"x{k}": float(value) for k, value in enumerate(row)}} for row in task.inputs
    ]


def cirq_probabilities(task: BatchTask) -> Call:
    """``simulate_sweep`` in complex128."""
    import cirq

    circuit = cirq_circuit(task)
    simulator = cirq.Simulator(dtype=np.complex128)
    resolvers = _resolvers(task)

    def call() -> Floats:
        found = simulator.simulate_sweep(circuit, [cirq.ParamResolver(r) for r in resolvers])
        return np.array([np.abs(one.final_state_vector) ** 2 for one in found])

    return call


def qsim_probabilities(task: BatchTask) -> Call:
    """``simulate_sweep``, complex64, one thread."""
    import cirq
    import qsimcirq

    simulator = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(cpu_threads=1, max_fused_gate_size=2))
    circuit, resolvers = cirq_circuit(task), _resolvers(task)

    def call() -> Floats:
        found = simulator.simulate_sweep(circuit, [cirq.ParamResolver(r) for r in resolvers])
        return np.array([np.abs(one.final_state_vector) ** 2 for one in found], dtype=np.float64)

    return call
