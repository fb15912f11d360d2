"""The chi-square between two histograms, both with statistical errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, codes, columns_of
from qgen_core.metrics.resample import source_weights
from qgen_core.typing import Floats


def chi2(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int = 16
) -> Mapping[str, float]:
    """``chi2/ndf(column)`` of the two histograms of each column; about 1 for one distribution.

    ``sum_i (W_r g_i - W_g r_i)^2 / (W_r^2 s_gi + W_g^2 s_ri)``, r and g the sums of weights in
    a bin, s_r and s_g the sums of squared weights, W their totals; ndf is the number of bins that
    are not empty in both, less one. For samples of one size without weights this is
    sum (g - r)^2 / (g + r). What lies outside the edges counts in the outermost bins.

    Source: Gagunashvili, arXiv:physics/0605123 (two weighted histograms); FastCaloGAN selects
    its networks by this quantity.
    """
    every = columns_of(reference, generated, edges, bins)
    result = {}
    for column, e in enumerate(every):
        first, second = (codes(events, column, e) for events in (reference, generated))
        result[f"chi2/ndf({reference.columns[column]})"] = per_degree(
            first, second, reference, generated, len(e) + 1
        )
    return result


def per_degree(
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    reference: Events,
    generated: Events,
    size: int,
) -> float:
    """chi2 / ndf from bin numbers (N,) of both sources; 0 when all are in one bin.

    The outermost bins are open: where the edges are the reference's own range, bins outside it
    would be empty of reference by construction, and the average of chi2 / ndf above 1.
    """
    inside = (np.clip(numbers, 1, size - 2) for numbers in (first, second))
    (r, r_squares), (g, g_squares) = (
        [_sums(numbers, source_weights(events, power), size) for power in (1, 2)]
        for numbers, events in zip(inside, (reference, generated), strict=True)
    )
    variance = r.sum() ** 2 * g_squares + g.sum() ** 2 * r_squares
    some = variance > 0
    terms = (r.sum() * g - g.sum() * r)[some] ** 2 / variance[some]
    return float(terms.sum() / max(1, np.count_nonzero(some) - 1))


def _sums(numbers: NDArray[np.intp], weights: Floats | None, size: int) -> Floats:
    return np.asarray(np.bincount(numbers, weights=weights, minlength=size), dtype=np.float64)
