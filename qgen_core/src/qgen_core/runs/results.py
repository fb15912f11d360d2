"""What goes to stdout and stderr: results, and nothing else, to stdout; no failure in silence."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO, cast

from qgen_core.errors import ResourceRefused

#: Where results go while stdout is reserved for them.
_reserved: list[Any] = []


def write_result(text: str) -> None:
    """Write a result to stdout, with a line break.

    >>> with reserved_stdout():
    ...     print("a greeting of a package")
    ...     write_result("a result")
    a result
    """
    stream = sys.stdout
    if _reserved:
        stream = _reserved[-1]
    print(text, file=stream, flush=True)


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Within a ``with`` block, leave stdout to :func:`write_result`.

    What others print goes to stderr, from compiled code, too.
    """
    with _duplicate(sys.stdout) as results, redirect_stdout(sys.stderr):
        _reserved.append(results)
        try:
            yield
        finally:
            _reserved.pop()


@contextmanager
def _duplicate(stream: Any) -> Iterator[Any]:
    """The same file under another number, while number 1 is that of stderr.

    A stream that is not the file number 1, as in a notebook or a test, is returned as it is.
    """
    number = -1
    with suppress(AttributeError, OSError, ValueError, io.UnsupportedOperation):
        if stream.fileno() == 1:
            stream.flush()
            number = os.dup(1)
            os.dup2(2, 1)
    if number < 0:
        yield stream
        return
    copy = os.fdopen(number, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)
    try:
        yield GuardedStream(copy, required=True)
    finally:
        os.dup2(number, 1)
        try:
            copy.close()
        finally:
            os.close(number)


class GuardedStream:
    """A standard stream whose failures are QgenErrors, or nothing.

    >>> guarded = GuardedStream(io.StringIO(), required=True)
    >>> guarded.write("a result")
    8
    """

    def __init__(self, stream: Any, *, required: bool) -> None:
        """What is ``required`` raises ResourceRefused when it cannot be written."""
        self._stream = stream
        self._required = required
        self._failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; returns its length."""
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Write what is left in buffers."""
        self._attempt(self._stream.flush)

    def _attempt(self, act: Callable[..., object], *arguments: str) -> None:
        if self._failure is None:
            try:
                act(*arguments)
            except BrokenPipeError:  # the reader has seen enough, which typer ends in silence
                raise
            except OSError as error:
                self._failure = error
                # what is left in buffers goes nowhere, or Python tries again when it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._failure is not None and self._required:
            raise ResourceRefused(
                f"the output could not be written ({self._failure.strerror}); send it elsewhere"
            ) from self._failure


@contextmanager
def guarded_output() -> Iterator[None]:
    """Results that cannot be written are an error; messages that cannot be written are dropped.

    >>> with guarded_output():
    ...     print("a result")
    a result
    """
    before = (sys.stdout, sys.stderr)
    if sys.stdout is not None:  # it is None where the process was started without
        sys.stdout = cast("TextIO", GuardedStream(sys.stdout, required=True))
    if sys.stderr is not None:
        sys.stderr = cast("TextIO", GuardedStream(sys.stderr, required=False))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
