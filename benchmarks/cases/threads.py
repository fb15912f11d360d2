"""One thread against two: training steps of growing size, and batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.batch_task import make_batch_task
from benchmarks.context import Case, Context
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import make_task

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
            context.say(name)
            task = make_task("brick", wires, 6)
            contestants: list[tuple[Row, Timed]] = []
            for precision in ("double", "single"):
                for threads in (1, 2, None):
                    step = qgen.build(task, precision, threads=threads)
                    step(task.params)
                    contestants.append((_row(threads, precision), Local(partial(step, task.params))))
            yield _case(context, name, contestants, wires=wires)
    for batch in BATCHES[:1] if context.quick else BATCHES:
        name = f"threads/batch/{batch}"
        if context.wants(name):
            context.say(name)
            work = make_batch_task("brick", batch)
            contestants = []
            for precision in ("double", "single"):
                for threads in (1, 2, None):
                    both = qgen.build_batch(work, precision, backward=True, threads=threads)
                    both(work.params, work.inputs)
                    contestants.append((_row(threads, precision), Local(partial(both, work.params, work.inputs))))
            yield _case(context, name, contestants, wires=work.wires, batch=batch)


def _row(threads: int | None, precision: str) -> Row:
    return Row("qgen, its choice" if threads is None else f"qgen, {threads} thread{'s' * (threads > 1)}", precision)


def _case(context: Context, name: str, contestants: list[tuple[Row, Timed]], **facts: int) -> Case:
    measure(contestants, context.repeats, context.slow)
    return {"id": name, **facts, "rows": [row.summary() for row, _ in contestants]}
