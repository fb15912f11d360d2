"""Distances of one-dimensional distributions, averaged over the columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, marginals


def marginal_d(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int = 16
) -> Mapping[str, float]:
    """``D``: the mean over columns and bins of |p - q|, p and q normalised marginals.

    ``D = 1 / (N K) sum_n sum_i |p_i^n - q_i^n|`` for N columns of K bins: the encoder's ``edges``,
    or ``bins`` of equal width over the reference. What lies outside is added to the sum.

    Source: Delgado and Hamilton, arXiv:2203.03578, eq. 2 (K = 2^q).
    """
    distances = [
        np.abs(h.p - h.q).sum() / h.bins for h in marginals(reference, generated, edges, bins)
    ]
    return {"D": float(np.mean(distances))}


def marginal_tv(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int = 16
) -> Mapping[str, float]:
    """``tv(column)``, the total variation 1/2 sum |p - q| of each column, and their mean ``marginal tv``.

    Between 0 and 1. Two samples of n events each of one flat distribution over K bins are
    about sqrt(K / (pi n)) apart.

    Source: the average over features is the TV of Kiss et al., arXiv:2205.07674.
    """
    each = {
        f"tv({h.column})": 0.5 * float(np.abs(h.p - h.q).sum())
        for h in marginals(reference, generated, edges, bins)
    }
    return each | {"marginal tv": float(np.mean(list(each.values())))}
