"""The order of the events by one of their numbers, which metrics and histograms share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.metrics.resample import once
from qgen_core.typing import Array, Floats


class Falling(NamedTuple):
    """The numbers of the events by falling value, ``order`` (N,), and their ``values`` (N,).

    >>> Falling(np.array([1, 0], dtype=np.int32), np.array([4.0, 3.0])).order.tolist()
    [1, 0]
    """

    order: NDArray[np.int32]
    values: Floats


def falling(events: Events, key: Hashable, values: Callable[[Events], Array]) -> Falling:
    """The events of the source by falling ``values`` (N,), found once for all its resamples.

    ``key`` identifies the values among what is computed of the source.

    >>> falling(Events(np.array([[3.0], [4.0]])), "x", lambda events: events.x[:, 0])
    Falling(order=array([1, 0], dtype=int32), values=array([4., 3.]))
    """

    def compute(source: Events) -> Falling:
        numbers = values(source).astype(np.float64)
        order = np.argsort(-numbers).astype(np.int32)
        return Falling(order, numbers[order])

    return once(events, ("falling", key), compute)


def column(events: Events, number: int) -> Array:
    """One column (N,) of the features.

    >>> column(Events(np.array([[1.0, 2.0], [3.0, 4.0]])), 1).tolist()
    [2.0, 4.0]
    """
    return events.x[:, number]


def falling_column(events: Events, number: int) -> Falling:
    """The events of the source by falling values of a column.

    >>> falling_column(Events(np.array([[3.0], [4.0]])), 0).values.tolist()
    [4.0, 3.0]
    """
    return falling(events, number, partial(column, number=number))
