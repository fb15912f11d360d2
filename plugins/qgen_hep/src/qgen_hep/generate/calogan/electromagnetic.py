"""A stand-in for Geant4: electromagnetic showers in the calorimeter of CaloGAN, after GFlash.

Profiles are those of :mod:`qgen_hep.generate.gflash`, calibrated on Geant4 showers of positrons of
1 to 100 GeV in the same calorimeter. A halo is added, which GFlash does not have: low-energy
photons that Geant4 carries far from the axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats, Rng
from qgen_hep.generate.calogan.detector import MEDIUM
from qgen_hep.generate.calogan.spots import Spots, around, shares
from qgen_hep.generate.gflash import profile_parameters, radii

#: Calibrated on Geant4: a factor on the depth of the shower's maximum.
DEPTH_SCALE = 1.09
#: Spots of a shower of 1 GeV, outside the halo; their number grows as the energy to this power.
SPOTS_AT_1_GEV = 50.0
SPOT_POWER = 0.959
#: The part of the energy that the halo has, the mean energy of its spots in MeV, and the mean of
#: the exponential distribution of their distances from the axis in mm.
HALO = 0.045
HALO_SPOT = 1.0
HALO_RADIUS = 40.0
#: Depths of the halo's spots over those of the others.
HALO_DEPTH = 0.67
#: Every second depth is drawn from a profile stretched by this factor.
STRETCH = 1.4
#: Showers of less energy in GeV have the profiles of this one.
LEAST_ENERGY = 0.3
#: Mean depth of a photon's conversion, in radiation lengths.
CONVERSION = 9 / 7


def conversions(count: int, rng: Rng) -> Floats:
    """Depths (N,) in mm where photons convert: exponential, with the mean 9/7 radiation lengths."""
    return MEDIUM.radiation_length * rng.exponential(CONVERSION, count)


def electromagnetic(energy: Floats, start: Floats, rng: Rng) -> Spots:
    """The spots of electron showers of energies (N,) in GeV that start at depths (N,) in mm.

    >>> rng = np.random.default_rng(0)
    >>> spots = electromagnetic(np.array([10.0, 50.0]), np.zeros(2), rng)
    >>> np.bincount(spots.shower, weights=spots.energy).round(6).tolist()
    [10000.0, 50000.0]
    """
    numbers = np.arange(len(energy))
    profiled = np.maximum(energy, LEAST_ENERGY)
    alpha, t_max = profile_parameters(MEDIUM, profiled, rng)
    t_max *= DEPTH_SCALE
    halo_counts = rng.poisson(HALO * energy * 1000 / HALO_SPOT)
    halo_energy = np.where(halo_counts > 0, HALO * energy * 1000, 0.0)
    core = np.repeat(numbers, np.ceil(SPOTS_AT_1_GEV * energy**SPOT_POWER).astype(np.int64))
    halo = np.repeat(numbers, halo_counts)
    shower = np.concatenate([core, halo])

    depth, weight = depths(alpha, shower, rng)
    depth *= (t_max / (alpha - 1))[shower]
    depth[len(core) :] *= HALO_DEPTH
    stage = depth[: len(core)] / t_max[core]
    near, radial_weight = radii(MEDIUM, np.log(profiled)[core], stage, rng)
    weight[: len(core)] *= radial_weight
    far = rng.exponential(HALO_RADIUS, len(halo))
    x, y = around(np.concatenate([MEDIUM.moliere_radius * near, far]), rng)
    in_core = shares(core, energy * 1000 - halo_energy, weight[: len(core)], rng)
    in_halo = shares(halo, halo_energy, weight[len(core) :], rng)
    return Spots(
        shower=shower,
        x=x,
        y=y,
        depth=start[shower] + MEDIUM.radiation_length * depth,
        energy=np.concatenate([in_core, in_halo]),
    )


def depths(alpha: Floats, shower: NDArray[np.int64], rng: Rng) -> tuple[Floats, Floats]:
    """Depths of spots in units of the profile's scale, and their weights, (S,) each.

    Every second depth is stretched, so that there are small spots at the end of a shower. Of the
    weights, the density of the profile over that of the mixture, none is above 2.
    """
    depth = rng.standard_gamma(alpha[shower])
    depth[::2] *= STRETCH
    ratio = (STRETCH**-alpha)[shower] * np.exp((1 - 1 / STRETCH) * depth)
    return depth, 2 / (1 + ratio)
