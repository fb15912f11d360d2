"""One measurement that needs a process of its own: ``python -m benchmarks.probe NAME ARGUMENTS``,
JSON out.

Times leave imports out: ``train`` first imports what an earlier training of the same recipe
had imported in the end (the list is written by ``modules``).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any


def _train(recipe: str, run: str, settings: list[str]) -> None:
    from qgen_core.cli import app

    options = [word for setting in settings for word in ("--set", setting)]
    app(["train", recipe, "--run", run, *options], standalone_mode=False)


def modules(recipe: str, run: str, *settings: str) -> dict[str, Any]:
    """Everything that a short training imports."""
    _train(recipe, run, [*settings, "trainer.steps=1"])
    return _imported()


def _imported() -> dict[str, Any]:
    return {
        "modules": sorted(name for name in sys.modules if not name.startswith(("__", "benchmarks")))
    }


def _import(names: str) -> float:
    """Seconds that the imports took; names of the list that cannot be imported by themselves are
    left out.
    """
    start = perf_counter()
    for name in json.loads(Path(names).read_text()):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    return perf_counter() - start


def train(names: str, recipe: str, run: str, *settings: str) -> dict[str, Any]:
    """Seconds of a whole training: data, encoding, all steps, checkpoints, history, without
    imports.
    """
    imports = _import(names)
    start = perf_counter()
    _train(recipe, run, list(settings))
    return {"seconds": perf_counter() - start, "imports": imports}


def _two_steps(wires: str, precision: str) -> tuple[float, float]:
    from benchmarks.contestants import qgen
    from benchmarks.task import make_task

    task = make_task("brick", int(wires), 6)
    start = perf_counter()
    step = qgen.build(task, precision)
    step(task.params)
    first = perf_counter()
    step(task.params)
    return first - start, perf_counter() - first


def step_modules(wires: str, precision: str) -> dict[str, Any]:
    """Everything that a training step imports: numba loads a third of itself, and scipy, at its
    first call.
    """
    _two_steps(wires, precision)
    return _imported()


def first_call(names: str, wires: str, precision: str) -> dict[str, Any]:
    """Seconds of the first training step of a process, without imports, and of the second."""
    imports = _import(names)
    first, second = _two_steps(wires, precision)
    return {"first": first, "second": second, "imports": imports}


def _memory(field: str) -> float:
    """MB of this process: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def memory(wires: str, precision: str, steps: str) -> dict[str, Any]:
    """MB that training steps need above the process after its imports, and seconds of each step."""
    import qgen_core.simulators.statevector.sweep  # noqa: F401
    from benchmarks.contestants import qgen
    from benchmarks.task import make_task

    task = make_task("brick", int(wires), 6)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    step = qgen.build(task, precision, threads=None)
    seconds = []
    for _ in range(int(steps)):
        start = perf_counter()
        step(task.params)
        seconds.append(perf_counter() - start)
    return {"before": before, "above": _memory("VmHWM") - before, "seconds": seconds}


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    "modules": modules,
    "train": train,
    "step_modules": step_modules,
    "first_call": first_call,
    "memory": memory,
}

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])))
