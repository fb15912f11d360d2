"""Ordering a circuit into passes over the state: all turns that can be done, all phases, all moves, and so on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgen_core import Circuit
from qgen_core.circuits.gates import I2
from qgen_core.typing import Ints
from qgen_torch.engine.decompose import NONE, Move, Op, Phase, Turn, decompose, fixed, fuse

#: Wires whose turns are multiplied out to one matrix: at most so many, and at most half of all.
BLOCK = 4


@dataclass(frozen=True, eq=False)
class Turns:
    """Which 2x2 matrices to make: a slot is the product of the turns of one wire in one pass.

    ``gates``: turns with an angle, first those of shared columns. ``constants``: fixed
    matrices, the last one is the identity. ``slots``: numbers of gates (first done first),
    or of constants behind them; shared slots first. ``shared_gates`` and ``shared_slots``
    count those that do not differ from row to row.
    """

    gates: tuple[Turn, ...]
    shared_gates: int
    constants: tuple[NDArray[np.complex128], ...]
    slots: tuple[tuple[int, ...], ...]
    shared_slots: int


@dataclass(frozen=True)
class Block:
    """Neighbouring wires: ``left`` wires stand before them, ``wires`` are they."""

    left: int
    wires: int


@dataclass(frozen=True)
class TurnPass:
    """For each block that turns, the slots of its wires; None: the wire rests."""

    blocks: tuple[tuple[Block, tuple[int | None, ...]], ...]


@dataclass(frozen=True, eq=False)
class PhasePass:
    """Factors by (mask, column): ``exp(i sum factor t (-1)^(mask . x))``."""

    terms: dict[tuple[int, int], float]


@dataclass(frozen=True, eq=False)
class MovePass:
    """``new[x] = old[source[x]]``, and the way back."""

    source: Ints
    target: Ints


Pass = TurnPass | PhasePass | MovePass


@dataclass(frozen=True, eq=False)
class Plan:
    """``first``: slots of the wires by which |0...0> is turned; then the passes."""

    wires: int
    turns: Turns
    first: tuple[int | None, ...]
    passes: tuple[Pass, ...]


def blocks_of(wires: int, most: int) -> list[Block]:
    """Blocks of nearly equal size, at least two where there are two wires."""
    size = max(1, min(most, -(-wires // 2)))
    count = -(-wires // size)
    cuts = [wires * k // count for k in range(count + 1)]
    return [Block(a, b - a) for a, b in zip(cuts, cuts[1:], strict=False)]


def take(ops: list[Op], kind: type, wires: int) -> tuple[list[Op], list[Op]]:
    """The ops of this kind on so many wires that wait for no other, and the rest, in order."""
    taken: list[Op] = []
    rest: list[Op] = []
    blocked: set[int] = set()
    for position, op in enumerate(ops):
        if len(blocked) == wires:
            return taken, rest + ops[position:]
        if isinstance(op, kind) and blocked.isdisjoint(op.wires):
            taken.append(op)
        else:
            rest.append(op)
            blocked.update(op.wires)
    return taken, rest


def source_of(moves: list[Op], wires: int) -> Ints:
    """Where each amplitude comes from."""
    source = np.arange(2**wires)
    for move in reversed(moves):  # from the last to the first: where was what is here now?
        assert isinstance(move, Move)
        before = np.argsort(move.target)
        bits = [wires - 1 - wire for wire in move.wires]
        local = np.zeros_like(source)
        for bit in bits:
            local = 2 * local + (source >> bit & 1)
        moved = before[local]
        source = source & ~sum(1 << bit for bit in bits)
        for place, bit in enumerate(reversed(bits)):
            source |= (moved >> place & 1) << bit
    return source


class _Planner:
    """Collects slots while passes are made."""

    def __init__(self, wires: int, own: set[int]) -> None:
        self.wires, self.own = wires, own
        self.slots: list[list[Turn]] = []

    def slots_of(self, turns: list[Op]) -> list[int | None]:
        """The slot of each wire."""
        by_wire: dict[int, list[Turn]] = {}
        for turn in turns:
            assert isinstance(turn, Turn)
            by_wire.setdefault(turn.wires[0], []).append(turn)
        found: list[int | None] = [None] * self.wires
        for wire, run in by_wire.items():
            found[wire] = len(self.slots)
            self.slots.append(fuse(run))
        return found

    def table(self) -> tuple[Turns, dict[int, int]]:
        """All turns, shared ones first, and the new number of each slot."""
        is_own = [any(turn.column in self.own for turn in slot) for slot in self.slots]
        order = sorted(range(len(self.slots)), key=lambda s: is_own[s])
        gates = [turn for slot in self.slots for turn in slot if turn.column != NONE]
        gates.sort(key=lambda turn: turn.column in self.own)
        number = {id(turn): n for n, turn in enumerate(gates)}
        constants = [turn for slot in self.slots for turn in slot if turn.column == NONE]
        constants.append(fixed(0, I2))
        number |= {id(turn): len(gates) + n for n, turn in enumerate(constants)}
        turns = Turns(
            tuple(gates),
            sum(turn.column not in self.own for turn in gates),
            tuple(turn.parts[0] for turn in constants),
            tuple(tuple(number[id(turn)] for turn in self.slots[s]) for s in order),
            len(order) - sum(is_own),
        )
        return turns, {old: new for new, old in enumerate(order)}


def make_plan(circuit: Circuit, own: Ints, most: int = BLOCK) -> Plan:
    """Plan a circuit whose angle columns ``own`` differ from row to row, the others being shared."""
    wires = circuit.num_wires
    planner = _Planner(wires, {int(column) for column in own})
    taken, ops = take(decompose(circuit), Turn, wires)
    first = planner.slots_of(taken)
    found: list[list[int | None] | PhasePass | MovePass] = []
    while ops:
        for kind in (Phase, Move, Turn):
            taken, ops = take(ops, kind, wires)
            if not taken:
                continue
            if kind is Turn:
                found.append(planner.slots_of(taken))
            else:
                found.append(_phases(taken, wires) if kind is Phase else _moves(taken, wires))
    turns, number = planner.table()

    def renumbered(slots: list[int | None]) -> tuple[int | None, ...]:
        return tuple(None if slot is None else number[slot] for slot in slots)

    blocks = blocks_of(wires, most)
    passes = tuple(
        _turns(blocks, renumbered(one)) if isinstance(one, list) else one for one in found
    )
    return Plan(wires, turns, renumbered(first), passes)


def _turns(blocks: list[Block], slots: tuple[int | None, ...]) -> TurnPass:
    parts = ((block, slots[block.left : block.left + block.wires]) for block in blocks)
    return TurnPass(
        tuple((block, part) for block, part in parts if any(slot is not None for slot in part))
    )


def _phases(phases: list[Op], wires: int) -> PhasePass:
    terms: dict[tuple[int, int], float] = {}
    for phase in phases:
        assert isinstance(phase, Phase)
        key = (sum(1 << (wires - 1 - w) for w in phase.wires), phase.column)
        terms[key] = terms.get(key, 0.0) + phase.factor
    return PhasePass(terms)


def _moves(moves: list[Op], wires: int) -> MovePass:
    source = source_of(moves, wires)
    return MovePass(source, np.argsort(source))
