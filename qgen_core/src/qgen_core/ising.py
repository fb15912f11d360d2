"""Ising energies, which samplers draw spins from, and the graphs that they live on."""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.errors import DataError
from qgen_core.support.notebook import ShownInNotebook
from qgen_core.typing import Array, Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Numbers that the energy of many spins converts at once (32 MiB of doubles).
PIECE = 2**22
#: Couplings are kept as a dense matrix where at least this share of its entries are edges; below,
#: a product with a sparse matrix is faster.
WORTH_DENSE = 0.1


@dataclass(frozen=True, eq=False)
class Graph(ShownInNotebook):
    """Which pairs of spins are coupled.

    A graph is checked once and keeps what is derived from it (colours and the places of the
    couplings in a matrix), so a model whose couplings change at every step makes one graph and
    gives it to each :class:`Ising`.

    Args:
        num_spins: the number S of spins.
        edges: pairs i < j of spins, (E, 2), each pair at most once.

    Raises DataError for edges that are not pairs i < j of these spins or occur twice.

    >>> square = Graph(4, np.array([[0, 1], [1, 2], [2, 3], [0, 3]]))
    >>> square.colours.tolist(), square.is_bipartite
    ([0, 1, 0, 1], True)
    >>> triangle = Graph(3, np.array([[0, 1], [1, 2], [0, 2]]))
    >>> triangle.colours.tolist(), triangle.is_bipartite
    ([0, 1, 2], False)
    """

    num_spins: int
    edges: Ints

    def __repr__(self) -> str:
        return f"Graph({self.num_spins} spins, {len(self.edges)} edges)"

    def __post_init__(self) -> None:
        edges = np.array(self.edges, dtype=np.intp).reshape(-1, 2)
        if self.num_spins < 1:
            raise DataError(f"a graph needs at least one spin, not {self.num_spins}")
        if len(edges):
            in_range = edges.min() >= 0 and edges.max() < self.num_spins
            if not (in_range and np.all(edges[:, 0] < edges[:, 1])):
                raise DataError(f"edges are pairs i < j of spins 0 to {self.num_spins - 1}")
        places = edges[:, 0] * self.num_spins + edges[:, 1]
        already_sorted = bool(np.all(np.diff(places) > 0))
        if not already_sorted and len(np.unique(places)) != len(places):
            raise DataError("an edge occurs twice; give it once, with the sum of its couplings")
        edges.flags.writeable = False
        object.__setattr__(self, "edges", edges)

    @classmethod
    def complete_bipartite(cls, left: int, right: int) -> Graph:
        """Every one of the first ``left`` spins with every one of the ``right`` others.

        This is the graph of a restricted Boltzmann machine. Edges are in row-major order, so
        ``J.reshape(left, right)`` is the matrix of couplings.

        >>> Graph.complete_bipartite(1, 2).edges.tolist()
        [[0, 1], [0, 2]]
        """
        rows = np.repeat(np.arange(left), right)
        columns = np.tile(np.arange(left, left + right), left)
        return cls(left + right, np.stack([rows, columns], axis=1))

    @cached_property
    def colours(self) -> Ints:
        """A colour for each spin (S,), 0, 1, ...; spins of one colour are not coupled.

        All spins of a colour can be updated at once by a Gibbs sampler. A bipartite graph gets two
        colours, any other one at most one more than the largest number of neighbours.
        """
        # Greedy colouring in breadth-first order. In a bipartite graph the coloured neighbours of
        # a spin are those of the layer before, which all have the same colour.
        starts, neighbours, _ = self.neighbours()
        colours = np.full(self.num_spins, -1, dtype=np.intp)
        reached = np.zeros(self.num_spins, dtype=np.bool_)
        for root in range(self.num_spins):
            if reached[root]:
                continue
            reached[root] = True
            queue = deque([root])
            while queue:
                spin = queue.popleft()
                around = neighbours[starts[spin] : starts[spin + 1]]
                colours[spin] = _smallest_missing(colours[around])
                new = around[~reached[around]]
                reached[new] = True
                queue.extend(new.tolist())
        colours.flags.writeable = False
        return colours

    @property
    def is_bipartite(self) -> bool:
        """Whether the spins fall into two groups that have no edge inside."""
        return bool(self.colours.max() <= 1)

    @cached_property
    def groups(self) -> tuple[Ints, ...]:
        """The spins of each colour."""
        count = int(self.colours.max()) + 1
        return tuple(np.flatnonzero(self.colours == colour) for colour in range(count))

    @cached_property
    def sides(self) -> tuple[Ints, Ints]:
        """The spins (a,) and (b,) that rows and columns of :meth:`matrix` stand for.

        They are the two groups of a bipartite graph, and all spins twice of any other one.
        """
        if not self.is_bipartite:
            everything = np.arange(self.num_spins)
            return everything, everything
        left = self.groups[0]
        right = np.flatnonzero(self.colours == 1)
        return left, right

    @cached_property
    def _places(self) -> tuple[Ints, Ints]:
        """Row and column of each edge in :meth:`matrix`."""
        first = self.edges[:, 0]
        second = self.edges[:, 1]
        if not self.is_bipartite:
            return first, second
        position = np.empty(self.num_spins, dtype=np.intp)
        for side in self.sides:
            position[side] = np.arange(len(side))
        first_is_left = self.colours[first] == 0
        rows = np.where(first_is_left, position[first], position[second])
        columns = np.where(first_is_left, position[second], position[first])
        return rows, columns

    @cached_property
    def _in_order(self) -> bool:
        """Whether the edges fill the whole matrix, row by row."""
        left, right = self.sides
        rows, columns = self._places
        complete = len(self.edges) == len(left) * len(right)
        return complete and bool(np.all(rows * len(right) + columns == np.arange(len(rows))))

    def matrix(self, couplings: Floats) -> Floats | csr_array:
        """Couplings (E,) as a matrix W (a, b) over :attr:`sides`.

        The energy of the couplings is ``sum(s[rows] @ W * s[columns])``. The matrix is dense or,
        where few pairs are coupled, a sparse array of scipy.

        >>> Graph.complete_bipartite(1, 2).matrix(np.array([0.5, -0.5])).tolist()
        [[0.5, -0.5]]
        """
        left, right = self.sides
        shape = (len(left), len(right))
        if self._in_order:
            return couplings.reshape(shape)
        rows, columns = self._places
        if len(rows) < WORTH_DENSE * shape[0] * shape[1]:
            from scipy.sparse import csr_array

            return csr_array((couplings, (rows, columns)), shape=shape)
        dense = np.zeros(shape)
        dense[rows, columns] = couplings
        return dense

    def induced(self, chosen: NDArray[np.bool_]) -> tuple[Graph, NDArray[np.bool_]]:
        """The graph of the spins that are ``chosen`` (S,), and which edges (E,) it keeps.

        Its spins are numbered in their order and keep their colours, so nothing is coloured again.

        >>> chain = Graph(4, np.array([[0, 1], [1, 2], [2, 3]]))
        >>> graph, kept = chain.induced(np.array([True, False, True, True]))
        >>> graph.edges.tolist(), kept.tolist()
        ([[1, 2]], [False, False, True])
        """
        kept = np.all(chosen[self.edges], axis=1)
        number = np.cumsum(chosen) - 1
        graph = Graph(int(np.count_nonzero(chosen)), number[self.edges[kept]])
        _, colours = np.unique(self.colours[chosen], return_inverse=True)
        graph.__dict__["colours"] = colours.reshape(-1)  # the place of the cached property
        return graph, kept

    def neighbours(self) -> tuple[Ints, Ints, Ints]:
        """Where the neighbours of each spin begin (S + 1,), all of them (2E,), and their edges.

        >>> starts, others, edges = Graph(3, np.array([[0, 1], [0, 2]])).neighbours()
        >>> starts.tolist(), others.tolist(), edges.tolist()
        ([0, 2, 3, 4], [1, 2, 0, 0], [0, 1, 0, 1])
        """
        """Where the neighbours of each spin begin (S + 1,), and all of them in that order."""
        spins = np.concatenate([self.edges[:, 0], self.edges[:, 1]])
        others = np.concatenate([self.edges[:, 1], self.edges[:, 0]])
        order = np.argsort(spins, kind="stable")
        counts = np.bincount(spins, minlength=self.num_spins)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return starts, others[order], order % max(len(self.edges), 1)


