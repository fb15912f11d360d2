"""Signals that wait until a library, which they would leave half way, has returned."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


@contextmanager
def interruptions_wait() -> Iterator[None]:
    """Within the block signals that have a handler wait; the first one acts at its end.

    Also a decorator. In other threads than the main one nothing has to wait.

    >>> import os
    >>> try:
    ...     with interruptions_wait():
    ...         os.kill(os.getpid(), signal.SIGINT)
    ...         print("to the end")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    to the end
    interrupted
    """
    arrived: list[int] = []

    def wait(number: int, frame: object) -> None:
        arrived.append(number)

    handlers: dict[int, Callable[..., Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for name in SIGNALS:
            if not hasattr(signal, name):
                continue
            number = int(signal.Signals[name])
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, wait)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if arrived:
            handlers[arrived[0]](arrived[0], None)
