"""The Wasserstein (earth mover's) distance of each column, without binning."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import once, source_of, source_weights
from qgen_core.typing import Array, Floats


def wasserstein(
    reference: Events,
    generated: Events,
    *,
    edges: Edges = None,
    unit: Literal["std", "column"] = "std",
) -> Mapping[str, float]:
    """``W1(column)``: the Wasserstein distance of order one, the integral of |F - G|.

    F and G are the weighted cumulative distributions of a column. ``unit="std"`` divides by the
    standard deviation of the reference, which makes columns comparable (a constant column keeps
    its own unit); ``unit="column"`` gives GeV for a column in GeV. At least 0. Samples of n1 and n2
    events from one flat distribution are about 1.1 sqrt(1/n1 + 1/n2) standard deviations apart.

    >>> a = Events(np.array([[0.0], [1.0]]), columns=("x",))  # standard deviation 1/2
    >>> b = Events(np.array([[3.0]]), columns=("x",))
    >>> wasserstein(a, b, unit="column"), wasserstein(a, b)
    ({'W1(x)': 2.5}, {'W1(x)': 5.0})
    """
    check_pair(reference, generated)
    result = {}
    difference = share_difference(reference, generated)
    for number, name in enumerate(reference.columns):
        values = partial(column, number=number)
        distance = earth_mover(reference, generated, difference, number, values)
        if unit == "std":
            distance = distance / spread(reference, number, values)
        result[f"W1({name})"] = distance
    return result


def column(events: Events, number: int) -> Array:
    """One column (N,) of the features.

    >>> column(Events(np.array([[1.0, 2.0], [3.0, 4.0]])), 1).tolist()
    [2.0, 4.0]
    """
    return events.x[:, number]


def share_difference(reference: Events, generated: Events) -> Floats:
    """What each event adds to F - G: its share of the reference, or minus that of the generated.

    For all events of the sources (N + M,), those of the reference first.

    >>> a, b = Events(np.zeros((2, 1))), Events(np.zeros((1, 1)))
    >>> share_difference(a, b).tolist()
    [0.5, 0.5, -1.0]
    """
    parts = []
    for events in (reference, generated):
        weights = source_weights(events)
        if weights is None:
            weights = np.ones(len(events))
        parts.append(weights / weights.sum())
    return np.concatenate([parts[0], -parts[1]])


def earth_mover(
    reference: Events,
    generated: Events,
    difference: Floats,
    key: Hashable,
    values: Callable[[Events], Array],
) -> float:
    """The Wasserstein distance of order one between ``values`` (N,) of both samples, in their unit.

    ``difference`` is the :func:`share_difference` of the samples; ``key`` identifies the values
    among the intermediate results that resamples share.

    >>> a, b = Events(np.array([[0.0], [1.0]])), Events(np.array([[3.0]]))
    >>> earth_mover(a, b, share_difference(a, b), "x", lambda events: events.x[:, 0])
    2.5
    """
    other = source_of(generated)

    def merge(source: Events) -> tuple[NDArray[np.int32], Floats]:
        both = np.concatenate([values(source), values(other)]).astype(np.float64)
        falling = np.argsort(-both)
        sorted_values = both[falling]
        # from the greatest value down to the second least: below it, F - G changes no more
        above = np.count_nonzero(both > sorted_values[-1])
        gaps = sorted_values[:above] - sorted_values[1 : above + 1]
        return falling[:above].astype(np.int32), gaps

    falling, gaps = once(reference, ("merged", key, id(other)), merge)
    beyond = difference.take(falling)
    np.cumsum(beyond, out=beyond)
    np.abs(beyond, out=beyond)
    beyond *= gaps
    return float(beyond.sum())


def spread(events: Events, key: Hashable, values: Callable[[Events], Array]) -> float:
    """The weighted standard deviation of ``values`` (N,) of the source; 1 for a constant.

    >>> spread(Events(np.array([[0.0], [4.0]])), "x", lambda events: events.x[:, 0])
    2.0
    """

    def compute(source: Events) -> float:
        numbers = values(source)
        mean = np.average(numbers, weights=source.weight)
        return float(np.average((numbers - mean) ** 2, weights=source.weight))

    variance = once(events, ("variance", key), compute)
    return float(np.sqrt(variance)) if variance > 0 else 1.0
