"""The protocol of file formats, and the translation of their failures into DataErrors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BrokenPlugin, DataError, QgenError, ResourceRefused
from qgen_core.typing import Array


@dataclass(frozen=True)
class Declared:
    """What a file declares about an array before it is read; ``rows`` is None if unknown (text).

    ``together`` is how many rows are stored together, so that reading one takes reading them all.
    """

    rows: int | None
    inner: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)
    unit: str = ""
    together: int = 1


@dataclass(frozen=True)
class Pick:
    """An array of a file, whole, or for each event its element at ``index``."""

    name: str
    index: tuple[int, ...] = ()


class Source(Protocol):
    """An open file. It may raise anything; :func:`failures` turns that into a DataError."""

    def names(self) -> Sequence[str]:
        """Names to list in the message when one is missing."""

    def declared(self, name: str) -> Declared | None:
        """What the file declares about an array; None if it has none of this name."""

    def load(self, picks: Sequence[Pick], rows: slice) -> Iterable[Array]:
        """Rows of the arrays, (N,) or (N, ...), in the order of ``picks``.

        Where a file has them apart, each is read when it is asked for.
        ``rows`` has a start, and a stop or None; where the file ends before, there are fewer.
        """

    def attributes(self) -> Mapping[str, str]:
        """The attributes stored in the file."""


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turn any exception from parsing a file into a QgenError that names the file.

    What the system refuses to read, and what is stored in a way that needs another package, is
    not called damaged.
    """
    try:
        yield
    except QgenError:
        raise
    except MemoryError as error:
        raise ResourceRefused(
            f"{path} asks for more memory than there is: it is too large, or damaged"
        ) from error
    except ImportError as error:
        raise BrokenPlugin(
            f"{path} is compressed in a way that needs another package: {_reason(error)}"
        ) from error
    except Exception as error:  # parsers of damaged files may raise any exception
        raise DataError(f"{path} cannot be read{_kind(error)}") from error


def _kind(error: Exception) -> str:
    """Why a file cannot be read, as the end of a message: it is damaged, or for another reason."""
    kind = type(error).__name__
    if "NotImplemented" in kind:  # as libraries name what they do not support
        return f" as it is stored: {_reason(error)}; write it anew with another compression or type"
    if isinstance(error, OSError) and error.errno is not None:  # the system's own, not a parser's
        return f": {_reason(error)}"
    return f", it is damaged: {kind}: {_reason(error)}"


def _reason(error: Exception) -> str:
    """What an exception of a library says, in one printable line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(" ".join(str(error).split()))[:300] or "no reason given"


def printable(text: str) -> str:
    r"""Text from a file made safe for a message: no line breaks or terminal control characters.

    >>> printable("pt\x1b[31m")
    'pt?[31m'
    """
    shown = list(text)
    for position, character in enumerate(text):
        if not character.isprintable():
            shown[position] = "?"
    return "".join(shown)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names from a file for a message: the first few, and how many more there are.

    >>> listed(["pt", "eta", "phi"], most=2)
    'pt, eta and 1 more'
    """
    text = ", ".join(printable(name) for name in names[:most]) or "none"
    if len(names) > most:
        text += f" and {len(names) - most} more"
    return text


def element(array: Any, index: tuple[int, ...], rows: slice) -> Array:
    """Rows of an array (N, ...), or of its element at ``index``."""
    return np.asarray(array[(rows, *index)])


def common_length(
    path: Path, name: str, events: int, lengths: Callable[[slice], NDArray[np.int64]]
) -> int:
    """The length of the vectors of a column, which is that of event 0.

    ``lengths`` gives those of some rows, -1 for missing vectors. Raises DataError if event 0 has
    no numbers.
    """
    if not events:
        return 1
    first = int(lengths(slice(0, 1))[0])
    if first > 0:
        return first
    require_length(path, name, lengths(slice(0, None)), max(first, 0), 0)
    raise refuse(path, name, "vectors of numbers", "vectors of length 0")


def require_length(
    path: Path, name: str, lengths: NDArray[np.int64], length: int, before: int
) -> None:
    """Raise DataError unless all vectors have one length; ``before`` events precede them."""
    different = np.flatnonzero(lengths != length)
    if not len(different):
        return
    event = before + int(different[0])
    found = int(lengths[different[0]])
    if found < 0:
        raise refuse(path, name, f"a vector of {length} numbers", f"none in event {event}")
    raise refuse(
        path,
        name,
        f"vectors of one length, {length} as in event 0",
        f"{found} in event {event}; write as many numbers for each event",
    )


def refuse(path: Path, name: str, expected: str, found: str) -> DataError:
    """The error for an array that differs from what was expected."""
    return DataError(f"{path}: {name!r}: expected {expected}, found {found}")


def plain_numbers(path: Path, name: str, dtype: np.dtype[Any]) -> None:
    """Raise DataError unless a dtype is real numbers (no objects, text, records or complex)."""
    if dtype.kind not in "fiub" or dtype.hasobject or dtype.itemsize > 16:
        raise refuse(path, name, "real numbers", f"{dtype} (nothing but numbers is ever loaded)")
