"""A stand-in for Geant4: photon showers in the detector of ``calo-photons``, after GFlash.

Profiles are those of :mod:`qgen_hep.generate.gflash`. What is added was calibrated on Geant4
showers of 65.536 GeV in the same detector: a factor on the depth of the maximum; a spread of the
distances from the axis; a halo of soft deposits far from it; the presampler, whose argon sees
single tracks and a little from behind; and the fluctuations of sampling in each layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats, Rng
from qgen_hep.calorimeters.geometry import DS1_PHOTONS, voxels_of
from qgen_hep.generate.calogan.electromagnetic import CONVERSION, LEAST_ENERGY, depths
from qgen_hep.generate.calogan.spots import around, shares
from qgen_hep.generate.gflash import profile_parameters, radii
from qgen_hep.generate.photons.detector import MEDIUM, PRESAMPLER, VOXELS, layer_at, voxel

#: Factors on the depth of the shower's maximum, and on the energy in voxels.
DEPTH_SCALE = 0.975
RESPONSE = 0.9935
#: Spots of a shower of 1 GeV, outside the halo; their number grows as the energy to this power, up
#: to the largest number.
SPOTS_AT_1_GEV = 60.0
SPOT_POWER = 0.959
MOST_SPOTS = 20_000
#: Distances from the axis are multiplied by a logarithmic normal number of this width, and by this
#: factor at its beginning, which approaches 1 on the scale of the depth of the maximum.
SPREAD = 0.85
EARLY = 0.25
EARLY_STAGES = 0.5
#: Distances r in mm become ``r / (1 + r / COMPRESSED)``: GFlash has too much far from the axis.
COMPRESSED = 350.0
#: The part of the energy that the halo has, the least mean energy of its spots in MeV, and the mean
#: of the exponential distribution of their distances from the axis in mm.
HALO = 0.03
HALO_SPOT = 3.0
HALO_RADIUS = 30.0
#: Depths of the halo's spots over those of the others.
HALO_DEPTH = 0.67
#: The presampler's energy over that of the profile, taken these radiation lengths deeper, the mean
#: energy of a track in MeV, and a factor on its distance from the axis.
PRESAMPLER_FACTOR = 1.0
PRESAMPLER_LEAD = 0.7
TRACK = 1.5
TRACK_RADIUS = 0.15
#: What the presampler sees from behind: mean number of deposits in a shower of 65 GeV, their mean
#: energy in MeV and mean distance from the axis in mm.
BACKWARD = 4.0
BACKWARD_SPOT = 0.5
BACKWARD_RADIUS = 150.0
#: The energy E of a layer fluctuates with the standard deviation ``c sqrt(E / GeV)`` GeV.
SAMPLING = 0.07
#: The energy in GeV at which the constants were set.
REFERENCE_ENERGY = 65.536


def photon_showers(energy: Floats, rng: Rng) -> Floats:
    """The energies (N, 368) in MeV of the voxels, for photons of energies (N,) in GeV.

    >>> found = photon_showers(np.full(20, 65.536), np.random.default_rng(0))
    >>> found.shape, bool(abs(found.sum(axis=1).mean() / 65_536 - 1) < 0.02)
    ((20, 368), True)
    """
    profiled = np.maximum(energy, LEAST_ENERGY)
    alpha, t_max = profile_parameters(MEDIUM, profiled, rng)
    t_max *= DEPTH_SCALE
    start = rng.exponential(CONVERSION, len(energy))
    found = _in_stack(energy, start, alpha, t_max, rng)
    found += _in_presampler(energy, start, alpha, t_max, rng)
    return RESPONSE * _sampled(found, rng)


def _in_stack(energy: Floats, start: Floats, alpha: Floats, t_max: Floats, rng: Rng) -> Floats:
    """The energies (N, 368) of the spots behind the presampler."""
    numbers = np.arange(len(energy))
    in_mev = 1000 * energy
    spots = np.minimum(np.ceil(SPOTS_AT_1_GEV * energy**SPOT_POWER), MOST_SPOTS)
    core = np.repeat(numbers, spots.astype(np.int64))
    halo_counts = rng.poisson(np.minimum(HALO * in_mev / HALO_SPOT, MOST_SPOTS))
    halo = np.repeat(numbers, halo_counts)
    halo_energy = np.where(halo_counts > 0, HALO * in_mev, 0.0)
    shower = np.concatenate([core, halo])
    depth, weight = depths(alpha, shower, rng)
    depth *= (t_max / (alpha - 1))[shower]
    depth[len(core) :] *= HALO_DEPTH
    stage = depth[: len(core)] / t_max[core]
    near, radial_weight = _distances(energy, core, stage, rng)
    weight[: len(core)] *= radial_weight
    far = rng.exponential(HALO_RADIUS, len(halo))
    x, y = around(np.concatenate([near, far]), rng)
    layer = layer_at(start[shower] + depth)
    layer[layer == 0] = -1
    deposits = np.concatenate(
        [
            shares(core, in_mev - halo_energy, weight[: len(core)], rng),
            shares(halo, halo_energy, weight[len(core) :], rng),
        ]
    )
    return _summed(len(energy), shower, voxel(x, y, layer), deposits)


def _distances(
    energy: Floats, shower: NDArray[np.int64], stage: Floats, rng: Rng
) -> tuple[Floats, Floats]:
    """Distances from the axis in mm of spots (S,) at these stages of showers, and their weights."""
    log_energy = np.log(np.maximum(energy, LEAST_ENERGY))[shower]
    r, weight = radii(MEDIUM, log_energy, stage, rng)
    early = 1 - (1 - EARLY) * np.exp(-stage / EARLY_STAGES)
    spread = np.exp(SPREAD * rng.standard_normal(len(r)))
    distance = MEDIUM.moliere_radius * early * spread * r
    return distance / (1 + distance / COMPRESSED), weight


def _in_presampler(energy: Floats, start: Floats, alpha: Floats, t_max: Floats, rng: Rng) -> Floats:
    """The energies (N, 368) of tracks in the presampler, and of what comes from behind."""
    from scipy.special import gammainc

    begin, end = PRESAMPLER
    rate = (alpha - 1) / t_max
    way = np.maximum(begin - start, 0.0)
    lead = np.where(begin > start, PRESAMPLER_LEAD, 0.0)
    before = gammainc(alpha, rate * (way + lead))
    behind = gammainc(alpha, rate * (np.maximum(end - start, 0.0) + lead))
    mean = PRESAMPLER_FACTOR * 1000 * energy * (behind - before)
    numbers = np.arange(len(energy))
    tracks = np.repeat(numbers, rng.poisson(mean / TRACK))
    stage = way / t_max
    near, _ = _distances(energy, tracks, stage[tracks], rng)
    backward = np.repeat(numbers, rng.poisson(BACKWARD * energy / REFERENCE_ENERGY))
    far = rng.exponential(BACKWARD_RADIUS, len(backward))
    x, y = around(np.concatenate([TRACK_RADIUS * near, far]), rng)
    deposits = np.concatenate(
        [rng.exponential(TRACK, len(tracks)), rng.exponential(BACKWARD_SPOT, len(backward))]
    )
    layer = np.zeros(len(deposits), dtype=np.int64)
    shower = np.concatenate([tracks, backward])
    return _summed(len(energy), shower, voxel(x, y, layer), deposits)


def _summed(
    showers: int, shower: NDArray[np.int64], where: NDArray[np.int64], deposits: Floats
) -> Floats:
    """The energies (N, 368) of deposits (S,) in voxels (S,) of showers (S,)."""
    flat = shower * (VOXELS + 1) + where
    sums = np.bincount(flat, weights=deposits, minlength=showers * (VOXELS + 1))
    found: Floats = sums.reshape(showers, VOXELS + 1)[:, :VOXELS].astype(np.float64)
    return found


def _sampled(showers: Floats, rng: Rng) -> Floats:
    """Showers (N, 368) whose layers have the fluctuations of sampling; the presampler has its own.

    A layer of the energy E becomes ``c^2 Gamma(E / c^2)``, with the mean E and the variance c^2 E.
    """
    scale = 1000 * SAMPLING**2  # in MeV
    for layer in DS1_PHOTONS.layers[1:]:
        cells = showers[:, voxels_of(layer)]
        energy = cells.sum(axis=1)
        drawn = scale * rng.standard_gamma(energy / scale)
        cells *= np.divide(drawn, energy, out=np.zeros(len(energy)), where=energy > 0)[:, None]
    return showers
