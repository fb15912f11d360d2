"""Results go to stdout, and nothing else: what packages print goes to stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

#: Where results go while stdout is reserved for them.
_reserved: list[TextIO] = []


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
def _duplicate(stream: TextIO) -> Iterator[TextIO]:
    """The same file under another number, while number 1 is that of stderr.

    A stream that is not the file number 1, as in a notebook or a test, is returned as it is.
    """
    number = -1
    with suppress(OSError, ValueError, io.UnsupportedOperation):
        if stream.fileno() == 1:
            stream.flush()
            number = os.dup(1)
            os.dup2(2, 1)
    if number < 0:
        yield stream
        return
    copy = os.fdopen(number, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)
    try:
        yield copy
    finally:
        os.dup2(number, 1)
        try:
            copy.close()
        finally:
            os.close(number)
