"""Packing the ops of a circuit into few passes over memory.

The same packing is done twice. A *stage* takes the ops on at most ``local`` bits of the
amplitude number, among them always the lowest; its blocks of 2^local amplitudes fit the
cache and are independent of each other. Within a block a *tile* takes the ops on the lane
bits and two more bits, p and q; its four registers are loaded once for all of its steps.

Wire w is bit Q - 1 - w of the amplitude number; registers hold ``lane_bits`` lowest bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuit import Circuit
from qgen_core.engine.decompose import Linear, Op, decompose

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Step codes. P and Q stand for the two bits of the tile, L for a lane bit; CX_PL has control P.
RY_P, RY_Q, RY_L, CX_PQ, CX_QP, CX_PL, CX_QL, CX_LP, CX_LQ, CX_LL, PHASE4, PHASES = range(12)
_CX = {"pq": CX_PQ, "qp": CX_QP, "pl": CX_PL, "ql": CX_QL, "lp": CX_LP, "lq": CX_LQ, "ll": CX_LL}

ANY_DEPTH = 1 << 40


@dataclass(frozen=True, eq=False)
class Plan:
    """What the kernels read. T numbers go into cosines and sines: the *table*.

    ``stages`` (F, 3): first and last tile, and 1 if the local bits are the lowest ones.
    ``rows`` (F, R): where the runs of 2^low amplitudes of a block start. ``others`` (F, bits
    - local): the bits that number the blocks. ``tiles`` (M, 4): p, q, first and last step.
    ``steps`` (S, 4): code, two lane bits, place in the table. ``slots`` (K, 5): first and
    last of the terms (``columns``, ``factors``) of a linear form, where it enters the table,
    in how many places, and the bits whose parity is its sign there. The last place of the
    table is the global phase.
    """

    wires: int
    bits: int
    local: int
    low: int
    stages: Ints
    rows: Ints
    others: Ints
    tiles: Ints
    steps: Ints
    slots: Ints
    consts: Floats
    columns: Ints
    factors: Floats
    table: int
    angles: int

    @property
    def blocks(self) -> int:
        """Blocks of one stage."""
        return 1 << (self.bits - self.local)


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


def pack(ops: list[Op], base: frozenset[int], room: int, depth: int) -> Iterator[tuple[frozenset[int], list[Op]]]:
    """Groups of ops on at most ``room`` wires including ``base``, first fit.

    A group takes ops of up to ``depth`` levels behind the first one left, which keeps
    phases of one level together.
    """
    while ops:
        chosen = set(base)
        deepest = depth + min((op.level for op in ops if op.kind != "d"), default=ANY_DEPTH)

        def fits(op: Op, chosen: set[int] = chosen, deepest: int = deepest) -> bool:
            if op.level > deepest or len(chosen.union(op.wires)) > room:
                return False
            chosen.update(op.wires)
            return True

        taken, rest = take(ops, fits)
        assert taken, "an op always waits for ops of its level or below"
        kept = _without_last_phases(taken)
        if kept and len(kept) < len(taken):
            kept_ids = {id(op) for op in kept}
            taken, rest = kept, [op for op in ops if id(op) not in kept_ids]
            chosen = set(base).union(*(op.wires for op in taken))
        yield frozenset(chosen), taken
        ops = rest


def _without_last_phases(ops: list[Op]) -> list[Op]:
    """Phases that nothing in the group waits for are left to a group that needs them."""
    kept: list[Op] = []
    waited_for: set[int] = set()
    for op in reversed(ops):
        if op.kind != "d":
            waited_for.add(op.wires[-1])
        elif waited_for.isdisjoint(op.wires):
            continue
        kept.append(op)
    return kept[::-1]


class _Steps:
    """Writes the steps of tiles, and the linear forms behind the table."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.steps: list[tuple[int, int, int, int]] = []
        self.slots: list[tuple[int, int, int, int, int]] = []
        self.values: list[Linear] = []
        self.terms: list[tuple[int, float]] = []
        self.table = 0

    def slot(self, value: Linear, at: int, count: int, mask: int) -> None:
        first = len(self.terms)
        self.terms += value.terms
        self.values.append(value)
        self.slots.append((first, len(self.terms), at, count, mask))

    def tile(self, ops: list[Op], p: int, q: int) -> None:
        """The steps of one tile: all turns that can be done, all phases that can, and so on."""
        phases = False
        while ops:
            taken, ops = take(ops, lambda op, kind=phases: (op.kind == "d") == kind)  # type: ignore[misc]
            phases = not phases
            if phases:
                for op in taken:
                    self._turn(op, p, q)
            elif taken:
                self._phases(taken, p, q)

    def _turn(self, op: Op, p: int, q: int) -> None:
        names = ["p" if w == p else "q" if w == q else "l" for w in op.wires]
        if op.kind == "cx":
            self.steps.append((_CX["".join(names)], op.wires[0], op.wires[1], 0))
            return
        code = {"p": RY_P, "q": RY_Q, "l": RY_L}[names[0]]
        self.steps.append((code, op.wires[0], 0, self.table))
        self.slot(op.value, self.table, 1, 0)
        self.table += 1

    def _phases(self, waiting: list[Op], p: int, q: int) -> None:
        few = all(w in (p, q) for op in waiting for w in op.wires)
        shift = 0 if few else self.lanes
        place = {p: 1 << (shift + 1), q: 1 << shift}
        count = 4 << shift
        for op in waiting:
            mask = sum(place.get(w, 1 << w) for w in op.wires)
            self.slot(op.value, self.table, count, mask)
        self.steps.append((PHASE4 if few else PHASES, 0, 0, self.table))
        self.table += count


