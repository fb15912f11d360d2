"""A contestant in another environment: a process asked over a pipe for one repeat at a time.

``python -m benchmarks.worker NAME PRECISION TASK``; requests and answers are lines of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent


class Remote:
    """The asking side. Raises RuntimeError with the worker's last words when it dies."""

    def __init__(
        self, python: Path, name: str, precision: str, task: Path, distributions: tuple[str, ...]
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [
            str(python),
            "-m",
            "benchmarks.worker",
            name,
            precision,
            str(task),
            ",".join(distributions),
        ]
        self._words = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open as long as the process)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.hello = self._answer()

    def time(self, calls: int) -> float:
        self.begin(calls)
        return self.end()

    def begin(self, calls: int) -> None:
        """Let it start on so many calls."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"calls": calls}) + "\n")
        self._process.stdin.flush()

    def end(self) -> float:
        """Seconds that they took."""
        return float(self._answer()["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            self._words.seek(0)
            words = self._words.read().strip().splitlines()
            raise RuntimeError(words[-1] if words else "the worker ended without a word")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(name: str, precision: str, path: str, distributions: str) -> None:
    """Build the step, answer with its first result, then with times."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints stays out of the answers

    from benchmarks.machine import versions
    from benchmarks.rounds import Local

    build = _builder(
        importlib.import_module(f"benchmarks.contestants.{name}"), Path(path), precision
    )
    start = perf_counter()
    step = build()
    result = [np.asarray(part).tolist() for part in step()]
    first = perf_counter() - start
    found = versions(tuple(filter(None, distributions.split(","))))
    out.write(json.dumps({"result": result, "first": first, "versions": found}) + "\n")
    timed = Local(step)
    for line in sys.stdin:
        out.write(json.dumps({"seconds": timed.time(json.loads(line)["calls"])}) + "\n")


def _builder(
    library: Any, path: Path, precision: str
) -> Callable[[], Callable[[], tuple[Any, ...]]]:
    """What makes a step of the task in the file: a training step, or a batch both ways."""
    from benchmarks.batch_task import BatchTask
    from benchmarks.task import Task

    with np.load(path) as file:
        batched = "inputs" in file
    if batched:
        batch = BatchTask.read(path)
        return lambda: partial(
            library.build_batch(batch, precision, backward=True), batch.params, batch.inputs
        )
    task = Task.read(path)
    return lambda: partial(library.build(task, precision), task.params)


if __name__ == "__main__":
    main(*sys.argv[1:])
