"""A stand-in for Geant4: longitudinal profiles of electron showers after GFlash.

The profile is that of :mod:`qgen_hep.generate.gflash`; the sampled energy fluctuates as in section
2 of Grindhammer and Peters, hep-ex/0001020.
"""

from __future__ import annotations

import numpy as np

from qgen_core.typing import Floats, Rng
from qgen_hep.generate.clic.detector import SILICON, THICKNESS, TUNGSTEN
from qgen_hep.generate.gflash import Material, Medium, profile_parameters

#: Calibrated on Geant4 at 225 to 275 GeV: the part of the energy that the silicon of a thin layer
#: sees, and a factor on the depth of the shower's maximum.
VISIBLE_FRACTION = 0.0225
DEPTH_SCALE = 0.99
#: The sampled energy E fluctuates with the standard deviation 0.3 sqrt(E / GeV) GeV.
SAMPLING = 0.3


TUNGSTEN_MATERIAL = Material(74, 183.84, 19.3, 6.76)
SILICON_MATERIAL = Material(14, 28.085, 2.33, 21.82)


#: The medium of the front layers, taken for the whole depth.
MEDIUM = Medium.of(TUNGSTEN_MATERIAL, SILICON_MATERIAL, float(TUNGSTEN[0]), SILICON)


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

    alpha, t_max = profile_parameters(MEDIUM, energy, rng)
    rate = (alpha - 1) / (DEPTH_SCALE * t_max)
    depths = np.concatenate([[0.0], np.cumsum(THICKNESS)])
    before = gammainc(alpha[:, None], rate[:, None] * depths)
    deposited = energy[:, None] * np.diff(before, axis=1)
    variance = SAMPLING**2
    sampled = variance * rng.standard_gamma(deposited / variance)
    visible: Floats = 1000 * VISIBLE_FRACTION * sampled * (THICKNESS[0] / THICKNESS)
    return visible
