"""torchquantum: autograd through the state vector of a QuantumDevice. complex64 only."""

from __future__ import annotations

import sys
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.contestants.pennylane_torch import torch_js
from benchmarks.task import Floats, Step, Task


def _without_torchvision() -> None:
    """torchquantum imports torchvision for its image datasets; its wheel needs torch with CUDA."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        for name in ("", ".datasets", ".datasets.utils", ".transforms"):
            stand_in: ModuleType = MagicMock()
            sys.modules["torchvision" + name] = stand_in


def build(task: Task, precision: str) -> Step:
    """RZ RY RZ: its own gate ``rot`` has another convention and is no faster."""
    import torch

    _without_torchvision()
    import torchquantum as tq

    assert precision == "single"
    torch.set_num_threads(1)
    target = torch.as_tensor(task.target, dtype=torch.float32)
    gates = {"rz": tq.functional.rz, "ry": tq.functional.ry}

    def step(params: Floats) -> tuple[float, Floats]:
        theta = torch.tensor(params, dtype=torch.float32, requires_grad=True)
        device = tq.QuantumDevice(n_wires=task.wires, bsz=1)
        for op in task.ops:
            if op.name == "cx":
                tq.functional.cnot(device, wires=list(op.wires))
            else:
                gates[op.name](device, wires=op.wires[0], params=theta[op.params[0]].reshape(1, 1))
        psi = device.get_states_1d().reshape(-1)
        loss = torch_js(psi.real**2 + psi.imag**2, target)
        loss.backward()
        return loss.item(), np.asarray(theta.grad, dtype=np.float64)

    return step


def build_batch(task: BatchTask, precision: str, *, backward: bool) -> BatchStep:
    """The batch is the device's own; <Z> of all wires by one matrix product."""
    import torch

    _without_torchvision()
    import torchquantum as tq

    assert precision == "single" and backward
    torch.set_num_threads(1)
    gates = {"rx": tq.functional.rx, "ry": tq.functional.ry, "rz": tq.functional.rz}
    numbers = np.arange(2**task.wires)
    signs = torch.as_tensor(
        1.0 - 2.0 * ((numbers[:, None] >> np.arange(task.wires)[::-1]) & 1), dtype=torch.float32
    )
    cotangent = torch.as_tensor(task.cotangent, dtype=torch.float32)

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        theta = torch.tensor(params, dtype=torch.float32, requires_grad=True)
        x = torch.tensor(inputs, dtype=torch.float32, requires_grad=True)
        device = tq.QuantumDevice(n_wires=task.wires, bsz=len(inputs))
        for op in task.ops:
            if op.name == "cx":
                tq.functional.cnot(device, wires=list(op.wires))
            else:
                angle = theta[op.params[0]].expand(len(x)) if op.params else x[:, op.inputs[0]]
                gates[op.name](device, wires=op.wires[0], params=angle[:, None])
        psi = device.get_states_1d()
        outputs = (psi.real**2 + psi.imag**2) @ signs
        outputs.backward(cotangent)
        return tuple(
            np.asarray(a.detach(), dtype=np.float64) for a in (outputs, theta.grad, x.grad)
        )

    return step
