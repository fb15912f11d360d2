"""Calorimeters: the layers and voxels of those of the CaloChallenge, and of others."""

from qgen_hep.calorimeters.geometry import (
    DS1_PHOTONS,
    DS1_PIONS,
    DS2,
    DS3,
    Calorimeter,
    CalorimeterLayer,
    LayerLike,
    voxels_of,
)

__all__ = [
    "DS1_PHOTONS",
    "DS1_PIONS",
    "DS2",
    "DS3",
    "Calorimeter",
    "CalorimeterLayer",
    "LayerLike",
    "voxels_of",
]
