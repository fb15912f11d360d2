"""Spreading independent pieces of compiled work over threads.

The kernels release the interpreter lock, so a plain pool is enough: it can be used from
several threads at once and after a fork, which numba's own threading layers cannot.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def spread(work: Callable[[int, int], None], pieces: int, threads: int) -> None:
    """Call ``work(first, last)`` on ranges that cover 0..pieces, in up to ``threads`` threads."""
    threads = min(threads, pieces)
    if threads <= 1:
        work(0, pieces)
        return
    key = (os.getpid(), threads - 1)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(threads - 1, thread_name_prefix="qgen-engine")
    cuts = [pieces * k // threads for k in range(threads + 1)]
    futures = [_pools[key].submit(work, a, b) for a, b in zip(cuts[1:], cuts[2:], strict=False)]
    work(cuts[0], cuts[1])
    for future in futures:
        future.result()
