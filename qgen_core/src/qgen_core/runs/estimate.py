"""Predicting the cost of a training from its circuit and from the time of a few real steps."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.parameter_shift import shifted_rows
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import RemoteError, Unsupported
from qgen_core.interfaces import Backend, Problem, Sampler
from qgen_core.ising import Ising
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.support.parameters import flatten
from qgen_core.support.resources import readable_size
from qgen_core.typing import Array, Floats, Rng

#: The output that is computed without running circuits.
COMPUTED = "correlators"
#: Seconds of training to time.
SECONDS_TIMED = 1.0
#: At least and at most this number of steps are timed.
FEWEST_STEPS = 3
MOST_STEPS = 50


def estimate(recipe: Recipe) -> dict[str, Any]:
    """Qubits, depth, parameters, circuits, shots, memory (bytes) and time (s) of a training.

    A few steps of the recipe are run on this machine, timed, and scaled to all steps; memory is
    the peak of the memory allocated by Python and numpy meanwhile. Nothing is written. With a
    remote backend or sampler, where each step may cost money, nothing is submitted; circuits, shots
    and draws are only counted. ``qpu_seconds`` is the time on the device by the formula of its
    maker, as far as the backend or the sampler knows it; if the service does not answer, it is None
    and ``no_forecast`` says why. ``device_depth`` and ``device_two_qubit_gates`` are those of the
    circuit transpiled for the device; ``no_device_circuit`` says why it cannot be.

    Raises the errors of building the recipe's components.
    """
    assembly = Assembly(recipe)
    stand_in = None
    if assembly.sampler is not None and assembly.sampler.remote:
        stand_in = _OnPaper(assembly.sampler)
        assembly.sampler = stand_in
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
        found |= _circuit_costs(assembly, circuit, steps, backend)
    if capabilities.remote and assembly.loss.reads != COMPUTED:
        return found
    if stand_in is not None:
        return found | _forecast(lambda: _seconds_of_draws(assembly, stand_in, steps))
    if assembly.generator.sampler is not None and assembly.generator.sampler.remote:
        reason = "the sampler is an option of the generator; give it in the table [sampler]"
        return found | {"qpu_seconds": None, "no_forecast": reason}
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


class _OnPaper(Sampler):
    """Stands for a sampler over the network: random spins, and the time that draws would take."""

    def __init__(self, device: Sampler) -> None:
        self.device = device
        self.seconds: float | None = 0.0

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        seconds = self.device.device_seconds(ising, n)
        if seconds is None or self.seconds is None:
            self.seconds = None
        else:
            self.seconds += seconds
        shape: tuple[int, ...] = (n, ising.num_spins)
        if ising.rows is not None:
            shape = (ising.rows, *shape)
        spins = 2 * rng.integers(2, size=shape, dtype=np.int8) - 1
        return spins, {"source": "random spins, for an estimate"}


def _seconds_of_draws(assembly: Assembly, stand_in: _OnPaper, steps: int) -> float | None:
    """The time on the device of all draws of a training: those of a step, times the steps."""
    _timed(assembly, 1)
    if stand_in.seconds is None:
        return None
    return stand_in.seconds * steps


def _forecast(seconds: Callable[[], float | None]) -> dict[str, Any]:
    """The time on a device, if it is known; None and the reason if the service does not answer."""
    try:
        found = seconds()
    except RemoteError as error:
        return {"qpu_seconds": None, "no_forecast": str(error)}
    if found is None:
        return {}
    return {"qpu_seconds": found}


class _Clock:
    """Records the times at which training started and each step ended."""

    def __init__(self) -> None:
        self.times: list[float] = [time.perf_counter()]

    @hookimpl
    def on_step(self, problem: Problem) -> None:
        self.times.append(time.perf_counter())


def _circuit_costs(
    assembly: Assembly, circuit: Circuit, steps: int, backend: Backend
) -> dict[str, Any]:
    """Figures of the circuit, numbers of circuits and shots of a training, and its device time."""
    shots = getattr(assembly.generator, "shots", None)
    gradients: str = backend.capabilities.gradients
    if shots is not None:
        gradients = "parameter-shift"
    batches = _batches_of_a_step(assembly, circuit, gradients)
    per_step = sum(batches)
    total_shots = None
    forecast: dict[str, Any] = {}
    if shots is not None:
        total_shots = per_step * steps * shots
        forecast = _forecast(lambda: _seconds_of_batches(backend, circuit, batches * steps, shots))
    return {
        "qubits": circuit.num_wires,
        "depth": circuit.depth,
        "gates": sum(circuit.counts.values()),
        "gate_counts": circuit.counts,
        **_transpiled(backend, circuit),
        "gradients": gradients,
        "circuits": per_step * steps,
        "shots": total_shots,
        **forecast,
    }


def _transpiled(backend: Backend, circuit: Circuit) -> dict[str, Any]:
    """The size of the circuit on the backend's device, or why it is not known there."""
    try:
        found = backend.device_circuit(circuit)
    except (RemoteError, Unsupported) as error:
        return {"no_device_circuit": str(error)}
    if found is None:
        return {}
    return {"device_depth": found.depth, "device_two_qubit_gates": found.two_qubit_gates}


def _batches_of_a_step(assembly: Assembly, circuit: Circuit, gradients: str) -> list[int]:
    """How many circuits each batch of a training step has."""
    if assembly.loss.reads == COMPUTED:
        return []
    conditions = 1
    if assembly.data.condition is not None and assembly.loss.reads == "probabilities":
        conditions = len(np.unique(assembly.data.condition, axis=0))
    batches = [conditions]
    if gradients == "parameter-shift":
        rows, _, _ = shifted_rows(circuit, np.zeros((1, circuit.num_angles)))
        batches.append(conditions * len(rows))
    return batches


def _seconds_of_batches(
    backend: Backend, circuit: Circuit, batches: Sequence[int], shots: int
) -> float | None:
    """The time on a device of batches of so many circuits each; None if it is not known."""
    total = 0.0
    for rows, number in Counter(batches).items():
        seconds = backend.device_seconds(circuit, rows, shots)
        if seconds is None:
            return None
        total += number * seconds
    return total
