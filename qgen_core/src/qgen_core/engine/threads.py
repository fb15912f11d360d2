"""Spreading independent pieces of compiled work over threads.

The kernels release the interpreter lock, so plain threads are enough; they can be used after a fork, which numba's
own threading layers cannot. A batch of small circuits takes a millisecond, and waking a thread that sleeps a tenth
of one. So helpers look out for the next piece of work for a moment before they go to sleep, as those of OpenMP do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial

import numpy as np

#: How often a helper looks for more work before it sleeps, at somewhat less than a nanosecond each.
PATIENCE = 1_000_000
#: And after it has seen some: then the caller has entered compiled code and left the interpreter to it.
COURTESY = 10_000


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _nothing() -> None:
    """No work; held instead of the last piece, which may hold large arrays."""


class _Helper:
    """A thread that does one piece of work at a time.

    Both sides look at ``_asked`` and ``_done``, which change under the interpreter lock alone.
    """

    def __init__(self) -> None:
        from qgen_core.engine.waiting import wait

        self._wait = wait
        self._asked, self._done = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self._piece: Callable[[], None] = _nothing
        self._error: BaseException | None = None
        self._asleep, self._wake = False, threading.Event()
        self._awaited, self._ended = False, threading.Event()
        threading.Thread(target=self._run, name="qgen-engine", daemon=True).start()

    def ask(self, piece: Callable[[], None]) -> None:
        """Start on it."""
        self._piece = piece
        self._asked[0] += 1
        if self._asleep:
            self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether all that was asked for is done."""
        return bool(self._asked[0] == self._done[0])

    def finish(self) -> BaseException | None:
        """Wait for the end of the work; what it has raised."""
        if not self._wait(self._done, self._asked[0] - 1, PATIENCE, COURTESY // 4):
            self._ended.clear()
            self._awaited = True
            while not self.idle:
                self._ended.wait()
            self._awaited = False
        error, self._error = self._error, None
        return error

    def _run(self) -> None:
        while True:
            if not self._wait(self._asked, self._done[0], PATIENCE, COURTESY):
                self._sleep()
            try:
                self._piece()
            except BaseException as error:  # raised again where the work was asked for
                self._error = error
            self._piece = _nothing
            self._done[0] += 1
            if self._awaited:
                self._ended.set()

    def _sleep(self) -> None:
        """Until there is work."""
        self._wake.clear()
        self._asleep = True
        while self._asked[0] == self._done[0]:
            self._wake.wait()
        self._asleep = False


_helpers: list[_Helper] = []
_taken = threading.Lock()


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _taken
    _helpers.clear()
    _taken = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def spread(work: Callable[[int, int], None], pieces: int, threads: int) -> None:
    """Call ``work(first, last)`` on ranges that cover 0..pieces, in up to ``threads`` threads.

    While another thread of the process has the helpers, all is done in this one.
    """
    threads = min(threads, pieces)
    if threads <= 1 or not _taken.acquire(blocking=False):
        work(0, pieces)
        return
    try:
        while len(_helpers) < threads - 1:
            _helpers.append(_Helper())
        _together(work, pieces, _helpers[: threads - 1])
    except BaseException:
        _helpers[:] = [helper for helper in _helpers if helper.idle]  # after an interrupt one may be at work
        raise
    finally:
        _taken.release()


def _together(work: Callable[[int, int], None], pieces: int, helpers: list[_Helper]) -> None:
    """A part for each helper and one here. All are waited for even if one fails: they write to the same arrays."""
    threads = 1 + len(helpers)
    cuts = [pieces * k // threads for k in range(threads + 1)]
    for helper, a, b in zip(helpers, cuts[1:-1], cuts[2:], strict=True):
        helper.ask(partial(work, a, b))
    try:
        work(cuts[0], cuts[1])
    finally:
        errors = [helper.finish() for helper in helpers]
    for error in errors:
        if error is not None:
            raise error
