"""Predicting what a training costs, by looking at its circuit and timing a few real steps."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.parameter_shift import shifted_rows
from qgen_core.discovery.hooks import hookimpl
from qgen_core.interfaces import Problem
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.support.resources import human
from qgen_core.typing import Floats

#: Seconds of training to time, and the most steps of it.
BUDGET, MOST = 1.0, 50


def estimate(recipe: Recipe) -> dict[str, Any]:
    """Qubits, depth, parameters, circuits, shots, memory (bytes) and time (s) of a training.

    A few steps of this very recipe are run on this machine, timed, and scaled to all steps;
    memory is what arrays took at their peak meanwhile. Nothing is written. On a remote backend,
    where each step may cost money, nothing is run or timed, only counted.
    """
    assembly = Assembly(recipe)
    assembly.check()
    steps = assembly.trainer.steps
    found: dict[str, Any] = {
        "events": len(assembly.data),
        "steps": steps,
        "parameters": int(sum(np.size(p) for p in assembly.generator.parameters().values())),
    }
    can = getattr(assembly.generator, "backend", assembly.backend).capabilities
    circuit = getattr(assembly.generator, "circuit", None)
    if isinstance(circuit, Circuit):
        found |= _circuit_costs(assembly, circuit, steps, can)
    if can.remote:
        return found
    first = _timed(assembly, 2)
    per_step = float(np.min(np.diff(first))) if len(first) > 2 else float(first[-1] - first[0])
    times = np.diff(_timed(assembly, int(np.clip(BUDGET / per_step, 3, MOST))))
    per_step = float(np.median(times))
    tracemalloc.start()
    _timed(assembly, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found | {
        "memory": human(peak),
        "memory_bytes": peak,
        "seconds_per_step": per_step,
        "seconds": float(first[1] - first[0]) + per_step * (steps - 1),
        "steps_timed": len(times),
    }


def _timed(assembly: Assembly, steps: int) -> Floats:
    """When training started and when each step ended (steps + 1,), in seconds."""
    clock = _Clock()
    trainer = assembly.trainer
    before, trainer.steps = trainer.steps, min(steps, trainer.steps)
    try:
        trainer.fit(
            assembly.generator,
            assembly.data,
            assembly.loss,
            seed=assembly.recipe.seed,
            hooks=[clock],
        )
    finally:
        trainer.steps = before
    return np.array(clock.times)


class _Clock:
    """Notes when training started and when each step ended."""

    def __init__(self) -> None:
        self.times: list[float] = [time.perf_counter()]

    @hookimpl
    def on_step(self, problem: Problem) -> None:
        self.times.append(time.perf_counter())


def _circuit_costs(
    assembly: Assembly, circuit: Circuit, steps: int, can: Capabilities
) -> dict[str, Any]:
    conditions = 1
    if assembly.data.condition is not None and assembly.loss.reads == "probabilities":
        conditions = len(np.unique(assembly.data.condition, axis=0))
    shots = getattr(assembly.generator, "shots", None)
    shifted = shots is not None or can.gradients == "parameter-shift"
    per_step = conditions
    if shifted:
        per_step += conditions * len(shifted_rows(circuit, np.zeros((1, circuit.num_angles)))[1])
    return {
        "qubits": circuit.num_wires,
        "depth": circuit.depth,
        "gates": sum(circuit.counts.values()),
        "gate_counts": circuit.counts,
        "gradients": "parameter-shift" if shifted else can.gradients,
        "circuits": per_step * steps,
        "shots": None if shots is None else per_step * steps * shots,
    }
