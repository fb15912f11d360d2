"""The metric ``kpd``: the kernel physics distance of calorimeter showers."""

from __future__ import annotations

from collections.abc import Mapping

from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.typing import Floats, Rng
from qgen_hep.calorimeters.distances import (
    BATCH,
    BATCHES,
    batch_for,
    kernel_distance,
    kernel_physics_distance,
    normalised,
    summary,
)
from qgen_hep.calorimeters.features import network_inputs
from qgen_hep.calorimeters.showers import Choice, calorimeter_of, showers_of


def kpd(
    reference: Events,
    generated: Events,
    *,
    rng: Rng,
    calorimeter: Choice = "ds1-photons",
    threshold: float | None = None,
) -> Mapping[str, Estimate]:
    """``KPD``: the maximum mean discrepancy of high-level features with a polynomial kernel.

    The features are those of ``fpd``, normalised alike. The number is the median of the unbiased
    estimates of MMD^2 with the kernel (x y / F + 1)^4, F being the number of features, from ten
    pairs of batches of 10,000 events drawn with replacement; it may be negative. Batches have at
    most a tenth of the smaller sample, as the note says. ``calorimeter`` and ``threshold`` are
    those of ``separation-power``.

    The uncertainty is half of the range that holds 68 percent of the batches, as is usual in the
    field. The floor is the same number where each batch is drawn from two samples of these sizes
    that are both drawn from the reference anew.

    Raises DataError for events that are not showers in the calorimeter, and for fewer than 20.

    Source: Kansal et al., arXiv:2211.10295; Krause et al., arXiv:2410.21611.

    >>> import numpy as np
    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> draw = np.random.default_rng(0)
    >>> energy = np.full((100, 1), 65536.0)
    >>> names = {"columns": DS1_PHOTONS.column_names, "condition_columns": ("energy",)}
    >>> showers = Events(draw.exponential(180.0, (100, 368)), energy, **names)
    >>> found = kpd(showers, showers.replace(x=0.5 * showers.x), rng=draw)["KPD"]
    >>> found.value > found.floor, found.note
    (True, '10 batches of 10 events instead of 10000')
    """
    place = calorimeter_of(calorimeter)
    samples = []
    for events in (reference, generated):
        samples.append(network_inputs(showers_of(events, place, threshold=threshold), "high"))
    first, second = samples
    batch = batch_for(min(len(first), len(second)))
    found = kernel_physics_distance(first, second, rng=rng, batch=batch)
    scaled, _ = normalised(first, second)
    floors = []
    for _ in range(BATCHES):
        floors.append(_of_one_distribution(scaled, (len(first), len(second)), batch, rng))
    floor = summary(floors)
    note = f"{BATCHES} batches of {batch} events"
    if batch < BATCH:
        note += f" instead of {BATCH}"
    return {"KPD": Estimate(found.median, found.spread, floor.median, floor.spread, note)}


def _of_one_distribution(features: Floats, sizes: tuple[int, int], batch: int, rng: Rng) -> float:
    """The distance of a batch of each of two new samples of these sizes, drawn from features."""
    batches = []
    for size in sizes:
        sample = rng.integers(len(features), size=size)
        batches.append(features[sample[rng.integers(size, size=batch)]])
    return kernel_distance(batches[0], batches[1])
