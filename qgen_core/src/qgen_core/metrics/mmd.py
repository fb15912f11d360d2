"""The maximum mean discrepancy between two samples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.ordering import column
from qgen_core.metrics.resample import once, source_of
from qgen_core.metrics.wasserstein import spread
from qgen_core.typing import Floats


def mmd(
    reference: Events,
    generated: Events,
    *,
    edges: Edges = None,
    bandwidth: float | None = None,
    standardise: bool = True,
    events: int = 1000,
    estimator: Literal["unbiased", "biased"] = "unbiased",
    squared: bool = True,
) -> Mapping[str, Estimate]:
    """``mmd2``: an estimate of MMD^2 with the kernel K = exp(-d^2 / (2 bandwidth^2)).

    ``mean_{i!=j} K(r_i, r_j) + mean_{i!=j} K(g_i, g_j) - 2 mean_{i,j} K(r_i, g_j)``, with weighted
    means. At most 2; 0 on average for samples of one distribution, so a value can be negative.
    ``estimator = "biased"`` keeps the pairs i = j, which have K = 1: never below 0, and for n and m
    events of one distribution (1/n + 1/m) (1 - mean K) on average. With ``squared = False`` the
    number is ``mmd``, the root of it (0 for a negative estimate).
    d is the Euclidean distance; with ``standardise`` each column is first divided by its standard
    deviation in the reference. ``bandwidth=None`` takes the median distance between reference
    events. At most ``events`` of each sample are used, at equal steps of their order; time and
    memory grow with the square of their number. Raises BadOption for a bandwidth <= 0 or fewer
    than 2 events.

    The note of the number names the estimator and the kernel.

    Source: Gretton et al., JMLR 13 (2012) 723, eq. 3; the kernel and its bandwidth are our choice.

    >>> a = Events(np.array([[0.0], [1.0]]))
    >>> b = Events(np.array([[0.0], [1.0]]))
    >>> round(mmd(a, b, bandwidth=1.0, standardise=False)["mmd2"].value, 6)  # exp(-1/2) - 1
    -0.393469
    """
    check_pair(reference, generated)
    if events < 2 or (bandwidth is not None and bandwidth <= 0):
        raise BadOption(
            f"mmd needs bandwidth > 0 and at least 2 events, not {bandwidth} and {events}"
        )
    source = source_of(reference)
    scale = np.ones(source.x.shape[1])
    if standardise:
        for number in range(len(scale)):
            scale[number] = spread(reference, number, partial(column, number=number))
    if bandwidth is None:

        def median_distance(source: Events) -> float:
            return _median_distance(_thinned(source, scale, events).x)

        bandwidth = once(reference, ("median", standardise, events), median_distance)
    first = _thinned(reference, scale, events)
    second = _thinned(generated, scale, events)
    unbiased = estimator == "unbiased"
    within_reference = _mean_kernel(first, first, bandwidth, without_self=unbiased)
    within_generated = _mean_kernel(second, second, bandwidth, without_self=unbiased)
    between = _mean_kernel(first, second, bandwidth, without_self=False)
    value = within_reference + within_generated - 2 * between
    note = f"{estimator} estimate, Gaussian kernel of bandwidth {bandwidth:.4g}"
    if squared:
        return {"mmd2": Estimate(value, note=note)}
    return {"mmd": Estimate(float(np.sqrt(max(value, 0.0))), note=note)}


class _Sample(NamedTuple):
    """Events (N, F) and their weights (N,)."""

    x: Floats
    weight: Floats


def _thinned(events: Events, scale: Floats, most: int) -> _Sample:
    """At most ``most`` of the events, at equal steps of their order."""
    size = min(most, len(events))
    chosen = np.arange(size) * len(events) // size
    return _Sample(events.x[chosen] / scale, events.weights[chosen])


def _squared_distances(x: Floats, y: Floats) -> Floats:
    lengths = np.sum(x * x, axis=1)[:, None] + np.sum(y * y, axis=1)
    squared: Floats = np.maximum(lengths - 2 * x @ y.T, 0.0)
    return squared


def _median_distance(x: Floats) -> float:
    distances = np.sqrt(_squared_distances(x, x)[np.triu_indices(len(x), k=1)])
    if not distances.size:
        return 1.0
    median = float(np.median(distances))
    return median if median > 0 else 1.0


def _mean_kernel(a: _Sample, b: _Sample, bandwidth: float, *, without_self: bool) -> float:
    """The weighted mean of the kernel over all pairs, or over those of different events."""
    kernel = np.exp(_squared_distances(a.x, b.x) / (-2 * bandwidth**2))
    total = a.weight.sum() * b.weight.sum()
    if without_self:
        np.fill_diagonal(kernel, 0.0)
        total -= a.weight @ b.weight
    if total <= 0:
        return 0.0
    return float(a.weight @ kernel @ b.weight / total)
