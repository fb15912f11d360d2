"""The steps of a tile, and the linear forms that fill the table of angles that they read.

Compiled code reads a step as a row of integers with the columns ``STEP_*``. ``RY_*`` rotates along
one bit of the amplitude number, ``CX_*`` exchanges amplitudes, ``PHASE4`` applies one phase to each
register and ``PHASES`` one to each amplitude of a tile. RY and CX steps are *real*: they act on the
real and on the imaginary parts separately.

A ``PAIR`` is a whole tile of ops that act on the bits p and q alone. It permutes the four registers
(CNOTs), applies phases unless ``STEP_PHASES`` is ``NO_PHASES``, then applies RY on p and RY on q.
With ``RESCALING`` its phases also rescale the state.
"""

from __future__ import annotations

from collections.abc import Callable

from qgen_core.simulators.statevector.decompose import Linear, Op

# Codes of steps. P and Q are the two bits of the tile, L is a lane bit; CX_PL has control P.
RY_P = 0
RY_Q = 1
RY_L = 2
CX_PQ = 3
CX_QP = 4
CX_PL = 5
CX_QL = 6
CX_LP = 7
CX_LQ = 8
CX_LL = 9
PAIR = 10
PHASE4 = 11
PHASES = 12
_CX = {"pq": CX_PQ, "qp": CX_QP, "pl": CX_PL, "ql": CX_QL, "lp": CX_LP, "lq": CX_LQ, "ll": CX_LL}

#: Columns of a step.
STEP_CODE = 0
#: Lane bit of the control (of RY_L: of the rotation); 0 where that is no lane bit.
STEP_CONTROL = 1
#: Lane bit of the target; the same as the control for RY.
STEP_TARGET = 2
#: First place of the step in the table of angles.
STEP_PLACE = 3
#: First step of the run of real steps that this one belongs to; of other steps the step itself.
STEP_RUN_START = 4
#: Columns in the row of a step.
STEP_COLUMNS = 5

#: Columns of a PAIR that differ: the order of the registers, two bits each, and its phases.
STEP_ORDER = STEP_CONTROL
STEP_PHASES = STEP_TARGET
#: Values of ``STEP_PHASES``.
NO_PHASES = 0
HAS_PHASES = 1
RESCALING = 2

#: Places of a PAIR in the table: four phases, then RY on p and RY on q.
PAIR_PHASES = 4
PAIR_RY_P = 4
PAIR_RY_Q = 5
PAIR_PLACES = 6

#: For CNOTs between p and q: the register that moves to each place.
MOVES = {CX_PQ: (0, 1, 3, 2), CX_QP: (0, 3, 2, 1)}

#: RYs of pairs between two rescalings, at most. Each is applied up to a factor between 1 and
#: sqrt(2) (rotations.py).
RESCALE_AFTER = 48


def take(ops: list[Op], wanted: Callable[[Op], bool]) -> tuple[list[Op], list[Op]]:
    """Split ops into the wanted ones that can be applied now, and the rest, both in order.

    An op may move before one that is left if both act with the same Pauli letter on every wire they
    share, because they then commute. ``wanted`` is called only for ops that are free to move.
    """
    universe: set[int] = set()
    for op in ops:
        universe.update(op.wires)
    taken: list[Op] = []
    rest: list[Op] = []
    # For each wire the letter of the ops left behind on it, "*" if they act with several.
    blocked: dict[int, str] = {}
    stuck = 0
    for position, op in enumerate(ops):
        acts = list(op.acts())
        free = all(blocked.get(wire, letter) == letter for wire, letter in acts)
        if free and wanted(op):
            taken.append(op)
            continue
        rest.append(op)
        for wire, letter in acts:
            if blocked.setdefault(wire, letter) not in (letter, "*"):
                blocked[wire] = "*"
                stuck += 1
        if stuck == len(universe):
            rest.extend(ops[position + 1 :])
            break
    return taken, rest


def _split_last_cnots(ops: list[Op]) -> tuple[list[Op], list[Op]]:
    """Split off the CNOTs that can be applied after all other real ops."""
    first: list[Op] = []
    last: list[Op] = []
    held: set[int] = set()
    for op in reversed(ops):
        if op.kind == "cx" and held.isdisjoint(op.wires):
            last.append(op)
        else:
            first.append(op)
            held.update(op.wires)
    return first[::-1], last[::-1]


def _across(cnot: Op, phase: Op) -> Op:
    """The phase on the other side of a CNOT: Z on the target becomes Z on both wires."""
    control, target = cnot.wires
    wires = set(phase.wires)
    if target in wires:
        wires ^= {control}
    return phase._replace(wires=tuple(sorted(wires)))


def _before(cnots: list[Op], phase: Op) -> Op:
    """The phase before some CNOTs that has the effect of ``phase`` after them."""
    for cnot in reversed(cnots):
        phase = _across(cnot, phase)
    return phase


def _one_rotation_each(ops: list[Op]) -> tuple[list[Op], list[Op]]:
    """Split off the RYs that can be applied now, at most one for each wire."""
    rotated: set[int] = set()

    def wanted(op: Op) -> bool:
        if op.kind != "y" or not rotated.isdisjoint(op.wires):
            return False
        rotated.update(op.wires)
        return True

    return take(ops, wanted)


def _within(ops: list[Op], p: int, q: int) -> bool:
    """Whether all ops act on the bits p and q alone."""
    return all({p, q}.issuperset(op.wires) for op in ops)


