"""One measurement of one case, in a process of its own: ``python -P timed_case.py CASE``, JSON out.

:mod:`benchmarks.compare` runs this file with the sources of either checkout, so it uses only names
that every checkout has: the tasks, and qgen's own contestants.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

#: A process repeats its call for so many seconds, and at least so many times.
SECONDS = 1.0
REPEATS = 10
LONG_REPEATS = 2
#: Wires and samples of the layer that ``hybrid/6`` measures (benchmarks/cases/hybrid.py).
HYBRID = {"hybrid/6": ("layer", 32), "hybrid/8": ("wide-layer", 256)}


def training_step(ansatz: str, wires: int) -> Callable[[], Any]:
    """A training step in double precision, as ``training/ANSATZ/WIRES`` measures it."""
    from benchmarks.contestants import qgen
    from benchmarks.task import make_task

    layers = {"brick": 6, "tree": 12}[ansatz]
    task = make_task(ansatz, wires, layers)
    step = qgen.build(task, "double")
    return lambda: step(task.params)


def hybrid_step(case: str) -> Callable[[], Any]:
    """Forward and backward passes of a quantum layer in torch, in double precision."""
    from benchmarks.batch_task import make_batch_task
    from benchmarks.contestants import qgen_layer

    circuit, batch = HYBRID[case]
    task = make_batch_task(circuit, batch)
    step = qgen_layer.build_batch(task, "double", backward=True)
    return lambda: step(task.params, task.inputs)


def processor_time() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def timings(call: Callable[[], Any]) -> tuple[list[float], list[float]]:
    """Wall and processor seconds of repeated calls, after one or two that are not timed.

    A call that takes longer than ``SECONDS`` is repeated ``LONG_REPEATS`` times.
    """
    before = perf_counter()
    call()
    is_long = perf_counter() - before > SECONDS
    least = LONG_REPEATS
    if not is_long:
        call()
        least = REPEATS
    seconds: list[float] = []
    processor: list[float] = []
    end = perf_counter() + SECONDS
    while len(seconds) < least or perf_counter() < end:
        wall_before = perf_counter()
        processor_before = processor_time()
        call()
        processor.append(processor_time() - processor_before)
        seconds.append(perf_counter() - wall_before)
    return seconds, processor


def repeated(call: Callable[[], Any]) -> dict[str, float]:
    """The median of repeated calls."""
    seconds, processor = timings(call)
    return {"seconds": median(seconds), "processor_seconds": median(processor)}


def first_call(wires: int) -> dict[str, float]:
    """The first training step of this process; imports of the engine are part of it."""
    call = training_step("brick", wires)
    wall_before = perf_counter()
    processor_before = process_time()
    call()
    processor = process_time() - processor_before
    return {"seconds": perf_counter() - wall_before, "processor_seconds": processor}


def job(case: str) -> Callable[[], Callable[[], Any]]:
    """What builds a row of the group ``job``: from this checkout, for the sources of either one.

    Raises SystemExit for a row that there is not.
    """
    path = Path(__file__).parent / "cases" / "job.py"
    spec = importlib.util.spec_from_file_location("_job", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows: dict[str, Callable[[], Callable[[], Any]]] = module.calls()
    if case not in rows:
        sys.exit(f"no case {case!r} to compare; there are {', '.join(rows)}")
    return rows[case]


def measure(case: str) -> dict[str, float]:
    """What this case takes here, in seconds. Raises SystemExit for a case it does not know."""
    group, _, rest = case.partition("/")
    if group == "job":
        return repeated(job(case)())
    name, _, size = rest.partition("/")
    if case in HYBRID:
        return repeated(hybrid_step(case))
    if group == "training" and name in ("brick", "tree") and size.isdigit():
        return repeated(training_step(name, int(size)))
    if group == "whole" and name == "first-call" and size.isdigit():
        return first_call(int(size))
    known = ["training/brick/N", "training/tree/N", "whole/first-call/N", *HYBRID]
    sys.exit(f"no case {case!r} to compare; there are {', '.join(known)} with N wires")


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
