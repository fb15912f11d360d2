"""What every file format offers to the reader, and how its failures become DataErrors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qgen_core.errors import DataError, QgenError, ResourceRefused
from qgen_core.typing import Array


@dataclass(frozen=True)
class Declared:
    """What a file claims about an array before it is read. ``rows`` None: not said (text)."""

    rows: int | None
    inner: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)
    unit: str = ""


@dataclass(frozen=True)
class Pick:
    """One array of a file, whole, or its elements at ``index`` behind the event axis."""

    name: str
    index: tuple[int, ...] = ()


class Source(Protocol):
    """An open file. Formats raise what they raise; :func:`failures` turns it into DataError."""

    def names(self) -> Sequence[str]:
        """Names to list when one is missing."""

    def declared(self, name: str) -> Declared | None:
        """What the file says of an array; None if it has none of this name."""

    def load(self, picks: Sequence[Pick]) -> list[Array]:
        """The arrays, (N,) or (N, ...), in the order asked for."""

    def attributes(self) -> Mapping[str, str]:
        """What the file says about itself."""


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turn anything that parsing a damaged file raises into a QgenError that names the file."""
    try:
        yield
    except QgenError:
        raise
    except MemoryError as error:
        raise ResourceRefused(
            f"{path} asks for more memory than there is: it is too large, or damaged"
        ) from error
    except Exception as error:  # parsers of damaged files raise every type there is
        reason = printable(" ".join(str(error).split()))[:300] or "no reason given"
        raise DataError(
            f"{path} cannot be read, it is damaged: {type(error).__name__}: {reason}"
        ) from error


def printable(text: str) -> str:
    """Text from a file for a message: no line breaks, no control characters of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names from a file for a message: the first few, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(printable(name) for name in names[:most]) or "none") + more


def element(array: Any, index: tuple[int, ...]) -> Array:
    """The part of an array (N, ...) that a pick asks for."""
    return np.asarray(array[(slice(None), *index)])


def refuse(path: Path, name: str, expected: str, found: str) -> DataError:
    """The error for an array that is not what it should be."""
    return DataError(f"{path}: {name!r}: expected {expected}, found {found}")


def plain_numbers(path: Path, name: str, dtype: np.dtype[Any]) -> None:
    """Raise DataError unless a dtype is real numbers (no objects, text, records or complex)."""
    if dtype.kind not in "fiub" or dtype.hasobject or dtype.itemsize > 16:
        raise refuse(path, name, "real numbers", f"{dtype} (nothing but numbers is ever loaded)")
