"""Signals that ask this process to stop: Ctrl-C, SIGTERM, and SIGHUP of a closing terminal."""

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


@contextmanager
def interruptions_wait() -> Iterator[None]:
    """Within a block, signals that have a handler wait; the first one acts at the end of it.

    Also a decorator. For calls of libraries that an exception of a handler would leave half way.

    >>> try:
    ...     with interruptions_wait():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("to the end")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    to the end
    interrupted
    """
    handlers: dict[signal.Signals, Handler] = {}
    for number in (signal.SIGINT, *requests_to_stop()):
        handler = signal.getsignal(number)
        if callable(handler):
            handlers[number] = handler
    arrived: list[signal.Signals] = []
    try:
        with handled(list(handlers), lambda number, _: arrived.append(signal.Signals(number))):
            yield
    finally:
        if arrived:
            handlers[arrived[0]](arrived[0], None)