def _deposit(number: int, bits: list[int]) -> int:
    return sum(((number >> k) & 1) << bit for k, bit in enumerate(bits))


def _array(rows: list[Any], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _tiles(ops: list[Op], lane_bits: int, local: int) -> list[tuple[list[Op], int, int]]:
    """The ops and bits q < p of each tile: one level at a time or as deep as can be, what costs less."""
    lanes = frozenset(range(lane_bits))

    def attempt(depth: int) -> list[tuple[list[Op], int, int]]:
        tiles = []
        for held, group in pack(ops, lanes, lane_bits + 2, depth):
            high = sorted(held - lanes)
            high += [b for b in range(lane_bits, local) if b not in high][: 2 - len(high)]
            tiles.append((group, min(high), max(high)))
        return tiles

    def cost(tiles: list[tuple[list[Op], int, int]]) -> int:
        total = 0
        for group, q, p in tiles:
            trial = _Steps(lane_bits)
            trial.tile(group, p, q)
            total += 1 + sum(code in (PHASE4, PHASES) for code, *_ in trial.steps)
        return total

    return min(attempt(0), attempt(ANY_DEPTH), key=cost)


def make_plan(circuit: Circuit, lane_bits: int, local: int, low: int, *, last_phases: bool) -> Plan:
    """Plan a circuit for registers of 2^lane_bits, blocks of 2^local, runs of 2^low amplitudes."""
    wires = circuit.num_wires
    bits = max(wires, lane_bits + 2)
    local = min(max(local, lane_bits + 2), bits)
    low = min(max(low, lane_bits), local - 2)  # any two bits must find room beside the lowest
    ops, overall = decompose(circuit, last_phases=last_phases)
    ops = [op._replace(wires=tuple(wires - 1 - w for w in op.wires)) for op in ops]
    out = _Steps(lane_bits)
    stages: list[tuple[int, int, int]] = []
    rows: list[list[int]] = []
    others: list[list[int]] = []
    tiles: list[tuple[int, int, int, int]] = []
    for chosen, members in pack(ops, frozenset(range(low)), local, ANY_DEPTH):
        spare = (b for b in range(bits) if b not in chosen)
        inside = sorted(chosen | {next(spare) for _ in range(local - len(chosen))})
        rank = {b: k for k, b in enumerate(inside)}
        members = [op._replace(wires=tuple(rank[w] for w in op.wires)) for op in members]
        first = len(tiles)
        for group, q, p in _tiles(members, lane_bits, local):
            begin = len(out.steps)
            out.tile(group, p, q)
            tiles.append((p, q, begin, len(out.steps)))
        stages.append((first, len(tiles), int(inside[-1] == local - 1)))
        rows.append([_deposit(r, inside[low:]) for r in range(1 << (local - low))])
        others.append([b for b in range(bits) if b not in rank])
    out.slot(overall, out.table, 1, 0)
    return Plan(
        wires,
        bits,
        local,
        low,
        _array(stages, 3),
        _array(rows, 1 << (local - low)),
        _array(others, bits - local),
        _array(tiles, 4),
        _array(out.steps, 4),
        _array(out.slots, 5),
        np.array([v.const for v in out.values]),
        np.array([c for c, _ in out.terms], dtype=np.int64),
        np.array([f for _, f in out.terms], dtype=np.float64),
        out.table + 1,
        circuit.num_angles,
    )
