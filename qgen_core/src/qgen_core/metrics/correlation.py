"""Pearson correlations between columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import source_of, source_weights
from qgen_core.typing import Floats


def pearson(events: Events) -> Floats:
    """The weighted Pearson matrix (F, F). A column that does not vary correlates with nothing.

    >>> pearson(Events(np.array([[0.0, 1.0], [1.0, 0.0]]))).round(12)
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    x, w = np.asarray(source_of(events).x, dtype=np.float64), source_weights(events)
    w = np.ones(len(x)) if w is None else w
    mean = w @ x / w.sum()
    centred = x - mean
    covariance = (centred * w[:, None]).T @ centred / w.sum()
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(spread > 1e-12 * np.abs(mean), spread, np.inf)
    matrix: Floats = covariance / np.outer(scale, scale)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def correlation(
    reference: Events, generated: Events, *, edges: Edges = None
) -> Mapping[str, float]:
    """``corr(a,b)``: the Pearson correlations of the generated events, to hold against the reference's.

    The reference's own value and spread stand in the floor of a score.
    """
    check_pair(reference, generated)
    matrix, names = pearson(generated), generated.columns
    return {
        f"corr({names[a]},{names[b]})": float(matrix[a, b])
        for a in range(len(names))
        for b in range(a + 1, len(names))
    }


def correlation_loss(
    reference: Events, generated: Events, *, edges: Edges = None
) -> Mapping[str, float]:
    """``correlation loss``: sum over i, j of (C_ij generated - C_ij reference)^2, C the Pearson matrices.

    Each pair of columns counts twice. The formula is our reading of the monitor of the Quantum
    Angle Generator (Rehm et al., arXiv:2307.05253).
    """
    check_pair(reference, generated)
    return {"correlation loss": float(np.sum((pearson(generated) - pearson(reference)) ** 2))}
