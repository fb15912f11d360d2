"""What samplers of classical energies share: rows of conditions, and what they refuse."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.errors import Unsupported
from qgen_core.interfaces import Sampler, name_of
from qgen_core.ising import Ising
from qgen_core.typing import Array, Rng


class ClassicalSampler(Sampler):
    """A sampler of energies without a transverse field, one condition at a time.

    A subclass implements :meth:`sample_one` and sets ``source``, which says who draws the samples.
    An energy with rows is drawn from row by row.

    >>> class FreeSpins(ClassicalSampler):
    ...     source = "independent spins"
    ...     def sample_one(self, ising, n, *, rng, initial=None):
    ...         up = 1 / (1 + np.exp(2 * self.beta * ising.h))
    ...         spins = np.where(rng.random((n, ising.num_spins)) < up, 1, -1)
    ...         return ising.clamped(spins)
    >>> two_conditions = Ising(h=[[-50.0, 50.0], [50.0, 50.0]], J=[], graph=np.empty((0, 2)))
    >>> spins, info = FreeSpins().sample(two_conditions, 1, rng=np.random.default_rng(1))
    >>> spins.tolist(), info
    ([[[1, -1]], [[-1, -1]]], {'source': 'independent spins'})
    """

    source: str

    @abstractmethod
    def sample_one(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> ArrayLike:
        """n samples (n, S) of exp(-beta E) for an energy without rows.

        ``initial`` (n, S) are spins where a Markov chain may start; they must not be changed.
        """

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Samples (n, S), or (B, n, S) of an energy with rows, and their source.

        Raises Unsupported for an energy with a transverse field.
        """
        if ising.transverse:
            raise Unsupported(
                f"sampler {name_of(self)!r} draws from classical energies; this one has the "
                f"transverse field {ising.transverse:g}"
            )
        drawn = []
        for row, energy in enumerate(ising.by_row()):
            start = initial
            if initial is not None and ising.rows is not None:
                start = initial[row]
            drawn.append(self.sample_one(energy, n, rng=rng, initial=start))
        spins = np.stack(drawn).astype(np.int8)
        if ising.rows is None:
            spins = spins[0]
        return spins, {"source": self.source}
