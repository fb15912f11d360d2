"""What a result keeps of showers: histograms, mean images, one shower, and the response."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.events import Events
from qgen_core.typing import Floats
from qgen_hep.calorimeters.showers import incident_energies
from qgen_hep.showers import CALOGAN, observables, profile
from qgen_hep.studies.shared.six_digits import six_digits

#: Bins of the observables; what lies outside is counted in the outermost bins.
EDGES: dict[str, Floats] = {
    "layer_0 energy": np.geomspace(0.01, 100.0, 41),
    "layer_1 energy": np.geomspace(0.01, 100.0, 41),
    "layer_2 energy": np.geomspace(0.001, 10.0, 41),
    "layer_0 fraction": np.linspace(0.0, 1.0, 41),
    "layer_1 fraction": np.linspace(0.0, 1.0, 41),
    "layer_2 fraction": np.linspace(0.0, 1.0, 41),
    "layer_0 width": np.linspace(0.0, 120.0, 41),
    "layer_1 width": np.linspace(0.0, 160.0, 41),
    "layer_2 width": np.linspace(0.0, 160.0, 41),
    "layer_0 hits": np.linspace(0.0, 1.0, 41),
    "layer_1 hits": np.linspace(0.0, 1.0, 41),
    "layer_2 hits": np.linspace(0.0, 1.0, 37),
    "total energy": np.linspace(0.0, 110.0, 45),
    "response": np.linspace(0.0, 1.2, 49),
    "depth": np.linspace(0.0, 2.0, 41),
}
#: Bins of the incident energy in GeV.
ENERGY_EDGES = np.linspace(0.0, 100.0, 11)
#: The shower that is shown is that of the incident energy nearest to this one, in GeV.
SHOWN_ENERGY = 50.0


def table_of(events: Events) -> dict[str, Floats]:
    """The observables (N,) of showers by name."""
    return observables(events.x, incident_energies(events), CALOGAN)


def kept(events: Events) -> dict[str, Any]:
    """Shares in :data:`EDGES`, the mean shower, one shower, and the response by energy."""
    table = table_of(events)
    incident = incident_energies(events)
    shares = {}
    for name, edges in EDGES.items():
        inside = np.clip(table[name], edges[0], np.nextafter(edges[-1], 0.0))
        counts, _ = np.histogram(inside, edges)
        shares[name] = six_digits(counts / len(events))
    response = profile(table["response"], incident, ENERGY_EDGES)
    shown = int(np.argmin(np.abs(incident - SHOWN_ENERGY)))
    return {
        "shares": shares,
        "mean shower": six_digits(np.asarray(events.x, dtype=np.float64).mean(axis=0)),
        "shower": six_digits(np.asarray(events.x[shown], dtype=np.float64)),
        "shower energy": six_digits(incident[shown]),
        "response": [_or_none(response.mean), _or_none(response.deviation)],
    }


def _or_none(values: Floats) -> list[float | None]:
    """Numbers as a result stores them, None where a bin has too few events."""
    found: list[float | None] = []
    for value in values:
        if np.isfinite(value):
            found.append(six_digits(value))
        else:
            found.append(None)
    return found
