"""Conversion of histograms to densities of unit area, with their errors."""

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
    values = np.asarray(counts, dtype=np.float64)
    spread = np.asarray(errors, dtype=np.float64)
    area = values.sum() * np.diff(np.asarray(edges, dtype=np.float64))
    return values / area, spread / area


def ratio(marginal: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Ratio generated / reference (B,), its error, and the relative error of the reference.

    ``marginal`` is an entry of an evaluation. Bins without reference events are NaN.

    >>> marginal = {"edges": [0.0, 1.0], "reference": [4.0], "reference_error": [2.0]}
    >>> _, _, relative = ratio(marginal | {"generated": [9.0], "generated_error": [3.0]})
    >>> relative.tolist()
    [0.5]
    """
    edges = marginal["edges"]
    expected, expected_error = density(marginal["reference"], marginal["reference_error"], edges)
    found, found_error = density(marginal["generated"], marginal["generated_error"], edges)
    safe = np.where(expected > 0, expected, np.nan)
    return found / safe, found_error / safe, expected_error / safe


def pulls(reference: ArrayLike, generated: ArrayLike) -> Floats:
    """(generated - reference) / statistical error of two histograms of counts, each normalised.

    The errors are those of Poisson counts; bins that are empty in both are NaN.

    >>> pulls([5.0, 5.0], [5.0, 5.0]).tolist()
    [0.0, 0.0]
    """
    expected = np.asarray(reference, dtype=np.float64)
    found = np.asarray(generated, dtype=np.float64)
    difference = found / found.sum() - expected / expected.sum()
    variance = np.abs(expected) / expected.sum() ** 2 + np.abs(found) / found.sum() ** 2
    pull: Floats = difference / np.sqrt(np.where(variance > 0, variance, np.nan))
    return pull
