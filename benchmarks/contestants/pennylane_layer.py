"""PennyLane's TorchLayer over default.qubit: backpropagation, inputs by parameter broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.task import Floats, fuse


def build_batch(task: BatchTask, precision: str, *, backward: bool) -> BatchStep:
    """Rot as one gate. The device simulates in complex128 whatever the parameters are."""
    import pennylane as qml
    import torch

    assert precision == "double" and backward
    torch.set_num_threads(1)
    ops = fuse(task.ops)
    gates = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "rot": qml.Rot}
    cotangent = torch.as_tensor(task.cotangent)

    @qml.qnode(
        qml.device("default.qubit", wires=task.wires), interface="torch", diff_method="backprop"
    )
    def circuit(inputs: Any, theta: Any) -> Any:
        for op in ops:
            if op.name == "cx":
                qml.CNOT(op.wires)
            else:
                gates[op.name](
                    *(theta[k] for k in op.params),
                    *(inputs[:, k] for k in op.inputs),
                    wires=op.wires,
                )
        return [qml.expval(qml.PauliZ(w)) for w in range(task.wires)]

    layer = qml.qnn.TorchLayer(circuit, {"theta": len(task.params)}).double()

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        layer.theta.data, layer.theta.grad = torch.tensor(params), None
        x = torch.tensor(inputs, requires_grad=True)
        outputs = layer(x)
        outputs.backward(cotangent)
        return outputs.detach().numpy(), np.asarray(layer.theta.grad), np.asarray(x.grad)

    return step
