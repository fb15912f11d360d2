"""A stand-in for Geant4: longitudinal profiles of electron showers after GFlash.

Source: Grindhammer and Peters, hep-ex/0001020: the effective medium (appendix A), means and
fluctuations of the longitudinal profile in sampling calorimeters (section 3), and fluctuations of
the sampled energy (section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qgen_core.typing import Floats, Rng
from qgen_hep.generate.clic.detector import SILICON, THICKNESS, TUNGSTEN

#: Calibrated on Geant4 at 225 to 275 GeV: the part of the energy that the silicon of a thin layer
#: sees, and a factor on the depth of the shower's maximum.
VISIBLE_FRACTION = 0.0225
DEPTH_SCALE = 0.99
#: The sampled energy E fluctuates with the standard deviation 0.3 sqrt(E / GeV) GeV.
SAMPLING = 0.3
#: Smallest shape parameter of a profile: below 1 it would have no maximum.
LEAST_ALPHA = 1.05


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


TUNGSTEN_MATERIAL = Material(74, 183.84, 19.3, 6.76)
SILICON_MATERIAL = Material(14, 28.085, 2.33, 21.82)


@dataclass(frozen=True)
class Medium:
    """The effective medium of a stack of two materials.

    ``z`` is the effective charge, ``critical_energy`` in MeV, ``sampling_frequency`` the radiation
    length over the thickness of a layer, and ``electron_ratio`` the ratio e/mip.
    """

    z: float
    critical_energy: float
    sampling_frequency: float
    electron_ratio: float

    @classmethod
    def of(cls, passive: Material, active: Material, passive_mm: float, active_mm: float) -> Medium:
        """The medium of layers of these thicknesses in mm.

        >>> medium = Medium.of(TUNGSTEN_MATERIAL, SILICON_MATERIAL, 2.4, 0.5)
        >>> round(medium.critical_energy, 2), round(medium.sampling_frequency, 2)
        (8.22, 1.45)
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
        return cls(
            z=share * passive.z + (1 - share) * active.z,
            critical_energy=length * energy_per_length,
            # length in g/cm2 over the density is a length; density is mass over thickness
            sampling_frequency=length / (mass / thickness) * 10 / thickness,
            electron_ratio=1 / (1 + 0.007 * (passive.z - active.z)),
        )


#: The medium of the front layers, taken for the whole depth.
MEDIUM = Medium.of(TUNGSTEN_MATERIAL, SILICON_MATERIAL, float(TUNGSTEN[0]), SILICON)


def profile_parameters(energy: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Shape alpha and depth of the maximum T in radiation lengths, (N,) each.

    ``ln T`` and ``ln alpha`` are normal with a correlation that depends on the energy (N,) in GeV.
    """
    log_y = np.log(energy * 1000 / MEDIUM.critical_energy)
    mean_t = log_y - 0.812 - 0.55 / MEDIUM.sampling_frequency - 0.69 * (1 - MEDIUM.electron_ratio)
    mean_alpha = 0.81 + (0.458 + 2.26 / MEDIUM.z) * log_y - 0.476 / MEDIUM.sampling_frequency
    sigma_t = 1 / (-2.5 + 1.25 * log_y)
    sigma_alpha = 1 / (-0.82 + 0.79 * log_y)
    correlation = 0.784 - 0.023 * log_y
    common = np.sqrt((1 + correlation) / 2)
    opposite = np.sqrt((1 - correlation) / 2)
    first, second = rng.standard_normal((2, len(energy)))
    t = np.exp(np.log(mean_t) + sigma_t * (common * first + opposite * second))
    alpha = np.exp(np.log(mean_alpha) + sigma_alpha * (common * first - opposite * second))
    return np.maximum(alpha, LEAST_ALPHA), DEPTH_SCALE * t


def showers(energy: Floats, rng: Rng) -> Floats:
    """The energy (N, 25) in MeV that the silicon of each layer sees, for energies (N,) in GeV.

    The energy of a layer is the integral of a gamma distribution of depth with the mode T and the
    shape alpha. Sampling makes it fluctuate as ``c^2 Gamma(E / c^2)``, which has the mean E and the
    variance ``c^2 E``. Silicon behind twice as much tungsten sees half as much of it. There is no
    transverse profile, so no leakage through the sides.

    >>> seen = showers(np.full(2000, 250.0), np.random.default_rng(0))
    >>> seen.shape, int(seen.mean(axis=0).argmax())
    ((2000, 25), 12)
    """
    from scipy.special import gammainc

    alpha, t_max = profile_parameters(energy, rng)
    rate = (alpha - 1) / t_max
    depths = np.concatenate([[0.0], np.cumsum(THICKNESS)])
    before = gammainc(alpha[:, None], rate[:, None] * depths)
    deposited = energy[:, None] * np.diff(before, axis=1)
    variance = SAMPLING**2
    sampled = variance * rng.standard_gamma(deposited / variance)
    visible: Floats = 1000 * VISIBLE_FRACTION * sampled * (THICKNESS[0] / THICKNESS)
    return visible
