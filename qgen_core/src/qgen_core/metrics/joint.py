"""Distances of joint distributions, all columns at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, joint
from qgen_core.typing import Floats


def tv(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int = 16
) -> Mapping[str, float]:
    """``joint tv``: 1/2 sum |p - q| over the joint bins of all columns, between 0 and 1."""
    p, q = joint(reference, generated, edges, bins)
    return {"joint tv": 0.5 * float(np.abs(p - q).sum())}


def js(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int = 16
) -> Mapping[str, float]:
    """``joint js``: the Jensen-Shannon divergence over the joint bins, natural logarithm, 0 to ln 2.

    ``1/2 sum p log(p / m) + 1/2 sum q log(q / m)`` with m = (p + q) / 2 and 0 log 0 = 0. Bins
    that negative weights leave below zero count as empty. Two samples of n1 and n2 events of
    one distribution over K occupied bins are about (K - 1) / 8 (1 / n1 + 1 / n2) apart.

    The floor of a score is low where bins hold few reference events, since bins that the
    reference missed are never drawn: by a sixth for 100,000 normal events in 16^3 bins.
    """
    p, q = (_clipped(h) for h in joint(reference, generated, edges, bins))
    middle = (p + q) / 2
    return {
        "joint js": max(0.0, 0.5 * (_relative_entropy(p, middle) + _relative_entropy(q, middle)))
    }


def _clipped(histogram: Floats) -> Floats:
    positive = np.maximum(histogram, 0.0)
    share: Floats = positive / positive.sum()
    return share


def _relative_entropy(p: Floats, m: Floats) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / m[some])))
