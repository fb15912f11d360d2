"""The metric ``fpd``: the Frechet physics distance of calorimeter showers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.metrics.score import score
from qgen_core.typing import Rng
from qgen_hep.calorimeters.distances import (
    LEAST_DRAWN,
    MOST_DRAWN,
    frechet_physics_distance,
)
from qgen_hep.calorimeters.features import network_inputs
from qgen_hep.calorimeters.showers import Choice, calorimeter_of, showers_of


def fpd(
    reference: Events,
    generated: Events,
    *,
    rng: Rng,
    calorimeter: Choice = "ds1-photons",
    threshold: float | None = None,
    resamples: int = 10,
) -> Mapping[str, Estimate]:
    """``FPD``: the squared Frechet distance of high-level features, at infinite sample size.

    The features are those of the high-level classifier of ``calo-classifier``, each divided by its
    largest absolute value in the reference. The distance is measured between subsets of ten sizes,
    equally spaced in 1/size from 10,000 to 50,000, with 20 pairs of each drawn with replacement,
    and extrapolated to 1/size = 0 by the line of least squares whose intercept and slope are 0 or
    more. The line is the exact minimum; the bounded fit of JetNet stops before it. Samples of fewer
    than 50,000 events have subsets that are smaller in proportion, as the note says. The note also
    has the error of the fit, and the intercept without bounds if it is negative.

    ``calorimeter`` and ``threshold`` are those of ``separation-power``. Uncertainty and floor come
    from ``resamples`` resamples each, which are treated alike. As subsets of a finite sample repeat
    its events, two samples of one distribution are not at 0 but at their floor.

    Raises DataError for events that are not showers in the calorimeter, and for fewer than 10.

    Source: Kansal et al., arXiv:2211.10295; Krause et al., arXiv:2410.21611.

    >>> import numpy as np
    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> draw = np.random.default_rng(0)
    >>> energy = np.full((100, 1), 65536.0)
    >>> names = {"columns": DS1_PHOTONS.column_names, "condition_columns": ("energy",)}
    >>> showers = Events(draw.exponential(180.0, (100, 368)), energy, **names)
    >>> found = fpd(showers, showers.replace(x=0.5 * showers.x), rng=draw, resamples=2)["FPD"]
    >>> found.value > found.floor, found.note[:22]
    (True, 'subsets of 20 to 100 e')
    """
    place = calorimeter_of(calorimeter)
    samples = []
    for events in (reference, generated):
        showers = showers_of(events, place, threshold=threshold)
        samples.append(Events(network_inputs(showers, "high")))
    (found,) = score(
        partial(_distance, rng=rng), samples[0], samples[1], rng=rng, resamples=resamples
    )
    return {
        "FPD": Estimate(
            found.value, found.uncertainty, found.floor, found.floor_spread, note=found.note
        )
    }


def _distance(reference: Events, generated: Events, *, rng: Rng) -> dict[str, Estimate]:
    """The distance of two samples of features, with what there is to say of it."""
    found = frechet_physics_distance(reference.x, generated.x, rng=rng)
    sizes = found.sizes
    note = f"subsets of {sizes[0]} to {sizes[-1]} events"
    if sizes[-1] < MOST_DRAWN:
        note += f" instead of {LEAST_DRAWN} to {MOST_DRAWN}"
    note += f", error of the fit {found.line.error:.1e}"
    if found.line.free < 0:
        note += f", intercept without bounds {found.line.free:.1e}"
    return {"FPD": Estimate(found.line.intercept, note=note)}
