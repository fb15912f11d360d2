"""Showers in a calorimeter: the grids of cells, and observables of showers."""

from qgen_hep.calorimeters.grids import CALOGAN, GEOMETRIES, Geometry, Layer, geometry_of
from qgen_hep.showers.observables import Profile, observables, profile

__all__ = [
    "CALOGAN",
    "GEOMETRIES",
    "Geometry",
    "Layer",
    "Profile",
    "geometry_of",
    "observables",
    "profile",
]
