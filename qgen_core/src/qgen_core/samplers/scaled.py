"""A sampler at another inverse temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.samplers.wrapped import WrappedSampler
from qgen_core.typing import Array, Rng


class ScaledSampler(WrappedSampler):
    """Gives the energy times ``factor`` to ``sampler``, so its beta is ``factor`` times as large.

    It sets the temperature of a sampler that has no option for it, such as an annealer. A model
    that calls ``draw`` is not changed, because it divides by beta. The information's ``energies``
    are those of the energy that was given.

    Args:
        sampler: the sampler that draws.
        factor: above 0.

    Raises BadOption for another factor.

    >>> from qgen_core.samplers.exact import ExactSampler
    >>> cold = ScaledSampler(ExactSampler(beta=0.5), factor=100.0)
    >>> spin = Ising(h=[1.0], J=[], graph=np.empty((0, 2)))
    >>> cold.beta, cold.sample(spin, 3, rng=np.random.default_rng(1))[0].ravel().tolist()
    (50.0, [-1, -1, -1])
    """

    def __init__(self, sampler: Sampler, *, factor: float) -> None:
        if not 0 < factor < np.inf:
            raise BadOption(f"factor must be a number above 0, not {factor:g}")
        super().__init__(sampler)
        self.factor = factor

    @property
    def beta(self) -> float:  # type: ignore[override]
        """That of the wrapped sampler times the factor."""
        return self.sampler.beta * self.factor

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Samples of exp(-beta E) by the wrapped sampler, and its information."""
        spins, info = self.sampler.sample(ising.scaled(self.factor), n, rng=rng, initial=initial)
        if "energies" in info:
            info = {**info, "energies": np.asarray(info["energies"]) / self.factor}
        return spins, info
