"""Conversion of histograms to densities of unit area, with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.typing import Floats

#: The least number of expected events for a normal approximation (Cochran's rule).
LEAST_EXPECTED = 5.0


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


def pulls(
    reference: ArrayLike, generated: ArrayLike, sizes: tuple[float, float] | None = None
) -> Floats:
    """Differences of the shares of two histograms in units of their standard deviation.

    ``(q - p) / sqrt(m (1 - m) (1 / n_p + 1 / n_q))`` with the shares p and q of both histograms and
    m = (n_p p + n_q q) / (n_p + n_q), the best estimate if both samples have one distribution:
    then pulls are approximately standard normal. An observed count would be too small a variance
    wherever it happens to be small. ``sizes`` are the effective sizes (sum w)^2 / sum w^2 of both
    samples; without them the histograms hold counts.

    Cells in which the smaller sample expects fewer than :data:`LEAST_EXPECTED` events, or all but
    so few, are NaN: their pulls would be far from normal.

    >>> pulls([50.0, 50.0], [60.0, 40.0]).round(3).tolist()
    [1.421, -1.421]
    >>> pulls([99.0, 1.0], [999.0, 1.0]).round(3).tolist()
    [nan, nan]
    """
    expected = np.asarray(reference, dtype=np.float64)
    found = np.asarray(generated, dtype=np.float64)
    if sizes is None:
        sizes = (float(expected.sum()), float(found.sum()))
    first, second = sizes
    p = expected / expected.sum()
    q = found / found.sum()
    pooled = (first * p + second * q) / (first + second)
    variance = pooled * (1 - pooled) * (1 / first + 1 / second)
    known = np.minimum(pooled, 1 - pooled) * min(sizes) >= LEAST_EXPECTED
    pull: Floats = (q - p) / np.sqrt(np.where(known, variance, np.nan))
    return pull
