"""Calling functions in a child process, where a crash, an exit or a hang does no harm.

The child does not import the main module of its parent, so this works from notebooks and from
scripts without a main guard. Calls and results are lines of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

#: Runs in the child: takes over the parent's import path before anything is imported from it.
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from qgen_core.doctor.child_process import answer_calls; answer_calls()"
)
#: Longest text of the child's last words in a message.
MAX_LAST_WORDS = 300


class ChildLost(Exception):
    """The child process died or was stopped, so the call has no result."""


class ChildProcess:
    """A child process in which functions can be called.

    It is started by the first call, and started again by the next call after it was lost.

    >>> with ChildProcess() as child:
    ...     child.call("math", "hypot", 3, 4, timeout=60)
    5.0
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._results: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stderr: IO[bytes] | None = None

    def call(self, module: str, function: str, *arguments: Any, timeout: float) -> Any:
        """The result of a function of a module, called in the child.

        Arguments and result are data that JSON can hold. Raises ChildLost if the child dies or has
        not answered after ``timeout`` seconds.
        """
        process = self._process or self._start()
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps([module, function, arguments]) + "\n")
            process.stdin.flush()
            line = self._results.get(timeout=timeout)
        except queue.Empty:
            self.close()
            raise ChildLost(f"stopped after {timeout:.3g} s without an answer") from None
        except OSError:
            line = ""
        if not line:
            raise ChildLost(self._cause_of_death(process))
        return json.loads(line)

    def close(self) -> None:
        """Kill the child, whatever it is doing."""
        process = self._process
        self._process = None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, self._stderr):
            with suppress(OSError):  # what is still buffered for a dead child cannot be flushed
                if stream is not None:
                    stream.close()

    def _start(self) -> subprocess.Popen[str]:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            encoding="utf-8",
        )
        self._process = process
        self._results = queue.SimpleQueue()
        reader = threading.Thread(
            target=_forward_lines, args=(process.stdout, self._results), daemon=True
        )
        reader.start()
        return process

    def _cause_of_death(self, process: subprocess.Popen[str]) -> str:
        """How the child ended, with the last line that it wrote to stderr."""
        code = process.wait()
        if code < 0:
            cause = f"its process died ({signal.Signals(-code).name})"
        else:
            cause = f"its process died (exit code {code})"
        last_line = ""
        if self._stderr is not None:
            self._stderr.seek(0)
            written = self._stderr.read().decode("utf-8", "replace")
            last_line = written.strip().rpartition("\n")[2]
        self.close()
        if last_line:
            cause += f": {last_line[:MAX_LAST_WORDS]}"
        return cause

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _forward_lines(stream: IO[str], results: queue.SimpleQueue[str]) -> None:
    """Put each line into the queue, and an empty one at the end of the stream."""
    with suppress(ValueError, OSError):  # close() runs in another thread
        for line in stream:
            results.put(line)
    results.put("")


def answer_calls() -> None:
    """Run in the child: answer calls until the parent closes the pipe.

    What the called functions print goes to stderr, since stdout carries the results.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as results:
        os.dup2(2, 1)
        for line in sys.stdin:
            module, function, arguments = json.loads(line)
            result = getattr(importlib.import_module(module), function)(*arguments)
            results.write(json.dumps(result) + "\n")
            results.flush()