class StepWriter:
    """Writes the steps of tiles, and the linear forms that fill the table of angles."""

    def __init__(self, lane_bits: int) -> None:
        self.lane_bits = lane_bits
        self.steps: list[tuple[int, int, int, int, int]] = []
        self.forms: list[tuple[int, int, int, int, int]] = []
        self.values: list[Linear] = []
        self.terms: list[tuple[int, float]] = []
        self.table = 0
        #: RYs of pairs since the last rescaling.
        self._unscaled = 0

    def add_form(self, value: Linear, place: int, count: int, mask: int) -> None:
        """Add a linear form to ``count`` places of the table.

        Its sign at a place is the parity of the place's bits in ``mask``.
        """
        first = len(self.terms)
        self.terms += value.terms
        self.values.append(value)
        self.forms.append((first, len(self.terms), place, count, mask))

    def tile(self, ops: list[Op], p: int, q: int) -> list[tuple[int, int]]:
        """Write the ops of one tile; returns the range of steps (first, end) of each pass."""
        begin = len(self.steps)
        if _within(ops, p, q):
            self._write_pairs(ops, p, q)
            return [(k, k + 1) for k in range(begin, len(self.steps))]
        late: list[Op] = []
        while ops:
            real, ops = take(ops, lambda op: op.kind != "d")
            phases, ops = take(ops, lambda op: op.kind == "d")
            real, late = _split_last_cnots([*late, *real])
            earlier = [_before(late, op) for op in phases]
            # Phases move before the last CNOTs, unless they would then act on more bits.
            spreads = _within(phases, p, q) and not _within(earlier, p, q)
            if not phases or spreads:
                real = real + late
                late = []
                earlier = phases
            self._write_real_steps(real, p, q)
            if earlier:
                self._write_phases(earlier, p, q)
        self._write_real_steps(late, p, q)
        return [(begin, len(self.steps))]

    def _reserve(self, count: int) -> int:
        """Reserve places of the table; returns the first."""
        place = self.table
        self.table += count
        return place

    def _bit_name(self, bit: int, p: int, q: int) -> str:
        if bit == p:
            return "p"
        if bit == q:
            return "q"
        return "l"

    def _write_real_steps(self, ops: list[Op], p: int, q: int) -> None:
        """Write RYs and CNOTs as one run."""
        first = len(self.steps)
        for op in ops:
            names = [self._bit_name(bit, p, q) for bit in op.wires]
            lanes = [self._lane(bit) for bit in op.wires]
            if op.kind == "cx":
                self.steps.append((_CX["".join(names)], lanes[0], lanes[1], 0, first))
                continue
            code = {"p": RY_P, "q": RY_Q, "l": RY_L}[names[0]]
            place = self._reserve(1)
            self.steps.append((code, lanes[0], lanes[0], place, first))
            self.add_form(op.value, place, 1, 0)

    def _lane(self, bit: int) -> int:
        """The bit if it is a lane bit, else 0."""
        return bit if bit < self.lane_bits else 0

    def _write_phases(self, ops: list[Op], p: int, q: int) -> None:
        """Write all phases as one step.

        It has a phase for each register if they act on p and q alone, else for each amplitude.
        """
        if _within(ops, p, q):
            code = PHASE4
            shift = 0
        else:
            code = PHASES
            shift = self.lane_bits
        place = self._reserve(4 << shift)
        self.steps.append((code, 0, 0, place, len(self.steps)))
        self._add_phase_forms(ops, {p: 1 << (shift + 1), q: 1 << shift}, place, 4 << shift)

    def _add_phase_forms(
        self, ops: list[Op], masks: dict[int, int], place: int, count: int
    ) -> None:
        """Add phases to the table; ``masks`` holds the place bits of p and q, others are lanes."""
        for op in ops:
            mask = sum(masks.get(bit, 1 << bit) for bit in op.wires)
            self.add_form(op.value, place, count, mask)

    def _write_pairs(self, ops: list[Op], p: int, q: int) -> None:
        """Write ops on p and q alone as PAIRs.

        Each takes CNOTs and phases, then an RY on each bit.
        """
        while ops:
            moves, ops = take(ops, lambda op: op.kind != "y")
            rotations, ops = _one_rotation_each(ops)
            order, phases = self._merge_moves(moves, p)
            place = self._reserve(PAIR_PLACES)
            kind = self._pair_phases(phases, len(rotations))
            packed_order = sum(register << (2 * k) for k, register in enumerate(order))
            self.steps.append((PAIR, packed_order, kind, place, len(self.steps)))
            self._add_phase_forms(phases, {p: 2, q: 1}, place, PAIR_PHASES)
            for op in rotations:
                offset = PAIR_RY_P if op.wires[0] == p else PAIR_RY_Q
                self.add_form(op.value, place + offset, 1, 0)

    def _merge_moves(self, moves: list[Op], p: int) -> tuple[tuple[int, ...], list[Op]]:
        """Merge CNOTs between p and q into one order of registers, and the phases after them."""
        order: tuple[int, ...] = (0, 1, 2, 3)
        phases: list[Op] = []
        for op in moves:
            if op.kind == "d":
                phases.append(op)
                continue
            phases = [_across(op, phase) for phase in phases]
            code = CX_PQ if op.wires[0] == p else CX_QP
            order = tuple(order[register] for register in MOVES[code])
        return order, phases

    def _pair_phases(self, phases: list[Op], rotations: int) -> int:
        """``STEP_PHASES`` of a pair, which rescales the state if too many RYs came before."""
        if self._unscaled > RESCALE_AFTER - 2:
            self._unscaled = rotations
            return RESCALING
        self._unscaled += rotations
        return HAS_PHASES if phases else NO_PHASES
