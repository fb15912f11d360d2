"""Progress of long tasks: a bar in a notebook and on a terminal, lines of text otherwise."""

from __future__ import annotations

import html
import importlib
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

    In a notebook and on a terminal there is a bar, otherwise a line every few seconds on stderr.

    >>> with counter(10, "sampling") as advance:
    ...     advance(5, "half")
    """
    display = _display_of_notebook()
    if display is not None:
        yield _bar_in_notebook(display, total, what)
    elif sys.stderr.isatty():
        with _bar_on_terminal(total, what) as draw:
            yield draw
    else:
        yield _lines(total, what)


def _display_of_notebook() -> Any:
    """The module that shows objects below a cell of a notebook; None outside of one."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    if not hasattr(shell, "kernel"):
        return None
    return importlib.import_module("IPython.display")


def _bar_in_notebook(display: Any, total: int, what: str) -> Advance:
    """Shows a bar below the cell, and moves it."""

    def picture(done: int, note: str) -> Any:
        text = html.escape(f"{what}: {done} of {total} {note}".rstrip())
        return display.HTML(f'<progress value="{done}" max="{total}"></progress> {text}')

    handle = display.display(picture(0, ""), display_id=True)
    last = time.monotonic()

    def draw(done: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= DRAW_EVERY or done >= total:
            last = now
            handle.update(picture(done, note))

    return draw


@contextmanager
def _bar_on_terminal(total: int, what: str) -> Iterator[Advance]:
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


def _lines(total: int, what: str) -> Advance:
    last = time.monotonic()

    def line(done: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY or done >= total:
            last = now
            print(f"{what}: {done} of {total} {note}".rstrip(), file=sys.stderr, flush=True)

    return line


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
