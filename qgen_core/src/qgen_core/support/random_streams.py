"""Random streams: each is a function of (seed, purpose, step, worker), and nothing is global.

Because a stream is computed from these four values, no state of a generator is saved: a run that
resumes at step 171 draws the numbers that an uninterrupted run would have drawn, and two workers
never share a stream, however many there are.
"""

from __future__ import annotations

import zlib

import numpy as np

#: What users may pass as a seed; None takes fresh entropy from the system.
Seed = int | np.random.SeedSequence | np.random.Generator | None


def stream(seed: int, purpose: str, step: int = 0, worker: int = 0) -> np.random.Generator:
    """A new random generator for one purpose at one step of one worker.

    Args:
        seed: the seed of the run, 0 or more.
        purpose: what the numbers are drawn for, e.g. ``"split"``; the streams of different
            purposes are independent.
        step: the step of the training.
        worker: the number of the process that draws.

    >>> first = stream(7, "data", step=3).random()
    >>> first == stream(7, "data", step=3).random()
    True
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), step, worker])


def generator(seed: Seed) -> np.random.Generator:
    """A random generator from what a user passes as a seed; a generator is returned as it is.

    >>> rng = np.random.default_rng(1)
    >>> generator(rng) is rng
    True
    """
    return np.random.default_rng(seed)
