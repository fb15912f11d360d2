"""Working memory that is used again.

Arrays of some hundred kilobytes come from the system page by page, and every page costs a
fault; two threads that fault at once wait for each other. A batch then ran no faster on two
cores than on one. So buffers are kept, per thread, and given out again.
"""

from __future__ import annotations

import sys
import threading

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

#: Requests below come from the heap without faults; above, the work on them outweighs the faults.
SMALLEST, LARGEST = 2**16, 2**24
#: Bytes kept for each thread.
KEPT = 2**26


class _Kept(threading.local):
    """The buffers of this thread, by size."""

    def __init__(self) -> None:
        self.buffers: dict[int, list[Bytes]] = {}
        self.total = 0


_kept = _Kept()


def take(size: int) -> Bytes:
    """At least ``size`` uninitialised bytes; they are free again once no array refers to them."""
    if not SMALLEST <= size <= LARGEST:
        return np.empty(size, dtype=np.uint8)
    rounded = 1 << (size - 1).bit_length()
    same = _kept.buffers.setdefault(rounded, [])
    for place in range(len(same)):
        if sys.getrefcount(same[place]) == 2:  # the list and the argument of this call
            return same[place]
    fresh = np.empty(rounded, dtype=np.uint8)
    if _kept.total + rounded <= KEPT:
        _kept.total += rounded
        same.append(fresh)
    return fresh
