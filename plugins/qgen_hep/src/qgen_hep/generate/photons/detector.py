"""The calorimeter of the dataset ``calo-photons``, and which voxel a point lies in.

A planar imitation of the ATLAS barrel at eta = 0.2, not ATLAS: 133 mm of aluminium; 11 mm of liquid
argon (layer 0, the presampler); 13, 50 and 8 cells of 1.65 mm lead and 4.2 mm liquid argon (layers
1, 2 and 3); 60 mm of aluminium; 17 cells of 14 mm iron and 3 mm scintillator (layer 12). Voxels are
those of the photons of data set 1 of the CaloChallenge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import DS1_PHOTONS, CalorimeterLayer
from qgen_hep.generate.gflash import Material, Medium

LEAD = Material(82, 207.2, 11.35, 6.37)
ARGON = Material(18, 39.948, 1.396, 19.55)
#: Lead and argon of a cell of the layers 1, 2 and 3, in mm.
LEAD_MM = 1.65
ARGON_MM = 4.2
#: The effective medium of these layers, taken for the whole depth.
MEDIUM = Medium.of(LEAD, ARGON, LEAD_MM, ARGON_MM)
_CELL = (LEAD_MM + ARGON_MM) / MEDIUM.radiation_length
#: Radiation lengths of aluminium, argon, iron and polystyrene, in mm.
_ALUMINIUM = 88.97
_LIQUID_ARGON = 140.0
_IRON = 17.57
_PLASTIC = 413.1
#: The thickness in radiation lengths of each part of the detector, from the front on.
PARTS = np.array(
    [
        133 / _ALUMINIUM,
        11 / _LIQUID_ARGON,
        13 * _CELL,
        50 * _CELL,
        8 * _CELL,
        60 / _ALUMINIUM,
        17 * (14 / _IRON + 3 / _PLASTIC),
    ]
)
#: Where the parts end, in radiation lengths.
ENDS = np.cumsum(PARTS)
#: Where the presampler begins and ends, in radiation lengths.
PRESAMPLER = (float(ENDS[0]), float(ENDS[1]))
#: The layer of the calorimeter that each part is, counted from 0; -1 for aluminium and behind all.
LAYER_OF_PART = np.array([-1, 0, 1, 2, 3, -1, 4, -1])
#: The number of voxels, which stands for "in none".
VOXELS = DS1_PHOTONS.voxels


def layer_at(depth: Floats) -> NDArray[np.int64]:
    """The layer (S,), counted from 0, at depths (S,) in radiation lengths; -1 in none.

    >>> layer_at(np.array([0.1, 1.53, 10.0, 40.0])).tolist()
    [-1, 0, 2, -1]
    """
    found: NDArray[np.int64] = LAYER_OF_PART[np.searchsorted(ENDS, depth, side="right")]
    return found


def voxel(x: Floats, y: Floats, layer: NDArray[np.int64]) -> NDArray[np.int64]:
    """The voxel (S,) at points (S,) in mm from the axis in layers (S,), ``VOXELS`` in none.

    >>> at = np.array([1.0, 1.0, 5000.0])
    >>> voxel(at, np.zeros(3), np.array([0, 1, 1])).tolist()
    [0, 88, 368]
    """
    r = np.hypot(x, y)
    turn = (np.arctan2(y, x) + np.pi) / (2 * np.pi)
    found = np.full(len(x), VOXELS, dtype=np.int64)
    for number, rings in enumerate(DS1_PHOTONS.layers):
        assert isinstance(rings, CalorimeterLayer)
        here = np.flatnonzero(layer == number)
        ring = np.searchsorted(rings.r_edges, r[here], side="right") - 1
        angle = np.minimum((turn[here] * rings.angles).astype(np.int64), rings.angles - 1)
        inside = ring < len(rings.r_edges) - 1
        of_layer = angle * (len(rings.r_edges) - 1) + ring
        found[here[inside]] = rings.start + of_layer[inside]
    return found
