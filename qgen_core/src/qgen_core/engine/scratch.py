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
from numpy.typing import NDArray

Array = NDArray[Any]

PAGE, LINE = 4096, 64
#: Bytes of a request beyond which the work on it outweighs the faults.
LARGEST = 2**24
#: Bytes kept for each thread.
KEPT = 2**26


class _Kept(threading.local):
    """The buffers of this thread by size, each with the place of its first page."""

    def __init__(self) -> None:
        self.buffers: dict[int, list[tuple[Array, int]]] = {}
        self.total = 0


_kept = _Kept()


def aligned(rows: int, width: int, dtype: np.dtype[Any], shift: int = 0) -> Array:
    """Uninitialised rows that start on cache lines, ``shift`` lines off from a page.

    Arrays that are read together are shifted against each other, and few rows are padded: strides are
    powers of two, and lines at equal places of a page compete for the same few places in the cache.
    """
    return _rows(rows, width, width + (17 * LINE // dtype.itemsize if rows <= 3 else 0), dtype, shift)


def plain(rows: int, width: int, dtype: np.dtype[Any]) -> Array:
    """Uninitialised rows without gaps."""
    return _rows(rows, width, width, dtype, 0)


def _rows(rows: int, width: int, pitch: int, dtype: np.dtype[Any], shift: int) -> Array:
    buffer, page = _take(rows * pitch * dtype.itemsize + LINE * shift)
    strides = (pitch * dtype.itemsize, dtype.itemsize)
    return np.ndarray((rows, width), dtype, buffer, page + LINE * shift, strides)


def _take(size: int) -> tuple[Array, int]:
    """A buffer with ``size`` bytes from the given place on; free again once no array refers to it."""
    if size > LARGEST:
        return _fresh(size)
    rounded = 1 << max(size - 1, PAGE - 1).bit_length()
    same = _kept.buffers.setdefault(rounded, [])
    for kept in same:
        if sys.getrefcount(kept[0]) == 2:  # the tuple and the argument of this call
            return kept
    found = _fresh(rounded)
    if _kept.total + rounded <= KEPT:
        _kept.total += rounded
        same.append(found)
    return found


def _fresh(size: int) -> tuple[Array, int]:
    buffer = np.empty(size + PAGE, dtype=np.uint8)
    return buffer, -buffer.ctypes.data % PAGE
