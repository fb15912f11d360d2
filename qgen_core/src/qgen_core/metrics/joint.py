"""Distances between joint distributions of all columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, joint
from qgen_core.typing import Floats


def tv(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int | None = None
) -> Mapping[str, float]:
    """``joint tv``: the total variation 1/2 sum |p - q| over the joint bins of all columns.

    Between 0 (equal histograms) and 1 (no common bin). Two samples of n events each from one flat
    distribution over K joint bins are about sqrt(K / (pi n)) apart.

    >>> a = Events(np.array([[0.5], [1.5]]))
    >>> b = Events(np.array([[0.5], [0.5]]))
    >>> tv(a, b, edges=[np.array([0.0, 1.0, 2.0])])
    {'joint tv': 0.5}
    """
    p, q = joint(reference, generated, edges, bins)
    return {"joint tv": 0.5 * float(np.abs(p - q).sum())}


def js(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int | None = None
) -> Mapping[str, float]:
    """``joint js``: the Jensen-Shannon divergence over the joint bins, in nats.

    ``1/2 sum p log(p / m) + 1/2 sum q log(q / m)`` with m = (p + q) / 2 and 0 log 0 = 0: between 0
    (equal histograms) and ln 2 (no common bin). Bins whose sum of weights is negative count as
    empty. Two samples of n1 and n2 events from one distribution over K occupied bins are about
    (K - 1) / 8 (1 / n1 + 1 / n2) apart.

    Where bins hold few reference events the floor of a score is too low, because resampling
    never draws from bins in which the reference has no events: a sixth too low for 100,000
    normal events in 16^3 bins.

    >>> a = Events(np.array([[0.5]]))
    >>> b = Events(np.array([[1.5]]))
    >>> round(js(a, b, edges=[np.array([0.0, 1.0, 2.0])])["joint js"], 6)  # ln 2
    0.693147
    """
    p, q = joint(reference, generated, edges, bins)
    p = _clipped(p)
    q = _clipped(q)
    middle = (p + q) / 2
    divergence = 0.5 * (_relative_entropy(p, middle) + _relative_entropy(q, middle))
    return {"joint js": max(0.0, divergence)}


def _clipped(histogram: Floats) -> Floats:
    positive = np.maximum(histogram, 0.0)
    share: Floats = positive / positive.sum()
    return share


def _relative_entropy(p: Floats, m: Floats) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / m[some])))
