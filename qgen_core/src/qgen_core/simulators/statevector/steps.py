"""The steps of a tile, and the table of numbers that they read.

A step is a row of numbers: its code, the lane bits of control and target (0 for others; of RY both are the same), its
place in the table, and where the turns start that it is one of (RYs and CNOTs with no phases between them). ``RY_*``
turn along one bit, ``CX_*`` exchange amplitudes, ``PHASE4`` has a phase for each register and ``PHASES`` one for each
amplitude of a tile. A ``PAIR`` is a tile of its own, for ops on the bits p and q alone: an order of the four registers
(two bits each), phases if the next number is not 0, which scale the state if it is 2, then RY on p and RY on q.
"""

from __future__ import annotations

from collections.abc import Callable

from qgen_core.simulators.statevector.decompose import Linear, Op

# P and Q stand for the two bits of the tile, L for a lane bit; CX_PL has control P.
RY_P, RY_Q, RY_L, CX_PQ, CX_QP, CX_PL, CX_QL, CX_LP, CX_LQ, CX_LL, PAIR, PHASE4, PHASES = range(13)
_CX = {"pq": CX_PQ, "qp": CX_QP, "pl": CX_PL, "ql": CX_QL, "lp": CX_LP, "lq": CX_LQ, "ll": CX_LL}

#: Numbers in the row of a step.
FIELDS = 5

#: For CNOTs between p and q, which register comes in the place of each.
MOVES = {CX_PQ: (0, 1, 3, 2), CX_QP: (0, 3, 2, 1)}

#: So many RYs of pairs at most between two scalings; each is done up to a factor of 1 to sqrt(2) (turns.py).
GROUP = 48


def take(ops: list[Op], wanted: Callable[[Op], bool]) -> tuple[list[Op], list[Op]]:
    """The wanted ops that can be done now, and the rest, in order.

    An op may overtake a left-out one where both act with the same Pauli letter, which
    makes them commute. ``wanted`` is asked only about ops that are free to go.
    """
    universe = {wire for op in ops for wire in op.wires}
    taken, rest = [], []
    blocked: dict[int, str] = {}
    stuck = 0
    for position, op in enumerate(ops):
        acts = list(op.acts())
        if all(blocked.get(w, letter) == letter for w, letter in acts) and wanted(op):
            taken.append(op)
            continue
        rest.append(op)
        for w, letter in acts:
            if blocked.setdefault(w, letter) not in (letter, "*"):
                blocked[w], stuck = "*", stuck + 1
        if stuck == len(universe):
            rest.extend(ops[position + 1 :])
            break
    return taken, rest


def _last_cnots(turns: list[Op]) -> tuple[list[Op], list[Op]]:
    """The turns without the CNOTs that may come last, and those."""
    first: list[Op] = []
    last: list[Op] = []
    held: set[int] = set()
    for op in reversed(turns):
        if op.kind == "cx" and held.isdisjoint(op.wires):
            last.append(op)
        else:
            first.append(op)
            held.update(op.wires)
    return first[::-1], last[::-1]


def _across(cnot: Op, phase: Op) -> Op:
    """The phase that does on the other side of a CNOT what this one does: Z on the target becomes Z on both wires."""
    control, target = cnot.wires
    wires = set(phase.wires) ^ {control} if target in phase.wires else set(phase.wires)
    return phase._replace(wires=tuple(sorted(wires)))


def _before(cnots: list[Op], phase: Op) -> Op:
    for cnot in reversed(cnots):
        phase = _across(cnot, phase)
    return phase


def _one_turn_each(ops: list[Op]) -> tuple[list[Op], list[Op]]:
    """The RYs that can be done now, one at most for each wire, and the rest."""
    turned: set[int] = set()

    def wanted(op: Op) -> bool:
        found = op.kind == "y" and turned.isdisjoint(op.wires)
        turned.update(op.wires if found else ())
        return found

    return take(ops, wanted)


def _within(ops: list[Op], *bits: int) -> bool:
    return all(w in bits for op in ops for w in op.wires)


