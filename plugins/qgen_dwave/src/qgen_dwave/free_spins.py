"""Sampling condition by condition, and only the spins that are not fixed."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import Unsupported
from qgen_core.interfaces import Sampler, name_of
from qgen_core.ising import Graph, Ising
from qgen_core.typing import Array, Rng


class FreeSpinSampler(Sampler):
    """A sampler of energies without rows and without fixed spins.

    A subclass implements :meth:`sample_free`. Fixed spins become fields on their neighbours.
    Numbers of the information are means over the conditions.

    >>> class FreeSpins(FreeSpinSampler):
    ...     source = "independent spins"
    ...     def sample_free(self, ising, n, *, rng, initial=None):
    ...         up = 1 / (1 + np.exp(2 * self.beta * ising.h))
    ...         return np.where(rng.random((n, ising.num_spins)) < up, 1, -1), {"draws": n}
    >>> pair = Ising(h=[0.0, 0.0], J=[50.0], graph=[[0, 1]], fixed=[1, 0])
    >>> spins, info = FreeSpins().sample(pair, 1, rng=np.random.default_rng(1))
    >>> spins.tolist(), info
    ([[1, -1]], {'source': 'independent spins', 'draws': 1.0})
    """

    #: Who draws, for the information of a draw.
    source: str
    #: Whether energies may have a transverse field.
    takes_transverse: ClassVar[bool] = False

    @abstractmethod
    def sample_free(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[Array, dict[str, float]]:
        """n samples (n, S) of exp(-beta E), and numbers to report.

        ``ising`` has no rows and no fixed spins.
        """

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Samples (n, S), or (B, n, S) of an energy with rows, and their source.

        Raises Unsupported for a transverse field that the sampler does not take.
        """
        if ising.transverse and not self.takes_transverse:
            raise Unsupported(
                f"sampler {name_of(self)!r} draws from classical energies; this one has the "
                f"transverse field {ising.transverse:g}, which 'dwave-sqa' takes"
            )
        drawn = []
        numbers: list[dict[str, float]] = []
        for row, energy in enumerate(ising.by_row()):
            start = initial
            if initial is not None and ising.rows is not None:
                start = initial[row]
            spins, of_row = self._sample_row(energy, n, rng, start)
            drawn.append(spins)
            numbers.append(of_row)
        samples = np.stack(drawn)
        if ising.rows is None:
            samples = samples[0]
        return samples, {"source": self.source, **means_of(numbers)}

    def _sample_row(
        self, ising: Ising, n: int, rng: Rng, initial: Array | None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        """Samples (n, S) of an energy that may have fixed spins."""
        rest, free = free_part(ising)
        spins = ising.clamped(np.ones((n, ising.num_spins), dtype=np.int8))
        if rest is None:
            return spins, {}
        start = None
        if initial is not None:
            start = initial[:, free]
        drawn, numbers = self.sample_free(rest, n, rng=rng, initial=start)
        spins[:, free] = drawn
        return spins, numbers


def free_part(ising: Ising) -> tuple[Ising | None, NDArray[np.bool_]]:
    """The energy of the spins that are not fixed, and which (S,) these are.

    The energy is None if all spins are fixed. ``ising`` has no rows.

    >>> pair = Ising(h=[0.5, 0.0], J=[-1.0], graph=[[0, 1]], fixed=[0, -1])
    >>> rest, free = free_part(pair)
    >>> rest.h.tolist(), free.tolist()
    ([1.5], [True, False])
    """
    free = np.ones(ising.num_spins, dtype=np.bool_)
    if ising.fixed is None or not ising.fixed.any():
        return Ising(ising.h, ising.J, ising.graph, ising.offset, ising.transverse), free
    free = ising.fixed == 0
    if not free.any():
        return None, free
    values = ising.fixed.astype(np.float64)
    first = ising.edges[:, 0]
    second = ising.edges[:, 1]
    h = ising.h.copy()
    np.add.at(h, first, ising.J * values[second])
    np.add.at(h, second, ising.J * values[first])
    both_fixed = np.sum(ising.J * values[first] * values[second])
    offset = float(ising.offset + ising.h @ values + both_fixed)
    kept = free[first] & free[second]
    number = np.cumsum(free) - 1
    graph = Graph(int(np.count_nonzero(free)), number[ising.edges[kept]])
    return Ising(h[free], ising.J[kept], graph, offset, ising.transverse), free


def means_of(numbers: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each number over the calls that reported it.

    >>> means_of([{"breaks": 0.1}, {"breaks": 0.3}])
    {'breaks': 0.2}
    """
    means = {}
    names = dict.fromkeys(name for of_call in numbers for name in of_call)
    for name in names:
        values = [of_call[name] for of_call in numbers if name in of_call]
        means[name] = float(np.mean(values))
    return means
