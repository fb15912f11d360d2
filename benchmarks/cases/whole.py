"""Whole trainings through ``qgen train``, first calls, and memory; each in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.context import Case, Context
from benchmarks.rounds import Row
from benchmarks.worker import ROOT

THREADS = 2
#: Starting a process takes a second or two, so fewer repeats; the results say how many.
QUICK_REPEATS = 5
COLD_REPEATS = 5


class ProbeFailed(RuntimeError):
    """A measuring process ended with an error."""


def probe(*arguments: str, variables: dict[str, str] | None = None) -> dict[str, Any]:
    """Run one probe in a new process."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, **(variables or {})}
    command = [sys.executable, "-m", "benchmarks.probe", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        raise ProbeFailed((done.stderr.strip().splitlines() or ["no message"])[-1])
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def run(context: Context) -> Iterator[Case]:
    """Trainings of 300 steps, the first call with and without compiled code on disk, memory."""
    with tempfile.TemporaryDirectory() as folder:
        if context.wants("whole/training"):
            yield from _trainings(context, Path(folder))
        if context.wants("whole/first-call"):
            yield from _first_calls(context, Path(folder))
    for wires, steps in ((20, 3),) if context.quick else ((20, 3), (24, 2)):
        if context.wants(f"whole/memory/{wires}"):
            yield _memory(context, wires, steps)


def _trainings(context: Context, folder: Path) -> Iterator[Case]:
    recipe = str(ROOT / "recipes" / "jets.toml")
    for wires in (8, 12):
        name = f"whole/training/{wires}"
        context.say(name)
        setting = f"encoder.bits={wires // 2}"
        names = folder / "modules.json"
        names.write_text(
            json.dumps(probe("modules", recipe, str(folder / f"list-{wires}"), setting)["modules"])
        )
        row = Row("qgen train, 300 steps, without imports")
        imports = Row("imports")
        for number in range(QUICK_REPEATS if context.quick else context.repeats):
            result = probe(
                "train", str(names), recipe, str(folder / f"run-{wires}-{number}"), setting
            )
            row.seconds.append(result["seconds"])
            imports.seconds.append(result["imports"])
        yield {"id": name, "wires": wires, "rows": [row.summary(), imports.summary()]}


def _first_calls(context: Context, folder: Path) -> Iterator[Case]:
    for wires in (8,) if context.quick else (8, 12):
        name = f"whole/first-call/{wires}"
        context.say(name)
        names = folder / "step-modules.json"
        names.write_text(json.dumps(probe("step_modules", str(wires), "double")["modules"]))
        rows, imports = [], Row("imports")
        for label, repeats in (
            ("cold", 1 if context.quick else COLD_REPEATS),
            ("warm", context.repeats),
        ):
            row = Row(f"first training step, {label} cache", "double")
            for number in range(QUICK_REPEATS if context.quick and label == "warm" else repeats):
                place = folder / (
                    f"cache-{wires}-{number}" if label == "cold" else f"cache-{wires}-0"
                )
                variables = {"NUMBA_CACHE_DIR": str(place)}
                result = probe("first_call", str(names), str(wires), "double", variables=variables)
                row.seconds.append(result["first"])
                imports.seconds.append(result["imports"])
            rows.append(row.summary())
        yield {"id": name, "wires": wires, "rows": [*rows, imports.summary()]}


def _memory(context: Context, wires: int, steps: int) -> Case:
    name = f"whole/memory/{wires}"
    context.say(name)
    rows = []
    for precision in ("double", "single"):
        result = probe("memory", str(wires), precision, str(steps))
        row = Row(
            "training step, two threads",
            precision,
            seconds=result["seconds"][1:],
            first=result["seconds"][0],
        )
        states = 2 * (16 if precision == "double" else 8) * 2**wires / 2**20
        rows.append(
            {
                **row.summary(),
                "megabytes_above_imports": result["above"],
                "megabytes_of_two_states": states,
            }
        )
    return {"id": name, "wires": wires, "rows": rows}
