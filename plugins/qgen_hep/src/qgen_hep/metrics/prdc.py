"""The metric ``prdc``: precision, recall, density and coverage of calorimeter showers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.typing import Floats, Rng
from qgen_hep.calorimeters.neighbours import Neighbours, log_voxels, neighbours
from qgen_hep.calorimeters.showers import Choice, Showers, calorimeter_of, showers_of


def prdc(
    reference: Events,
    generated: Events,
    *,
    rng: Rng,
    calorimeter: Choice = "ds1-photons",
    threshold: float | None = None,
    k: int = 5,
    events: int = 5000,
    draws: int = 4,
) -> Mapping[str, Estimate]:
    """``precision``, ``recall``, ``density`` and ``coverage``, from ``k`` nearest neighbours.

    The reach of an event is its distance to its k-th neighbour in its own sample, by Euclid in
    log10 of the voxels in MeV, where empty voxels have 0.1 MeV. Precision is the share of generated
    events within reach of a reference event, recall that of reference events within reach of a
    generated one; density is the mean number of reference events within whose reach a generated
    event lies, over k; coverage is the share of reference events within whose reach a generated
    event lies. Two samples of one distribution have a density of 1, and the others depend on the
    number of events, so compare them with their floor.

    The numbers are means over ``draws`` random subsets of at most ``events`` of each sample, whose
    size the note says. Half of the reference is kept for the floor: the same between two disjoint
    subsets of the reference of the same size. The uncertainty is the standard deviation over the
    draws, or the standard error of the mean over the events where that is larger. ``calorimeter``
    and ``threshold`` are those of ``separation-power``.

    Raises DataError for events that are not showers in the calorimeter, and for fewer than 2 (k+1)
    reference or k+1 generated events; BadOption for fewer than 2 draws.

    Source: Kynkaanniemi et al., arXiv:1904.06991; Naeem et al., arXiv:2002.09797; Krause et al.,
    arXiv:2410.21611.

    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> draw = np.random.default_rng(0)
    >>> energy = np.full((100, 1), 65536.0)
    >>> names = {"columns": DS1_PHOTONS.column_names, "condition_columns": ("energy",)}
    >>> showers = Events(draw.exponential(180.0, (100, 368)), energy, **names)
    >>> found = prdc(showers, showers.replace(x=9.0 * showers.x), rng=draw)
    >>> found["precision"].value, found["precision"].floor > 0.5, found["precision"].note
    (0.0, True, '50 events of each')
    """
    if draws < 2:
        raise BadOption(f"prdc needs at least 2 draws, not {draws}")
    place = calorimeter_of(calorimeter)
    first = showers_of(reference, place, threshold=threshold)
    second = showers_of(generated, place, threshold=threshold)
    size = min(len(first) // 2, len(second), events)
    if size <= k:
        raise DataError(
            f"prdc needs {2 * (k + 1)} reference and {k + 1} generated events, not {len(first)} "
            f"and {len(second)}"
        )
    values = []
    floors = []
    for _ in range(draws):
        order = rng.permutation(len(first))
        half = log_voxels(first.take(order[:size]))
        other = log_voxels(first.take(order[size : 2 * size]))
        values.append(neighbours(half, _subset(second, size, rng), k=k))
        floors.append(neighbours(half, other, k=k))
    note = f"{size} events of each"
    found = {}
    for name in values[0].numbers():
        value, error = _mean(values, name)
        floor, spread = _mean(floors, name)
        found[name] = Estimate(value, error, floor, spread, note)
    return found


def _subset(showers: Showers, size: int, rng: Rng) -> Floats:
    """Random showers (size, voxels) as logarithms."""
    return log_voxels(showers.take(rng.permutation(len(showers))[:size]))


def _mean(draws: list[Neighbours], name: str) -> tuple[float, float]:
    """The mean of a number over the draws, and its uncertainty."""
    numbers = [one.numbers()[name] for one in draws]
    errors = []
    for one in draws:
        values = one.by_name()[name]
        errors.append(float(np.std(values)) / np.sqrt(len(values)))
    return float(np.mean(numbers)), float(max(np.std(numbers, ddof=1), np.mean(errors)))
