"""Cost of a training step against wires, parameters and batch, with the arithmetic limit. One
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.batch_task import make_batch_task
from benchmarks.context import Case, Context
from benchmarks.limit import peak, step_flops
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Op, fuse, make_task

THREADS = 1
QUICK_WIRES = (2, 8, 14, 18)
WIRES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24)
LAYERS = (1, 2, 4, 8, 16, 32, 64)
BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
#: Beyond this many wires three repeats are made; a step takes seconds there.
FULL_REPEATS = 20


def run(context: Context) -> Iterator[Case]:
    """Three curves, a case for each point."""
    from benchmarks.contestants import qgen

    for wires in QUICK_WIRES if context.quick else WIRES:
        if context.wants(f"curve/wires/{wires}"):
            task = make_task("brick", wires, 6)
            yield _point(
                context,
                f"curve/wires/{wires}",
                wires,
                wires,
                task.ops,
                {p: partial(qgen.build(task, p), task.params) for p in ("single", "double")},
            )
    for layers in LAYERS[::3] if context.quick else LAYERS:
        if context.wants(f"curve/layers/{layers}"):
            task = make_task("brick", 12, layers)
            yield _point(
                context,
                f"curve/layers/{layers}",
                len(task.params),
                12,
                task.ops,
                {p: partial(qgen.build(task, p), task.params) for p in ("single", "double")},
            )
    for batch in BATCHES[::3] if context.quick else BATCHES:
        if context.wants(f"curve/batch/{batch}"):
            work = make_batch_task("brick", batch)
            yield _point(
                context,
                f"curve/batch/{batch}",
                batch,
                work.wires,
                work.ops,
                {
                    p: partial(qgen.build_batch(work, p, backward=True), work.params, work.inputs)
                    for p in ("single", "double")
                },
                batch=batch,
            )


def _point(
    context: Context,
    name: str,
    x: int,
    wires: int,
    ops: tuple[Op, ...],
    steps: dict[str, Callable[[], object]],
    batch: int = 1,
) -> Case:
    context.say(name)
    contestants: list[tuple[Row, Timed]] = []
    peaks = {p: Row("peak", p) for p in steps}
    for precision, step in steps.items():
        step()
        contestants += [
            (Row("qgen", precision), Local(step)),
            (peaks[precision], Local(peak(precision).run)),
        ]
    measure(contestants, context.repeats if wires <= FULL_REPEATS else 3, context.slow)
    flops = step_flops(wires, len([op for op in fuse(ops) if op.name == "rot"]), batch)
    rates = {p: peak(p).flops / row.summary()["median"] for p, row in peaks.items()}
    rows = [row.summary() for row, _ in contestants if row.label != "peak"]
    return {
        "id": name,
        "x": x,
        "wires": wires,
        "batch": batch,
        "rows": rows,
        "peak_flops_per_second": rates,
        "limit": {p: flops / rate for p, rate in rates.items()},
    }
