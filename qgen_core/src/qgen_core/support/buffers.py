"""Working memory that is reused, aligned to cache lines.

The system hands out arrays of some hundred kilobytes page by page, and every page costs a fault;
two threads that fault at once wait for each other. A batch then ran no faster on two cores than on
one. So buffers are kept, per thread, and handed out again once nothing refers to them any more.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from qgen_core.typing import Array

#: Bytes of a page and of a cache line.
PAGE = 4096
LINE = 64
#: Buffers of more bytes are not kept: the work on them outweighs the faults.
LARGEST = 2**24
#: Bytes kept for each thread.
KEPT = 2**26
#: Arrays of a shape that are kept: who keeps more of them, such as a list of results, would make
#: the search for an unused one longer with every call.
MOST_ALIKE = 64
#: Cache lines between padded rows. An odd number, so that rows start at different places of pages.
PADDING = 17

#: Rows, width, pitch, type and shift of a buffer.
_Key = tuple[int, int, int, str, int]
#: A buffer of bytes, and the array in it that is handed out.
_Pair = tuple[Array, Array]


class _Kept(threading.local):
    """The buffers of this thread, by shape, and their bytes."""

    def __init__(self) -> None:
        self.made: dict[_Key, list[_Pair]] = {}
        self.total = 0


_kept = _Kept()


def aligned(
    rows: int, width: int, dtype: np.dtype[Any], shift: int = 0, *, padded: bool = False
) -> Array:
    """An uninitialised array (rows, width) whose rows start on cache lines.

    It starts ``shift`` lines after the start of a page, and its rows are ``padded`` with some lines
    if asked for. Use either for arrays that are read together: strides are powers of two, and lines
    at equal places of pages compete for the same few places in the cache.

    >>> aligned(2, 512, np.dtype(np.float64), shift=1).ctypes.data % PAGE
    64
    """
    pitch = width
    if padded:
        pitch += PADDING * LINE // dtype.itemsize
    return _rows(rows, width, pitch, dtype, shift)


def contiguous(rows: int, width: int, dtype: np.dtype[Any]) -> Array:
    """An uninitialised array (rows, width) without gaps.

    >>> contiguous(2, 3, np.dtype(np.float64)).shape
    (2, 3)
    """
    return _rows(rows, width, width, dtype, 0)


def _rows(rows: int, width: int, pitch: int, dtype: np.dtype[Any], shift: int) -> Array:
    """Reuse an array that nothing refers to, nor to a part of it, or allocate one."""
    key = (rows, width, pitch, dtype.char, shift)
    alike = _kept.made.get(key, ())
    for pair in alike:
        if _references(pair) == UNUSED:
            return pair[1]
    pair = _new(rows, width, pitch, dtype, shift)
    size = rows * pitch * dtype.itemsize
    if size <= LARGEST and len(alike) < MOST_ALIKE:
        _kept.total += size
        if _kept.total > KEPT:  # mostly of shapes that are no longer asked for
            _kept.made = {}
            _kept.total = size
        _kept.made.setdefault(key, []).append(pair)
    return pair[1]


def _new(rows: int, width: int, pitch: int, dtype: np.dtype[Any], shift: int) -> _Pair:
    buffer = np.empty(rows * pitch * dtype.itemsize + LINE * shift + PAGE, dtype=np.uint8)
    place = -buffer.ctypes.data % PAGE + LINE * shift
    strides = (pitch * dtype.itemsize, dtype.itemsize)
    return buffer, np.ndarray((rows, width), dtype, buffer, place, strides)


def _references(pair: _Pair) -> tuple[int, int]:
    """Reference counts of the buffer (views of the array refer to it) and of the array."""
    buffer, array = pair
    return sys.getrefcount(buffer), sys.getrefcount(array)


#: The counts of a pair that nothing else refers to. How many the call itself adds differs between
#: versions of Python.
UNUSED = _references(_new(1, 1, 1, np.dtype(np.float64), 0))
