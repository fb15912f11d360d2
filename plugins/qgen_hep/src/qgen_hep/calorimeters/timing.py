"""The time that a generator of showers takes for one of them, by the size of the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from qgen_core.errors import BadOption

#: The sizes of batches at which the CaloChallenge gives times.
BATCH_SIZES = (1, 100, 10_000)


class Timing(NamedTuple):
    """The time of one shower in batches of a size.

    ``milliseconds`` is the mean over the repetitions by the clock and ``deviation`` their standard
    deviation; ``processor`` is the mean time of all processor cores, which other programs on the
    machine disturb less. All are in ms for one shower.

    >>> Timing(100, 2.8, 0.1, 2.8).batch_size
    100
    """

    batch_size: int
    milliseconds: float
    deviation: float
    processor: float


def time_per_shower(
    generate: Callable[[int], object],
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    repeats: int = 5,
) -> list[Timing]:
    """The time for one shower, for each size of a batch.

    ``generate(n)`` makes n showers with all that belongs to it, such as decoding, and returns when
    they are there; for a run it is ``lambda n: list(run.generate(n, condition=conditions[:n]))``.
    It is called once for each size before the clock starts, and then ``repeats`` times.

    Raises BadOption for sizes below 1 and fewer than 2 repetitions.

    Source: the timing of the CaloChallenge, Krause et al., arXiv:2410.21611.

    >>> draw = np.random.default_rng(0)
    >>> found = time_per_shower(lambda n: draw.random((n, 368)), (1, 100), repeats=3)
    >>> [one.batch_size for one in found], found[1].milliseconds > 0
    ([1, 100], True)
    """
    if repeats < 2 or min(batch_sizes, default=0) < 1:
        raise BadOption(
            "a timing needs batch sizes of at least 1 and at least 2 repetitions, not "
            f"{list(batch_sizes)} and {repeats}"
        )
    found = []
    for size in batch_sizes:
        generate(size)
        clock = []
        processor = []
        for _ in range(repeats):
            started = time.perf_counter(), time.process_time()
            generate(size)
            clock.append(time.perf_counter() - started[0])
            processor.append(time.process_time() - started[1])
        milliseconds = 1000 * np.array(clock) / size
        found.append(
            Timing(
                size,
                float(milliseconds.mean()),
                float(milliseconds.std(ddof=1)),
                1000 * float(np.mean(processor)) / size,
            )
        )
    return found