def _unchanging(values: ArrayLike) -> Floats:
    """Numbers as a read-only array: a copy, except of the array of another energy."""
    array = np.asarray(values, dtype=np.float64)
    # A read-only array that is no view cannot be changed.
    if array is values and array.base is None and not array.flags.writeable:
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _check_rows(h: Floats, fixed: Array) -> None:
    if fixed.ndim == 2 and h.ndim == 2 and len(fixed) != len(h):
        raise DataError(
            f"h has {len(h)} rows and fixed has {len(fixed)}; give one row per condition to both"
        )


def _smallest_missing(colours: Ints) -> int:
    """The smallest colour that does not occur; -1 stands for no colour yet."""
    counts = np.bincount(colours + 1)[1:]
    gaps = np.flatnonzero(counts == 0)
    if len(gaps):
        return int(gaps[0])
    return len(counts)


@dataclass(frozen=True, eq=False, init=False)
class Ising(ShownInNotebook):
    """The energy ``E(s) = sum_i h_i s_i + sum_e J_e s_i(e) s_j(e) + offset`` of spins -1 or +1.

    A sampler draws from exp(-beta E), where beta is the sampler's own. Energies have no unit.

    Args:
        h: fields (S,), or (B, S) with one row per condition.
        J: couplings (E,), one per edge.
        graph: the coupled pairs, a :class:`Graph` or an array of its edges (E, 2). Give a graph
            where many energies have the same: an array is checked each time.
        offset: a constant.
        transverse: the field Gamma of a term ``- Gamma sum_i s^x_i``; above 0 it makes this a
            quantum model, of which samplers draw the diagonal in the z basis.
        fixed: -1 or +1 for spins that are clamped to that value, 0 for the others: (S,), or (B, S)
            with one row per condition.

    h, J and fixed are copied, so parameters that change later do not change the energy. Raises
    DataError for shapes that do not fit together, a graph that is not one (see :class:`Graph`), and
    numbers that are not finite.

    >>> pair = Ising(h=np.zeros(2), J=np.array([-1.0]), graph=np.array([[0, 1]]))
    >>> pair.energy([[1, 1], [1, -1]]).tolist()
    [-1.0, 1.0]
    """

    h: Floats
    J: Floats
    graph: Graph
    offset: float
    transverse: float
    fixed: NDArray[np.int8] | None

    def __repr__(self) -> str:
        return f"Ising({self.graph!r}, h {self.h.shape})"

    def __init__(
        self,
        h: ArrayLike,
        J: ArrayLike,
        graph: Graph | ArrayLike,
        offset: float = 0.0,
        transverse: float = 0.0,
        fixed: ArrayLike | None = None,
    ) -> None:
        fields = _unchanging(h)
        couplings = _unchanging(J)
        if fields.ndim not in (1, 2) or fields.shape[-1] == 0:
            raise DataError(f"an Ising energy needs fields h (S,) or (B, S), not {fields.shape}")
        spins = fields.shape[-1]
        if not isinstance(graph, Graph):
            graph = Graph(spins, np.asarray(graph))
        if graph.num_spins != spins or couplings.shape != (len(graph.edges),):
            raise DataError(
                f"an Ising energy needs one h per spin and one J per edge, not h {fields.shape} "
                f"and J {couplings.shape} on a graph of {graph.num_spins} spins and "
                f"{len(graph.edges)} edges"
            )
        finite = np.all(np.isfinite(fields)) and np.all(np.isfinite(couplings))
        if not (finite and np.isfinite(offset)):
            raise DataError("h, J and offset must be finite")
        if not 0 <= transverse < np.inf:
            raise DataError(f"the transverse field must be 0 or more, not {transverse}")
        object.__setattr__(self, "h", fields)
        object.__setattr__(self, "J", couplings)
        object.__setattr__(self, "graph", graph)
        object.__setattr__(self, "offset", float(offset))
        object.__setattr__(self, "transverse", float(transverse))
        object.__setattr__(self, "fixed", None if fixed is None else self._checked_fixed(fixed))

    def _checked_fixed(self, fixed: ArrayLike) -> NDArray[np.int8]:
        values = np.array(fixed)
        allowed = np.all((values == -1) | (values == 0) | (values == 1))
        if values.ndim not in (1, 2) or values.shape[-1] != self.num_spins or not allowed:
            raise DataError(
                f"fixed holds -1, 0 or 1 for each of the {self.num_spins} spins, (S,) or (B, S)"
            )
        _check_rows(self.h, values)
        clamped = values.astype(np.int8)
        clamped.flags.writeable = False
        return clamped

    @property
    def num_spins(self) -> int:
        """The number S of spins."""
        return int(self.h.shape[-1])

    @property
    def edges(self) -> Ints:
        """The coupled pairs (E, 2) of the graph."""
        return self.graph.edges

    @property
    def rows(self) -> int | None:
        """The number B of conditions, of which h, fixed or both have rows; None without rows.

        With rows, samples have the shape (B, n, S); without, (n, S).
        """
        for array in (self.h, self.fixed):
            if array is not None and array.ndim == 2:
                return len(array)
        return None

    def by_row(self) -> tuple[Ising, ...]:
        """One energy for each condition, on the same graph; without rows the energy itself.

        >>> pair = Ising(h=[[0.0, 1.0], [0.0, 2.0]], J=[-1.0], graph=[[0, 1]])
        >>> [energy.h.tolist() for energy in pair.by_row()]
        [[0.0, 1.0], [0.0, 2.0]]
        """
        if self.rows is None:
            return (self,)
        h = np.broadcast_to(self.h, (self.rows, self.num_spins))
        energies = []
        for row in range(self.rows):
            fixed = self.fixed
            if fixed is not None and fixed.ndim == 2:
                fixed = fixed[row]
            energies.append(Ising(h[row], self.J, self.graph, self.offset, self.transverse, fixed))
        return tuple(energies)

    def with_fields(self, h: ArrayLike) -> Ising:
        """The energy with other fields, (S,) or (B, S), and without an offset.

        The couplings are neither copied nor checked again. Raises DataError for fields of another
        shape and numbers that are not finite.

        >>> pair = Ising(h=[0.0, 0.0], J=[-1.0], graph=[[0, 1]])
        >>> pair.with_fields([0.5, 0.0]).energy([1, 1]).tolist()
        -0.5
        """
        fields = _unchanging(h)
        of_spins = fields.ndim in (1, 2) and fields.shape[-1] == self.num_spins
        if not (of_spins and np.all(np.isfinite(fields))):
            raise DataError(
                f"fields are finite numbers (S,) or (B, S) for {self.num_spins} spins, "
                f"not {fields.shape}"
            )
        if self.fixed is not None:
            _check_rows(fields, self.fixed)
        changed = copy(self)
        object.__setattr__(changed, "h", fields)
        object.__setattr__(changed, "offset", 0.0)
        return changed

    @cached_property
    def couplings(self) -> Floats | csr_array:
        """J as a matrix over the two sides of the graph, see :meth:`Graph.matrix`."""
        return self.graph.matrix(self.J)

    @cached_property
    def _both_ways(self) -> Any:
        """The symmetric matrix of couplings (S, S) of a graph that is not bipartite."""
        return self.couplings + self.couplings.T

    def scaled(self, factor: float) -> Ising:
        """The energy times ``factor``, the transverse field included, on the same graph.

        >>> pair = Ising(h=np.zeros(2), J=np.array([-1.0]), graph=np.array([[0, 1]]))
        >>> pair.scaled(0.5).energy([1, 1]).tolist()
        -0.5
        """
        return Ising(
            self.h * factor,
            self.J * factor,
            self.graph,
            self.offset * factor,
            self.transverse * factor,
            self.fixed,
        )

    def clamped(self, spins: ArrayLike) -> NDArray[np.int8]:
        """A copy of spins (..., S) in which those that are fixed have their fixed value.

        Raises DataError for spins of another shape, and where ``fixed`` has rows; take one of
        :meth:`by_row`.

        >>> pair = Ising(h=[0.5, 0.0], J=[-1.0], graph=[[0, 1]], fixed=[0, -1])
        >>> pair.clamped([[1, 1], [-1, 1]]).tolist()
        [[1, -1], [-1, -1]]
        """
        values = np.array(spins, dtype=np.int8)
        self._check_spins(values)
        if self.fixed is None:
            return values
        if self.fixed.ndim == 2:
            raise DataError("fixed has rows, so there is no single value of a spin; use by_row()")
        is_fixed = self.fixed != 0
        values[..., is_fixed] = self.fixed[is_fixed]
        return values

    def _check_spins(self, spins: NDArray[np.generic]) -> None:
        if spins.ndim == 0 or spins.shape[-1] != self.num_spins:
            raise DataError(f"spins have the shape (..., {self.num_spins}), not {spins.shape}")

    def local_fields(self, spins: ArrayLike, colour: int) -> Floats:
        """What acts on the spins of one colour: ``h_i + sum_j J_ij s_j``, (n, spins of the colour).

        ``spins`` are (n, S). Given all others, spin i is +1 with the probability
        ``1 / (1 + exp(2 beta field_i))``, and spins of one colour are independent, so a Gibbs
        sampler updates ``graph.groups[colour]`` at once. Raises DataError where h has rows; take
        one of :meth:`by_row`.

        >>> pair = Ising(h=[0.5, 0.0], J=[-1.0], graph=[[0, 1]])
        >>> pair.local_fields([[1, 1], [1, -1]], colour=0).tolist()
        [[-0.5], [1.5]]
        """
        if self.h.ndim == 2:
            raise DataError("fields h with rows have no single local field; use by_row()")
        s = np.asarray(spins, dtype=np.float64)
        group = self.graph.groups[colour]
        left, right = self.graph.sides
        if not self.graph.is_bipartite:
            from_others = s @ self._both_ways[:, group]
        elif colour == 0:
            from_others = s[:, right] @ self.couplings.T
        else:
            from_others = s[:, left] @ self.couplings
        fields: Floats = from_others + self.h[group]
        return fields

    def coupling_fields(self, spins: ArrayLike) -> Floats:
        """``sum_j J_ij s_j`` for each spin i, (n, S); ``spins`` are (n, S), 0 for those left out.

        >>> pair = Ising(h=[0.5, 0.0], J=[-1.0], graph=[[0, 1]])
        >>> pair.coupling_fields([[1, 1], [0, -1]]).tolist()
        [[-1.0, -1.0], [1.0, 0.0]]
        """
        s = np.asarray(spins, dtype=np.float64)
        left, right = self.graph.sides
        fields = np.zeros(s.shape)
        fields[:, left] += s[:, right] @ self.couplings.T
        fields[:, right] += s[:, left] @ self.couplings
        return fields

    def energy(self, spins: ArrayLike) -> Floats:
        """The classical energy, without the transverse field, of each configuration.

        Spins (..., S) give energies (...,). If h is (B, S), spins (B, n, S) give energies (B, n).
        The memory that is needed besides the result does not grow with the number of
        configurations. Raises DataError for spins of another shape.
        """
        s = np.asarray(spins)
        shape = s.shape[:-1]
        self._check_spins(s)
        if self.h.ndim == 1:
            return self._energies(s.reshape(-1, self.num_spins), self.h).reshape(shape)
        if s.ndim != 3 or len(s) != len(self.h):
            raise DataError(
                f"h has {len(self.h)} rows, so spins have the shape ({len(self.h)}, n, "
                f"{self.num_spins}), not {s.shape}"
            )
        return np.stack([self._energies(of_row, h) for of_row, h in zip(s, self.h, strict=True)])

    def _energies(self, spins: NDArray[np.generic], h: Floats) -> Floats:
        """Energies (n,) of spins (n, S) in the fields h (S,), some rows at once."""
        left, right = self.graph.sides
        energies = np.empty(len(spins))
        rows_at_once = max(PIECE // self.num_spins, 1)
        for start in range(0, len(spins), rows_at_once):
            rows = slice(start, start + rows_at_once)
            s = spins[rows].astype(np.float64)
            of_couplings = np.sum((s[:, left] @ self.couplings) * s[:, right], axis=1)
            energies[rows] = s @ h + of_couplings + self.offset
        return energies
