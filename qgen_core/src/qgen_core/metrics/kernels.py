"""Compiled passes over events that serve many resamples at once.

The inner loops go over resamples, whose numbers lie side by side in memory, so that they vectorise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.simd.intrinsics import jit
from qgen_core.typing import Floats


@jit
def add_to_bins(numbers: NDArray[np.int32], weights: Floats, totals: Floats) -> None:
    """Add the weights (N, S) of events to the totals (B, S) of their bins (C, N), in C columns.

    >>> totals = np.zeros((3, 1))
    >>> add_to_bins(np.array([[0, 0], [1, 2]], dtype=np.int32), np.ones((2, 1)), totals)
    >>> totals[:, 0].tolist()
    [2.0, 1.0, 1.0]
    """
    for column in range(numbers.shape[0]):
        for event in range(numbers.shape[1]):
            into = numbers[column, event]
            for resample in range(weights.shape[1]):
                totals[into, resample] += weights[event, resample]


@jit
def areas(
    order: NDArray[np.int32], gaps: Floats, difference: Floats, beyond: Floats, area: Floats
) -> None:
    """Add the area between pairs of cumulative distributions to ``area`` (S,).

    ``order`` (K,) are the numbers of events from the greatest value downwards, ``gaps`` (K,) the
    distance of each value to the next, and ``difference`` (N, S) what each event adds to the
    difference of a pair. ``beyond`` (S,) are zeros, and afterwards the differences above the last.

    >>> area = np.zeros(1)
    >>> order = np.array([1, 0], dtype=np.int32)
    >>> areas(order, np.array([2.0, 1.0]), np.array([[1.0], [-1.0]]), np.zeros(1), area)
    >>> area.tolist()
    [2.0]
    """
    for place in range(order.shape[0]):
        event = order[place]
        gap = gaps[place]
        for pair in range(area.shape[0]):
            beyond[pair] += difference[event, pair]
            area[pair] += abs(beyond[pair]) * gap
