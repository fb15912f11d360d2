"""Distances between one-dimensional distributions, averaged over the columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, marginals


def marginal_d(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int | None = None
) -> Mapping[str, float]:
    """``D``: the mean of |p - q| over columns and bins, with p and q the normalised marginals.

    ``D = 1 / (N K) sum_n sum_i |p_i^n - q_i^n|`` for N columns of K bins: the given ``edges``,
    ``bins`` of equal width over the reference, or equal-count bins of the reference. Underflow and
    overflow are added to the sum. Between 0 and 2 / K, so that only values with equal bins can be
    compared. Two samples of n events each from one flat distribution are about 2 / sqrt(pi K n)
    apart.

    Source: Delgado and Hamilton, arXiv:2203.03578, eq. 2 (K = 2^q).

    >>> a = Events(np.array([[0.5], [1.5]]))
    >>> b = Events(np.array([[0.5], [0.5]]))
    >>> marginal_d(a, b, edges=[np.array([0.0, 1.0, 2.0])])
    {'D': 0.5}
    """
    both = marginals(reference, generated, edges, bins)
    distances = both.in_columns(np.abs(both.p - both.q)) / both.bins
    return {"D": float(np.mean(distances))}


def marginal_tv(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int | None = None
) -> Mapping[str, float]:
    """``tv(column)``: the total variation of each column, and their mean ``marginal tv``.

    The total variation is 1/2 sum |p - q| over the bins of a column, between 0 and 1. Two samples
    of n events each from one flat distribution over K bins are about sqrt(K / (pi n)) apart.

    Source: the mean over features is the TV of Kiss et al., arXiv:2205.07674.

    >>> a = Events(np.array([[0.5], [1.5]]), columns=("x",))
    >>> b = Events(np.array([[0.5], [0.5]]), columns=("x",))
    >>> marginal_tv(a, b, edges=[np.array([0.0, 1.0, 2.0])])
    {'tv(x)': 0.5, 'marginal tv': 0.5}
    """
    both = marginals(reference, generated, edges, bins)
    distances = 0.5 * both.in_columns(np.abs(both.p - both.q))
    each = {}
    for column, distance in zip(both.columns, distances.tolist(), strict=True):
        each[f"tv({column})"] = distance
    return each | {"marginal tv": float(np.mean(distances))}
