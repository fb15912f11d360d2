"""A stand-in for simulated showers of charged pions: a parametrisation of our own, not Geant4.

A pion is a minimum ionising track down to its first inelastic collision, if that lies in the
calorimeter at all. What it has left is divided into an electromagnetic part, the photons of neutral
pions, and a hadronic part, of which only some is visible.

* Track: deposits per step of the stack have the mean ``dE/dx`` of lead and argon at the minimum of
  ionisation times a relativistic rise, and fluctuate as Moyal's distribution (Phil. Mag. 46 (1955)
  263) with Landau's width ``xi``. The track deviates from the axis by multiple scattering,
  ``13.6 MeV / p sqrt(depth / X0) depth / sqrt(3)`` (Particle Data Group).
* Collision: its depth is exponential with the pion interaction length of the stack, 435 mm (lead
  199 mm, liquid argon 1067 mm: Particle Data Group, atomic and nuclear properties). So 33 % of the
  pions cross the 480 mm without a collision.
* Electromagnetic part: on average ``1 - (E / 1 GeV)^(k - 1)`` with k = 0.82 (Gabriel et al., NIM A
  338 (1994) 336), with a beta distribution whose variance falls as the logarithm of the energy (our
  choice). Two photons share it at random and leave the axis with the angle ``pT / E``, pT = 0.35
  GeV; their showers are those of the stand-in for photons.
* Hadronic part: 65 % of it is visible on average (beta distribution, our choice); the rest is
  binding energy, neutrons and neutrinos. Its depth beyond the collision, in nuclear interaction
  lengths of 374 mm, is a gamma distribution of the shape ``0.6165 + 0.3183 ln E`` and the rate
  ``0.9099 - 0.0237 ln E``, as the hadronic term of Bock et al., NIM 186 (1981) 533 (written down
  from memory). Distances from the axis are exponential with a mean of 60 mm plus 20 % of the depth
  beyond the collision (our choice).

What lies beyond the calorimeter is lost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats, Rng
from qgen_hep.generate.calogan.detector import ARGON_MM, LAYER_ENDS, LEAD_MM, MEDIUM, STACK
from qgen_hep.generate.calogan.electromagnetic import conversions, electromagnetic
from qgen_hep.generate.calogan.spots import Spots, around, joined, shares

STEP = LEAD_MM + ARGON_MM
DEPTH = float(LAYER_ENDS[-1])
#: Mean depths in mm of a pion's first collision, and lengths of the hadronic shower after it.
PION_LENGTH = STEP / (LEAD_MM / 199.3 + ARGON_MM / 1067.0)
NUCLEAR_LENGTH = STEP / (LEAD_MM / 175.9 + ARGON_MM / 857.7)
#: Energy in MeV that a particle at the minimum of ionisation leaves in a step, and the rise of it
#: for pions of some GeV and more.
MINIMUM = 1.273 * LEAD_MM + 0.2105 * ARGON_MM
RISE = 1.3
#: Landau's width of the deposit of a step in MeV: ``0.1535 Z / A`` times the mass in g/cm2.
LANDAU_WIDTH = 0.01535 * (0.3958 * 11.35 * LEAD_MM + 0.4506 * 1.396 * ARGON_MM)
#: Mean of Moyal's distribution, in widths from its maximum: Euler's constant plus ln 2.
MOYAL_MEAN = 1.2703628
#: Exponent of the hadronic part, and its scale in GeV.
EXPONENT = 0.82
SCALE = 1.0
#: Sum of the parameters of the beta distribution of the electromagnetic part at 1 GeV, which grows
#: by as much with each unit of ln E.
EVENNESS = 2.5
#: Mean of the visible part of the hadronic energy, and the sum of the beta parameters.
VISIBLE = 0.65
VISIBLE_EVENNESS = 20.0
#: Transverse momentum in GeV of the photons with respect to the pion.
PHOTON_PT = 0.35
#: Mean energy in MeV of a deposit of the hadronic part.
HADRONIC_SPOT = 4.0
#: Mean distance from the axis in mm at the collision, and its growth with depth.
HADRONIC_RADIUS = 60.0
OPENING = 0.2
#: The largest angle of a photon, in radians.
LARGEST_ANGLE = 0.5


def hadronic(energy: Floats, rng: Rng) -> Spots:
    """The spots of showers of pions of energies (N,) in GeV.

    >>> spots = hadronic(np.full(50, 40.0), np.random.default_rng(1))
    >>> totals = np.bincount(spots.shower, weights=spots.energy)
    >>> bool(totals.max() <= 40_000.001), bool(totals.min() < 1000)
    (True, True)
    """
    collision = rng.exponential(PION_LENGTH, len(energy))
    track = _track(energy, collision, rng)
    spent = np.bincount(track.shower, weights=track.energy, minlength=len(energy)) / 1000
    collided = np.flatnonzero(collision < DEPTH)
    left = np.maximum(energy - spent, 0.0)[collided]
    mean = 1 - np.maximum(left / SCALE, 1.0) ** (EXPONENT - 1)
    evenness = EVENNESS * (1 + np.log(np.maximum(left, 1.0)))
    part = _beta(mean, evenness, rng)
    photons = _photons(collided, part * left, collision[collided], rng)
    visible = _beta(np.full(len(left), VISIBLE), np.full(len(left), VISIBLE_EVENNESS), rng)
    broad = _broad(collided, (1 - part) * left, visible, collision[collided], rng)
    return joined([track, photons, broad])


def _beta(mean: Floats, evenness: Floats, rng: Rng) -> Floats:
    """Numbers (N,) from 0 to 1 with these means and the variances mean (1 - mean) / (1 + e)."""
    least = 1e-6
    return rng.beta(np.maximum(mean * evenness, least), np.maximum((1 - mean) * evenness, least))


def _track(energy: Floats, collision: Floats, rng: Rng) -> Spots:
    """A deposit in each step of the stack that a pion passes before its collision."""
    steps = np.minimum(np.ceil(collision / STEP), STACK).astype(np.int64)
    shower = np.repeat(np.arange(len(energy)), steps)
    first = np.repeat(np.cumsum(steps) - steps, steps)
    depth: Floats = STEP * (np.arange(len(shower)) - first + 0.5)
    moyal = -np.log(rng.standard_normal(len(shower)) ** 2)
    deposit = RISE * MINIMUM + LANDAU_WIDTH * (moyal - MOYAL_MEAN)
    # all steps together cannot leave more than the pion has
    deposit = np.clip(deposit, 0.0, 1000 * energy[shower] / STACK)
    direction_x, direction_y = rng.standard_normal((2, len(energy)))
    scattering = 0.0136 / energy[shower] * np.sqrt(depth / MEDIUM.radiation_length / 3) * depth
    return Spots(
        shower=shower,
        x=scattering * direction_x[shower],
        y=scattering * direction_y[shower],
        depth=depth,
        energy=deposit,
    )


def _photons(pion: NDArray[np.int64], energy: Floats, collision: Floats, rng: Rng) -> Spots:
    """Two photon showers for each pion (K,) that share the energy (K,) in GeV."""
    part = rng.random(len(pion))
    both = np.concatenate([part * energy, (1 - part) * energy])
    start = np.tile(collision, 2) + conversions(len(both), rng)
    spots = electromagnetic(both, start, rng)
    pt = rng.exponential(PHOTON_PT, len(both))
    angle = np.minimum(pt / np.maximum(both, PHOTON_PT), LARGEST_ANGLE)
    slope_x, slope_y = around(angle, rng)
    way = spots.depth - np.tile(collision, 2)[spots.shower]
    return Spots(
        shower=np.tile(pion, 2)[spots.shower],
        x=spots.x + slope_x[spots.shower] * way,
        y=spots.y + slope_y[spots.shower] * way,
        depth=spots.depth,
        energy=spots.energy,
    )


def _broad(
    pion: NDArray[np.int64], energy: Floats, visible: Floats, collision: Floats, rng: Rng
) -> Spots:
    """The visible deposits of the hadronic parts (K,) in GeV of these pions (K,)."""
    seen = 1000 * visible * energy
    owner = np.repeat(np.arange(len(pion)), rng.poisson(seen / HADRONIC_SPOT))
    log_energy = np.log(np.maximum(energy, 1.0))
    shape = (0.6165 + 0.3183 * log_energy)[owner]
    rate = (0.9099 - 0.0237 * log_energy)[owner]
    way = NUCLEAR_LENGTH * rng.standard_gamma(shape) / rate
    x, y = around(rng.standard_exponential(len(owner)) * (HADRONIC_RADIUS + OPENING * way), rng)
    return Spots(
        shower=pion[owner],
        x=x,
        y=y,
        depth=collision[owner] + way,
        energy=shares(owner, seen, np.ones(len(owner)), rng),
    )
