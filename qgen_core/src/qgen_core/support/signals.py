"""Signals that ask this process to stop: SIGTERM, and SIGHUP from a terminal that closes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: What :func:`signal.signal` takes, a function of the signal's number and the current frame.
Handler = Callable[[int, Any], None]


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C asked the process to stop; ends what Ctrl-C would end."""


def requests_to_stop() -> list[signal.Signals]:
    """SIGTERM and SIGHUP, as far as the system has them and they are not ignored.

    ``nohup`` starts a process with SIGHUP ignored, and it stays ignored.

    >>> [number.name for number in requests_to_stop() if number.name == "SIGTERM"]
    ['SIGTERM']
    """
    found = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            found.append(signal.Signals(number))
    return found


@contextmanager
def handled(numbers: list[signal.Signals], handler: Handler) -> Iterator[None]:
    """Handle signals by a function within a ``with`` block, in the main thread only.

    >>> seen = []
    >>> with handled([signal.SIGTERM], lambda number, frame: seen.append(number)):
    ...     signal.raise_signal(signal.SIGTERM)
    >>> seen == [signal.SIGTERM]
    True
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def requests_as_exceptions() -> Iterator[None]:
    """Raise :class:`Stopped` on SIGTERM and SIGHUP within a ``with`` block.

    >>> with requests_as_exceptions():
    ...     try:
    ...         signal.raise_signal(signal.SIGTERM)
    ...     except Stopped as stopped:
    ...         print(stopped)
    SIGTERM
    """

    def stop(number: int, frame: Any) -> None:
        raise Stopped(signal.Signals(number).name)

    with handled(requests_to_stop(), stop):
        yield
