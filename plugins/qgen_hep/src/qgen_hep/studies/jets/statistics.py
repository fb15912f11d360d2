"""Divergences and correlations of tables of probabilities over the joint bins of all features.

A table has the shape (..., K), K the product of the bins of the features, the first feature
slowest. Events are uniform inside their bin, as they are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.studies.shared.six_digits import six_digits

Edges = Sequence[Floats]

#: Numbers of one block of samples, which limits the memory of :func:`resampled`.
AT_ONCE = 2**21


def js(p: Floats, q: Floats) -> Floats:
    """The Jensen-Shannon divergence (...,) of tables, natural logarithm.

    >>> round(float(js(np.array([1.0, 0.0]), np.array([0.0, 1.0]))), 6)
    0.693147
    """
    middle = (p + q) / 2
    result: Floats = 0.5 * (_times_log_ratio(p, middle) + _times_log_ratio(q, middle)).sum(axis=-1)
    return result


def _times_log_ratio(p: Floats, m: Floats) -> Floats:
    some = np.broadcast_to(p > 0, m.shape)
    ratio = np.divide(p, m, out=np.ones(m.shape), where=some)
    result: Floats = p * np.log(ratio)
    return result


def marginals(table: Floats, edges: Edges) -> list[Floats]:
    """The marginal (..., bins) of each feature.

    >>> edges = [np.array([0.0, 1.0, 2.0])] * 2
    >>> [m.tolist() for m in marginals(np.array([0.5, 0.25, 0.25, 0.0]), edges)]
    [[0.75, 0.25], [0.75, 0.25]]
    """
    bins = [len(e) - 1 for e in edges]
    lead = table.ndim - 1
    shaped = table.reshape(*table.shape[:-1], *bins)
    axes = range(lead, lead + len(bins))
    found = []
    for axis in axes:
        others = tuple(a for a in axes if a != axis)
        found.append(shaped.sum(axis=others))
    return found


def mean_distance(p: Floats, q: Floats, edges: Edges) -> Floats:
    """``D = 1 / (N 2^q) sum_n sum_i |p_i^n - q_i^n|`` (...,) over the marginals.

    Source: Delgado and Hamilton, arXiv:2203.03578, equation 2.

    >>> edges = [np.array([0.0, 1.0, 2.0])]
    >>> float(mean_distance(np.array([0.5, 0.5]), np.array([0.75, 0.25]), edges))
    0.25
    """
    pairs = zip(marginals(p, edges), marginals(q, edges), strict=True)
    result: Floats = np.mean([np.abs(a - b).mean(axis=-1) for a, b in pairs], axis=0)
    return result


def correlations(table: Floats, edges: Edges) -> Floats:
    """Pearson matrices (..., F, F) of events that lie uniformly in their bins.

    The covariance is that of the bin centres; a variance also has width^2 / 12 of each bin.

    >>> edges = [np.array([0.0, 1.0, 2.0])] * 2
    >>> correlations(np.array([0.5, 0.0, 0.0, 0.5]), edges).round(6).tolist()
    [[1.0, 0.75], [0.75, 1.0]]
    """
    centres = [(e[1:] + e[:-1]) / 2 for e in edges]
    mesh = np.meshgrid(*centres, indexing="ij")
    values = np.stack([axis.ravel() for axis in mesh], axis=1)
    mean = table @ values
    covariance = np.einsum("...k,kf,kg->...fg", table, values, values, optimize=True)
    covariance -= mean[..., :, None] * mean[..., None, :]
    for f, (m, e) in enumerate(zip(marginals(table, edges), edges, strict=True)):
        covariance[..., f, f] += m @ (np.diff(e) ** 2 / 12)
    scale = np.sqrt(np.einsum("...ff->...f", covariance))
    result: Floats = covariance / (scale[..., :, None] * scale[..., None, :])
    return result


def independent(table: Floats, edges: Edges) -> Floats:
    """The product (K,) of the marginals of a table (K,): the same marginals, no correlation.

    >>> edges = [np.array([0.0, 1.0, 2.0])] * 2
    >>> independent(np.array([0.5, 0.0, 0.0, 0.5]), edges).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return reduce(lambda a, b: np.outer(a, b).ravel(), marginals(table, edges))


def resampled(
    table: Floats,
    reference: Floats,
    edges: Edges,
    shots: int,
    times: int,
    rng: Any,
    *,
    pseudo_counts: float = 0.0,
) -> dict[str, Any]:
    """[mean, standard deviation] of JS, D and each correlation over ``times`` samples.

    JS and D are against the reference (K,); correlations are listed for the pairs (0,1), (0,2),
    (1,2) ... ``pseudo_counts`` are added to every bin, as ``smoothing`` of a Born machine does in
    training.
    """
    found: dict[str, list[Floats]] = {"js": [], "d": [], "correlation": []}
    pairs = np.triu_indices(len(edges), 1)
    at_once = max(1, AT_ONCE // len(table))
    for start in range(0, times, at_once):
        size = min(at_once, times - start)
        counts = rng.multinomial(shots, table / table.sum(), size=size)
        rows = (counts + pseudo_counts) / (shots + pseudo_counts * len(table))
        found["js"].append(js(rows, reference))
        found["d"].append(mean_distance(rows, reference, edges))
        found["correlation"].append(correlations(rows, edges)[:, pairs[0], pairs[1]])
    spread = {}
    for name, parts in found.items():
        values = np.concatenate(parts)
        pair = np.stack([values.mean(axis=0), values.std(axis=0, ddof=1)], axis=-1)
        spread[name] = six_digits(pair)
    return spread
