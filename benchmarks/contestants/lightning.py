"""PennyLane lightning.qubit: adjoint differentiation of a frozen diagonal observable.

Adjoint differentiation of probabilities is not offered, so the state is run once, G =
diag(dL/dp) becomes a sparse observable, and one adjoint sweep from that same state gives the
gradient. Device classes are called directly: QNodes would add about a millisecond a call and
run the circuit twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.task import Floats, Op, Step, Task, js


def build(task: Task, precision: str) -> Step:
    """Rot is written as RZ RY RZ, because the adjoint method needs gates of one generator."""
    import pennylane as qml
    from pennylane_lightning.lightning_qubit import LightningQubit
    from scipy.sparse import csr_matrix

    dtype = np.complex64 if precision == "single" else np.complex128
    device = LightningQubit(wires=task.wires, c_dtype=dtype)
    gates = {"rz": qml.RZ, "ry": qml.RY}
    diagonal = np.arange(2**task.wires)
    starts = np.arange(2**task.wires + 1)
    state = device.LightningStateVector(num_wires=task.wires, dtype=dtype)

    def operation(op: Op, params: Floats) -> Any:
        if op.name == "cx":
            return qml.CNOT(op.wires)
        return gates[op.name](params[op.params[0]], op.wires)

    def step(params: Floats) -> tuple[float, Floats]:
        ops = [operation(op, params) for op in task.ops]
        state.reset_state()
        state.get_final_state(qml.tape.QuantumScript(ops, []))
        psi = state.state
        value, slope = js(np.asarray(psi.real**2 + psi.imag**2, dtype=np.float64), task.target)
        weights = csr_matrix((slope.astype(dtype), diagonal, starts))
        observable = qml.SparseHamiltonian(weights, wires=range(task.wires))
        tape = qml.tape.QuantumScript(
            ops, [qml.expval(observable)], trainable_params=range(len(params))
        )
        gradient = device.LightningAdjointJacobian(state).calculate_jacobian(tape)
        return value, np.array(gradient)

    return step
