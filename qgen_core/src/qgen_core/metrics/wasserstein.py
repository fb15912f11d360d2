"""The Wasserstein (earth mover's) distance of each column, without binning."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.ordering import column, falling
from qgen_core.metrics.resample import Batch, batch_of, once
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
    first, second, number = _pairs(reference, generated)

    def of_all_pairs() -> Floats:
        found = np.empty((len(first), len(reference.columns)))
        for place in range(len(reference.columns)):
            values = partial(column, number=place)
            distances = _distances(first, second, place, values)
            if unit == "std":
                distances = distances / spread(first.source, place, values)
            found[:, place] = distances
        return found

    distances = first.once(("wasserstein", unit, second), of_all_pairs)[number]
    names = [f"W1({name})" for name in reference.columns]
    return dict(zip(names, distances.tolist(), strict=True))


def earth_mover(
    reference: Events,
    generated: Events,
    key: Hashable,
    values: Callable[[Events], Array],
) -> float:
    """The Wasserstein distance of order one between ``values`` (N,) of both samples, in their unit.

    ``key`` identifies the values among the intermediate results that resamples share. Pairs of
    resamples with the same numbers in two batches are compared in one pass.

    >>> a, b = Events(np.array([[0.0], [1.0]])), Events(np.array([[3.0]]))
    >>> earth_mover(a, b, "x", lambda events: events.x[:, 0])
    2.5
    """
    first, second, number = _pairs(reference, generated)
    areas = first.once(("areas", key, second), lambda: _distances(first, second, key, values))
    return float(areas[number])


def _pairs(reference: Events, generated: Events) -> tuple[Batch, Batch, int]:
    """The batches whose samples are compared pair by pair, and the number of this pair."""
    first, number = batch_of(reference)
    second, other_number = batch_of(generated)
    if (len(first), number) != (len(second), other_number):  # not drawn as a pair
        return Batch([reference]), Batch([generated]), 0
    return first, second, number


def _distances(
    first: Batch, second: Batch, key: Hashable, values: Callable[[Events], Array]
) -> Floats:
    """The distance of each pair of samples, (pairs,); see :func:`earth_mover`."""
    from qgen_core.metrics.kernels import areas

    same_events = first.source is second.source
    weights, units = first.once(("shares", second), lambda: _shares(first, second))
    order, gaps = _falling(first.source, second.source, key, values)
    found = np.zeros(len(first))
    areas(order, gaps, same_events, weights, units, (np.zeros(len(first)), found))
    return found


def _shares(first: Batch, second: Batch) -> tuple[tuple[Array, Array], tuple[Floats, Floats]]:
    """The weights (events, samples) of both batches, and the share (samples,) of a weight of 1.

    Weights of both that are whole numbers stay as they are; others are shares themselves.
    """
    weights = first.weights, second.weights
    if weights[0].dtype == weights[1].dtype == np.uint16:
        return weights, (_units(first), _units(second))
    one = np.ones(len(first))
    first_shares = weights[0] / weights[0].sum(axis=0)
    second_shares = weights[1] / weights[1].sum(axis=0)
    return (first_shares, second_shares), (one, one)


def _units(batch: Batch) -> Floats:
    """The share (samples,) of one event of an unweighted sample."""
    return np.array([1.0 / len(sample) for sample in batch.samples])


def _falling(
    first: Events, second: Events, key: Hashable, values: Callable[[Events], Array]
) -> tuple[NDArray[np.int32], Floats]:
    """The events by falling value down to the second least, and the distance of each to the next.

    Events of another second source are numbered after those of the first. Below the second least
    F - G changes no more.
    """
    order, sorted_values = falling(first, key, values)
    if second is not first:
        other, other_values = falling(second, key, values)
        both = np.concatenate([sorted_values, other_values])
        merged = np.argsort(-both, kind="stable")  # merges two sorted parts
        order = np.concatenate([order, other + np.int32(len(first))])[merged]
        sorted_values = both[merged]
    above = np.count_nonzero(sorted_values > sorted_values[-1])
    gaps = sorted_values[:above] - sorted_values[1 : above + 1]
    return order[:above], gaps


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
