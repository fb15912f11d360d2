"""Markov chains of an Ising energy, updated by block Gibbs sampling.

All spins of a colour are independent given the others and are drawn at once (Geman and Geman,
TPAMI 6 (1984) 721). Where the graph is bipartite and dense, the fields of a side are a product of
spins with a matrix; otherwise compiled code adds up the neighbours of each spin.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.spin_products import SpinProduct
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import usable_threads
from qgen_core.typing import Array, Floats, Ints, Rng

#: The precision of fields and matrix products: float32 or float64.
Precision = Literal["single", "double"]
#: From this number of spin updates on a call takes half a millisecond, and threads are worth it.
WORTH_THREADS = 2**18


@dataclass(frozen=True)
class ChainOptions:
    """How chains are updated.

    Args:
        beta: the inverse temperature.
        precision: of the local fields, ``single`` or ``double``.
        threads: how many threads update chains; None: one a processor. It does not change results.

    Raises BadOption unless beta is above 0 and threads are at least 1.

    >>> ChainOptions(precision="double").dtype
    <class 'numpy.float64'>
    """

    beta: float = 1.0
    precision: Precision = "single"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.beta > 0:
            raise BadOption(f"beta must be above 0, not {self.beta:g}")
        if self.threads is not None and self.threads < 1:
            raise BadOption(f"threads must be at least 1, not {self.threads}")

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """The type of fields."""
        if self.precision == "single":
            return np.float32
        return np.float64


class Chains(ABC):
    """C chains of an energy; ``scale`` (C,) multiplies the couplings of each, at first by 1.

    A chain with the scale b follows exp(-beta E_b), where E_b has the couplings b J and the fields
    h. At b = 0 spins are independent, so ladders from 0 to 1 lead to free spins.
    :func:`chains_of` makes them.

    >>> energy = Ising([0.0, 0.0], [40.0], [[0, 1]])
    >>> start = np.ones((1000, 2), dtype=np.int8)
    >>> chains = chains_of(energy, start, ChainOptions(), np.random.default_rng(1))
    >>> chains.scale[500:] = 0.0
    >>> chains.run(1)
    >>> equal = chains.spins[:, 0] == chains.spins[:, 1]
    >>> bool(equal[:500].any()), round(float(equal[500:].mean()), 1)
    (False, 0.5)
    """

    scale: Array

    @abstractmethod
    def run(self, sweeps: int) -> None:
        """Update all spins, colour by colour, ``sweeps`` times."""

    @abstractmethod
    def coupling_energies(self) -> Floats:
        """beta times the energy of the couplings (C,), at scale 1."""

    @property
    @abstractmethod
    def spins(self) -> NDArray[np.int8]:
        """The spins (C, S), a copy."""


class Draws:
    """Random streams of C chains, in blocks that threads share; each block has streams of its own.

    Results do not depend on the number of threads.

    Args:
        count: the number of chains.
        rng: seeds the streams.
        threads: how many threads draw; None: one a processor.

    >>> draws = Draws(2, np.random.default_rng(1))
    >>> spins = np.ones((2, 3), dtype=np.int8)
    >>> sums = np.zeros((2, 3), dtype=np.float32)
    >>> own = np.array([[90.0, -90.0, 90.0]], dtype=np.float32)
    >>> draws.update(spins, sums, own, np.ones(2, dtype=np.float32))
    >>> spins.tolist()
    [[-1, 1, -1], [-1, 1, -1]]
    """

    def __init__(self, count: int, rng: Rng, threads: int | None = None) -> None:
        from qgen_core.samplers.gibbs_kernels import CHAINS, WORDS

        self.blocks = -(-count // CHAINS)
        self.noise = rng.integers(2**32, size=(self.blocks, WORDS, CHAINS), dtype=np.uint32)
        self._threads = threads or usable_threads()

    def update(self, spins: Array, sums: Array, own: Array, factors: Array) -> None:
        """Overwrite spins (C, m) by draws: +1 with the probability 1 / (1 + exp(x)).

        ``x = own + factors sums``: ``own`` (R, m) has a row for each C / R chains, ``factors`` (C,)
        a number for each chain, and ``sums`` (C, m) are the contributions of other spins. Arrays
        are contiguous. Probabilities are right to 2^-25.
        """
        from qgen_core.samplers.gibbs_kernels import update_side

        work = partial(update_side, spins, sums, own, factors, self.noise)
        self.spread(work, spins.size)

    def spread(self, work: Callable[[int, int], None], updates: int) -> None:
        """Call ``work(first, end)`` on all blocks, in threads if there are many spins to update."""
        threads = self._threads
        if updates < WORTH_THREADS:
            threads = 1
        spread(work, self.blocks, threads)


def chains_of(energy: Ising, spins: NDArray[np.int8], options: ChainOptions, rng: Rng) -> Chains:
    """Chains of an energy without clamped spins, which start at spins (C, S).

    If the energy has R rows of fields, the first C / R chains are those of the first row, and so
    on. ``rng`` seeds the random streams of the chains.

    >>> energy = Ising([9.0, 0.0], [9.0], [[0, 1]])
    >>> start = np.ones((3, 2), dtype=np.int8)
    >>> chains = chains_of(energy, start, ChainOptions(), np.random.default_rng(1))
    >>> chains.run(2)
    >>> chains.spins.tolist(), chains.coupling_energies().tolist()
    ([[-1, 1], [-1, 1], [-1, 1]], [-9.0, -9.0, -9.0])
    """
    if energy.graph.is_bipartite and isinstance(energy.couplings, np.ndarray):
        return _ProductChains(energy, spins, options, rng)
    return _GraphChains(energy, spins, options, rng)


class _ProductChains(Chains):
    """Chains on a dense bipartite graph; each side is kept as a matrix of spins."""

    def __init__(
        self, energy: Ising, spins: NDArray[np.int8], options: ChainOptions, rng: Rng
    ) -> None:
        self._draws = Draws(len(spins), rng, options.threads)
        dtype = options.dtype
        self._places = energy.graph.sides
        left, right = self._places
        h = 2 * options.beta * np.atleast_2d(energy.h)
        # Compiled code takes rows that lie in one piece, which those of a selection do not.
        self._left = np.ascontiguousarray(spins[:, left])
        self._right = np.ascontiguousarray(spins[:, right])
        self._h_left = np.ascontiguousarray(h[:, left], dtype=dtype)
        self._h_right = np.ascontiguousarray(h[:, right], dtype=dtype)
        couplings = np.asarray(energy.couplings)
        self._onto_right = SpinProduct(couplings, dtype, threads=options.threads)
        self._onto_left = self._onto_right.transposed()
        self._two_beta = dtype(2 * options.beta)
        self.scale = np.ones(len(spins), dtype=dtype)

    def run(self, sweeps: int) -> None:
        for _ in range(sweeps):
            self._update(self._left, self._onto_left(self._right), self._h_left)
            self._update(self._right, self._onto_right(self._left), self._h_right)

    def coupling_energies(self) -> Floats:
        onto_right = self._onto_right(self._left)
        energies: Floats = np.einsum("ij,ij->i", onto_right, self._right).astype(np.float64)
        return self._two_beta * energies / 2

    @property
    def spins(self) -> NDArray[np.int8]:
        left, right = self._places
        spins = np.empty((len(self._left), len(left) + len(right)), dtype=np.int8)
        spins[:, left] = self._left
        spins[:, right] = self._right
        return spins

    def _update(self, side: NDArray[np.int8], fields: Array, h: Array) -> None:
        self._draws.update(side, fields, h, self._two_beta * self.scale)


class _GraphChains(Chains):
    """Chains on any graph, in blocks (B, S, CHAINS); the last block is filled up with copies."""

    def __init__(
        self, energy: Ising, spins: NDArray[np.int8], options: ChainOptions, rng: Rng
    ) -> None:
        self._draws = Draws(len(spins), rng, options.threads)
        dtype = options.dtype
        self._count = len(spins)
        self._spins = self._in_blocks(spins)
        h = (2 * options.beta * np.atleast_2d(energy.h)).astype(dtype)
        if len(h) == 1:
            self._fields = np.ascontiguousarray(h[:, :, None])
        else:
            self._fields = self._in_blocks(np.repeat(h, self._count // len(h), axis=0))
        layout = _layouts.get(energy.graph, partial(_Layout.of, energy.graph))
        couplings = np.append(2 * options.beta * energy.J, 0.0).astype(dtype)
        weights = couplings[layout.edges]
        self._table = (layout.order, layout.starts, layout.neighbours, weights)
        self._sums = np.empty(self._spins[:, 0].shape, dtype=dtype)
        self._scale = np.ones(self._sums.shape, dtype=dtype)
        self.scale = self._scale.reshape(-1)[: self._count]  # a view

    def run(self, sweeps: int) -> None:
        from qgen_core.samplers.gibbs_kernels import sweep_graph

        chains = (self._spins, self._draws.noise, self._scale)
        work = partial(sweep_graph, chains, self._fields, self._table, sweeps, self._sums)
        self._draws.spread(work, self._spins.size * sweeps)

    def coupling_energies(self) -> Floats:
        from qgen_core.samplers.gibbs_kernels import coupling_energies

        energies = np.empty(self._sums.shape)
        coupling_energies(self._spins, self._table, self._sums, energies)
        # Each edge was counted from both of its ends, and each weight is 2 beta J.
        return 0.25 * energies.reshape(-1)[: self._count]

    @property
    def spins(self) -> NDArray[np.int8]:
        by_chain = self._spins.transpose(0, 2, 1)
        return by_chain.reshape(-1, by_chain.shape[2])[: self._count].copy()

    def _in_blocks(self, of_chains: Array) -> Array:
        """Values (C, S) of chains as blocks (B, S, CHAINS)."""
        blocks, _, lanes = self._draws.noise.shape
        filled = np.resize(np.arange(self._count), blocks * lanes)
        by_block = of_chains[filled].reshape(blocks, lanes, -1)
        return np.ascontiguousarray(by_block.transpose(0, 2, 1))


@dataclass(frozen=True)
class _Layout:
    """The order in which spins are updated, and the neighbours of each, see ``sweep_graph``.

    ``edges`` are those to the neighbours; the number after the last edge fills lists up.
    """

    order: Ints
    starts: Ints
    neighbours: NDArray[np.int32]
    edges: Ints

    @classmethod
    def of(cls, graph: Graph) -> _Layout:
        from qgen_core.samplers.gibbs_kernels import AT_ONCE

        starts, others, edges = graph.neighbours()
        order = np.concatenate(graph.groups)
        degrees = np.diff(starts)[order]
        filled = -(-degrees // AT_ONCE) * AT_ONCE
        filled_starts = np.concatenate([[0], np.cumsum(filled)])
        neighbours = np.zeros(filled_starts[-1], dtype=np.int32)
        filled_edges = np.full(filled_starts[-1], len(graph.edges))
        within = np.arange(degrees.sum()) - np.repeat(np.cumsum(degrees) - degrees, degrees)
        source = np.repeat(starts[order], degrees) + within
        target = np.repeat(filled_starts[:-1], degrees) + within
        neighbours[target] = others[source]
        filled_edges[target] = edges[source]
        return cls(order, filled_starts, neighbours, filled_edges)


_layouts: Remembered[Graph, _Layout] = Remembered()
