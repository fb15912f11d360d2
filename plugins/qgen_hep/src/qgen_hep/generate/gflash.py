"""GFlash: parametrised electromagnetic showers in sampling calorimeters, of our own code.

Source: Grindhammer and Peters, hep-ex/0001020: the effective medium (appendix A), means and
fluctuations of the longitudinal profile (section 3), and the radial profile (section 4). Depths are
in radiation lengths and radii in Moliere radii of the effective medium; energies are in GeV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qgen_core.typing import Floats, Rng

#: Smallest shape parameter of a profile: below 1 it would have no maximum.
LEAST_ALPHA = 1.05
#: The scale energy of multiple scattering in MeV, of which Moliere's radius is a multiple.
SCALE_ENERGY = 21.2
#: Depths, in units of that of the maximum, up to which the radial profile was fitted.
LAST_STAGE = 6.0
#: Least radii of core and tail, and largest of the tail: the formulas were fitted from 0.4 GeV on.
LEAST_CORE = 0.01
LEAST_TAIL = 0.05
LARGEST_TAIL = 10.0
#: Distances beyond this many Moliere radii are not drawn.
LARGEST_RADIUS = 7.0
#: The part of the distances that is drawn from the tail.
TAIL_DRAWS = 0.6


@dataclass(frozen=True)
class Material:
    """Charge, mass number, density in g/cm3 and radiation length in g/cm2."""

    z: float
    a: float
    density: float
    radiation_length: float

    @property
    def critical_energy(self) -> float:
        """In MeV: ``2.66 (X0 Z / A)^1.1``."""
        return float(2.66 * (self.radiation_length * self.z / self.a) ** 1.1)


@dataclass(frozen=True)
class Medium:
    """The effective medium of a stack of two materials.

    ``z`` is the effective charge, ``critical_energy`` in MeV, ``sampling_frequency`` the radiation
    length over the thickness of a layer, ``electron_ratio`` the ratio e/mip, ``radiation_length``
    and ``moliere_radius`` are in mm.
    """

    z: float
    critical_energy: float
    sampling_frequency: float
    electron_ratio: float
    radiation_length: float
    moliere_radius: float

    @classmethod
    def of(cls, passive: Material, active: Material, passive_mm: float, active_mm: float) -> Medium:
        """The medium of layers of these thicknesses in mm.

        >>> lead = Material(82, 207.2, 11.35, 6.37)
        >>> argon = Material(18, 39.948, 1.39, 19.55)
        >>> medium = Medium.of(lead, argon, 2.0, 4.0)
        >>> round(medium.radiation_length, 1), round(medium.moliere_radius, 1)
        (15.6, 36.9)
        """
        passive_mass = passive.density * passive_mm
        active_mass = active.density * active_mm
        mass = passive_mass + active_mass
        share = passive_mass / mass
        inverse_length = share / passive.radiation_length + (1 - share) / active.radiation_length
        length = 1 / inverse_length
        energy_per_length = (
            share * passive.critical_energy / passive.radiation_length
            + (1 - share) * active.critical_energy / active.radiation_length
        )
        thickness = passive_mm + active_mm
        # length in g/cm2 over the density is a length; density is mass over thickness
        density = mass / thickness
        return cls(
            z=share * passive.z + (1 - share) * active.z,
            critical_energy=length * energy_per_length,
            sampling_frequency=length / density * 10 / thickness,
            electron_ratio=1 / (1 + 0.007 * (passive.z - active.z)),
            radiation_length=10 * length / density,
            moliere_radius=10 * SCALE_ENERGY / energy_per_length / density,
        )


def profile_parameters(medium: Medium, energy: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Shape alpha and depth of the maximum T in radiation lengths, (N,) each.

    ``ln T`` and ``ln alpha`` are normal with a correlation that depends on the energy (N,) in GeV.
    The energy at a depth t is distributed as ``Gamma(alpha) T / (alpha - 1)``.
    """
    log_y = np.log(energy * 1000 / medium.critical_energy)
    mean_t = log_y - 0.812 - 0.55 / medium.sampling_frequency - 0.69 * (1 - medium.electron_ratio)
    mean_alpha = 0.81 + (0.458 + 2.26 / medium.z) * log_y - 0.476 / medium.sampling_frequency
    sigma_t = 1 / (-2.5 + 1.25 * log_y)
    sigma_alpha = 1 / (-0.82 + 0.79 * log_y)
    correlation = 0.784 - 0.023 * log_y
    common = np.sqrt((1 + correlation) / 2)
    opposite = np.sqrt((1 - correlation) / 2)
    first, second = rng.standard_normal((2, len(energy)))
    t = np.exp(np.log(mean_t) + sigma_t * (common * first + opposite * second))
    alpha = np.exp(np.log(mean_alpha) + sigma_alpha * (common * first - opposite * second))
    return np.maximum(alpha, LEAST_ALPHA), t


def radii(medium: Medium, log_energy: Floats, stage: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Distances from the axis in Moliere radii of energy deposits, and their weights, (S,) each.

    ``log_energy`` (S,) is the logarithm of the shower's energy in GeV, ``stage`` (S,) the depth of
    the deposit over that of the maximum. Weighted, the density is ``p f(r; core) + (1 - p) f(r;
    tail)`` with ``f(r; R) = 2 r R^2 / (r^2 + R^2)^2``, cut off at ``LARGEST_RADIUS``. Distances are
    drawn more often from the tail and at large radii than the density says, so that far cells are
    hit by many small deposits; the weights, 1 on average, make up for that.

    >>> medium = Medium(60.0, 10.0, 2.5, 0.7, 15.0, 29.0)
    >>> r, weight = radii(medium, np.zeros(9000), np.ones(9000), np.random.default_rng(0))
    >>> bool(abs(weight.mean() - 1) < 0.02), bool(np.average(r < 0.6, weights=weight) > 0.7)
    (True, True)
    """
    stage = np.minimum(stage, LAST_STAGE)
    sampling = 1 / medium.sampling_frequency
    excess = 1 - medium.electron_ratio
    early = np.exp(-stage)

    core = 0.0251 + 0.00319 * log_energy + (0.1162 - 0.000381 * medium.z) * stage
    core += 0.0397 * sampling * early - 0.0203 * excess

    beyond = stage - 0.645
    tail = np.exp(-2.59 * beyond) + np.exp((0.3585 + 0.0421 * log_energy) * beyond)
    tail *= 0.659 - 0.00309 * medium.z
    tail -= 0.14 * excess + 0.495 * sampling * early

    power = (0.401 + 0.00187 * medium.z - stage) / (1.313 - 0.0686 * log_energy)
    share = (2.632 - 0.00094 * medium.z) * np.exp(power - np.exp(power))
    share += excess * (0.348 - 0.642 * sampling * np.exp(-((stage - 1) ** 2)))
    share = np.clip(share, 0.0, 1.0)

    in_tail = rng.random(len(stage)) < TAIL_DRAWS
    radius = np.where(
        in_tail, np.clip(tail, LEAST_TAIL, LARGEST_TAIL), np.maximum(core, LEAST_CORE)
    )
    weight = np.where(in_tail, (1 - share) / TAIL_DRAWS, share / (1 - TAIL_DRAWS))
    # Of f, the part v lies within r = R sqrt(v / (1 - v)); v = c (1 - u^2) with u uniform has the
    # density 1 / (2 c u), so the weight is 2 u.
    outside = rng.random(len(stage))
    limit = 1 / (1 + (radius / LARGEST_RADIUS) ** 2)
    inside = limit * (1 - outside**2)
    return radius * np.sqrt(inside / (1 - inside)), 2 * outside * weight
