"""Bins that follow from the reference alone, so that they are the same for every model compared.

A model must not choose the bins by which it is judged: a histogram in the bins of its encoder sees
nothing of what the encoder loses.

The number of bins is 2 n^(2/5) for a reference of n events. With K bins that hold equal numbers of
reference events, a chi-square test resolves a difference of cumulative distributions only up to
1 / K, while the noise of the statistic grows as sqrt(2 K). The least difference that it finds with
even odds at a one-sided level with the normal quantile c is

    Delta(K) = 1 / K + sqrt(c sqrt(2 K) / (4 n)).

Its minimum lies at K = 4 (2 n^2 / c^2)^(1/5) (Mann and Wald, Ann. Math. Stat. 13 (1942) 306), which
is 3.8 n^(2/5) at a level of 5 percent. Half as many bins lose hardly any power and keep more events
in each; Moore (in D'Agostino and Stephens, Goodness-of-Fit Techniques, 1986, section 3.2.4)
recommends 2 n^(2/5). A joint histogram of F columns has about this number of cells altogether, so
K^(1/F) bins in a column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.ordering import falling_column
from qgen_core.metrics.resample import effective_size
from qgen_core.typing import Array, Floats

#: More bins in one column than this would be hard to read and test little more.
MOST_BINS = 64
#: The rule in words, for results.
RULE = "equal-count bins of the reference, 2 n^(2/5) in a column and in the joint histogram"


class ReferenceEdges(list[Floats]):
    """The edges (K + 1,) of each column, and coarser ones, ``joint``, for a joint histogram.

    >>> edges = ReferenceEdges([np.array([0.0, 1.0, 2.0])], [np.array([0.0, 2.0])])
    >>> len(edges), edges.joint[0].tolist()
    (1, [0.0, 2.0])
    """

    def __init__(self, columns: Sequence[Floats], joint: Sequence[Floats]) -> None:
        super().__init__(columns)
        self.joint = list(joint)


def num_bins(size: float) -> int:
    """The number of bins for a reference of an effective size: 2 n^(2/5), at least 2.

    >>> num_bins(2000), num_bins(20_000)
    (42, 105)
    """
    return max(2, round(2 * float(size**0.4)))


def reference_edges(reference: Events) -> ReferenceEdges:
    """Edges of equal-count bins: up to :data:`MOST_BINS` a column, and for a joint histogram.

    The number of bins follows from the effective size (sum w)^2 / sum w^2 of the reference.

    >>> edges = reference_edges(Events(np.linspace(0.0, 1.0, 2000).reshape(-1, 2)))
    >>> [len(one) - 1 for one in edges], [len(one) - 1 for one in edges.joint]
    ([32, 32], [6, 6])
    """
    cells = num_bins(effective_size(reference))
    each = max(2, round(cells ** (1 / len(reference.columns))))
    fine = []
    coarse = []
    for number in range(len(reference.columns)):
        values = falling_column(reference, number).values[::-1]
        fine.append(equal_count(values, min(cells, MOST_BINS)))
        coarse.append(equal_count(values, each))
    return ReferenceEdges(fine, coarse)


def equal_count(values: Array, bins: int) -> Floats:
    """Edges of ``bins`` bins that hold as nearly equal numbers of values as possible.

    Each inner edge is a value, and belongs to the bin above it. Where many values are equal there
    are fewer bins: values that occur are never cut, and two different ones always are. The
    outermost bins reach beyond the extremes by the range of the values, so that the extremes of
    another sample of the same distribution lie inside. A constant is one bin of width 1.

    >>> equal_count(np.array([0.0, 1.0, 2.0, 3.0]), 2).tolist()
    [-3.0, 2.0, 6.0]
    >>> equal_count(np.array([0.0, 0.0, 0.0, 1.0]), 2).tolist()
    [-1.0, 1.0, 2.0]
    >>> equal_count(np.array([7.0, 7.0]), 2).tolist()
    [6.5, 7.5]
    """
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    low = distinct[0]
    high = distinct[-1]
    if len(distinct) == 1:
        return np.array([low - 0.5, low + 0.5])
    below = np.cumsum(counts)[:-1]  # the number of values below distinct[1], distinct[2], ...
    wanted = len(values) * np.arange(1, bins) / bins
    nearest = np.searchsorted((below[1:] + below[:-1]) / 2, wanted)
    inner = np.unique(distinct[1:][nearest])
    reach = high - low
    edges: Floats = np.concatenate([[low - reach], inner, [high + reach]])
    return edges
