"""50 inputs of the 24-parameter chain on 8 wires under the noise of ibm_fez (its stored
calibration), two threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import qgen_core as qgen
from benchmarks.batch_task import make_batch_task
from benchmarks.contestants import aer_device
from benchmarks.contestants.qgen import circuit_of
from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Floats
from qgen_core.circuits.measures import Probabilities, pauli_z

THREADS = 2
BATCH, SHOTS = 50, 2048
DISTRIBUTIONS = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime", "qgen-qiskit")


def run(context: Context) -> Iterator[Case]:
    """Expectations of Z and all distributions, exact; Aer exact, and with the shots of the
    document.
    """
    if not context.wants("noise/fez"):
        return
    context.say("noise/fez")
    from qiskit_ibm_runtime.fake_provider import FakeFez

    task = make_batch_task("chain", BATCH)
    circuit = circuit_of(task.ops, task.wires)
    model = qgen.noise("ibm_fez")
    noisy, _ = model(circuit, Probabilities())
    read, angles = model.describe()["read on"], noisy.bind(task.params, task.inputs)
    words = pauli_z(task.wires)
    engines = {1: qgen.backend("density", threads=1), 2: qgen.backend("density")}
    calls: dict[str, Callable[[], Floats]] = {}
    for threads, engine in engines.items():
        name = f"{threads} thread{'s' * (threads > 1)}"
        calls[f"qgen density, expectations, {name}"] = lambda e=engine: e.run(noisy, angles, words)
        calls[f"qgen density, distributions, {name}"] = lambda e=engine: e.run(
            noisy, angles, Probabilities()
        )
    device = FakeFez()
    calls["Qiskit Aer, exact distributions"] = aer_device.frequencies(
        task, noisy, device, read, None
    )
    calls[f"Qiskit Aer, {SHOTS} shots"] = aer_device.frequencies(task, noisy, device, read, SHOTS)
    yield _measured(context, calls)


def _measured(context: Context, calls: dict[str, Callable[[], Floats]]) -> Case:
    """Expectations and Aer's values are held against our distributions first."""
    exact = calls["qgen density, distributions, 1 thread"]()
    bits = np.arange(exact.shape[1])[:, None] >> np.arange(8)[::-1] & 1
    contestants: list[tuple[Row, Timed]] = []
    rows = []
    for label, call in calls.items():
        row, found = Row(label, "double"), call()
        rows.append(row)
        off = float(
            np.max(np.abs(found - (exact @ (1 - 2 * bits) if "expectations" in label else exact)))
        )
        # Aer leaves out parts of its errors below 1e-10; a frequency of n shots is off by some 1/(2
        # sqrt n).
        if off > (
            5 * 0.5 / np.sqrt(SHOTS) if "shots" in label else 1e-7 if "Aer" in label else 1e-10
        ):
            row.error = f"differs by {off:.1e}"
        else:
            contestants.append((row, Local(call)))
    measure(contestants, context.repeats, context.slow)
    return {
        "id": "noise/fez",
        "batch": BATCH,
        "rows": [row.summary() for row in rows],
        "versions": {"peers": versions(DISTRIBUTIONS)},
    }
