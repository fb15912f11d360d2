"""The choice of qubits: the connected set of least error for each part of a circuit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption
from qgen_core.typing import Floats

QubitSet = tuple[int, ...]

#: Partial and complete sets that are examined before the search returns the best so far.
#: It takes a few seconds; 20 qubits of 156 need a tenth of it.
MAX_SETS = 2_000_000


def parts_of(circuit: Circuit) -> list[tuple[int, ...]]:
    """Groups of wires that gates connect, ordered by their first wires.

    >>> from qgen_core import Gate
    >>> parts_of(Circuit(4, (Gate("cx", (0, 2)), Gate("h", (1,)))))
    [(0, 2), (1,), (3,)]
    """
    root = list(range(circuit.num_wires))
    for instruction in circuit.instructions:
        old = root[max(instruction.wires)]
        new = root[min(instruction.wires)]
        if old != new:
            for wire, key in enumerate(root):
                if key == old:
                    root[wire] = new
    parts: dict[int, list[int]] = {}
    for wire, key in enumerate(root):
        parts.setdefault(key, []).append(wire)
    return [tuple(wires) for wires in parts.values()]


@dataclass
class BestSet:
    """The best set so far, ranked by its sum of two-qubit errors, then of readout errors."""

    rank: tuple[float, float] = (np.inf, np.inf)
    qubits: QubitSet | None = None


class LayoutChooser:
    """Finds connected sets of qubits with the least sum of two-qubit errors inside them.

    Among equal sums the set with the least ``readout`` errors is chosen; that decides for single
    wires.

    Args:
        couplings: two-qubit error of each pair of coupled qubits.
        readout: readout error of each qubit.

    >>> line = {(0, 1): 0.3, (1, 2): 0.1}
    >>> LayoutChooser(line, np.zeros(3)).choose([2])
    [(1, 2)]
    """

    def __init__(self, couplings: Mapping[tuple[int, int], float], readout: Floats) -> None:
        self.errors: list[dict[int, float]] = [{} for _ in readout]
        for (first, second), error in couplings.items():
            self.errors[first][second] = error
            self.errors[second][first] = error
        self.readout = readout
        #: The sum of the k least errors of the device, a lower bound for k couplings.
        self.least_sums = np.concatenate([[0.0], np.cumsum(sorted(couplings.values()))])

    def choose(self, sizes: Sequence[int]) -> list[QubitSet]:
        """A set for each size; the largest is chosen first, leaving room for the others.

        Raises BadOption if they do not fit on the device.
        """
        order = sorted(range(len(sizes)), key=lambda part: -sizes[part])
        found = self._place([sizes[part] for part in order], frozenset(range(len(self.errors))))
        if found is None:
            raise BadOption(
                f"connected sets of {', '.join(map(str, sizes))} qubits do not fit side by side "
                f"on a device of {len(self.errors)} qubits"
            )
        return [found[order.index(part)] for part in range(len(sizes))]

    def cost(self, qubits: Sequence[int]) -> float:
        """The sum of the errors of the couplings inside a set."""
        inside = set(qubits)
        errors = []
        for first in inside:
            for second, error in self.errors[first].items():
                if second in inside and first < second:
                    errors.append(error)
        return sum(errors)

    def connected(self, qubits: Sequence[int]) -> bool:
        """Whether the couplings inside a set connect it."""
        inside = set(qubits)
        reached = {qubits[0]}
        pending = [qubits[0]]
        while pending:
            new = inside & self.errors[pending.pop()].keys() - reached
            reached |= new
            pending += new
        return reached == inside

    def _place(self, sizes: list[int], free: frozenset[int]) -> list[QubitSet] | None:
        if not sizes:
            return []
        best = self._greedy(sizes[0], free, sizes[1:])
        for qubits in self._sets(sizes[0], free, best):
            self._consider(best, qubits, free, sizes[1:])
        if best.qubits is None:
            return None
        rest = self._place(sizes[1:], free - set(best.qubits))
        if rest is None:
            return None
        return [best.qubits, *rest]

    def _consider(
        self, best: BestSet, qubits: QubitSet, free: frozenset[int], rest: list[int]
    ) -> None:
        """Make this set the best one if it is better and leaves room for the rest."""
        rank = (self.cost(qubits), float(self.readout[list(qubits)].sum()))
        if rank < best.rank and self._fits(rest, free - set(qubits)):
            best.rank = rank
            best.qubits = qubits

    def _greedy(self, size: int, free: frozenset[int], rest: list[int]) -> BestSet:
        """A good set to start from: from each qubit, add the neighbour of least error."""
        best = BestSet()
        for start in sorted(free):
            grown = [start]
            while len(grown) < size:
                near: set[int] = set()
                for qubit in grown:
                    near |= self.errors[qubit].keys() & free
                near -= set(grown)
                if not near:
                    break
                costs = {qubit: self.cost([*grown, qubit]) for qubit in near}
                grown.append(min(near, key=lambda qubit: (costs[qubit], qubit)))
            if len(grown) == size:
                self._consider(best, tuple(sorted(grown)), free, rest)
        return best

    def _fits(self, sizes: list[int], free: frozenset[int]) -> bool:
        """Whether connected sets of these sizes fit side by side on the free qubits."""
        if not sizes or max(sizes) == 1:
            return len(free) >= len(sizes)
        sets = self._sets(sizes[0], free, BestSet())
        return any(self._fits(sizes[1:], free - set(qubits)) for qubits in sets)

    def _sets(self, size: int, free: frozenset[int], best: BestSet) -> Iterator[QubitSet]:
        """Connected sets of free qubits, each once, that may be better than the best.

        Source: the enumeration ESU of Wernicke, IEEE/ACM Trans. Comput. Biol. Bioinform. 3 (2006)
        347, pruned where even the least errors of the device would make a set worse.
        """
        examined = 0

        def extend(
            inside: list[int], near: list[int], seen: set[int], cost: float
        ) -> Iterator[QubitSet]:
            nonlocal examined
            examined += 1
            missing = size - len(inside)
            least = self.least_sums[min(missing, len(self.least_sums) - 1)]
            if examined > MAX_SETS or cost + least > best.rank[0]:
                return
            if not missing:
                yield tuple(sorted(inside))
                return
            for position, qubit in enumerate(near):
                added_errors = []
                new = []
                for other, error in self.errors[qubit].items():
                    if other in inside:
                        added_errors.append(error)
                    if other > inside[0] and other in free and other not in seen:
                        new.append(other)
                yield from extend(
                    [*inside, qubit],
                    near[position + 1 :] + new,
                    seen | set(new),
                    cost + sum(added_errors),
                )

        for root in sorted(free):
            near = [qubit for qubit in self.errors[root] if qubit > root and qubit in free]
            yield from extend([root], near, {root, *near}, 0.0)
