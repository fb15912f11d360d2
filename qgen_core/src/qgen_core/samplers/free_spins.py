"""Samplers of free spins: clamped spins become fields on the others, before anything is drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import Sampler, name_of
from qgen_core.ising import Ising
from qgen_core.typing import Array, Floats, Ints, Rng


@dataclass(frozen=True)
class FreeSpins:
    """Rows of an energy that clamp the same spins, and the energy of the spins that are free.

    Args:
        rows: the rows (R,) of the whole energy.
        spins: the free spins (F,) of the whole energy.
        energy: of the free spins, with fields h (R, F) that contain the couplings to clamped spins.
        offsets: what each row adds (R,): the energy of its clamped spins, and that of the whole
            energy's offset. ``energy`` has no offset of its own.

    >>> pair = Ising(h=[0.0, 0.5], J=[-1.0], graph=[[0, 1]], fixed=[[1, 0], [0, -1]])
    >>> [(part.rows.tolist(), part.spins.tolist()) for part in free_spins(pair)]
    [([0], [1]), ([1], [0])]
    """

    rows: Ints
    spins: Ints
    energy: Ising
    offsets: Floats

    def by_row(self) -> tuple[Ising, ...]:
        """The energy of the free spins for each row, with its offset.

        >>> pair = Ising(h=[0.5, 0.25], J=[-1.0], graph=[[0, 1]], fixed=[[0, -1], [0, 1]])
        >>> [part] = free_spins(pair)
        >>> [(energy.h.tolist(), energy.offset) for energy in part.by_row()]
        [([1.5], -0.25), ([-0.5], 0.25)]
        """
        whole = self.energy
        energies = []
        for h, offset in zip(whole.h, self.offsets, strict=True):
            energies.append(Ising(h, whole.J, whole.graph, offset, whole.transverse))
        return tuple(energies)


def free_spins(ising: Ising) -> Iterator[FreeSpins]:
    """The rows of an energy, those that clamp the same spins together.

    Rows that clamp all spins are left out.

    >>> chain = Ising([0.0, 0.5, 0.0], [1.0, 2.0], [[0, 1], [1, 2]], fixed=[0, 0, -1])
    >>> [part] = free_spins(chain)
    >>> part.spins.tolist(), part.energy.h.tolist(), part.energy.J.tolist()
    ([0, 1], [[0.0, -1.5]], [1.0])
    """
    count = ising.rows or 1
    shape = (count, ising.num_spins)
    h = np.broadcast_to(ising.h, shape)
    if ising.fixed is None:
        energy = ising.with_fields(h)
        offsets = np.full(count, ising.offset)
        yield FreeSpins(np.arange(count), np.arange(ising.num_spins), energy, offsets)
        return
    fixed = np.broadcast_to(ising.fixed, shape)
    patterns, pattern_of = np.unique(fixed == 0, axis=0, return_inverse=True)
    for number, free in enumerate(patterns):
        if not np.any(free):
            continue
        rows = np.flatnonzero(pattern_of.reshape(-1) == number)
        values = fixed[rows]
        from_clamped = ising.coupling_fields(values)
        fields = h[rows] + from_clamped
        # Half of the couplings, since each pair of clamped spins is met from both ends.
        offsets = ising.offset + np.sum(values * (h[rows] + 0.5 * from_clamped), axis=1)
        graph, kept = ising.graph.induced(free)
        energy = Ising(fields[:, free], ising.J[kept], graph, transverse=ising.transverse)
        yield FreeSpins(rows, np.flatnonzero(free), energy, offsets)


class FreeSpinSampler(Sampler):
    """A sampler that draws the free spins of many rows at once.

    A subclass implements :meth:`sample_free` and ``source``, which says who draws the samples.

    >>> class Aligned(FreeSpinSampler):
    ...     source = "spins against their fields"
    ...     def sample_free(self, energy, n, *, rng, initial=None):
    ...         against = np.where(energy.h > 0, -1, 1)
    ...         return np.repeat(against[:, None], n, axis=1).astype(np.int8), {}
    >>> chain = Ising([0.0, 0.5, 0.0], [1.0, 2.0], [[0, 1], [1, 2]], fixed=[1, 0, -1])
    >>> Aligned().sample(chain, 2, rng=np.random.default_rng(1))[0].tolist()
    [[1, 1, -1], [1, 1, -1]]
    """

    source: str
    #: Whether energies with a transverse field can be drawn from.
    takes_transverse: bool = False

    @abstractmethod
    def sample_free(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        """n samples for each row of h (R, F), (R, n, F), and numbers for the information.

        The energy has no clamped spins. ``initial`` (R, n, F) must not be changed.
        """

    def sample_part(
        self, part: FreeSpins, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        """What :meth:`sample_free` gives for the rows of a part."""
        return self.sample_free(part.energy, n, rng=rng, initial=initial)

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Samples (n, S), or (B, n, S) of an energy with rows, their source, and numbers.

        Numbers are means over the calls of :meth:`sample_free`. Raises Unsupported for a
        transverse field unless the sampler takes it, BadOption for n < 1.
        """
        if ising.transverse and not self.takes_transverse:
            raise Unsupported(
                f"sampler {name_of(self)!r} draws from classical energies; this one has the "
                f"transverse field {ising.transverse:g}, which the sampler 'exact' takes where "
                "there are few spins, and 'dwave-sqa' of qgen-dwave where there are many"
            )
        if n < 1:
            raise BadOption(f"n is the number of samples, at least 1, not {n}")
        shape = (ising.rows or 1, n, ising.num_spins)
        if initial is not None:
            initial = np.asarray(initial, dtype=np.int8).reshape(shape)
        spins, numbers = self._drawn(ising, shape, initial, rng)
        info = {**numbers, "source": self.source}
        if ising.rows is None:
            return spins[0], info
        return spins, info

    def _drawn(
        self, ising: Ising, shape: tuple[int, int, int], initial: Array | None, rng: Rng
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        """Samples of all rows (B, n, S), and their numbers."""
        rows, n, _ = shape
        if ising.fixed is None:
            [everything] = free_spins(ising)
            return self.sample_part(everything, n, rng=rng, initial=initial)
        spins = np.empty(shape, dtype=np.int8)
        spins[:] = np.broadcast_to(ising.fixed, (rows, ising.num_spins))[:, None]
        reported = []
        for part in free_spins(ising):
            place = np.ix_(part.rows, np.arange(n), part.spins)
            start = None
            if initial is not None:
                start = initial[place]
            spins[place], numbers = self.sample_part(part, n, rng=rng, initial=start)
            reported.append(numbers)
        return spins, means_of(reported)


class RowSampler(FreeSpinSampler):
    """A sampler that draws the free spins of one row at a time.

    A subclass implements :meth:`sample_row` and ``source``. Numbers are means over the rows.

    >>> class Aligned(RowSampler):
    ...     source = "spins against their fields"
    ...     def sample_row(self, energy, n, *, rng, initial=None):
    ...         return np.tile(np.where(energy.h > 0, -1, 1), (n, 1)), {"offset": energy.offset}
    >>> chain = Ising([0.5, 0.5, 0.0], [1.0, 2.0], [[0, 1], [1, 2]], fixed=[1, 0, -1])
    >>> spins, info = Aligned().sample(chain, 2, rng=np.random.default_rng(1))
    >>> spins.tolist(), info["offset"]
    ([[1, 1, -1], [1, 1, -1]], 0.5)
    """

    @abstractmethod
    def sample_row(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[Array, dict[str, float]]:
        """n samples (n, F) of an energy without rows and clamped spins, and numbers.

        The energy's offset has the energy of the spins that are clamped. ``initial`` (n, F) must
        not be changed.
        """

    def sample_part(
        self, part: FreeSpins, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        drawn = []
        reported = []
        for row, energy in enumerate(part.by_row()):
            start = None
            if initial is not None:
                start = initial[row]
            spins, numbers = self.sample_row(energy, n, rng=rng, initial=start)
            drawn.append(spins)
            reported.append(numbers)
        return np.stack(drawn).astype(np.int8), means_of(reported)

    def sample_free(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        [part] = free_spins(energy)
        return self.sample_part(part, n, rng=rng, initial=initial)


def means_of(reported: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each number over the calls that reported it.

    >>> means_of([{"breaks": 0.1}, {"breaks": 0.3}])
    {'breaks': 0.2}
    """
    values: dict[str, list[float]] = {}
    for numbers in reported:
        for name, value in numbers.items():
            values.setdefault(name, []).append(value)
    return {name: float(np.mean(of_name)) for name, of_name in values.items()}
