"""pyqtorch: autograd through the state vector, each Rot as its one gate U.

Measured beside it: RZ RY RZ instead of U takes up to twice as long, and its adjoint method (given
the frozen diagonal as observable) four times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.contestants.pennylane_torch import torch_js
from benchmarks.task import Floats, Op, Step, Task, fuse


def _gate(op: Op) -> Any:
    """The gate of an op, with ``t0, t1, ...`` for parameters and ``x0, x1, ...`` for inputs."""
    import pyqtorch as pyq

    if op.name == "cx":
        return pyq.CNOT(*op.wires)
    gates = {"rx": pyq.RX, "ry": pyq.RY, "rz": pyq.RZ, "rot": pyq.U}
    params = [f"t{number}" for number in op.params]
    inputs = [f"x{number}" for number in op.inputs]
    return gates[op.name](op.wires[0], *params, *inputs)


def build(task: Task, precision: str) -> Step:
    """The state (2, ..., 2, 1) has wire 0 first."""
    import pyqtorch as pyq
    import torch

    torch.set_num_threads(1)
    real, cplx = (
        (torch.float32, torch.complex64)
        if precision == "single"
        else (torch.float64, torch.complex128)
    )
    gates = [_gate(op) for op in fuse(task.ops)]
    circuit = pyq.QuantumCircuit(task.wires, gates).to(dtype=cplx)
    start = pyq.zero_state(task.wires, dtype=cplx)
    target = torch.as_tensor(task.target, dtype=real)
    names = [f"t{k}" for k in range(len(task.params))]

    def step(params: Floats) -> tuple[float, Floats]:
        theta = torch.tensor(params, dtype=real, requires_grad=True)
        psi = circuit.run(start, dict(zip(names, theta.split(1), strict=True))).reshape(-1)
        loss = torch_js(psi.real**2 + psi.imag**2, target)
        loss.backward()
        return loss.item(), np.asarray(theta.grad, dtype=np.float64)

    return step


def build_batch(task: BatchTask, precision: str, *, backward: bool) -> BatchStep:
    """The batch is the last axis of the state; <Z> of all wires by one matrix product."""
    import pyqtorch as pyq
    import torch

    torch.set_num_threads(1)
    real, cplx = (
        (torch.float32, torch.complex64)
        if precision == "single"
        else (torch.float64, torch.complex128)
    )
    listed = [_gate(op) for op in fuse(task.ops)]
    circuit = pyq.QuantumCircuit(task.wires, listed).to(dtype=cplx)
    start = pyq.zero_state(task.wires, batch_size=len(task.inputs), dtype=cplx)
    numbers = np.arange(2**task.wires)
    signs = torch.as_tensor(
        1.0 - 2.0 * ((numbers[:, None] >> np.arange(task.wires)[::-1]) & 1), dtype=real
    )
    cotangent = torch.as_tensor(task.cotangent, dtype=real)

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        theta = torch.tensor(params, dtype=real, requires_grad=backward)
        x = torch.tensor(inputs, dtype=real, requires_grad=backward)
        values = {f"t{k}": value for k, value in enumerate(theta.split(1))}
        values |= {f"x{k}": column for k, column in enumerate(x.unbind(1))}
        psi = circuit.run(start, values).reshape(len(signs), -1)
        outputs = (psi.real**2 + psi.imag**2).T @ signs
        if not backward:
            return (outputs.double().numpy(),)
        outputs.backward(cotangent)
        return tuple(
            np.asarray(a.detach(), dtype=np.float64) for a in (outputs, theta.grad, x.grad)
        )

    return step
