"""Stopping a training by a signal: the first one ends the step, a second Ctrl-C stops at once."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from qgen_core.support.signals import handled, requests_to_stop

log = logging.getLogger("qgen")

#: Seconds that compiled code has to return after the second Ctrl-C, before the process ends.
GRACE = 3.0
#: The exit code of a process that ends so; what is saved can be resumed.
EXIT_CODE = 75


#: The requests of the trainings that run in this process.
_running: set[StopRequest] = set()


def stop_trainings(by: str) -> bool:
    """Ask all trainings into folders in this process to save and stop after their current step.

    For threads that no signal reaches. Returns whether any is still running; ``by`` names who asks.

    >>> stop_trainings("the driver")
    False
    """
    for request in list(_running):
        request.by = request.by or by
    return bool(_running)


class StopRequest:
    """Whether a signal or something else asked to stop after the current step; ``by`` names it.

    >>> request = StopRequest()
    >>> with request.listening():
    ...     signal.raise_signal(signal.SIGTERM)
    >>> request.by
    'SIGTERM'
    """

    def __init__(self) -> None:
        self.by = ""
        self._at_once = False
        self._ended = threading.Event()

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Let :func:`stop_trainings` ask within a block."""
        _running.add(self)
        try:
            yield
        finally:
            _running.discard(self)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note SIGINT, SIGTERM and SIGHUP; a second SIGINT raises KeyboardInterrupt.

        Python handles signals between two of its own instructions. So that a step within compiled
        code is no different, the system also writes each signal into a socket, which a thread
        reads: it says what happens and, where the code has not returned in time, ends the process.
        """
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        earlier = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        listener = threading.Thread(target=self._listen, args=(receiver,), daemon=True)
        listener.start()
        try:
            # SIGINT also where it is ignored: shells start background jobs so, and `kill -INT`
            # is meant for one of them.
            with handled([signal.SIGINT, *requests_to_stop()], self._note):
                yield
        finally:
            self._ended.set()
            signal.set_wakeup_fd(earlier)
            sender.close()
            listener.join()
            receiver.close()

    def _note(self, number: int, frame: object) -> None:
        """Handle a signal in the main thread."""
        if self._at_once or (self.by and number == signal.SIGINT):
            raise KeyboardInterrupt
        self.by = self.by or signal.Signals(number).name

    def _listen(self, receiver: socket.socket) -> None:
        """Read the numbers of signals until the other end is closed."""
        asked = False
        while numbers := receiver.recv(64):
            for number in numbers:
                if asked and number == signal.SIGINT:
                    self._stop_at_once()
                elif not asked:
                    asked = True
                    _say(number)

    def _stop_at_once(self) -> None:
        self._at_once = True  # two signals may reach the main thread as one
        if self._ended.wait(GRACE) or _interactive():
            return
        log.warning("stopped within a step; continue from the last checkpoint with --resume")
        os._exit(EXIT_CODE)


def _say(number: int) -> None:
    name = signal.Signals(number).name
    how = "Ctrl-C to stop now"
    if number == signal.SIGINT:
        how = "again to stop now"
    log.warning("%s: finishing the step, %s", name, how)


def _interactive() -> bool:
    """Whether ending the process would take a person's session with it."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules
