"""Products of cells, centred at a given energy: of events, and of models without samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Batch, Words
from qgen_core.interfaces import Generator
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats, Ints, Rng

#: Bins of the energy, of equal numbers of training events, in which hit rates are means.
ENERGY_BINS = 20


class Rates(NamedTuple):
    """The means of Z (+1 for a cell without a hit, -1 for one with) at a given energy.

    Args:
        limits: between bins of the energy (B - 1,).
        means: of Z in each bin (B, n).
    """

    limits: Floats
    means: Floats

    @classmethod
    def of(cls, bits: Array, energies: Floats | None) -> Rates:
        """The means of training events (N, n); without energies in one bin.

        >>> Rates.of(np.array([[0, 1], [1, 1]]), None).means.tolist()
        [[0.0, -1.0]]
        """
        limits = np.zeros(0)
        if energies is not None:
            limits = np.quantile(energies, np.arange(1, ENERGY_BINS) / ENERGY_BINS)
        place = _bins(limits, energies, len(bits))
        means = []
        for number in range(len(limits) + 1):
            means.append(1.0 - 2.0 * bits[place == number].mean(axis=0))
        return cls(limits, np.stack(means))

    def at(self, energies: Floats | None, number: int) -> Floats:
        """The means of each of so many events (N, n)."""
        return self.means[_bins(self.limits, energies, number)]


def _bins(limits: Floats, energies: Floats | None, number: int) -> Ints:
    if energies is None:
        return np.zeros(number, dtype=np.int64)
    return np.searchsorted(limits, energies, side="right")


class Products(NamedTuple):
    """Means of products over events, and the variances of these means."""

    mean: Floats
    variance: Floats


class Side(ABC):
    """Events, or a model, of which products of cells are asked for.

    ``rates`` (N, n) are the means of Z at the energy of each event or row.
    """

    @abstractmethod
    def products(self, sets: Ints) -> Products:
        """The mean of ``prod_i (Z_i - mean of Z_i at this energy)`` over each set (C, order)."""


class EventSide(Side):
    """Events of bits (N, n).

    >>> side = EventSide(np.array([[0, 0], [1, 1]]), np.zeros((2, 2)))
    >>> side.products(np.array([[0, 1]])).mean.tolist()
    [1.0]
    """

    def __init__(self, bits: Array, rates: Floats) -> None:
        self._residuals = 1.0 - 2.0 * bits - rates

    def products(self, sets: Ints) -> Products:
        values = np.ones((len(self._residuals), len(sets)))
        for place in range(sets.shape[1]):
            values *= self._residuals[:, sets[:, place]]
        return Products(values.mean(axis=0), values.var(axis=0) / len(values))


class ExpectationSide(Side):
    """A model that gives expectations of words without samples.

    ``condition`` (N, K) has the encoded energies at which they are computed; None without.
    """

    def __init__(self, generator: Generator, condition: Array | None, rates: Floats) -> None:
        self._generator = generator
        self._condition = condition
        self._rates = rates

    def products(self, sets: Ints) -> Products:
        order = sets.shape[1]
        total = np.zeros((len(self._rates), len(sets)))
        for size in range(order + 1):
            for inside in combinations(range(order), size):
                factor = np.ones(total.shape)
                for place in set(range(order)) - set(inside):
                    factor *= -self._rates[:, sets[:, place]]
                total += factor * self._expectations(sets[:, inside])
        return Products(total.mean(axis=0), total.var(axis=0) / len(total))

    def _expectations(self, sets: Ints) -> Array:
        if not sets.shape[1]:
            return np.ones((1, len(sets)))
        starts = np.arange(len(sets) + 1) * sets.shape[1]
        batch = Batch(condition=self._condition, words=Words(starts, sets.ravel()))
        rng = np.random.default_rng(0)  # words of so few wires are exact
        values, _ = self._generator.forward("correlators", batch, rng=rng)
        return values


def values_of_words(words: Words, bits: Array) -> NDArray[np.float64]:
    """The product of Z over the wires of each word, for events (N, n): (N, W).

    >>> values_of_words(Words.of([[0, 1], []]), np.array([[1, 0], [1, 1]])).tolist()
    [[-1.0, 1.0], [1.0, 1.0]]
    """
    inside = words.incidence(bits.shape[1])
    values: Floats = 1.0 - 2.0 * ((bits.astype(np.float64) @ inside.T) % 2)
    return values


def random_sets(cells: Ints, order: int, number: int) -> Ints:
    """So many random sets of different cells (C, order), the same at each call.

    >>> random_sets(np.array([3, 5, 7]), 2, 2).shape
    (2, 2)
    """
    rng = stream(0, "hits-sets", order)
    found = [rng.choice(cells, size=order, replace=False) for _ in range(number)]
    return np.sort(np.array(found), axis=1)


def neighbouring_pairs(lattice: Sequence[Sequence[int]], cells: Ints) -> Ints:
    """Pairs of neighbours in the grids (rows, columns) whose cells are among these (C, 2).

    >>> neighbouring_pairs([(1, 2), (2, 1)], np.arange(4)).tolist()
    [[0, 1], [2, 3]]
    """
    pairs = []
    start = 0
    for rows, columns in lattice:
        numbers = start + np.arange(rows * columns).reshape(rows, columns)
        along_rows = np.stack([numbers[:, :-1], numbers[:, 1:]], axis=-1).reshape(-1, 2)
        along_columns = np.stack([numbers[:-1], numbers[1:]], axis=-1).reshape(-1, 2)
        pairs += [along_rows, along_columns]
        start += rows * columns
    every = np.concatenate(pairs)
    chosen: Ints = every[np.isin(every, cells).all(axis=1)]
    return chosen


def rng_of(seed: int, purpose: str) -> Rng:
    """The random numbers of a purpose of a cell."""
    return stream(seed, f"hits-{purpose}")
