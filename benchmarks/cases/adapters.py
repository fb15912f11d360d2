"""Our adapters against the same SDK called by hand: 64 rows of a 24-parameter chain on 8 wires, one
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import qgen_core as qgen
from benchmarks.batch_task import BatchTask, make_batch_task
from benchmarks.contestants import sdks
from benchmarks.contestants.qgen import circuit_of
from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Floats
from qgen_core.circuits.circuit import Channel, Circuit, Gate
from qgen_core.circuits.measures import Probabilities, Shots, pauli_z
from qgen_core.noise_models import channels

THREADS = 1
BATCH, SHOTS = 64, 1_000_000
RATES = {1: 0.001, 2: 0.01}
DISTRIBUTIONS = (
    "pennylane",
    "pennylane-lightning",
    "qiskit",
    "qiskit-aer",
    "cirq-core",
    "qsimcirq",
    "torch",
)
Call = Callable[[], Floats]


def run(context: Context) -> Iterator[Case]:
    """Probabilities on every SDK, gradients where the SDK has them, noise and shots on Aer."""
    task = make_batch_task("chain", BATCH)
    pairs: dict[str, Callable[[], tuple[Call, Call]]] = {
        "pennylane/probabilities": lambda: (
            _probabilities(task, "pennylane"),
            sdks.pennylane_probabilities(task),
        ),
        "pennylane/gradient": lambda: (_gradient(task, "pennylane"), sdks.pennylane_gradient(task)),
        "lightning/probabilities": lambda: (
            _probabilities(task, "lightning"),
            sdks.lightning_probabilities(task),
        ),
        "lightning/gradient": lambda: (_gradient(task, "lightning"), sdks.lightning_gradient(task)),
        "aer/probabilities": lambda: (_probabilities(task, "aer"), sdks.aer_probabilities(task)),
        "aer/noisy": lambda: _noisy(task),
        "aer/shots": lambda: (_shots(task), sdks.aer_counts(task, SHOTS)),
        "qiskit-statevector/probabilities": lambda: (
            _probabilities(task, "qiskit-statevector"),
            sdks.qiskit_probabilities(task),
        ),
        "cirq/probabilities": lambda: (_probabilities(task, "cirq"), sdks.cirq_probabilities(task)),
        "qsim/probabilities": lambda: (_probabilities(task, "qsim"), sdks.qsim_probabilities(task)),
    }
    for name, make in pairs.items():
        if context.wants(f"adapters/{name}"):
            context.say(f"adapters/{name}")
            yield _one(context, name, *make())


def _one(context: Context, name: str, ours: Call, by_hand: Call) -> Case:
    single, sampled = name.startswith("qsim"), name.endswith("shots")
    rows = [
        Row("qgen's adapter", "single" if single else "double"),
        Row("by hand", "single" if single else "double"),
    ]
    first, second = ours(), by_hand()
    allowed = 5e-3 if sampled else 1e-5 if single else 1e-8
    if not sampled:
        rows[0].agreement = float(np.max(np.abs(first - second)))
    if not np.max(np.abs(first - second)) <= allowed:
        rows[0].error = f"differs by {np.max(np.abs(first - second)):.1e}"
        return {"id": f"adapters/{name}", "rows": [row.summary() for row in rows]}
    contestants: list[tuple[Row, Timed]] = [(rows[0], Local(ours)), (rows[1], Local(by_hand))]
    measure(contestants, context.repeats, context.slow)
    return {
        "id": f"adapters/{name}",
        "batch": 1 if sampled else BATCH,
        "rows": [row.summary() for row in rows],
        "versions": {"peers": versions(DISTRIBUTIONS)},
    }


def _probabilities(task: BatchTask, name: str) -> Call:
    backend, circuit = qgen.backend(name), circuit_of(task.ops, task.wires)
    return lambda: np.asarray(
        backend.run(circuit, circuit.bind(task.params, task.inputs), Probabilities())
    )


def _gradient(task: BatchTask, name: str) -> Call:
    """Gradients of the parameters, and of the inputs summed over rows."""
    backend = qgen.backend(name)
    circuit = circuit_of(task.ops, task.wires)
    measured = pauli_z(task.wires)

    def call() -> Floats:
        _, back = backend.forward(circuit, circuit.bind(task.params, task.inputs), measured)
        d_params, d_inputs = circuit.pullback(back(task.cotangent))
        return np.concatenate([d_params.sum(axis=0), d_inputs.sum(axis=0)])

    return call


def _noisy(task: BatchTask) -> tuple[Call, Call]:
    """Depolarizing channels after every gate, as instructions of the circuit and as Aer's noise
    model.
    """
    one, two = (channels.depolarizing(rate, wires) for wires, rate in RATES.items())
    plain = circuit_of(task.ops, task.wires)
    instructions: list[Gate | Channel] = []
    for gate in plain.gates:
        instructions += [gate, Channel(two if len(gate.wires) == 2 else one, gate.wires)]
    noisy, backend = Circuit(task.wires, tuple(instructions)), qgen.backend("aer")
    ours = partial(backend.run, noisy, noisy.bind(task.params, task.inputs), Probabilities())
    return ours, sdks.aer_noisy(task, one, two)


def _shots(task: BatchTask) -> Call:
    backend, circuit = qgen.backend("aer"), circuit_of(task.ops, task.wires)
    angles, rng = circuit.bind(task.params, task.inputs[:1]), np.random.default_rng(3)
    return lambda: np.asarray(backend.run(circuit, angles, Probabilities(), Shots(SHOTS, rng))[0])
