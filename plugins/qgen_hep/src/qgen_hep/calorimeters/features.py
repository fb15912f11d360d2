"""High-level features of showers, and what the classifiers of the CaloChallenge see.

Source: the evaluation of the CaloChallenge, Krause et al., arXiv:2410.21611.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import LayerLike, voxels_of
from qgen_hep.calorimeters.showers import Showers

#: Added to the energy of a layer before a division, so that an empty layer has its centre at 0.
TINY = 1e-16
#: A smaller variance is rounding, in units of the mean square of the coordinate. It would be the
#: whole width of a layer of one voxel, and a feature that a distance divides by its largest value.
ROUNDING = 1e-12
#: Added to an energy in MeV before its logarithm.
LEAST_ENERGY = 1e-8
#: Centres and widths are divided by this many mm for networks.
LENGTH = 100.0

#: What a classifier sees: the voxels in units of the incident energy, the voxels in units of the
#: energy of their layer together with the layers' energies, or the high-level features.
Level = Literal["low", "low-normed", "high"]
#: All of them.
LEVELS: tuple[Level, ...] = get_args(Level)


def high_level_features(showers: Showers) -> dict[str, Floats]:
    """The features (N,) of showers by name.

    Of the shower: ``E_tot``, the sum over the voxels in MeV, and ``E_tot/E_inc``. Of each layer L:
    ``E_layer_L`` in MeV; ``EC_r_L`` and ``width_r_L`` in mm, the mean of r weighted by energy and
    its standard deviation; ``sparsity_L``, the share of voxels without energy. Of each layer with
    angles (or with cells) also ``EC_eta_L``, ``EC_phi_L``, ``width_eta_L`` and ``width_phi_L``. A
    layer without energy has centres and widths of 0. Widths below 1e-6 of the distance from the
    origin are 0, such as those of one voxel.

    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> voxels = np.zeros((1, 368))
    >>> voxels[0, [0, 1]] = 30.0, 10.0  # rings of layer 0 from 0 to 5 and from 5 to 10 mm
    >>> found = high_level_features(Showers(voxels, np.array([80.0]), DS1_PHOTONS))
    >>> found["E_tot/E_inc"].item(), found["EC_r_0"].item(), found["sparsity_0"].item()
    (0.5, 3.75, 0.75)
    >>> round(found["width_r_0"].item(), 6), found["E_layer_12"].item(), len(found)
    (2.165064, 0.0, 30)
    """
    found = {"E_tot": showers.total}
    found["E_tot/E_inc"] = found["E_tot"] / showers.incident
    by_layer = [_LayerSums(showers, layer) for layer in showers.calorimeter.layers]
    for one in by_layer:
        found[f"E_layer_{one.number}"] = one.energy
    for direction in ("eta", "phi", "r"):
        for one in by_layer:
            if direction in one.means:
                found[f"EC_{direction}_{one.number}"] = one.means[direction]
        for one in by_layer:
            if direction in one.means:
                found[f"width_{direction}_{one.number}"] = one.width(direction)
    for one in by_layer:
        found[f"sparsity_{one.number}"] = one.sparsity
    return found


class _LayerSums:
    """Sums over the voxels of a layer, for all showers."""

    def __init__(self, showers: Showers, layer: LayerLike) -> None:
        self.number = layer.number
        directions: tuple[str, ...] = ("r",)
        if layer.has_directions:
            directions = ("eta", "phi", "r")
        columns = [np.ones(len(layer.r))]
        for direction in directions:
            place: Floats = getattr(layer, direction)
            columns += [place, place**2]
        weights = np.stack(columns, axis=1)
        inside = voxels_of(layer)
        sums = []
        sparsity = []
        for piece in showers.pieces():
            energies = piece[:, inside]
            sums.append(energies @ weights)
            sparsity.append(1 - np.mean(energies > 0, axis=1))
        total = np.concatenate(sums)
        self.sparsity: Floats = np.concatenate(sparsity)
        self.energy: Floats = total[:, 0]
        self.means: dict[str, Floats] = {}
        self._squares: dict[str, Floats] = {}
        for number, direction in enumerate(directions):
            self.means[direction] = total[:, 1 + 2 * number] / (self.energy + TINY)
            self._squares[direction] = total[:, 2 + 2 * number] / (self.energy + TINY)

    def width(self, direction: str) -> Floats:
        """The standard deviation (N,) in a direction."""
        squares = self._squares[direction]
        variance = squares - self.means[direction] ** 2
        return np.sqrt(np.where(variance > ROUNDING * squares, variance, 0.0))


def network_inputs(showers: Showers, level: Level) -> Floats:
    """What a classifier sees, (N, F).

    The first column is log10(E_inc / MeV). Then come, for ``low``, the voxels / E_inc; for
    ``low-normed``, the voxels / E_layer and log10(E_layer + 1e-8); for ``high``,
    log10(E_layer + 1e-8), the centres and widths in eta and phi in units of 100 mm,
    log10(E_tot + 1e-8), the sparsities, and the centres and widths in r in units of 100 mm.

    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> showers = Showers(np.ones((1, 368)), np.array([1000.0]), DS1_PHOTONS)
    >>> [network_inputs(showers, level).shape[1] for level in LEVELS]
    [369, 374, 30]
    """
    columns = [np.log10(showers.incident)[:, None]]
    if level == "low":
        columns.append(showers.voxels / showers.incident[:, None])
    elif level == "low-normed":
        columns += _normed(showers)
    else:
        columns += _high(high_level_features(showers))
    return np.concatenate(columns, axis=1)


def _normed(showers: Showers) -> list[Floats]:
    """The voxels in units of their layer's energy, and the logarithms of those energies."""
    calorimeter = showers.calorimeter
    energies = calorimeter.layer_energies(showers.voxels)
    found = []
    for number, layer in enumerate(calorimeter.layers):
        energy = energies[:, number, None]
        found.append(showers.voxels[:, voxels_of(layer)] / (energy + TINY))
    return [*found, np.log10(energies + LEAST_ENERGY)]


def _high(features: dict[str, Floats]) -> list[Floats]:
    """The high-level features as the classifier sees them, one column each."""
    found = []
    for family in ("E_layer", "EC_eta", "EC_phi", "width_eta", "width_phi"):
        found += [_scaled(family, values) for values in _members(features, family)]
    found.append(_scaled("E_tot", features["E_tot"]))
    for family in ("sparsity", "EC_r", "width_r"):
        found += [_scaled(family, values) for values in _members(features, family)]
    return [values[:, None] for values in found]


def _members(features: dict[str, Floats], family: str) -> list[Floats]:
    """The features of a family, in the order of the layers."""
    return [values for name, values in features.items() if name.rpartition("_")[0] == family]


def _scaled(family: str, values: Floats) -> Floats:
    if family.startswith("E_"):
        return np.log10(values + LEAST_ENERGY)
    if family == "sparsity":
        return values
    return values / LENGTH
