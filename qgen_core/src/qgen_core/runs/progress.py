"""Progress of long tasks on stderr: a bar on a terminal, lines of text otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from qgen_core.discovery.hooks import hookimpl
from qgen_core.events import Events
from qgen_core.interfaces import History, Problem

#: Called with the number of items done so far, and optionally a note.
Advance = Callable[..., None]
LINE_EVERY = 5.0
DRAW_EVERY = 0.1


@contextmanager
def counter(total: int, what: str) -> Iterator[Advance]:
    """A context manager that gives a function (done, note) to report progress towards ``total``.

    >>> with counter(10, "sampling") as advance:
    ...     advance(5, "half")
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, note="")

            def draw(done: int, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

            yield draw
        return
    last = time.monotonic()

    def line(done: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY or done >= total:
            last = now
            print(f"{what}: {done} of {total} {note}".rstrip(), file=sys.stderr, flush=True)

    yield line


def counted(pieces: Iterator[Events], total: int, what: str) -> Iterator[Events]:
    """Yield the same pieces and report progress by the number of events.

    >>> import numpy as np
    >>> pieces = [Events(np.zeros((3, 1))), Events(np.zeros((2, 1)))]
    >>> [len(piece) for piece in counted(iter(pieces), 5, "generating")]
    [3, 2]
    """
    done = 0
    with counter(total, what) as advance:
        for piece in pieces:
            done += len(piece)
            yield piece
            advance(done)


class TrainingProgress:
    """A hook object that shows step and loss during training."""

    def __init__(self) -> None:
        self._last = 0.0
        self._open = ExitStack()

    @hookimpl
    def on_fit_start(self, problem: Problem) -> None:
        self._advance = self._open.enter_context(counter(problem.total, "training"))

    @hookimpl
    def on_step(self, problem: Problem, record: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if now - self._last >= DRAW_EVERY or problem.step == problem.total:
            self._last = now
            self._advance(problem.step, f"loss {record['loss']:.5g}")

    @hookimpl
    def on_fit_end(self, problem: Problem, history: History) -> None:
        self.close()

    def close(self) -> None:
        """Restore the terminal, also after an interruption."""
        self._open.close()