class Writer:
    """Writes steps, and the linear forms behind the table."""

    def __init__(self, lane_bits: int) -> None:
        self.lane_bits = lane_bits
        self.steps: list[tuple[int, int, int, int, int]] = []
        self.slots: list[tuple[int, int, int, int, int]] = []
        self.values: list[Linear] = []
        self.terms: list[tuple[int, float]] = []
        self.table = 0
        self._unscaled = 0

    def slot(self, value: Linear, at: int, count: int, mask: int) -> None:
        """Add a linear form to ``count`` places of the table, with the sign of the parity of a place's masked bits."""
        first = len(self.terms)
        self.terms += value.terms
        self.values.append(value)
        self.slots.append((first, len(self.terms), at, count, mask))

    def tile(self, ops: list[Op], p: int, q: int) -> list[tuple[int, int]]:
        """Write the ops of one tile; first and last step of each pass that it takes."""
        begin = len(self.steps)
        if _within(ops, p, q):
            self._pairs(ops, p, q)
            return [(k, k + 1) for k in range(begin, len(self.steps))]
        late: list[Op] = []
        while ops:
            turns, ops = take(ops, lambda op: op.kind != "d")
            phases, ops = take(ops, lambda op: op.kind == "d")
            turns, late = _last_cnots([*late, *turns])
            earlier = [_before(late, op) for op in phases]
            if not phases or _within(phases, p, q) and not _within(earlier, p, q):
                turns, late, earlier = turns + late, [], phases
            self._turns(turns, p, q)
            if earlier:
                self._phases(earlier, p, q)
        self._turns(late, p, q)
        return [(begin, len(self.steps))]

    def _place(self, count: int) -> int:
        at = self.table
        self.table += count
        return at

    def _turns(self, ops: list[Op], p: int, q: int) -> None:
        first = len(self.steps)
        for op in ops:
            names = ["p" if w == p else "q" if w == q else "l" for w in op.wires]
            bits = [w if w < self.lane_bits else 0 for w in op.wires]
            if op.kind == "cx":
                self.steps.append((_CX["".join(names)], bits[0], bits[1], 0, first))
                continue
            code = {"p": RY_P, "q": RY_Q, "l": RY_L}[names[0]]
            self.steps.append((code, bits[0], bits[0], self._place(1), first))
            self.slot(op.value, self.table - 1, 1, 0)

    def _phases(self, ops: list[Op], p: int, q: int) -> None:
        few = _within(ops, p, q)
        shift = 0 if few else self.lane_bits
        at = self._place(4 << shift)
        self.steps.append((PHASE4 if few else PHASES, 0, 0, at, len(self.steps)))
        self._masked(ops, {p: 1 << (shift + 1), q: 1 << shift}, at, 4 << shift)

    def _masked(self, ops: list[Op], bits: dict[int, int], at: int, count: int) -> None:
        for op in ops:
            self.slot(op.value, at, count, sum(bits.get(w, 1 << w) for w in op.wires))

    def _pairs(self, ops: list[Op], p: int, q: int) -> None:
        while ops:
            moves, ops = take(ops, lambda op: op.kind != "y")
            turns, ops = _one_turn_each(ops)
            order: tuple[int, ...] = (0, 1, 2, 3)
            phases: list[Op] = []
            for op in moves:
                if op.kind == "d":
                    phases.append(op)
                    continue
                phases = [_across(op, phase) for phase in phases]
                order = tuple(order[k] for k in MOVES[_CX["pq" if op.wires[0] == p else "qp"]])
            at = self._place(6)
            kind = 2 if self._unscaled > GROUP - 2 else int(bool(phases))
            self._unscaled = len(turns) + (0 if kind == 2 else self._unscaled)
            self.steps.append(
                (PAIR, sum(k << (2 * n) for n, k in enumerate(order)), kind, at, len(self.steps))
            )
            self._masked(phases, {p: 2, q: 1}, at, 4)
            for op in turns:
                self.slot(op.value, at + (4 if op.wires[0] == p else 5), 1, 0)
