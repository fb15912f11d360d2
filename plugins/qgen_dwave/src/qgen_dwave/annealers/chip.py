"""The working graph of an annealer and the ranges of what can be programmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, Unsupported
from qgen_core.ising import Ising
from qgen_core.typing import Floats, Ints
from qgen_dwave.ocean import ocean

#: Flux bias (in units of Phi0) that acts on a qubit as the field h = 1; dwave.system's
#: ``h_to_fluxbias`` for the annealing schedule of an Advantage system.
FLUX_OF_FIELD = -4.213e-4
#: The largest flux bias that is taken, in units of Phi0.
LARGEST_FLUX = 0.01


@dataclass(frozen=True)
class Ranges:
    """What a chip takes: fields, couplings, sums of couplings at a qubit, and reads at once."""

    h: tuple[float, float] = (-4.0, 4.0)
    J: tuple[float, float] = (-2.0, 1.0)
    sums: tuple[float, float] = (-18.0, 15.0)
    reads: int = 10_000

    def check(self, ising: Ising, chip: str) -> None:
        """Raise Unsupported, with the numbers, if an energy on qubits is out of range."""
        sums = np.zeros(ising.num_spins)
        for end in (0, 1):
            np.add.at(sums, ising.edges[:, end], ising.J)
        found = [
            *_outside(ising.h, self.h, "fields"),
            *_outside(ising.J, self.J, "couplings"),
            *_outside(sums, self.sums, "sums of couplings at a qubit"),
        ]
        if found:
            raise Unsupported(
                f"{chip} cannot be programmed: {'; '.join(found)}. Nothing was clamped. A model's "
                "energy is divided by beta before it is programmed: use smaller weights, or start "
                "from a larger beta if that of the device is larger"
            )


def _outside(values: Floats, allowed: tuple[float, float], what: str) -> list[str]:
    """What is outside of a range, in words; empty if nothing is."""
    # Values that are at the limit but for rounding are inside.
    slack = 1e-9
    outside = values[(values < allowed[0] - slack) | (values > allowed[1] + slack)]
    if not len(outside):
        return []
    worst = outside[np.argmax(np.abs(outside))]
    return [
        f"{len(outside)} of {len(values)} {what} are outside [{allowed[0]:g}, {allowed[1]:g}], "
        f"such as {worst:.4g}"
    ]


@dataclass(frozen=True, eq=False)
class Chip:
    """The qubits and couplers of an annealer that work.

    Args:
        name: how messages and results call it.
        topology: ``pegasus`` or ``zephyr``; another name has no native placement.
        shape: the parameters of the topology.
        qubits: numbers (Q,) of the qubits, ascending.
        couplers: pairs (C, 2) of numbers of qubits.
        ranges: what can be programmed.
        takes_flux: whether flux biases can be programmed.
    """

    name: str
    topology: str
    shape: tuple[int, ...]
    qubits: Ints
    couplers: Ints
    ranges: Ranges = Ranges()
    takes_flux: bool = True

    @cached_property
    def network(self) -> Any:
        """The working graph as a graph of networkx, in the form that minorminer recognises."""
        nodes = self.qubits.tolist()
        edges = [tuple(pair) for pair in self.couplers.tolist()]
        if self.topology in ("pegasus", "zephyr"):
            make = getattr(ocean("dwave.graphs"), f"{self.topology}_graph")
            size = self.shape[:1] if self.topology == "pegasus" else self.shape
            return make(*size, node_list=nodes, edge_list=edges)
        graph = ocean("networkx").Graph(edges)
        graph.add_nodes_from(nodes)
        return graph

    def parts(self, count: int) -> Ints:
        """Which of ``count`` parts (Q,) each qubit is in; couplers within a part are not used.

        Two parts are the two directions of qubits, four the colours of a valid colouring. Raises
        BadOption for another count, and Unsupported for another topology.
        """
        if count == 1:
            return np.zeros(len(self.qubits), dtype=np.intp)
        if count not in (2, 4):
            raise BadOption(f"native has the sizes of 1, 2 or 4 parts, not of {count}")
        if self.topology not in ("pegasus", "zephyr"):
            raise Unsupported(f"{self.name} has the topology {self.topology!r}: no native parts")
        graphs = ocean("dwave.graphs")
        coordinates = getattr(graphs, f"{self.topology}_coordinates")(*self.shape[:2])
        place = getattr(coordinates, f"linear_to_{self.topology}")
        places = [place(qubit) for qubit in self.qubits.tolist()]
        if count == 2:
            return np.array([one[0] for one in places])
        colour = getattr(graphs, f"{self.topology}_four_color")
        return np.array([colour(one) for one in places])

    def native_qubits(self, sizes: Sequence[int]) -> tuple[Ints, ...]:
        """Qubits for each part, as many as ``sizes`` says, with many couplers between parts.

        They are collected one by one from the middle of the chip: each time the one with the most
        couplers to those of other parts. Raises Unsupported if the chip has too few.
        """
        part_of = self.parts(len(sizes))
        for part, size in enumerate(sizes):
            there = int(np.count_nonzero(part_of == part))
            if size > there or size < 1:
                raise Unsupported(
                    f"native = {list(sizes)} needs {size} qubits of direction or colour {part}; "
                    f"{self.name} has {there}"
                )
        chosen = self._grown(part_of, np.array(sizes))
        return tuple(self.qubits[chosen & (part_of == part)] for part in range(len(sizes)))

    def _grown(self, part_of: Ints, left: Ints) -> NDArray[np.bool_]:
        """Which qubits (Q,) are collected, ``left`` of each part."""
        starts, neighbours = self._neighbours(part_of)
        chosen = np.zeros(len(self.qubits), dtype=np.bool_)
        couplers = np.zeros(len(self.qubits))
        degree = np.diff(starts)
        # Numbers of qubits follow their places, so the middle one of a part is in the middle.
        of_first = np.flatnonzero((part_of == 0) & (degree == degree[part_of == 0].max()))
        following = int(of_first[len(of_first) // 2])
        left = left.copy()
        while True:
            chosen[following] = True
            left[part_of[following]] -= 1
            couplers[neighbours[starts[following] : starts[following + 1]]] += 1
            if not left.any():
                return chosen
            open_part = left[part_of] > 0
            # Of equal ones, that with the fewest couplers to leave unused.
            score = np.where(chosen | ~open_part, -np.inf, couplers - 1e-3 * degree)
            following = int(np.argmax(score))

    def _neighbours(self, part_of: Ints) -> tuple[Ints, Ints]:
        """Where the neighbours of each qubit in other parts begin (Q + 1,), and all of them."""
        ends = np.searchsorted(self.qubits, self.couplers)
        if part_of.any():
            ends = ends[part_of[ends[:, 0]] != part_of[ends[:, 1]]]
        both = np.concatenate([ends, ends[:, ::-1]])
        order = np.argsort(both[:, 0], kind="stable")
        counts = np.bincount(both[:, 0], minlength=len(self.qubits))
        return np.concatenate([[0], np.cumsum(counts)]), both[order, 1]


def check_chip(size: int, chip: int, missing: float) -> None:
    """Raise BadOption for a size below 1, a negative number of the chip, and no share."""
    if size < 1 or chip < 0 or not 0 <= missing < 1:
        raise BadOption(
            "size must be at least 1, chip at least 0 and missing a share below 1, not "
            f"{size}, {chip} and {missing:g}"
        )


def with_defects(topology: str, size: int, missing: float, seed: int, ranges: Ranges) -> Chip:
    """An emulated chip from which a share of qubits, and a tenth of it of couplers, is missing.

    Raises BadOption for a size below 1, a negative seed, and no share.

    >>> chip = with_defects("zephyr", 2, 0.05, 1, Ranges())
    >>> chip.name, len(chip.qubits)
    ('zephyr 2, chip 1', 152)
    """
    check_chip(size, seed, missing)
    graphs = ocean("dwave.graphs")
    whole = getattr(graphs, f"{topology}_graph")(size)
    rng = np.random.default_rng([seed, 7])
    qubits = np.array(sorted(whole.nodes))
    qubits = qubits[np.sort(rng.permutation(len(qubits))[round(missing * len(qubits)) :])]
    couplers = np.array(sorted(sorted(pair) for pair in whole.edges))
    couplers = couplers[np.all(np.isin(couplers, qubits), axis=1)]
    broken = round(0.1 * missing * len(couplers))
    couplers = couplers[np.sort(rng.permutation(len(couplers))[broken:])]
    shape = (size, 4) if topology == "zephyr" else (size,)
    return Chip(f"{topology} {size}, chip {seed}", topology, shape, qubits, couplers, ranges)
