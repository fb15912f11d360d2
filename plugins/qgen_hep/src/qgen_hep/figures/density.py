"""Histograms to densities: unit area with the widths of the bins, errors scaled along."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.typing import Floats


def density(counts: ArrayLike, errors: ArrayLike, edges: ArrayLike) -> tuple[Floats, Floats]:
    """Densities (B,) and their errors of weighted counts (B,) in bins with edges (B + 1,).

    >>> density([1.0, 1.0], [1.0, 1.0], [0.0, 1.0, 3.0])[0].tolist()
    [0.5, 0.25]
    """
    values, spread = np.asarray(counts, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    area = values.sum() * np.diff(np.asarray(edges, dtype=np.float64))
    return values / area, spread / area


def ratio(marginal: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Generated over reference (B,), its error, and the reference's relative error; NaN in empty bins."""
    edges = marginal["edges"]
    truth, truth_error = density(marginal["reference"], marginal["reference_error"], edges)
    made, made_error = density(marginal["generated"], marginal["generated_error"], edges)
    safe = np.where(truth > 0, truth, np.nan)
    return made / safe, made_error / safe, truth_error / safe


def pulls(reference: ArrayLike, generated: ArrayLike) -> Floats:
    """(generated - reference) / statistical error for two histograms of counts, each at unit sum.

    Errors are those of Poisson counts; bins that both leave empty are NaN.
    """
    truth, made = np.asarray(reference, dtype=np.float64), np.asarray(generated, dtype=np.float64)
    variance = np.abs(truth) / truth.sum() ** 2 + np.abs(made) / made.sum() ** 2
    found: Floats = (made / made.sum() - truth / truth.sum()) / np.sqrt(
        np.where(variance > 0, variance, np.nan)
    )
    return found
