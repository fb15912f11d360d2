"""Numbers of photon showers, beside each other: the table of docs/data.md.

Usage: python -m qgen_hep.datasets.calo_photons_summary
"""

from __future__ import annotations

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import DS1_PHOTONS, LayerLike, voxels_of
from qgen_hep.datasets.calo_photons import calo_photons
from qgen_hep.datasets.calogan_summary import Spread, beside
from qgen_hep.generate.photons.file import ENERGIES
from qgen_hep.generate.photons.showers import photon_showers

#: Showers of the stand-in, and how many are generated at once.
SHOWERS = 3300
AT_ONCE = 30


def units() -> dict[str, str]:
    """What is compared, with its unit; each is a number of every shower.

    >>> list(units())[:2]
    ['energy in the voxels', 'energy in layer 0']
    """
    found = {"energy in the voxels": "of the incident energy"}
    for what, unit in (
        ("energy in", "of the voxels"),
        ("mean distance from the axis in", "mm"),
        ("hit voxels of", "of all, above 1 MeV"),
    ):
        for layer in DS1_PHOTONS.layers:
            found[f"{what} layer {layer.number}"] = unit
    return found


def summary(showers: Floats, incident: float) -> dict[str, Spread]:
    """The numbers named by :func:`units` of showers (N, 368) in MeV of one incident energy in MeV.

    >>> shower = np.zeros((1, 368))
    >>> shower[0, [0, 8]] = 30.0
    >>> found = summary(shower, 100.0)
    >>> found["energy in the voxels"].mean, found["mean distance from the axis in layer 1"].mean
    (0.6, 1.0)
    """
    energies = DS1_PHOTONS.layer_energies(showers)
    total = energies.sum(axis=1)
    numbers = {"energy in the voxels": total / incident}
    for number, layer in enumerate(DS1_PHOTONS.layers):
        cells = showers[:, voxels_of(layer)]
        numbers[f"energy in layer {layer.number}"] = energies[:, number] / total
        numbers[f"mean distance from the axis in layer {layer.number}"] = _distance(cells, layer)
        numbers[f"hit voxels of layer {layer.number}"] = (cells > 1.0).mean(axis=1)
    return {name: Spread(float(of.mean()), float(of.std())) for name, of in numbers.items()}


def _distance(cells: Floats, layer: LayerLike) -> Floats:
    """The mean distance (N,) from the axis, weighted by energy; 0 without any."""
    energy = cells.sum(axis=1)
    whole = np.where(energy > 0, energy, 1.0)
    distance: Floats = cells @ layer.r / whole
    return distance


def stand_in(showers: int, seed: int) -> Floats:
    """Generated showers (N, 368) in MeV.

    >>> stand_in(3, seed=1).shape
    (3, 368)
    """
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, showers, AT_ONCE):
        count = min(AT_ONCE, showers - start)
        parts.append(photon_showers(np.full(count, ENERGIES[0] / 1000), rng))
    return np.concatenate(parts)


def main() -> None:
    """Print the table of the shipped showers and of as many of the stand-in."""
    geant4 = summary(calo_photons(source="geant4").x, ENERGIES[0])
    gflash = summary(stand_in(SHOWERS, seed=1), ENERGIES[0])
    print(beside({"Geant4": geant4, "stand-in": gflash}, units()))


if __name__ == "__main__":
    main()
