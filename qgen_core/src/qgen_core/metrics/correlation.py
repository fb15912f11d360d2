"""Pearson correlations between columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import source_of, source_weights
from qgen_core.typing import Floats


def pearson(events: Events) -> Floats:
    """The weighted matrix (F, F) of Pearson coefficients, between -1 and 1.

    The coefficients of a constant column with others are 0.

    >>> pearson(Events(np.array([[0.0, 1.0], [1.0, 0.0]]))).round(12)
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    x = np.asarray(source_of(events).x, dtype=np.float64)
    w = source_weights(events)
    if w is None:
        w = np.ones(len(x))
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
