"""Predicting the cost of a training from its circuit and from the time of a few real steps."""

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
from qgen_core.support.parameters import flatten
from qgen_core.support.resources import readable_size
from qgen_core.typing import Floats

#: Seconds of training to time.
SECONDS_TIMED = 1.0
#: At least and at most this number of steps are timed.
FEWEST_STEPS = 3
MOST_STEPS = 50


def estimate(recipe: Recipe) -> dict[str, Any]:
    """Qubits, depth, parameters, circuits, shots, memory (bytes) and time (s) of a training.

    A few steps of the recipe are run on this machine, timed, and scaled to all steps; memory is
    the peak of the memory allocated by Python and numpy meanwhile. Nothing is written. On a remote
    backend, where each step may cost money, nothing is run; circuits and shots are only counted.

    Raises the errors of building the recipe's components.
    """
    assembly = Assembly(recipe)
    assembly.check()
    steps = assembly.trainer.steps
    found: dict[str, Any] = {
        "events": len(assembly.data),
        "steps": steps,
        "parameters": flatten(assembly.generator.parameters()).size,
    }
    backend = getattr(assembly.generator, "backend", assembly.backend)
    capabilities = backend.capabilities
    circuit = getattr(assembly.generator, "circuit", None)
    if isinstance(circuit, Circuit):
        found |= _circuit_costs(assembly, circuit, steps, capabilities)
    if capabilities.remote:
        return found
    first = _timed(assembly, 2)
    shortest = float(first[-1] - first[0])
    if len(first) > 2:
        shortest = float(np.min(np.diff(first)))
    to_time = int(np.clip(SECONDS_TIMED / shortest, FEWEST_STEPS, MOST_STEPS))
    times = np.diff(_timed(assembly, to_time))
    per_step = float(np.median(times))
    tracemalloc.start()
    _timed(assembly, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found | {
        "memory": readable_size(peak),
        "memory_bytes": peak,
        "seconds_per_step": per_step,
        "seconds": float(first[1] - first[0]) + per_step * (steps - 1),
        "steps_timed": len(times),
    }


def _timed(assembly: Assembly, steps: int) -> Floats:
    """The times (steps + 1,) in seconds at which training started and each step ended."""
    clock = _Clock()
    trainer = assembly.trainer
    before = trainer.steps
    trainer.steps = min(steps, before)
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
    """Records the times at which training started and each step ended."""

    def __init__(self) -> None:
        self.times: list[float] = [time.perf_counter()]

    @hookimpl
    def on_step(self, problem: Problem) -> None:
        self.times.append(time.perf_counter())


def _circuit_costs(
    assembly: Assembly, circuit: Circuit, steps: int, capabilities: Capabilities
) -> dict[str, Any]:
    """Figures of the circuit, and the numbers of circuits and shots of a training."""
    conditions = 1
    if assembly.data.condition is not None and assembly.loss.reads == "probabilities":
        conditions = len(np.unique(assembly.data.condition, axis=0))
    shots = getattr(assembly.generator, "shots", None)
    gradients: str = capabilities.gradients
    if shots is not None:
        gradients = "parameter-shift"
    per_step = conditions
    if gradients == "parameter-shift":
        rows, _, _ = shifted_rows(circuit, np.zeros((1, circuit.num_angles)))
        per_step += conditions * len(rows)
    total_shots = None
    if shots is not None:
        total_shots = per_step * steps * shots
    return {
        "qubits": circuit.num_wires,
        "depth": circuit.depth,
        "gates": sum(circuit.counts.values()),
        "gate_counts": circuit.counts,
        "gradients": gradients,
        "circuits": per_step * steps,
        "shots": total_shots,
    }
