"""Training steps of ansatz 1 and 2 against all peers, one thread."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from benchmarks.catalog import PEERS, QGEN, Peer
from benchmarks.context import Case, Context
from benchmarks.limit import peak, step_flops
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Floats, Task, fuse, make_task
from benchmarks.worker import Remote

THREADS = 1

#: (ansatz, wires, layers, in quick mode)
CASES = (
    ("brick", 8, 6, True),
    ("brick", 12, 6, True),
    ("brick", 16, 6, False),
    ("brick", 20, 6, False),
    ("tree", 8, 12, True),
    ("tree", 12, 12, False),
)
#: Largest allowed difference of two gradients, relative to the largest gradient.
TOLERANCE = {"single": 1e-4, "double": 1e-8}


class Disagreement(RuntimeError):
    """A contestant computes something else."""


def run(context: Context) -> Iterator[Case]:
    """One case for each ansatz and size."""
    for ansatz, wires, layers, quick in CASES:
        name = f"training/{ansatz}/{wires}"
        if context.wants(name) and (quick or not context.quick):
            yield one_case(
                context, name, make_task(ansatz, wires, layers), connected=ansatz == "brick"
            )


def one_case(context: Context, name: str, task: Task, connected: bool) -> Case:
    """Build all contestants, check them against the first, time them and the peak loop in turn."""
    context.say(name)
    peaks = {p: Row("peak", p) for p in ("single", "double")}
    with tempfile.TemporaryDirectory() as folder:
        task.save(Path(folder) / "task.npz")
        field = Field(context, task, Path(folder) / "task.npz")
        for peer, precision, options in _entries(context, task, connected):
            field.enter(peer, precision, options)
        loops: list[tuple[Row, Timed]] = [(row, Local(peak(p).run)) for p, row in peaks.items()]
        measure([*field.contestants, *loops], context.repeats, context.slow)
        field.close()
    summaries = {p: row.summary() for p, row in peaks.items()}
    flops = step_flops(task.wires, len([op for op in fuse(task.ops) if op.name == "rot"]))
    rates = {p: peak(p).flops / found["median"] for p, found in summaries.items()}
    return {
        "id": name,
        "wires": task.wires,
        "parameters": len(task.params),
        "rows": [row.summary() for row, _ in field.contestants]
        + [row.summary() for row in field.failed],
        "flops": flops,
        "engine_flops": {p: _engine_flops(task, p) for p in rates},
        "peak_flops_per_second": rates,
        "best_peak_flops_per_second": {
            p: peak(p).flops / found["min"] for p, found in summaries.items()
        },
        "limit": {p: flops / rate for p, rate in rates.items()},
        "versions": field.versions,
    }


#: What is added to the label where the engine's own choice is overruled.
PARTS = {None: "", True: " (in parts)", False: " (not in parts)"}


class Field:
    """The contestants of one case that agree with the first one, and those that failed."""

    def __init__(self, context: Context, task: Task, path: Path) -> None:
        self.contestants: list[tuple[Row, Timed]] = []
        self.failed: list[Row] = []
        self.versions: dict[str, dict[str, str]] = {}
        self._context = context
        self._task = task
        self._path = path
        self._remotes: list[Remote] = []
        self._reference: Floats | None = None

    def enter(self, peer: Peer, precision: str, options: dict[str, Any]) -> None:
        """Build a contestant, make its first step, and compare its gradient."""
        row = Row(peer.label + PARTS[options.get("parts")], precision)
        try:
            if peer.environment == "peers":
                gradient, timed = _local(peer, row, self._task, options)
                found = versions(peer.distributions)
            else:
                gradient, timed = _remote(self._context, peer, row, self._path)
                self._remotes.append(timed)
                found = timed.hello["versions"]
            self.versions.setdefault(peer.environment, {}).update(found)
            self._compare(row, gradient)
            self.contestants.append((row, timed))
        except Exception as error:  # a peer that fails is a result, not the end of the session
            row.error = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self.failed.append(row)
        self._context.say(
            f"  {row.label} {precision}: {row.error or f'first call {row.first:.2f} s'}"
        )

    def _compare(self, row: Row, gradient: Floats) -> None:
        if self._reference is None:
            self._reference = gradient
        row.agreement = float(
            np.max(np.abs(gradient - self._reference)) / np.max(np.abs(self._reference))
        )
        if not row.agreement <= TOLERANCE[row.precision]:
            raise Disagreement(f"gradient differs by {row.agreement:.1e}")

    def close(self) -> None:
        """End the processes of other environments."""
        for remote in self._remotes:
            remote.close()


def _engine_flops(task: Task, precision: str) -> float:
    """Flops that qgen's plan takes a pair of amplitudes: 44 for each RY (12 forward, 24 back, 8 for
    the overlap) and for each set of merged phases, 32 for an RY by ratio (8, 16, 8).
    """
    from benchmarks.contestants.qgen import circuit_of
    from qgen_core.simulators.statevector.program import StatevectorProgram
    from qgen_core.simulators.statevector.steps import (
        PAIR,
        PHASE4,
        PHASES,
        RY_L,
        RY_P,
        RY_Q,
        STEP_CODE,
        STEP_PHASES,
    )

    kind: Literal["single", "double"] = "single" if precision == "single" else "double"
    plan = StatevectorProgram(circuit_of(task.ops, task.wires), kind, last_phases=False).plan
    codes = plan.steps[:, STEP_CODE]
    pairs = plan.steps[codes == PAIR]
    single = np.isin(codes, [RY_P, RY_Q, RY_L, PHASE4, PHASES])
    pairs_with_phases = pairs[:, STEP_PHASES] > 0
    whole = int(single.sum()) + int(pairs_with_phases.sum())
    return float((44 * whole + 64 * len(pairs)) * 2 ** (plan.bits - 1))


def _entries(
    context: Context, task: Task, connected: bool
) -> Iterator[tuple[Peer, str, dict[str, Any]]]:
    """qgen in double precision comes first: it is the reference of the check."""
    for precision in ("double", "single"):
        yield QGEN, precision, {}
        if not connected:
            yield QGEN, precision, {"parts": True}
            yield QGEN, precision, {"parts": False}
    for peer in PEERS:
        if task.wires <= peer.sizes(context.quick):
            for precision in peer.precisions:
                yield peer, precision, {}


def _local(peer: Peer, row: Row, task: Task, options: dict[str, Any]) -> tuple[Floats, Timed]:
    start = perf_counter()
    step = importlib.import_module(f"benchmarks.contestants.{peer.module}").build(
        task, row.precision, **options
    )
    _, gradient = step(task.params)
    row.first = perf_counter() - start
    return np.asarray(gradient), Local(lambda: step(task.params))


def _remote(context: Context, peer: Peer, row: Row, path: Path) -> tuple[Floats, Remote]:
    python = context.python(peer.environment)
    remote = Remote(python, peer.module, row.precision, path, peer.distributions)
    row.first = remote.hello["first"]
    return np.array(remote.hello["result"][1]), remote
