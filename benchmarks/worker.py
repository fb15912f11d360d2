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
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parent.parent


class Remote:
    """The asking side. Raises RuntimeError with the worker's last words when it dies."""

    def __init__(self, python: Path, name: str, precision: str, task: Path, distributions: tuple[str, ...]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [str(python), "-m", "benchmarks.worker", name, precision, str(task), ",".join(distributions)]
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
        return float(self._ask({"calls": calls})["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

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
    from benchmarks.task import Task

    task = Task.read(Path(path))
    start = perf_counter()
    step = importlib.import_module(f"benchmarks.contestants.{name}").build(task, precision)
    value, gradient = step(task.params)
    first = perf_counter() - start
    found = versions(tuple(distributions.split(",")))
    out.write(json.dumps({"value": value, "gradient": gradient.tolist(), "first": first, "versions": found}) + "\n")
    timed = Local(lambda: step(task.params))
    for line in sys.stdin:
        out.write(json.dumps({"seconds": timed.time(json.loads(line)["calls"])}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
