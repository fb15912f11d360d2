"""Which units of the two sides of a restricted Boltzmann machine are coupled."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.interfaces import Couplings
from qgen_core.ising import Graph
from qgen_core.typing import Array, Floats, Ints


def all_pairs(left: int, right: int) -> Ints:
    """Every unit of one side with every unit of the other, (left * right, 2).

    >>> all_pairs(1, 2).tolist()
    [[0, 0], [0, 1]]
    """
    rows = np.repeat(np.arange(left), right)
    return np.stack([rows, np.tile(np.arange(right), left)], axis=1)


class CoupledPairs:
    """The coupled pairs of two sides, and values of them as a matrix of the sides.

    Values of pairs are (left, right) where all pairs are coupled, and (E,) in the order of
    ``pairs`` otherwise. In matrices, entries of pairs that are not coupled are 0.

    Args:
        pairs: numbers (E, 2) of a unit of the left side and one of the right, each pair once.
        left: the number of units of the left side.
        right: the number of units of the right side.

    Raises BadOption for pairs that are none of these sides or occur twice.

    >>> chain = CoupledPairs(np.array([[1, 1], [0, 0], [0, 1]]), 2, 2)
    >>> chain.pairs.tolist(), chain.matrix(np.array([1.0, 2.0, 3.0])).tolist()
    ([[0, 0], [0, 1], [1, 1]], [[1.0, 2.0], [0.0, 3.0]])
    """

    def __init__(self, pairs: Ints, left: int, right: int) -> None:
        found = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
        places = found[:, 0] * right + found[:, 1]
        if not np.all(np.diff(places) > 0):
            places = np.unique(places)
        inside = np.all((found >= 0) & (found < (left, right)))
        if not inside or len(places) != len(found):
            raise BadOption(
                f"couplings are pairs of the first {left} and the first {right} units of two "
                "sides, each pair once"
            )
        #: The pairs in row-major order.
        self.pairs: Ints = np.stack(np.divmod(places, right), axis=1)
        self._shape = (left, right)
        self._complete = len(places) == left * right

    @classmethod
    def of(cls, couplings: Couplings | None, left: int, right: int) -> CoupledPairs:
        """The pairs that a function of the two sizes gives; None: all pairs."""
        if couplings is None:
            couplings = all_pairs
        return cls(couplings(left, right), left, right)

    def after(self, row: int) -> CoupledPairs:
        """The pairs of the left units from ``row`` on, which are numbered from 0."""
        rest = self.pairs[self.pairs[:, 0] >= row] - (row, 0)
        return CoupledPairs(rest, self._shape[0] - row, self._shape[1])

    def graph(self) -> Graph:
        """The pairs as a graph on the units of the left side, followed by those of the right.

        >>> CoupledPairs(np.array([[0, 1]]), 1, 2).graph().edges.tolist()
        [[0, 2]]
        """
        left, right = self._shape
        return Graph(left + right, self.pairs + (0, left))

    def matrix(self, values: Floats) -> Floats:
        """Values of the pairs, flat or not, as a matrix (left, right).

        A matrix of all pairs is no copy.
        """
        if self._complete:
            return values.reshape(self._shape)
        filled = np.zeros(self._shape)
        filled[self.pairs[:, 0], self.pairs[:, 1]] = values
        return filled

    def values(self, matrix: Array) -> Array:
        """The entries of a matrix (left, right) that are pairs; the matrix itself if all are."""
        if self._complete:
            return matrix
        return matrix[self.pairs[:, 0], self.pairs[:, 1]]
