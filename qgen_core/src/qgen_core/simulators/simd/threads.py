"""Work in several threads: compiled calls that helpers join, and independent pieces of Python.

The kernels release the interpreter lock, so plain threads are enough; they can be used after a
fork, which numba's own threading layers cannot. A batch of small circuits takes a millisecond, and
waking a thread that sleeps a tenth of one. So helpers look out for the next call for a moment
before they go to sleep, as those of OpenMP do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from qgen_core.support.resources import cores as cores
from qgen_core.typing import Ints

#: How often a helper looks for more work before it sleeps, at 15 to 60 nanoseconds each.
PATIENCE = 150_000


class _Helper:
    """A thread that joins compiled calls, and does one piece of Python at a time."""

    def __init__(self) -> None:
        from qgen_core.simulators.simd import work_sharing

        self._work_sharing = work_sharing
        work_sharing.serve(0, 0)  # compiled here: numba must not compile in two threads at once
        self._box: Ints = np.zeros(2 * work_sharing.BOX, dtype=np.int64)
        self.address = -(-self._box.ctypes.data // 64) * 64
        self._state = self._box[(self.address - self._box.ctypes.data) // 8 :]
        self._piece: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._wanted, self._asleep = False, False
        self._woken, self._ended = threading.Event(), threading.Event()
        self._ended.set()
        threading.Thread(target=self._run, name="qgen-engine", daemon=True).start()

    def wake(self) -> None:
        """Let it look out for work."""
        self._wanted = True
        if self._asleep:
            self._woken.set()

    def ask(self, piece: Callable[[], None]) -> None:
        """Start on it."""
        self._ended.clear()
        self._piece, self._error = (
            piece,
            None,
        )  # an error of a piece that nobody waited for is forgotten
        self._state[0] = self._work_sharing.CALLED_BACK
        self.wake()

    @property
    def idle(self) -> bool:
        """Whether all that was asked for is done."""
        return self._ended.is_set()

    def finish(self) -> BaseException | None:
        """Wait for the end of the piece; what it has raised."""
        self._ended.wait()
        error, self._error = self._error, None
        return error

    def _run(self) -> None:
        while True:
            self._work_sharing.serve(self.address, PATIENCE)
            if self._piece is None:
                self._sleep()
                continue
            self._state[0] = self._work_sharing.IDLE
            try:
                self._piece()
            except BaseException as error:  # raised again where the work was asked for
                self._error = error
            self._piece = None
            self._ended.set()

    def _sleep(self) -> None:
        """Until there is work.

        Not if some was announced while this thread waited for the interpreter lock.
        """
        self._woken.clear()
        self._asleep = True
        if not self._wanted:
            self._woken.wait()
        self._asleep = self._wanted = False


_helpers: list[_Helper] = []
_taken = threading.Lock()
_NOBODY: Ints = np.empty(0, dtype=np.int64)


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _taken
    _helpers.clear()
    _taken = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _ready(count: int) -> list[_Helper]:
    """So many helpers that are not asleep for long."""
    while len(_helpers) < count:
        _helpers.append(_Helper())
    for helper in _helpers[:count]:
        helper.wake()
    return _helpers[:count]


def together(call: Callable[[Ints, int], Any], pieces: int, threads: int) -> None:
    """``call(boxes, helpers)``.

    A compiled call of so many pieces, in up to ``threads`` threads with this one.

    While another thread of the process has the helpers, there are none.
    """
    threads = min(threads, pieces)
    if threads <= 1 or not _taken.acquire(blocking=False):
        call(_NOBODY, 0)
        return
    try:
        helpers = _ready(threads - 1)
        call(np.array([helper.address for helper in helpers]), len(helpers))
    finally:
        _taken.release()


def spread(work: Callable[[int, int], None], pieces: int, threads: int) -> None:
    """Call ``work(first, last)`` on ranges that cover 0..pieces, in up to ``threads`` threads.

    While another thread of the process has the helpers, all is done in this one.
    """
    threads = min(threads, pieces)
    if threads <= 1 or not _taken.acquire(blocking=False):
        work(0, pieces)
        return
    try:
        _spread_over(work, pieces, _ready(threads - 1))
    except BaseException:
        _helpers[:] = [
            helper for helper in _helpers if helper.idle
        ]  # after an interrupt one may be at work
        raise
    finally:
        _taken.release()


def _spread_over(work: Callable[[int, int], None], pieces: int, helpers: list[_Helper]) -> None:
    """A part for each helper and one here. All are waited for even if one fails.

    They write to the same arrays.
    """
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
