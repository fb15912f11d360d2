"""Pearson correlations between columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import Resample, once, sums
from qgen_core.typing import Array, Floats

#: Products of columns that are summed at once, so that they stay in the cache.
AT_ONCE = 2**16


def pearson(events: Events) -> Floats:
    """The weighted matrix (F, F) of Pearson coefficients, between -1 and 1.

    The coefficients of a constant column with others are 0.

    >>> pearson(Events(np.array([[0.0, 1.0], [1.0, 0.0]]))).round(12)
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    if isinstance(events, Resample):
        mean, covariance = _moments(events)
    else:
        x = np.asarray(events.x, dtype=np.float64)
        w = events.weights
        mean = w @ x / w.sum()
        centred = x - mean
        covariance = (centred * w[:, None]).T @ centred / w.sum()
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(spread > 1e-12 * np.abs(mean), spread, np.inf)
    matrix: Floats = covariance / np.outer(scale, scale)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _moments(events: Resample) -> tuple[Floats, Floats]:
    """Mean (F,) and covariance (F, F), from sums over the source for the whole batch."""
    width = len(events.columns)
    first = once(events, "means", lambda source: np.mean(source.x, axis=0, dtype=np.float64))

    def compute(source: Events, weights: Array) -> Floats:
        """Weighted sums (S, 1 + F + F F) of 1, of x less its mean, and of its products."""
        total = np.zeros((weights.shape[1], 1 + width + width * width))
        at_once = max(1, AT_ONCE // total.shape[1])
        for start in range(0, len(source), at_once):
            rows = slice(start, start + at_once)
            x = source.x[rows] - first
            products = (x[:, :, None] * x[:, None, :]).reshape(len(x), width * width)
            numbers = np.concatenate([np.ones((len(x), 1)), x, products], axis=1)
            total += weights[rows].T.astype(np.float64) @ numbers
        return total

    found = sums(events, "moments", 1 + width + width * width, compute)
    means = found[1:] / found[0]
    mean = means[:width]
    covariance = means[width:].reshape(width, width) - np.outer(mean, mean)
    return first + mean, covariance


def correlation(
    reference: Events, generated: Events, *, edges: Edges = None
) -> Mapping[str, float]:
    """``corr(a,b)``: the Pearson coefficient of each pair of columns of the generated events.

    Between -1 and 1, to be compared with the coefficient of the reference, which a score gives
    as its floor. The standard error for n events of a normal distribution is (1 - r^2) / sqrt(n).

    >>> a = Events(np.array([[0.0, 1.0], [1.0, 0.0]]), columns=("x", "y"))
    >>> round(correlation(a, a)["corr(x,y)"], 12)
    -1.0
    """
    check_pair(reference, generated)
    matrix = pearson(generated)
    names = generated.columns
    result = {}
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            result[f"corr({names[i]},{names[j]})"] = float(matrix[i, j])
    return result


def correlation_loss(
    reference: Events, generated: Events, *, edges: Edges = None
) -> Mapping[str, float]:
    """``correlation loss``: sum over i, j of (G_ij - R_ij)^2.

    G and R are the Pearson matrices of generated and reference events; each pair of columns
    counts twice. Between 0 and 4 F (F - 1) for F columns. Samples of n1 and n2 normal events with
    the same coefficients r_ij give about (1/n1 + 1/n2) sum over i != j of (1 - r_ij^2)^2.

    Source: our reading of the monitor of the Quantum Angle Generator (Rehm et al.,
    arXiv:2307.05253).

    >>> a = Events(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> b = Events(np.array([[0.0, 0.0], [1.0, 1.0]]))
    >>> round(correlation_loss(a, b)["correlation loss"], 12)  # (1 - -1)^2, twice
    8.0
    """
    check_pair(reference, generated)
    difference = pearson(generated) - pearson(reference)
    return {"correlation loss": float(np.sum(difference**2))}
