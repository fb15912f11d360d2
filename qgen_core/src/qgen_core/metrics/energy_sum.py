"""The sum over all columns of an event, such as the total energy in the cells of a shower."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, bin_numbers, check_bins, check_pair, equal_width
from qgen_core.metrics.chi2 import chi_square
from qgen_core.metrics.reference_edges import MOST_BINS, equal_count, num_bins
from qgen_core.metrics.resample import effective_size, once, source_weights
from qgen_core.metrics.wasserstein import earth_mover, spread
from qgen_core.typing import Array, Floats


def energy_sum(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int | None = None
) -> Mapping[str, float]:
    """Differences between the distributions of the sum over all columns.

    ``energy-sum bias`` is the difference of the means, generated minus reference, and
    ``energy-sum W1`` the Wasserstein distance (at least 0), both in standard deviations of the
    sum over the reference. ``energy-sum chi2/ndf`` is the metric ``chi2`` of the sum in ``bins`` of
    equal width over the reference, by default in equal-count bins of the reference, and
    ``energy-sum chi2`` the same without the division: for unweighted samples of equal size
    sum_bins (a - b)^2 / (a + b) with the counts a and b. Samples of n1 and n2 events of one
    distribution have a bias of 0 with a standard deviation of sqrt(1/n1 + 1/n2), and a chi2/ndf of
    about 1.
    Raises BadOption when the columns have different units, or for less than one bin.

    >>> a = Events(np.array([[1.0, 2.0], [2.0, 3.0]]))  # sums 3 and 5, standard deviation 1
    >>> b = Events(np.array([[2.0, 3.0], [3.0, 4.0]]))  # sums 5 and 7
    >>> found = energy_sum(a, b, bins=2)
    >>> found["energy-sum bias"], found["energy-sum W1"]
    (2.0, 2.0)
    """
    check_pair(reference, generated)
    units = sorted(set(reference.units))
    if len(units) > 1:
        raise BadOption(f"energy-sum adds columns of one unit, these have {', '.join(units)}")
    check_bins(bins)

    def edges_of(source: Events) -> Floats:
        if bins is not None:
            return equal_width(_sum(source), bins)
        return equal_count(_sum(source), min(MOST_BINS, num_bins(effective_size(source))))

    cuts = once(reference, ("sum edges", bins), edges_of)

    def bins_of(source: Events) -> NDArray[np.intp]:
        return bin_numbers(_sum(source), cuts)

    key = ("sum bins", cuts.tobytes())
    first = once(reference, key, bins_of)
    second = once(generated, key, bins_of)
    bias = float(_mean(generated) - _mean(reference))
    unit = spread(reference, "sum", _sum)
    distance = earth_mover(reference, generated, "sum", _sum)
    square = chi_square(first, second, reference, generated, len(cuts) + 1)
    return {
        "energy-sum bias": bias / unit,
        "energy-sum W1": distance / unit,
        "energy-sum chi2/ndf": square.per_degree,
        "energy-sum chi2": square.value,
    }


def _mean(events: Events) -> Any:
    return np.average(once(events, "sum", _sum), weights=source_weights(events))


def _sum(events: Events) -> Array:
    return np.asarray(np.sum(events.x, axis=1, dtype=np.float64))
