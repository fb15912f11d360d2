"""Work in a process of its own: a crash, an exit or a hang there is an answer here.

A child is started without the main module of its parent, so it works from notebooks and scripts alike.
Questions and answers are lines of JSON.
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

#: Gives the child the parent's import path before anything is imported.
START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from qgen_core.doctor.child_process import serve; serve()"


class Lost(Exception):
    """The process died or was stopped; what it was asked has no answer."""


class Aside:
    """One child process, started when it is first asked, and again after it was lost."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said: IO[bytes] | None = None

    def ask(self, module: str, function: str, *arguments: Any, limit: float) -> Any:
        """The answer of a function of a module, plain data as its arguments are.

        Raises Lost when the child dies, or has not answered after ``limit`` seconds.
        """
        child = self._child or self._start()
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps([module, function, arguments]) + "\n")
            child.stdin.flush()
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            self._end()
            raise Lost(f"stopped after {limit:.3g} s without an answer") from None
        except OSError:
            line = ""
        if not line:
            raise Lost(self._died(child))
        return json.loads(line)

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._end()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START, json.dumps(sys.path)]
        pipe = subprocess.PIPE
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the child has ended)
        child = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self._said, text=True, encoding="utf-8"
        )
        self._child, self._answers = child, queue.SimpleQueue()
        threading.Thread(target=_listen, args=(child.stdout, self._answers), daemon=True).start()
        return child

    def _died(self, child: subprocess.Popen[str]) -> str:
        code, last = child.wait(), ""
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if self._said is not None:
            self._said.seek(0)
            last = self._said.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        self._end()
        return f"its process died ({how})" + (f": {last[:300]}" if last else "")

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, self._said):
            with suppress(OSError):  # what could not be flushed goes to nobody
                if stream is not None:
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _listen(answers: IO[str], to: queue.SimpleQueue[str]) -> None:
    with suppress(ValueError, OSError):  # closed by the other thread
        for line in answers:
            to.put(line)
    to.put("")


def serve() -> None:
    """Answer the parent until it closes the pipe; what is printed meanwhile goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            module, function, arguments = json.loads(line)
            answer = getattr(importlib.import_module(module), function)(*arguments)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
