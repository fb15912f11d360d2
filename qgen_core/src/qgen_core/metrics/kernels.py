"""Compiled passes over events that serve many resamples at once.

The inner loops go over resamples, whose numbers lie side by side in memory, so that they vectorise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.simd.intrinsics import jit
from qgen_core.typing import Floats


@jit
def count(drawn: NDArray[np.uint16], counts: NDArray[np.uint16], column: int) -> None:
    """Count the events ``drawn`` (K,) in a column of ``counts`` (N, S).

    >>> counts = np.zeros((3, 1), dtype=np.uint16)
    >>> count(np.array([2, 0, 2], dtype=np.uint16), counts, 0)
    >>> counts[:, 0].tolist()
    [1, 0, 2]
    """
    for place in range(drawn.shape[0]):
        counts[drawn[place], column] += 1


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
    order: NDArray[np.int32],
    gaps: Floats,
    same_events: bool,
    weights: tuple[Floats, Floats],
    units: tuple[Floats, Floats],
    working: tuple[Floats, Floats],
) -> None:
    """Add the areas between pairs of cumulative distributions to the second of ``working``.

    ``order`` (K,) are the numbers of events from the greatest value downwards, ``gaps`` (K,) the
    distance of each value to the next. ``weights`` are those of the events in the first and in the
    second samples, (N, S) and (M, S), and ``units`` (S,) the share of a weight of 1. Both samples
    have the ``same_events``, or those of the second are numbered from N on. ``working``, (S,) each,
    are the differences of the distributions, zeros at first, and the areas.

    >>> area = np.zeros(1)
    >>> order = np.array([1, 0], dtype=np.int32)
    >>> one, ones = np.ones(1), np.ones((1, 1))
    >>> areas(order, np.array([2.0, 1.0]), False, (ones, ones), (one, one), (np.zeros(1), area))
    >>> area.tolist()
    [2.0]
    """
    first, second = weights
    first_units, second_units = units
    beyond, area = working
    pairs = area.shape[0]
    for place in range(order.shape[0]):
        event = order[place]
        gap = gaps[place]
        if same_events:
            for pair in range(pairs):
                share = first[event, pair] * first_units[pair]
                beyond[pair] += share - second[event, pair] * second_units[pair]
        elif event < first.shape[0]:
            for pair in range(pairs):
                beyond[pair] += first[event, pair] * first_units[pair]
        else:
            event -= first.shape[0]
            for pair in range(pairs):
                beyond[pair] -= second[event, pair] * second_units[pair]
        for pair in range(pairs):
            area[pair] += abs(beyond[pair]) * gap
