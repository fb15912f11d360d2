"""All states of an energy: its partition function, moments and independent samples, exactly.

Parts of the graph that are not coupled are treated one by one. In each part the spins of the
largest colour are independent given the others, so the sum over their states is a product, and
only the others are enumerated: the smaller side of a bipartite graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import Unsupported
from qgen_core.events import index_to_bits
from qgen_core.ising import Ising
from qgen_core.simulators.outcomes import sample_indices
from qgen_core.typing import Array, Floats, Ints, Rng

#: The most spins of a part that are enumerated, unless another limit is given.
MOST_SPINS = 20
#: Numbers of a table of fields that is computed at once (32 MiB of doubles).
PIECE = 2**22


class Enumeration:
    """The distribution exp(-beta E) / Z of a classical energy without rows and clamped spins.

    Args:
        ising: the energy.
        beta: the inverse temperature.
        most_spins: the most spins of a connected part, those of its largest colour left out, that
            are enumerated.

    Raises Unsupported beyond that number. Time and memory grow as 2^spins.

    >>> pair = Ising(h=[0.0, 0.0], J=[-1.0], graph=[[0, 1]])
    >>> exact = Enumeration(pair)
    >>> bool(np.isclose(exact.log_z, np.log(2 * np.exp(1) + 2 * np.exp(-1))))
    True
    >>> means, products = exact.moments()
    >>> np.allclose(means, 0), bool(np.isclose(products[0], np.tanh(1)))
    (True, True)
    """

    def __init__(self, ising: Ising, *, beta: float = 1.0, most_spins: int = MOST_SPINS) -> None:
        self.ising = ising
        self._parts = []
        for spins in _connected(ising):
            part = _Part.of(ising, spins, beta)
            if len(part.enumerated) > most_spins:
                raise Unsupported(
                    f"enumeration is of up to {most_spins} spins; {len(spins)} spins of this "
                    f"energy are connected and {len(part.enumerated)} of them are left without "
                    "the largest colour. Use the sampler 'gibbs' or 'tempering', or raise "
                    "'most_spins'"
                )
            self._parts.append(part)
        self._log_weights = [part.log_weights() for part in self._parts]
        self._log_z = [float(np.logaddexp.reduce(weights)) for weights in self._log_weights]
        #: log of the sum of exp(-beta E) over all states.
        self.log_z = sum(self._log_z) - beta * ising.offset

    def sample(self, n: int, *, rng: Rng) -> NDArray[np.int8]:
        """Independent samples (n, S)."""
        spins = np.empty((n, self.ising.num_spins), dtype=np.int8)
        for part, probabilities in self._tables():
            drawn = _states(sample_indices(probabilities, n, rng), part)
            spins[:, part.enumerated] = drawn
            down = 1 / (1 + np.exp(-2 * part.fields(drawn)))
            spins[:, part.summed] = np.where(rng.random(down.shape) < down, -1, 1)
        return spins

    def moments(self) -> tuple[Floats, Floats]:
        """Means of the spins (S,), and of the products (E,) of the coupled ones."""
        means = np.zeros(self.ising.num_spins)
        products = np.zeros(len(self.ising.edges))
        for part, probabilities in self._tables():
            with_enumerated = np.zeros((len(part.enumerated), len(part.spins)))
            for rows in part.pieces():
                states = _states(rows, part)
                given = np.concatenate([states, -np.tanh(part.fields(states))], axis=1)
                p = probabilities[rows]
                means[part.spins] += p @ given
                with_enumerated += (p[:, None] * states).T @ given
            # An edge has at least one end that is enumerated; that one is the row.
            products[part.edges] = with_enumerated[part.rows, part.columns]
        return means, products

    def _tables(self) -> Iterator[tuple[_Part, Floats]]:
        """Each part, and the probabilities of the states of its enumerated spins."""
        for part, weights, log_z in zip(self._parts, self._log_weights, self._log_z, strict=True):
            yield part, np.exp(weights - log_z)


@dataclass(frozen=True)
class _Part:
    """Connected spins: those that are enumerated, and those whose states are summed.

    Fields and couplings are those of the energy times beta. ``edges`` are those of the part, and
    ``rows`` and ``columns`` their ends among the ``enumerated`` and among the ``spins``.
    """

    enumerated: Ints
    summed: Ints
    h: Floats
    couplings: Floats
    edges: Ints
    rows: Ints
    columns: Ints

    @classmethod
    def of(cls, ising: Ising, spins: Ints, beta: float) -> _Part:
        colours = ising.graph.colours[spins]
        largest = np.argmax(np.bincount(colours))
        enumerated = spins[colours != largest]
        summed = spins[colours == largest]
        order = np.concatenate([enumerated, summed])
        place = np.full(ising.num_spins, -1)
        place[order] = np.arange(len(order))
        ends = place[ising.edges]
        edges = np.flatnonzero(ends[:, 0] >= 0)
        rows = ends[edges].min(axis=1)
        columns = ends[edges].max(axis=1)
        couplings = np.zeros((len(enumerated), len(order)))
        couplings[rows, columns] = beta * ising.J[edges]
        return cls(enumerated, summed, beta * ising.h[order], couplings, edges, rows, columns)

    @property
    def spins(self) -> Ints:
        """All spins of the part, the enumerated ones first."""
        return np.concatenate([self.enumerated, self.summed])

    def pieces(self) -> Iterator[Ints]:
        """The numbers of all states, some at once."""
        count = 2 ** len(self.enumerated)
        at_once = max(PIECE // len(self.h), 1)
        for start in range(0, count, at_once):
            yield np.arange(start, min(start + at_once, count))

    def fields(self, states: Array) -> Floats:
        """What acts on the summed spins, times beta, given states of the enumerated ones."""
        size = len(self.enumerated)
        fields: Floats = states @ self.couplings[:, size:] + self.h[size:]
        return fields

    def log_weights(self) -> Floats:
        """log of the sum of exp(-beta E) over the summed spins, for each enumerated state."""
        size = len(self.enumerated)
        weights = []
        for rows in self.pieces():
            states = _states(rows, self)
            inner = np.sum((states @ self.couplings[:, :size]) * states, axis=1)
            fields = self.fields(states)
            of_summed = np.logaddexp(fields, -fields).sum(axis=1)
            weights.append(of_summed - inner - states @ self.h[:size])
        return np.concatenate(weights)


def _states(numbers: Ints, part: _Part) -> Floats:
    """Spins -1.0 and 1.0 of the enumerated spins from the numbers of their states."""
    bits = index_to_bits(numbers, len(part.enumerated))
    return 2 * bits.astype(np.float64) - 1


def _connected(ising: Ising) -> list[Ints]:
    """The spins of each connected part of the graph."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = ising.edges[:, 0]
    second = ising.edges[:, 1]
    shape = (ising.num_spins, ising.num_spins)
    adjacency = coo_array((np.ones(len(first)), (first, second)), shape=shape)
    count, part_of = connected_components(adjacency, directed=False)
    return [np.flatnonzero(part_of == number) for number in range(count)]
