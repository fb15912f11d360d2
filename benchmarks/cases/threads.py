"""One thread against two: training steps of growing size, and batches; two processes show what the
machine allows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from benchmarks.batch_task import BatchTask, make_batch_task
from benchmarks.context import Case, Context
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Task, make_task
from benchmarks.worker import Remote

T = TypeVar("T", Task, BatchTask)

THREADS = 2
WIRES = (8, 10, 12, 13, 14, 15, 16, 18, 20)
QUICK_WIRES = (8, 12, 16)
BATCHES = (50, 1000)


def run(context: Context) -> Iterator[Case]:
    """A case for each size; ``None`` is the engine's own choice."""
    from benchmarks.contestants import qgen

    for wires in QUICK_WIRES if context.quick else WIRES:
        name = f"threads/brick/{wires}"
        if context.wants(name):
            task = make_task("brick", wires, 6)
            yield _case(
                context, name, task, lambda t, p, n: partial(qgen.build(t, p, threads=n), t.params)
            )
    for batch in BATCHES[:1] if context.quick else BATCHES:
        name = f"threads/batch/{batch}"
        if context.wants(name):
            work = make_batch_task("brick", batch)
            found = _case(
                context,
                name,
                work,
                lambda t, p, n: partial(
                    qgen.build_batch(t, p, backward=True, threads=n), t.params, t.inputs
                ),
            )
            yield {**found, "batch": batch}


@dataclass
class Pair:
    """The same work here and in a process beside: what two cores of this machine do where nothing
    is shared out.
    """

    here: Timed
    beside: Remote

    def time(self, calls: int) -> float:
        """Seconds for each of the two."""
        start = perf_counter()
        self.beside.begin(calls)
        self.here.time(calls)
        self.beside.end()
        return (perf_counter() - start) / 2


def _case(
    context: Context, name: str, task: T, build: Callable[[T, str, int | None], Callable[[], Any]]
) -> Case:
    context.say(name)
    contestants: list[tuple[Row, Timed]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "task.npz"
        task.save(path)
        for precision in ("double", "single"):
            for threads in (1, 2, None):
                step = build(task, precision, threads)
                step()
                contestants.append((_row(threads, precision), Local(step)))
            beside = Remote(Path(sys.executable), "qgen", precision, path, ())
            stack.callback(beside.close)
            alone = Local(build(task, precision, 1))
            contestants.append((Row("qgen, two processes, each", precision), Pair(alone, beside)))
        measure(contestants, context.repeats, context.slow, context.lasting)
    return {"id": name, "wires": task.wires, "rows": [*_with_gain([row for row, _ in contestants])]}


def _with_gain(rows: list[Row]) -> Iterator[dict[str, Any]]:
    """The rows, with quartiles of how many times one thread's seconds they took less, round by
    round.

    A shared machine changes its speed between rounds by more than is to be measured; within a round
    it matters little.
    """
    for row in rows:
        one = next(r for r in rows if r.precision == row.precision)
        if row is one or len(row.seconds) != len(one.seconds):
            yield row.summary()
            continue
        low, median, high = (
            float(q) for q in np.quantile(np.divide(one.seconds, row.seconds), [0.25, 0.5, 0.75])
        )
        yield {**row.summary(), "gain": {"median": median, "q25": low, "q75": high}}


def _row(threads: int | None, precision: str) -> Row:
    return Row(
        "qgen, its choice" if threads is None else f"qgen, {threads} thread{'s' * (threads > 1)}",
        precision,
    )
