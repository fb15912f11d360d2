"""A circuit as a sequence of passes over the state: phases, permutations and one-wire matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgen_core import Circuit
from qgen_core.circuits.gates import I2
from qgen_core.typing import Ints
from qgen_torch.simulator.decompose import NONE, Move, Op, Phase, Turn, decompose, fixed, fuse

#: The largest number of wires whose matrices are multiplied into one; never more than half of all.
BLOCK_WIRES = 4

#: For each wire the number of its slot; None: nothing acts on the wire.
Slots = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class SlotTable:
    """The 2x2 matrices to compute: a slot is the product of one wire's operations in one pass.

    ``gates``: operations with an angle, those of shared columns first. ``constants``: fixed
    matrices; the last one is the identity. ``slots``: for each slot the numbers of its factors in
    ``gates`` followed by ``constants``, in the order in which they act; shared slots first.
    ``shared_gates`` and ``shared_slots`` count those that are equal in all rows of a batch.
    """

    gates: tuple[Turn, ...]
    shared_gates: int
    constants: tuple[NDArray[np.complex128], ...]
    slots: tuple[tuple[int, ...], ...]
    shared_slots: int


@dataclass(frozen=True)
class Block:
    """``wires`` neighbouring wires with ``left`` wires before them."""

    left: int
    wires: int


@dataclass(frozen=True)
class MatrixPass:
    """For each block on which something acts, the slots of its wires."""

    blocks: tuple[tuple[Block, Slots], ...]


@dataclass(frozen=True, eq=False)
class PhasePass:
    """Factors by (mask, column): phases ``exp(i sum factor angle[column] (-1)^(mask . x))``."""

    terms: dict[tuple[int, int], float]


@dataclass(frozen=True, eq=False)
class PermutationPass:
    """``new[x] = old[source[x]]``; ``target`` is the inverse permutation."""

    source: Ints
    target: Ints


Pass = MatrixPass | PhasePass | PermutationPass


@dataclass(frozen=True, eq=False)
class PassSequence:
    """The slots ``first`` act on |0...0>, then come the passes."""

    wires: int
    slots: SlotTable
    first: Slots
    passes: tuple[Pass, ...]

    def blocks(self) -> Iterator[tuple[Block, Slots]]:
        """The blocks of all matrix passes, in order."""
        for one in self.passes:
            if isinstance(one, MatrixPass):
                yield from one.blocks


def blocks_of(wires: int, most: int) -> list[Block]:
    """Blocks of nearly equal size; at least two if there are two wires.

    >>> [block.wires for block in blocks_of(6, most=4)]
    [3, 3]
    """
    size = max(1, min(most, -(-wires // 2)))
    count = -(-wires // size)
    cuts = [wires * number // count for number in range(count + 1)]
    return [Block(start, stop - start) for start, stop in zip(cuts, cuts[1:], strict=False)]


def take(ops: list[Op], kind: type, wires: int) -> tuple[list[Op], list[Op]]:
    """Split off the operations of one kind that no earlier other operation on their wires precedes.

    Returns these operations and the rest, both in order.

    >>> ops = [Move((0, 1), (0, 1, 3, 2)), fixed(0, I2), Move((1, 2), (0, 2, 1, 3))]
    >>> taken, rest = take(ops, Move, wires=3)
    >>> [op.target for op in taken], len(rest)
    ([(0, 1, 3, 2), (0, 2, 1, 3)], 1)
    """
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
    """The index from which each amplitude comes when permutations of basis states are applied.

    >>> source_of([Move((0, 1), (0, 1, 3, 2))], wires=2)
    array([0, 1, 3, 2])
    """
    source = np.arange(2**wires)
    for move in reversed(moves):  # trace each index back from the last gate to the first
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


class _SlotCollector:
    """Collects slots while passes are arranged."""

    def __init__(self, wires: int, row_columns: set[int]) -> None:
        self.wires = wires
        self.row_columns = row_columns
        self.slots: list[list[Turn]] = []

    def add(self, turns: list[Op]) -> list[int | None]:
        """Make a slot for each wire on which these operations act; the slot of each wire."""
        by_wire: dict[int, list[Turn]] = {}
        for turn in turns:
            assert isinstance(turn, Turn)
            by_wire.setdefault(turn.wires[0], []).append(turn)
        found: list[int | None] = [None] * self.wires
        for wire, run in by_wire.items():
            found[wire] = len(self.slots)
            self.slots.append(fuse(run))
        return found

    def table(self) -> tuple[SlotTable, dict[int, int]]:
        """The table of all slots, shared ones first, and the new number of each slot."""
        differs_by_row = []
        gates: list[Turn] = []
        constants: list[Turn] = []
        for slot in self.slots:
            differs_by_row.append(any(turn.column in self.row_columns for turn in slot))
            gates += [turn for turn in slot if turn.column != NONE]
            constants += [turn for turn in slot if turn.column == NONE]
        order = sorted(range(len(self.slots)), key=lambda number: differs_by_row[number])
        gates.sort(key=lambda turn: turn.column in self.row_columns)
        constants.append(fixed(0, I2))
        factor_number = {id(turn): number for number, turn in enumerate([*gates, *constants])}
        slots = []
        for number in order:
            slots.append(tuple(factor_number[id(turn)] for turn in self.slots[number]))
        table = SlotTable(
            gates=tuple(gates),
            shared_gates=sum(turn.column not in self.row_columns for turn in gates),
            constants=tuple(turn.parts[0] for turn in constants),
            slots=tuple(slots),
            shared_slots=len(order) - sum(differs_by_row),
        )
        return table, {old: new for new, old in enumerate(order)}


def arrange_passes(circuit: Circuit, row_columns: Ints, most: int = BLOCK_WIRES) -> PassSequence:
    """Arrange a circuit in few passes over the state.

    Each pass takes all operations of its kind that can be done at that point.

    Args:
        circuit: without channels.
        row_columns: angle columns that differ from row to row of a batch; the others are shared.
        most: the largest number of wires whose matrices are multiplied into one.

    >>> from qgen_core import Gate, param
    >>> gates = (Gate("ry", (0,), param(0)), Gate("cx", (0, 1)), Gate("rz", (1,), param(1)))
    >>> [type(one).__name__ for one in arrange_passes(Circuit(2, gates), np.arange(0)).passes]
    ['PermutationPass', 'MatrixPass']
    """
    wires = circuit.num_wires
    collector = _SlotCollector(wires, {int(column) for column in row_columns})
    taken, ops = take(decompose(circuit), Turn, wires)
    first = collector.add(taken)
    found: list[list[int | None] | PhasePass | PermutationPass] = []
    while ops:
        for kind in (Phase, Move, Turn):
            taken, ops = take(ops, kind, wires)
            if not taken:
                continue
            if kind is Turn:
                found.append(collector.add(taken))
            elif kind is Phase:
                found.append(_phase_pass(taken, wires))
            else:
                found.append(_permutation_pass(taken, wires))
    table, new_number = collector.table()
    blocks = blocks_of(wires, most)
    passes: list[Pass] = []
    for one in found:
        if isinstance(one, list):
            passes.append(_matrix_pass(blocks, _renumbered(one, new_number)))
        else:
            passes.append(one)
    return PassSequence(wires, table, _renumbered(first, new_number), tuple(passes))


def _renumbered(slots: list[int | None], new_number: dict[int, int]) -> Slots:
    found: list[int | None] = []
    for slot in slots:
        if slot is not None:
            slot = new_number[slot]
        found.append(slot)
    return tuple(found)


def _matrix_pass(blocks: list[Block], slots: Slots) -> MatrixPass:
    found = []
    for block in blocks:
        part = slots[block.left : block.left + block.wires]
        if any(slot is not None for slot in part):
            found.append((block, part))
    return MatrixPass(tuple(found))


def _phase_pass(phases: list[Op], wires: int) -> PhasePass:
    terms: dict[tuple[int, int], float] = {}
    for phase in phases:
        assert isinstance(phase, Phase)
        mask = sum(1 << (wires - 1 - wire) for wire in phase.wires)
        key = (mask, phase.column)
        terms[key] = terms.get(key, 0.0) + phase.factor
    return PhasePass(terms)


def _permutation_pass(moves: list[Op], wires: int) -> PermutationPass:
    source = source_of(moves, wires)
    return PermutationPass(source, np.argsort(source))
