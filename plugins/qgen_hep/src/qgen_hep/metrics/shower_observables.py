"""The metric ``shower-observables``: distances between distributions of shower observables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.metrics.score import score
from qgen_core.typing import Rng
from qgen_hep.calorimeters.grids import geometry_of
from qgen_hep.calorimeters.showers import incident_energies
from qgen_hep.showers.observables import observables

#: The distance that is in units of the incident energy.
RESPONSE = "W1(response)"


def shower_observables(
    reference: Events,
    generated: Events,
    *,
    rng: Rng,
    geometry: str = "calogan",
    threshold: float = 0.0,
    resamples: int = 50,
) -> Mapping[str, Estimate]:
    """``W1(observable)`` for energies, fractions, widths, hits, response and depth of showers.

    The observables are those of ``qgen_hep.showers.observables``; the incident energy is the
    condition ``energy`` in GeV, or the only condition. The distance is the Wasserstein distance of
    order one in standard deviations of the reference; that of the response, which hardly varies
    where showers are contained, is in units of the incident energy. ``W1(mean)`` is the mean over
    all others. Each has an uncertainty and the floor of samples of these sizes, from ``resamples``
    resamples. No bins are needed. ``threshold`` is the least energy of a hit in MeV.

    Raises DataError for events that are not showers in the ``geometry``, or that have no incident
    energy; BadOption for an unknown geometry.

    >>> from qgen_hep.showers import CALOGAN
    >>> draw = np.random.default_rng(0)
    >>> energy = draw.uniform(1.0, 100.0, (200, 1))
    >>> names = {"columns": CALOGAN.column_names, "condition_columns": ("energy",)}
    >>> showers = Events(draw.random((200, 504)), energy, **names)
    >>> hotter = Events(1.5 * draw.random((200, 504)), energy, **names)
    >>> found = shower_observables(showers, hotter, rng=draw, resamples=5)
    >>> found["W1(total energy)"].value > 10, found["W1(depth)"].value < 0.5
    (True, True)
    """
    samples = []
    for events in (reference, generated):
        layers = geometry_of(geometry, events.columns)
        values = observables(events.x, incident_energies(events), layers, threshold=threshold)
        table = np.stack(list(values.values()), axis=1)
        samples.append(Events(table, weight=events.weight, columns=tuple(values)))
    found = {}
    for one in score(_distances, samples[0], samples[1], rng=rng, resamples=resamples):
        found[one.name] = Estimate(one.value, one.uncertainty, one.floor, one.floor_spread)
    return found


def _distances(reference: Events, generated: Events) -> dict[str, float]:
    """The Wasserstein distance of each observable, and their mean without that of the response."""
    found = dict(qgen.metric("wasserstein")(reference, generated))
    del found[RESPONSE]
    found["W1(mean)"] = float(np.mean(list(found.values())))
    found[RESPONSE] = qgen.metric("wasserstein", unit="column")(reference, generated)[RESPONSE]
    return found
