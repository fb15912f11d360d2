"""Showers that are made in no time, in place of those of the stand-ins and of Geant4."""

from __future__ import annotations

import numpy as np

from qgen_core import Events
from qgen_hep.calorimeters.showers import CALORIMETERS


def toy_showers(name: str, source: str, events: int, seed: int) -> Events:
    """Cells that hold random parts of the incident energy; Geant4 has less of it."""
    place = CALORIMETERS[name]
    rng = np.random.default_rng([seed, len(name), len(source)])
    incident = np.full((events, 1), 65536.0)
    condition = "incident_energies"
    if name == "calogan":
        incident = rng.uniform(1.0, 100.0, (events, 1))
        condition = "energy"
    weights = rng.exponential(1.0, (events, place.voxels))
    weights *= rng.random(weights.shape) < 0.5
    response = rng.normal(0.95, 0.01, (events, 1))
    if source == "geant4":
        response -= 0.1
    shares = response * weights / weights.sum(axis=1, keepdims=True)
    return Events(
        shares * incident * place.incident_unit,
        incident,
        columns=place.column_names,
        condition_columns=(condition,),
        provenance={"kind": "stand-in"},
    )


def toy_photons(*, source: str = "gflash", events: int = 80, seed: int = 0) -> Events:
    return toy_showers("ds1-photons", source, events, seed)


def toy_positrons(
    *, species: str = "e+", source: str = "gflash", events: int = 80, seed: int = 0
) -> Events:
    return toy_showers("calogan", source, events, seed)
