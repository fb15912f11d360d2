"""Batches of inputs through small circuits, as generators and hybrid layers need them, one thread."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import partial
from time import perf_counter

import numpy as np

from benchmarks.batch_task import BatchTask, make_batch_task
from benchmarks.context import Case, Context
from benchmarks.rounds import Local, Row, Timed, measure

THREADS = 1

#: (name, circuit, batch, with gradients, in quick mode)
CASES = (
    ("batch/chain/forward", "chain", 50, False, True),
    ("batch/chain/backward", "chain", 50, True, False),
    ("batch/brick/forward", "brick", 50, False, True),
    ("batch/brick/backward", "brick", 50, True, False),
    ("batch/layer/backward", "layer", 32, True, True),
)
CONTESTANTS = (
    ("qgen", "qgen", ("double", "single")),
    ("tensorcircuit", "TensorCircuit-NG, vmap", ("double", "single")),
    ("qulacs", "qulacs, one by one", ("double",)),
    ("pennylane_torch", "PennyLane default.qubit, torch, broadcast", ("double",)),
    ("pyqtorch", "pyqtorch", ("double", "single")),
)
TOLERANCE = {"single": 1e-4, "double": 1e-8}


def run(context: Context) -> Iterator[Case]:
    """One case for each circuit and direction."""
    for name, circuit, batch, backward, quick in CASES:
        if context.wants(name) and (quick or not context.quick):
            context.say(name)
            yield one_case(context, name, make_batch_task(circuit, batch), backward)


def one_case(context: Context, name: str, task: BatchTask, backward: bool) -> Case:
    """Outputs, and with gradients those of parameters and inputs, are compared before timing."""
    contestants: list[tuple[Row, Timed]] = []
    failed: list[Row] = []
    reference: tuple[np.ndarray, ...] = ()
    for module, label, precisions in CONTESTANTS:
        library = importlib.import_module(f"benchmarks.contestants.{module}")
        for precision in precisions:
            row = Row(label, precision)
            try:
                start = perf_counter()
                step = library.build_batch(task, precision, backward=backward)
                result = step(task.params, task.inputs)
                row.first = perf_counter() - start
                reference = reference or result
                row.agreement = max(
                    float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in zip(result, reference, strict=True)
                )
                if not row.agreement <= TOLERANCE[precision]:
                    raise RuntimeError(f"results differ by {row.agreement:.1e}")
                contestants.append((row, Local(partial(step, task.params, task.inputs))))
            except Exception as error:  # a peer that fails is a result, not the end of the session
                row.error = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                failed.append(row)
    if backward:
        from benchmarks.contestants.qgen import build_engine_only

        for precision in ("double", "single"):
            step = build_engine_only(task, precision)
            contestants.append((Row("qgen, engine only", precision), Local(partial(step, task.params, task.inputs))))
    measure(contestants, context.repeats, context.slow)
    return {
        "id": name,
        "wires": task.wires,
        "parameters": len(task.params),
        "batch": len(task.inputs),
        "rows": [row.summary() for row, _ in contestants] + [row.summary() for row in failed],
    }
