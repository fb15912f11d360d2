"""qgen's QuantumLayer, the way a network holds it: torch tensors in and out, gradients left in
``grad``.
"""

from __future__ import annotations

import numpy as np
import torch

import qgen_core as qgen
from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.contestants.qgen import circuit_of
from benchmarks.task import Floats
from qgen_core.circuits.measures import pauli_z
from qgen_torch import QuantumLayer


def build_batch(
    task: BatchTask, precision: str, *, backward: bool, engine: bool = False
) -> BatchStep:
    """The layer as it comes; with ``engine`` on the backend ``torch``."""
    torch.set_num_threads(1)
    real = torch.float32 if precision == "single" else torch.float64
    backend = qgen.backend("torch", precision=precision) if engine else None
    layer = QuantumLayer(
        circuit_of(task.ops, task.wires), pauli_z(task.wires), backend, seed=1, dtype=real
    )
    assert layer.theta is not None and backward
    theta, cotangent = layer.theta, torch.as_tensor(task.cotangent, dtype=real)

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        theta.data, theta.grad = torch.as_tensor(params, dtype=real), None
        x = torch.tensor(inputs, dtype=real, requires_grad=True)
        outputs = layer(x)
        outputs.backward(cotangent)
        assert theta.grad is not None and x.grad is not None
        return tuple(
            np.asarray(a.detach(), dtype=np.float64) for a in (outputs, theta.grad, x.grad)
        )

    return step
