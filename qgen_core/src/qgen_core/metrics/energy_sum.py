"""The sum over all columns of an event, e.g. the energy of a shower over its cells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, bin_numbers, check_pair, equal_width
from qgen_core.metrics.chi2 import per_degree
from qgen_core.metrics.resample import once, source_weights
from qgen_core.metrics.wasserstein import earth_mover, spread
from qgen_core.typing import Array


def energy_sum(
    reference: Events, generated: Events, *, edges: Edges = None, bins: int = 30
) -> Mapping[str, float]:
    """How the distribution of the sum over the columns differs; all columns are of one unit.

    ``energy-sum bias`` is the difference of the means and ``energy-sum W1`` the Wasserstein
    distance, both in standard deviations of the reference's sum; ``energy-sum chi2/ndf`` is
    that of the metric ``chi2`` on ``bins`` of equal width over the reference's range. Raises BadOption
    when the columns have different units.
    """
    check_pair(reference, generated)
    if len(set(reference.units)) > 1:
        raise BadOption(
            f"energy-sum adds columns of one unit, these have {', '.join(sorted(set(reference.units)))}"
        )
    if bins < 1:
        raise BadOption(f"bins must be at least 1, not {bins}")
    cuts = once(reference, ("sum edges", bins), lambda source: equal_width(_sum(source), bins))
    first, second = (
        once(events, ("sum bins", cuts.tobytes()), lambda source: bin_numbers(_sum(source), cuts))
        for events in (reference, generated)
    )
    a, b = (
        np.average(once(e, "sum", _sum), weights=source_weights(e)) for e in (reference, generated)
    )
    unit = spread(reference, "sum", _sum)
    return {
        "energy-sum bias": float(b - a) / unit,
        "energy-sum W1": earth_mover(reference, generated, "sum", _sum) / unit,
        "energy-sum chi2/ndf": per_degree(first, second, reference, generated, bins + 2),
    }


def _sum(events: Events) -> Array:
    return np.asarray(np.sum(events.x, axis=1, dtype=np.float64))
