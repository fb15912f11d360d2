"""Which qubits of a device a circuit takes: for each unconnected part the connected set of least error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption
from qgen_core.typing import Floats

Set = tuple[int, ...]

#: Sets, also unfinished ones, that are looked at before the search ends with the best so far: some seconds.
#: 20 qubits of 156 take a tenth of them.
MOST_SETS = 2_000_000


def parts_of(circuit: Circuit) -> list[tuple[int, ...]]:
    """Wires that gates connect, in the order of their first wires."""
    root = list(range(circuit.num_wires))
    for instruction in circuit.instructions:
        old, new = root[max(instruction.wires)], root[min(instruction.wires)]
        if old != new:
            root = [new if r == old else r for r in root]
    return [tuple(w for w, r in enumerate(root) if r == key) for key in dict.fromkeys(root)]


@dataclass
class Best:
    """The best set so far, ranked by its sum of two-qubit errors, then of readout errors."""

    rank: tuple[float, float] = (np.inf, np.inf)
    qubits: Set | None = None


class Chooser:
    """Finds connected sets of qubits with the least sum of errors of the couplings inside them.

    Of equal sums the set of least ``readout`` errors wins, which decides for single wires.
    """

    def __init__(self, couplings: Mapping[tuple[int, int], float], readout: Floats) -> None:
        self.errors: list[dict[int, float]] = [{} for _ in readout]
        for (a, b), error in couplings.items():
            self.errors[a][b] = self.errors[b][a] = error
        self.readout = readout
        self.sorted_errors = np.concatenate([[0.0], np.cumsum(sorted(couplings.values()))])

    def choose(self, sizes: Sequence[int]) -> list[Set]:
        """A set for each part, the largest chosen first, each the best that leaves room for the others.

        Raises BadOption when there is no room.
        """
        order = sorted(range(len(sizes)), key=lambda part: -sizes[part])
        found = self._place([sizes[part] for part in order], frozenset(range(len(self.errors))))
        if found is None:
            raise BadOption(
                f"connected sets of {', '.join(map(str, sizes))} qubits do not fit side by side on a device "
                f"of {len(self.errors)} qubits"
            )
        return [found[order.index(part)] for part in range(len(sizes))]

    def cost(self, qubits: Sequence[int]) -> float:
        """The sum of errors of the couplings inside a set."""
        inside = set(qubits)
        return sum(
            error for a in inside for b, error in self.errors[a].items() if b in inside and a < b
        )

    def connected(self, qubits: Sequence[int]) -> bool:
        """Whether couplings inside the set connect it."""
        inside, reached = set(qubits), {qubits[0]}
        todo = [qubits[0]]
        while todo:
            new = inside & self.errors[todo.pop()].keys() - reached
            reached |= new
            todo += new
        return reached == inside

    def _place(self, sizes: list[int], free: frozenset[int]) -> list[Set] | None:
        if not sizes:
            return []
        best = self._greedy(sizes[0], free, sizes[1:])
        for qubits in self._sets(sizes[0], free, best):
            self._try(best, qubits, free, sizes[1:])
        if best.qubits is None:
            return None
        rest = self._place(sizes[1:], free - set(best.qubits))
        return None if rest is None else [best.qubits, *rest]

    def _try(self, best: Best, qubits: Set, free: frozenset[int], rest: list[int]) -> None:
        """Take a set if it is better and leaves room for the rest."""
        rank = (self.cost(qubits), float(self.readout[list(qubits)].sum()))
        if rank < best.rank and self._fits(rest, free - set(qubits)):
            best.rank, best.qubits = rank, qubits

    def _greedy(self, size: int, free: frozenset[int], rest: list[int]) -> Best:
        """A good set to begin with: grown from each qubit by the least error."""
        best = Best()
        for start in sorted(free):
            grown = [start]
            while len(grown) < size:
                near = {b for a in grown for b in self.errors[a] if b in free} - set(grown)
                if not near:
                    break
                grown.append(min(near, key=lambda b: (self.cost([*grown, b]), b)))
            if len(grown) == size:
                self._try(best, tuple(sorted(grown)), free, rest)
        return best

    def _fits(self, sizes: list[int], free: frozenset[int]) -> bool:
        """Whether connected sets of these sizes fit side by side."""
        if not sizes or max(sizes) == 1:
            return len(free) >= len(sizes)
        sets = self._sets(sizes[0], free, Best())
        return any(self._fits(sizes[1:], free - set(qubits)) for qubits in sets)

    def _sets(self, size: int, free: frozenset[int], best: Best) -> Iterator[Set]:
        """Connected sets of free qubits, each once, as long as they may be better than the best.

        Source: the enumeration ESU of Wernicke, IEEE/ACM Trans. Comput. Biol. Bioinform. 3 (2006) 347, cut
        where even the least errors of the device would make a set worse.
        """
        looked = 0

        def extend(
            inside: list[int], near: list[int], seen: set[int], cost: float
        ) -> Iterator[Set]:
            nonlocal looked
            looked += 1
            left = size - len(inside)
            least = self.sorted_errors[min(left, len(self.sorted_errors) - 1)]
            if looked > MOST_SETS or cost + least > best.rank[0]:
                return
            if not left:
                yield tuple(sorted(inside))
                return
            for at, qubit in enumerate(near):
                more = sum(error for other, error in self.errors[qubit].items() if other in inside)
                new = [
                    b for b in self.errors[qubit] if b > inside[0] and b in free and b not in seen
                ]
                yield from extend(
                    [*inside, qubit], near[at + 1 :] + new, seen | set(new), cost + more
                )

        for root in sorted(free):
            near = [b for b in self.errors[root] if b > root and b in free]
            yield from extend([root], near, {root, *near}, 0.0)
