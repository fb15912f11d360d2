"""PennyLane default.qubit with torch: backpropagation through the simulation."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.task import Floats, Step, Task, fuse


def torch_js(p: Any, target: Any) -> Any:
    """The Jensen-Shannon divergence in torch, for autograd."""
    m = 0.5 * (p + target)
    return 0.5 * ((p * (p / m).log()).sum() + (target * (target / m).log()).sum())


def build(task: Task, precision: str) -> Step:
    """Rot as one gate. The device simulates in complex128 whatever the parameters are."""
    import pennylane as qml
    import torch

    assert precision == "double"
    torch.set_num_threads(1)
    ops = fuse(task.ops)
    target = torch.as_tensor(task.target)

    @qml.qnode(
        qml.device("default.qubit", wires=task.wires), interface="torch", diff_method="backprop"
    )
    def circuit(angles: Any) -> Any:
        for op in ops:
            if op.name == "cx":
                qml.CNOT(op.wires)
            else:
                qml.Rot(*(angles[k] for k in op.params), wires=op.wires)
        return qml.probs(wires=range(task.wires))

    def step(params: Floats) -> tuple[float, Floats]:
        theta = torch.tensor(params, requires_grad=True)
        loss = torch_js(circuit(theta.unbind()), target)
        loss.backward()
        return loss.item(), np.asarray(theta.grad)

    return step


def build_batch(task: BatchTask, precision: str, *, backward: bool) -> BatchStep:
    """Parameter broadcasting: the inputs of a gate are a vector over the batch."""
    import pennylane as qml
    import torch

    assert precision == "double"
    torch.set_num_threads(1)
    ops = fuse(task.ops)
    gates = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "rot": qml.Rot}
    cotangent = torch.as_tensor(task.cotangent)

    @qml.qnode(
        qml.device("default.qubit", wires=task.wires), interface="torch", diff_method="backprop"
    )
    def circuit(angles: Any, columns: Any) -> Any:
        for op in ops:
            if op.name == "cx":
                qml.CNOT(op.wires)
            else:
                gates[op.name](
                    *(angles[k] for k in op.params),
                    *(columns[k] for k in op.inputs),
                    wires=op.wires,
                )
        return [qml.expval(qml.PauliZ(w)) for w in range(task.wires)]

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        theta, x = (
            torch.tensor(params, requires_grad=backward),
            torch.tensor(inputs, requires_grad=backward),
        )
        outputs = torch.stack(circuit(theta.unbind(), x.unbind(1)), dim=1)
        if not backward:
            return (outputs.numpy(),)
        outputs.backward(cotangent)
        return outputs.detach().numpy(), np.asarray(theta.grad), np.asarray(x.grad)

    return step
