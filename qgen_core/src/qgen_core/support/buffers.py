"""Working memory that is used again, on cache lines.

Arrays of some hundred kilobytes come from the system page by page, and every page costs a
fault; two threads that fault at once wait for each other. A batch then ran no faster on two
cores than on one. So buffers are kept, per thread, and given out again.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from qgen_core.typing import Array

PAGE, LINE = 4096, 64
#: Bytes of a request beyond which the work on it outweighs the faults.
LARGEST = 2**24
#: Bytes kept for each thread.
KEPT = 2**26


class _Kept(threading.local):
    """What this thread has made, by shape: a buffer and the array in it."""

    def __init__(self) -> None:
        self.made: dict[tuple[int, int, int, str, int], list[tuple[Array, Array]]] = {}
        self.total = 0


_kept = _Kept()


def aligned(
    rows: int, width: int, dtype: np.dtype[Any], shift: int = 0, *, padded: bool = False
) -> Array:
    """Uninitialised rows that start on cache lines, ``shift`` lines off from a page.

    Arrays that are read together are shifted against each other, or their rows ``padded``: strides
    are powers of two, and lines at equal places of a page compete for the same few places in the
    cache.
    """
    return _rows(rows, width, width + (17 * LINE // dtype.itemsize if padded else 0), dtype, shift)


def plain(rows: int, width: int, dtype: np.dtype[Any]) -> Array:
    """Uninitialised rows without gaps."""
    return _rows(rows, width, width, dtype, 0)


def _rows(rows: int, width: int, pitch: int, dtype: np.dtype[Any], shift: int) -> Array:
    """An array that nobody holds, nor a part of it, or a new one."""
    key = (rows, width, pitch, dtype.char, shift)
    for pair in _kept.made.get(key, ()):
        if _holders(pair) == IDLE:
            return pair[1]
    pair, size = _new(rows, width, pitch, dtype, shift), rows * pitch * dtype.itemsize
    if size <= LARGEST:
        _kept.total += size
        if _kept.total > KEPT:  # of other shapes than are asked for now
            _kept.made, _kept.total = {}, size
        _kept.made.setdefault(key, []).append(pair)
    return pair[1]


def _new(
    rows: int, width: int, pitch: int, dtype: np.dtype[Any], shift: int
) -> tuple[Array, Array]:
    buffer = np.empty(rows * pitch * dtype.itemsize + LINE * shift + PAGE, dtype=np.uint8)
    place = -buffer.ctypes.data % PAGE + LINE * shift
    return buffer, np.ndarray(
        (rows, width), dtype, buffer, place, (pitch * dtype.itemsize, dtype.itemsize)
    )


def _holders(pair: tuple[Array, Array]) -> tuple[int, int]:
    """Reference counts of the buffer (its views refer to it) and of the array."""
    buffer, made = pair
    return sys.getrefcount(buffer), sys.getrefcount(made)


#: Of a pair that nobody else holds; how many the call itself adds differs between versions of
#: Python.
IDLE = _holders(_new(1, 1, 1, np.dtype(np.float64), 0))
