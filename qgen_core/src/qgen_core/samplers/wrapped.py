"""What samplers share that wrap another sampler."""

from __future__ import annotations

from collections.abc import Mapping

from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.typing import Array


class WrappedSampler(Sampler):
    """A sampler that draws with ``sampler``; it has its inverse temperature and its state.

    A subclass implements ``sample`` by calls of ``self.sampler.sample``.

    >>> import numpy as np
    >>> from qgen_core.ising import Ising
    >>> from qgen_core.samplers.exact import ExactSampler
    >>> class Ordered(WrappedSampler):
    ...     def sample(self, ising, n, *, rng, initial=None):
    ...         spins, info = self.sampler.sample(ising, n, rng=rng, initial=initial)
    ...         return spins[np.argsort(ising.energy(spins))], info
    >>> spin = Ising(h=[1.0], J=[], graph=np.empty((0, 2)))
    >>> ordered = Ordered(ExactSampler(beta=0.1))
    >>> ordered.beta, ordered.sample(spin, 9, rng=np.random.default_rng(1))[0].ravel()[[0, -1]]
    (0.1, array([-1,  1], dtype=int8))
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler

    @property
    def beta(self) -> float:  # type: ignore[override]
        """The inverse temperature, which the wrapped sampler may change while it draws."""
        return self.sampler.beta

    @property
    def remote(self) -> bool:  # type: ignore[override]
        """Whether the wrapped sampler draws over the network."""
        return self.sampler.remote

    def device_seconds(self, ising: Ising, n: int) -> float | None:
        """The time on a device of the wrapped sampler, asked once for all n samples."""
        return self.sampler.device_seconds(ising, n)

    def state(self) -> dict[str, Array]:
        return self.sampler.state()

    def load(self, state: Mapping[str, Array]) -> None:
        self.sampler.load(state)
