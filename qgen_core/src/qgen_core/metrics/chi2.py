"""The chi-square between two histograms that both have statistical errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, codes, columns_of
from qgen_core.metrics.resample import source_weights
from qgen_core.typing import Floats


def chi2(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int | None = None
) -> Mapping[str, float]:
    """``chi2/ndf(column)``: chi-square per degree of freedom between the histograms of each column.

    ``chi2 = sum_i (W_r g_i - W_g r_i)^2 / (W_r^2 s_gi + W_g^2 s_ri)``, where r_i and g_i are the
    sums of weights in bin i, s_ri and s_gi the sums of squared weights, and W_r and W_g the totals.
    ndf is the number of bins that at least one sample occupies, minus one. For unweighted samples
    of equal size this is sum (g - r)^2 / (g + r). Values outside the edges count in the outermost
    bins. At least 0; about 1 for samples of one distribution, whatever their size.

    >>> a = Events(np.array([[0.5], [1.5]]), columns=("x",))
    >>> b = Events(np.array([[0.5], [0.5]]), columns=("x",))
    >>> found = chi2(a, b, edges=[np.array([0.0, 1.0, 2.0])])
    >>> {name: round(value, 12) for name, value in found.items()}  # 1/3 + 1, one degree of freedom
    {'chi2/ndf(x)': 1.333333333333}

    Source: Gagunashvili, arXiv:physics/0605123 (two weighted histograms); FastCaloGAN selects
    its networks by this quantity.
    """
    every = columns_of(reference, generated, edges, bins)
    result = {}
    for column, cuts in enumerate(every):
        first = codes(reference, column, cuts)
        second = codes(generated, column, cuts)
        found = chi_square(first, second, reference, generated, len(cuts) + 1)
        result[f"chi2/ndf({reference.columns[column]})"] = found.per_degree
    return result


class ChiSquare(NamedTuple):
    """chi2 between two histograms, and its degrees of freedom, at least 1."""

    value: float
    degrees: int

    @property
    def per_degree(self) -> float:
        """chi2 / ndf."""
        return self.value / self.degrees


def chi_square(
    first: NDArray[np.integer[Any]],
    second: NDArray[np.integer[Any]],
    reference: Events,
    generated: Events,
    size: int,
) -> ChiSquare:
    """chi2 from bin numbers (N,) of the sources of both samples; 0 if all lie in one bin.

    Underflow and overflow are added to the outermost bins. Separate bins for them would hold no
    reference events wherever the edges are the range of the reference, which would raise the mean
    of chi2 / ndf above 1.

    >>> a = Events(np.zeros((2, 1)))
    >>> chi_square(np.array([1, 2]), np.array([1, 1]), a, a, size=4)  # (1 - 2)^2 / 3 + 1
    ChiSquare(value=1.3333333333333333, degrees=1)
    """
    r, r_squares = _sums(np.clip(first, 1, size - 2), reference, size)
    g, g_squares = _sums(np.clip(second, 1, size - 2), generated, size)
    variance = r.sum() ** 2 * g_squares + g.sum() ** 2 * r_squares
    some = variance > 0
    terms = (r.sum() * g - g.sum() * r)[some] ** 2 / variance[some]
    degrees = max(1, int(np.count_nonzero(some)) - 1)
    return ChiSquare(float(terms.sum()), degrees)


def _sums(numbers: NDArray[np.integer[Any]], events: Events, size: int) -> tuple[Floats, Floats]:
    """Sums of the weights and of the squared weights in each bin, (size,) each."""
    weights = np.bincount(numbers, weights=source_weights(events), minlength=size)
    squares = np.bincount(numbers, weights=source_weights(events, 2), minlength=size)
    return np.asarray(weights, dtype=np.float64), np.asarray(squares, dtype=np.float64)
