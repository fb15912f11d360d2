"""Which wires the angles of a diagonal circuit belong to: one, two, or any number of wires."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Words
from qgen_core.typing import Floats, Ints

#: Pairs of wires with a two-body angle: all, or those of a list.
Edges = Literal["all"] | tuple[tuple[int, int], ...]
#: The sides of one or several grids, whose neighbours have a two-body angle.
Lattice = tuple[tuple[int, ...], ...]


class DiagonalAngles(NamedTuple):
    """The angles of diagonal circuits in radians, or derivatives by them.

    Args:
        fields: of single wires (n, N), a column for each condition.
        couplings: of pairs (E,), in the order of the edges.
        higher: of other sets of wires (G,).
    """

    fields: Floats
    couplings: Floats
    higher: Floats


@dataclass(frozen=True, eq=False)
class Bodies:
    """The sets of wires of a diagonal circuit.

    Args:
        wires: the number n of wires; each of them has an angle.
        edges: pairs (E, 2) of wires with an angle.
        higher: further sets of wires with an angle.

    >>> bodies = Bodies(3, np.array([[0, 1], [1, 2]]), Words.of([[0, 1, 2]]))
    >>> bodies.matrix(np.array([0.5, 0.25])).tolist()
    [[0.0, 0.5, 0.0], [0.5, 0.0, 0.25], [0.0, 0.25, 0.0]]
    """

    wires: int
    edges: Ints
    higher: Words

    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        """The number of the edge of each pair (n, n); -1 where there is none."""
        found = np.full((self.wires, self.wires), -1, dtype=np.int32)
        order = np.arange(len(self.edges), dtype=np.int32)
        found[self.edges[:, 0], self.edges[:, 1]] = order
        found[self.edges[:, 1], self.edges[:, 0]] = order
        return found

    def matrix(self, couplings: Floats) -> Floats:
        """Values of the edges (E,) as a symmetric matrix (n, n) with zeros elsewhere."""
        matrix = np.zeros((self.wires, self.wires))
        matrix[self.edges[:, 0], self.edges[:, 1]] = couplings
        matrix[self.edges[:, 1], self.edges[:, 0]] = couplings
        return matrix

    def within(self, window: Ints) -> tuple[Bodies, Ints]:
        """The sets of a window (Q,) of the wires, numbered in its order, and their edges' numbers.

        Raises BadOption for wires that are none of these or occur twice, and Unsupported where
        there are further sets.

        >>> bodies = Bodies(3, np.array([[0, 1], [1, 2]]), Words.of([]))
        >>> inner, numbers = bodies.within(np.array([2, 1]))
        >>> inner.edges.tolist(), numbers.tolist()
        ([[0, 1]], [1])
        """
        _check_sets("window", [window.tolist()], self.wires, least=1)
        if len(self.higher):
            raise Unsupported("a window is of models of one- and two-body angles only")
        place = np.full(self.wires, -1, dtype=np.int64)
        place[window] = np.arange(len(window))
        ends = np.sort(place[self.edges], axis=1)
        numbers = np.flatnonzero(ends[:, 0] >= 0)
        return Bodies(len(window), ends[numbers], self.higher), numbers


def chosen_bodies(
    wires: int, edges: Edges, lattice: Lattice | None, bodies: Sequence[Sequence[int]]
) -> Bodies:
    """The sets of wires that the options of a model ask for.

    Raises BadOption for wires that the model does not have, pairs or sets that occur twice, sets of
    fewer than three wires, and a lattice of another number of wires or besides a list of edges.

    >>> chosen_bodies(4, "all", ((2, 2),), ()).edges.tolist()
    [[0, 1], [0, 2], [1, 3], [2, 3]]
    """
    if lattice is not None:
        if edges != "all":
            raise BadOption("edges and lattice both choose pairs of wires; give one of them")
        pairs = neighbours(lattice, wires)
    elif edges == "all":
        pairs = np.stack(np.triu_indices(wires, k=1), axis=1).astype(np.int64)
    else:
        _check_sets("edges", edges, wires, least=2)
        pairs = np.sort(np.array(edges, dtype=np.int64).reshape(-1, 2), axis=1)
    _check_sets("bodies", bodies, wires, least=3)
    return Bodies(wires, pairs, Words.of([sorted(one) for one in bodies]))


def neighbours(lattice: Lattice, wires: int) -> Ints:
    """Pairs (E, 2) of neighbours along each axis of each grid.

    The wires of a grid are numbered in row-major order, those of one grid after those of another.
    Raises BadOption unless the grids have so many wires together.

    >>> neighbours(((3,), (1, 2)), 5).tolist()
    [[0, 1], [1, 2], [3, 4]]
    """
    found: list[tuple[int, int]] = []
    start = 0
    for sides in lattice:
        if not sides or min(sides) < 1:
            raise BadOption(f"the sides of a lattice are numbers of at least 1, not {list(sides)}")
        found += _neighbours_of_grid(sides, start)
        start += int(np.prod(sides))
    if start != wires:
        raise BadOption(
            f"the lattice {[list(sides) for sides in lattice]} has {start} wires, the "
            f"events have {wires} bits"
        )
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _neighbours_of_grid(sides: Sequence[int], start: int) -> Iterable[tuple[int, int]]:
    places = start + np.arange(np.prod(sides)).reshape(sides)
    for axis in range(len(sides)):
        first = np.delete(places, -1, axis=axis).reshape(-1).tolist()
        second = np.delete(places, 0, axis=axis).reshape(-1).tolist()
        yield from zip(first, second, strict=True)


def _check_sets(what: str, sets: Sequence[Sequence[int]], wires: int, least: int) -> None:
    """Raise BadOption for sets of wires that are too small, equal, or not of the model."""
    seen = set()
    for one in sets:
        members = frozenset(one)
        if len(members) != len(one) or len(one) < least:
            raise BadOption(f"{what}: {list(one)} is no set of {least} or more different wires")
        if min(one) < 0 or max(one) >= wires:
            raise BadOption(f"{what}: {list(one)} is not of the wires 0 to {wires - 1}")
        if members in seen:
            raise BadOption(f"{what}: {list(one)} occurs twice")
        seen.add(members)
