"""The encoder ``energy-features``: an energy and its logarithm, for the condition of a network."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.energies import EnergyCode
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats, Rng


class EnergyFeaturesEncoder(EnergyCode):
    """``E / scale`` and ``ln(E / scale)``: energies (N, K) above 0 give (N, 2 K) reals.

    The K energies come first, then the K logarithms; a network sees both the linear and the
    relative scale. Decoding reads the first K columns. Encoding has no density (``log_det`` is
    None), because it maps to more columns than there are energies.

    Args:
        scale: the energy that is mapped to (1, 0), in the unit of the energies.

    Raises BadOption for a scale that is not above 0.

    >>> import numpy as np
    >>> energy = np.array([[100.0], [1.0]])
    >>> encoder = EnergyFeaturesEncoder(scale=100.0).fit(energy)
    >>> encoder.encode(energy).round(3).tolist()
    [[1.0, 0.0], [0.01, -4.605]]
    """

    name = "energy-features"
    kind: Literal["reals", "bits", "spins"] = "reals"
    columns_each = 2

    def __init__(self, *, scale: float = 100.0) -> None:
        if not (np.isfinite(scale) and scale > 0):
            raise BadOption(f"the scale of energy-features is a number above 0, not {scale:g}")
        self.scale = scale

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        return x > 0

    def _allowed(self) -> str:
        return "energies above 0"

    def _code(self, x: Floats) -> Array:
        part = x / self.scale
        return np.concatenate([part, np.log(part)], axis=1)

    def _energies(self, z: Array, rng: Rng) -> Floats:
        energies: Floats = z[:, : z.shape[1] // 2].astype(np.float64) * self.scale
        return energies
