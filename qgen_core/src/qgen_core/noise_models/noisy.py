"""A backend made noisy: the noise model maps each circuit before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuit import Circuit
from qgen_core.interfaces import Backend, Noise
from qgen_core.measures import Measure

Array = NDArray[Any]
Floats = NDArray[np.float64]
Rng = np.random.Generator


class NoisyBackend(Backend):
    """``backend`` behind ``noise``: a function of (circuit, measure) that returns both, made noisy."""

    def __init__(self, backend: Backend, noise: Noise) -> None:
        self.backend, self.noise = backend, noise
        self.capabilities = backend.capabilities

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if the wrapped backend would."""
        self.backend.require(*self.noise(circuit, measure), batch)

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> Array:
        noisy, read = self.noise(circuit, measure)
        return self.backend.run(noisy, angles, read, shots=shots, rng=rng)

    def forward(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> tuple[Array, Callable[[Array], Floats]]:
        noisy, read = self.noise(circuit, measure)
        return self.backend.forward(noisy, angles, read, shots=shots, rng=rng)

    def vjp(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        cotangent: Array,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> Floats:
        noisy, read = self.noise(circuit, measure)
        return self.backend.vjp(noisy, angles, read, cotangent, shots=shots, rng=rng)
