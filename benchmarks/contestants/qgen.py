"""qgen's embedded engine, through the same public contract that trainings use."""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.task import Floats, Op, Step, Task
from qgen_core.circuits.circuit import Circuit, Gate, given, param
from qgen_core.circuits.measures import Probabilities, pauli_z
from qgen_core.events import Batch
from qgen_core.losses.js import JensenShannon
from qgen_core.simulators.statevector.backend import StatevectorBackend

#: The loss' default clips p at 1e-12, which 2^20 outcomes reach; the peers' losses do not clip.
FLOOR = 1e-30


def circuit_of(ops: tuple[Op, ...], wires: int) -> Circuit:
    """The neutral circuit of plain gates."""
    return Circuit(wires, tuple(_gate(op) for op in ops))


def _gate(op: Op) -> Gate:
    if op.params:
        return Gate(op.name, op.wires, param(op.params[0]))
    if op.inputs:
        return Gate(op.name, op.wires, given(op.inputs[0]))
    return Gate(op.name, op.wires)


def backend(
    precision: str, *, parts: bool | None = None, threads: int | None = 1
) -> StatevectorBackend:
    """The backend ``statevector``."""
    kind: Literal["single", "double"] = "single" if precision == "single" else "double"
    return StatevectorBackend(precision=kind, parts=parts, threads=threads)


def build(
    task: Task, precision: str, *, parts: bool | None = None, threads: int | None = 1
) -> Step:
    """Bind, forward, loss, one adjoint sweep, pullback; ``parts`` false keeps unconnected parts as
    one state.
    """
    circuit = circuit_of(task.ops, task.wires)
    engine = backend(precision, parts=parts, threads=threads)
    measure = Probabilities()
    loss = JensenShannon(floor=FLOOR)
    batch = Batch(target=task.target[None])

    def step(params: Floats) -> tuple[float, Floats]:
        probabilities, back = engine.forward(circuit, circuit.bind(params), measure)
        value, slope = loss(probabilities, batch)
        return value, circuit.pullback(back(slope))[0][0]

    return step


def build_batch(
    task: BatchTask, precision: str, *, backward: bool, threads: int | None = 1
) -> BatchStep:
    """Expectations of Z on each wire for a batch of inputs; gradients of parameters and inputs."""
    circuit, measure = circuit_of(task.ops, task.wires), pauli_z(task.wires)
    engine = backend(precision, threads=threads)

    def forward(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        return (engine.run(circuit, circuit.bind(params, inputs), measure),)

    def both(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        output, back = engine.forward(circuit, circuit.bind(params, inputs), measure)
        d_params, d_inputs = circuit.pullback(back(task.cotangent))
        return np.asarray(output), d_params.sum(axis=0), d_inputs

    return both if backward else forward


def build_engine_only(task: BatchTask, precision: str) -> BatchStep:
    """Forward and backward from bound angles to gradients of angles, which is the engine's own
    share.
    """
    circuit, measure = circuit_of(task.ops, task.wires), pauli_z(task.wires)
    engine, angles = backend(precision), circuit.bind(task.params, task.inputs)

    def both(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        output, back = engine.exact_forward(circuit, angles, measure)
        return output, back(task.cotangent)

    return both
