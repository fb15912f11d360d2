"""Progress of long work: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from qgen_core.discovery.hooks import hookimpl
from qgen_core.events import Events
from qgen_core.interfaces import History, Problem

#: Called with what is done so far, and a note if there is one.
Advance = Callable[..., None]
LINE_EVERY = 5.0
DRAW_EVERY = 0.1


@contextmanager
def counter(total: int, what: str) -> Iterator[Advance]:
    """A function (done, note) that shows progress towards ``total`` while in the block."""
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
    """The same pieces, with progress by the number of events."""
    done = 0
    with counter(total, what) as advance:
        for piece in pieces:
            done += len(piece)
            yield piece
            advance(done)


class TrainingProgress:
    """Shows step and loss of a training."""

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
        """Leave the terminal as it was, also after an interruption."""
        self._open.close()
