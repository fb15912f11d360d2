"""qulacs: one run for the probabilities, then its adjoint sweep ``backprop_inner_product``.

The sweep wants <bra| = (G |psi>)^dagger with G = diag(dL/dp); it runs the circuit once more
itself. Its rotations are exp(+i t G / 2), so angles enter with the other sign. complex128 only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.task import Floats, Op, Step, Task, js


def _circuit(ops: tuple[Op, ...], wires: int) -> Any:
    """Wire w is qulacs' qubit Q - 1 - w, so that wire 0 is the most significant bit."""
    from qulacs import ParametricQuantumCircuit

    circuit, top = ParametricQuantumCircuit(wires), wires - 1
    for op in ops:
        if op.name == "cx":
            circuit.add_CNOT_gate(top - op.wires[0], top - op.wires[1])
        else:
            getattr(circuit, f"add_parametric_{op.name.upper()}_gate")(top - op.wires[0], 0.0)
    return circuit


def build(task: Task, precision: str) -> Step:
    """The state is read to numpy, where the loss is taken."""
    from qulacs import QuantumState

    assert precision == "double"
    circuit = _circuit(task.ops, task.wires)
    order = [op.params[0] for op in task.ops if op.params]
    state, bra = QuantumState(task.wires), QuantumState(task.wires)

    def step(params: Floats) -> tuple[float, Floats]:
        for place, number in enumerate(order):
            circuit.set_parameter(place, -params[number])
        state.set_zero_state()
        circuit.update_quantum_state(state)
        psi = state.get_vector()
        value, slope = js(psi.real**2 + psi.imag**2, task.target)
        bra.load(psi * slope)
        gradient = np.empty(len(params))
        gradient[order] = circuit.backprop_inner_product(bra)
        return value, -2 * gradient

    return step


def build_batch(task: BatchTask, precision: str, *, backward: bool) -> BatchStep:
    """One circuit after the other: qulacs has no batch axis."""
    from qulacs import QuantumState

    assert precision == "double"
    circuit = _circuit(task.ops, task.wires)
    state = QuantumState(task.wires)
    bra = QuantumState(task.wires)
    turning = [op for op in task.ops if op.params or op.inputs]
    by_param = [(place, op.params[0]) for place, op in enumerate(turning) if op.params]
    by_input = [(place, op.inputs[0]) for place, op in enumerate(turning) if op.inputs]
    numbers = np.arange(2**task.wires)
    signs = 1.0 - 2.0 * ((numbers[:, None] >> np.arange(task.wires)[::-1]) & 1)

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        outputs = np.empty(task.cotangent.shape)
        d_params = np.zeros(len(params))
        d_inputs = np.zeros(inputs.shape)
        for place, number in by_param:
            circuit.set_parameter(place, -params[number])
        for row, x in enumerate(inputs):
            for place, number in by_input:
                circuit.set_parameter(place, -x[number])
            state.set_zero_state()
            circuit.update_quantum_state(state)
            psi = state.get_vector()
            outputs[row] = (psi.real**2 + psi.imag**2) @ signs
            if backward:
                bra.load(psi * (signs @ task.cotangent[row]))
                gradient = -2 * np.array(circuit.backprop_inner_product(bra))
                d_params[[n for _, n in by_param]] += gradient[[p for p, _ in by_param]]
                d_inputs[row, [n for _, n in by_input]] = gradient[[p for p, _ in by_input]]
        return (outputs, d_params, d_inputs) if backward else (outputs,)

    return step
