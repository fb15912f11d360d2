"""Work in several threads: compiled calls that helper threads join, and pieces of Python.

The kernels release the interpreter lock, so plain threads are enough. They also work after a fork,
which numba's own threading layers do not. A batch of small circuits takes a millisecond, and waking
a sleeping thread takes a tenth of one. So a helper looks for the next call for a moment before it
goes to sleep; longer, and it would take as much of a processor between calls as in them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from qgen_core.typing import Ints

#: Seconds for which a helper looks for more work before it sleeps.
PATIENCE = 50e-6
#: Looks whose time is measured to know how many of them take so long.
TRIED_LOOKS = 500


class _Helper:
    """A thread that joins compiled calls, and runs one piece of Python at a time."""

    def __init__(self) -> None:
        from qgen_core.simulators.simd import work_sharing

        self._work_sharing = work_sharing
        work_sharing.serve(0, 0)  # compiled here: numba must not compile in two threads at once
        self._memory: Ints = np.zeros(2 * work_sharing.BOX, dtype=np.int64)
        #: Where its box begins: on a cache line of its own.
        self.address = -(-self._memory.ctypes.data // 64) * 64
        self._box = self._memory[(self.address - self._memory.ctypes.data) // 8 :]
        self._looks = _looks_within(PATIENCE, self.address, work_sharing.serve)
        self._piece: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._wanted = False
        self._asleep = False
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        threading.Thread(target=self._run, name="qgen-engine", daemon=True).start()

    def wake(self) -> None:
        """Make it look for work."""
        self._wanted = True
        if self._asleep:
            self._woken.set()

    def start(self, piece: Callable[[], None]) -> None:
        """Run a piece of Python in this thread; :meth:`finish` waits for it."""
        self._ended.clear()
        self._piece = piece
        self._error = None  # of an earlier piece that was not waited for
        self._box[0] = self._work_sharing.CALLED_BACK
        self.wake()

    @property
    def idle(self) -> bool:
        """Whether everything that was started has ended."""
        return self._ended.is_set()

    def finish(self) -> BaseException | None:
        """Wait for the end of the piece; returns what it has raised."""
        self._ended.wait()
        error = self._error
        self._error = None
        return error

    def _run(self) -> None:
        while True:
            self._work_sharing.serve(self.address, self._looks)
            if self._piece is None:
                self._sleep()
                continue
            self._box[0] = self._work_sharing.IDLE
            try:
                self._piece()
            except BaseException as error:  # raised again in the thread that waits
                self._error = error
            self._piece = None
            self._ended.set()

    def _sleep(self) -> None:
        """Sleep until there is work.

        Does not sleep if work was announced while this thread waited for the interpreter lock.
        """
        self._woken.clear()
        self._asleep = True
        if not self._wanted:
            self._woken.wait()
        self._asleep = False
        self._wanted = False


def _looks_within(seconds: float, box: int, serve: Callable[[int, int], None]) -> int:
    """How many looks into an idle box take so long; a processor needs 15 to 60 ns for one."""
    times = []
    for _ in range(3):
        before = perf_counter()
        serve(box, TRIED_LOOKS)
        times.append(perf_counter() - before)
    return max(1, round(TRIED_LOOKS * seconds / min(times)))


_helpers: list[_Helper] = []
#: Held by the thread of this process that uses the helpers.
_taken = threading.Lock()
_NOBODY: Ints = np.empty(0, dtype=np.int64)


def _forget() -> None:
    """Forget the helpers: a forked process has none of its parent's threads."""
    global _taken
    _helpers.clear()
    _taken = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _ready(count: int) -> list[_Helper]:
    """``count`` helpers, awake or being woken."""
    while len(_helpers) < count:
        _helpers.append(_Helper())
    for helper in _helpers[:count]:
        helper.wake()
    return _helpers[:count]


def together(call: Callable[[Ints, int], Any], pieces: int, threads: int) -> None:
    """Run ``call(boxes, helpers)``, a compiled call that helpers may join.

    It takes its work in ``pieces``, in up to ``threads`` threads with this one. There are no
    helpers while another thread of the process has them. For the body of such a function see
    :func:`qgen_core.simulators.simd.work_sharing.share`.
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
    """Call ``work(first, end)`` on ranges that cover 0..pieces, in up to ``threads`` threads.

    While another thread of the process has the helpers, everything is done in this thread. If calls
    raise exceptions, one of them is raised here after all calls have ended.

    >>> done = [False] * 5
    >>> def work(first, end):
    ...     for k in range(first, end):
    ...         done[k] = True
    >>> spread(work, 5, threads=1)
    >>> done
    [True, True, True, True, True]
    """
    threads = min(threads, pieces)
    if threads <= 1 or not _taken.acquire(blocking=False):
        work(0, pieces)
        return
    try:
        _spread_over(work, pieces, _ready(threads - 1))
    except BaseException:
        # after an interrupt a helper may still be at work, so it is not used again
        _helpers[:] = [helper for helper in _helpers if helper.idle]
        raise
    finally:
        _taken.release()


def _spread_over(work: Callable[[int, int], None], pieces: int, helpers: list[_Helper]) -> None:
    """Do one range in each helper and one here.

    Waits for all even if one fails, because they write to the same arrays.
    """
    threads = 1 + len(helpers)
    cuts = [pieces * k // threads for k in range(threads + 1)]
    for helper, first, end in zip(helpers, cuts[1:-1], cuts[2:], strict=True):
        helper.start(partial(work, first, end))
    try:
        work(cuts[0], cuts[1])
    finally:
        errors = [helper.finish() for helper in helpers]
    for error in errors:
        if error is not None:
            raise error
