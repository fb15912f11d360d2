"""Batches of inputs through small circuits, as generators and hybrid layers need; one thread."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.batch_task import BatchTask, make_batch_task
from benchmarks.contestants.qgen import build_engine_only
from benchmarks.context import Case, Context
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.worker import Remote

THREADS = 1

#: (name, circuit, batch, with gradients, in quick mode)
CASES = (
    ("batch/chain/forward", "chain", 50, False, True),
    ("batch/chain/backward", "chain", 50, True, False),
    ("batch/brick/forward", "brick", 50, False, True),
    ("batch/brick/backward", "brick", 50, True, False),
    ("batch/layer/backward", "layer", 32, True, True),
)
TOLERANCE = {"single": 1e-4, "double": 1e-8}


class Entry(NamedTuple):
    """A contestant: its file in contestants/, what its ``build_batch`` is given, and where it is
    installed.
    """

    module: str
    label: str
    precisions: tuple[str, ...] = ("double", "single")
    options: dict[str, bool] = {}
    environment: str = "peers"


CONTESTANTS = (
    Entry("qgen", "qgen"),
    Entry("tensorcircuit", "TensorCircuit-NG, vmap"),
    Entry("qulacs", "qulacs, one by one", ("double",)),
    Entry("pennylane_torch", "PennyLane default.qubit, torch, broadcast", ("double",)),
    Entry("pyqtorch", "pyqtorch"),
)


def run(context: Context) -> Iterator[Case]:
    """One case for each circuit and direction."""
    for name, circuit, batch, backward, quick in CASES:
        if context.wants(name) and (quick or not context.quick):
            context.say(name)
            yield one_case(
                context, name, make_batch_task(circuit, batch), CONTESTANTS, backward=backward
            )


def one_case(
    context: Context, name: str, task: BatchTask, entries: tuple[Entry, ...], *, backward: bool
) -> Case:
    """Outputs, and with gradients those of parameters and inputs, are compared before timing."""
    contestants: list[tuple[Row, Timed]] = []
    failed: list[Row] = []
    reference: tuple[np.ndarray, ...] = ()
    with ExitStack() as stack:
        for entry in entries:
            for precision in entry.precisions:
                row = Row(entry.label, precision)
                try:
                    result, timed = _enter(context, stack, task, entry, row, backward)
                    reference = reference or result
                    row.agreement = max(
                        float(np.max(np.abs(a - b)) / np.max(np.abs(b)))
                        for a, b in zip(result, reference, strict=True)
                    )
                    if not row.agreement <= TOLERANCE[precision]:
                        raise RuntimeError(f"results differ by {row.agreement:.1e}")
                    contestants.append((row, timed))
                except (
                    Exception
                ) as error:  # a peer that fails is a result, not the end of the session
                    row.error = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                    failed.append(row)
        if backward and any(entry.module == "qgen" for entry in entries):
            for precision in ("double", "single"):
                step = build_engine_only(task, precision)
                timed = Local(partial(step, task.params, task.inputs))
                contestants.append((Row("qgen, engine only", precision), timed))
        measure(contestants, context.repeats, context.slow, context.lasting)
    return {
        "id": name,
        "wires": task.wires,
        "parameters": len(task.params),
        "batch": len(task.inputs),
        "rows": [row.summary() for row, _ in contestants] + [row.summary() for row in failed],
    }


def _enter(
    context: Context, stack: ExitStack, task: BatchTask, entry: Entry, row: Row, backward: bool
) -> tuple[tuple[np.ndarray, ...], Timed]:
    """Build a contestant and make its first call."""
    if entry.environment != "peers":
        path = Path(stack.enter_context(TemporaryDirectory())) / "task.npz"
        task.save(path)
        remote = Remote(context.python(entry.environment), entry.module, row.precision, path, ())
        stack.callback(remote.close)
        row.first = remote.hello["first"]
        return tuple(np.array(a) for a in remote.hello["result"]), remote
    library = importlib.import_module(f"benchmarks.contestants.{entry.module}")
    start = perf_counter()
    step = library.build_batch(task, row.precision, backward=backward, **entry.options)
    result = step(task.params, task.inputs)
    row.first = perf_counter() - start
    return result, Local(partial(step, task.params, task.inputs))
