"""Packing the ops of a circuit into few passes over memory.

The same packing is done twice. A *stage* takes the ops on at most ``local`` bits of the
amplitude number, among them always the lowest; its blocks of 2^local amplitudes fit the
cache and are independent of each other. Within a block a *tile* takes the ops on the lane
bits and two more bits, p and q; its four registers are loaded once for all of its steps.

Wire w is bit Q - 1 - w of the amplitude number; registers hold ``lane_bits`` lowest bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.simulators.statevector.decompose import Op, decompose
from qgen_core.simulators.statevector.steps import FIELDS, PAIR, PHASE4, PHASES, Writer, take
from qgen_core.typing import Floats, Ints

ANY_DEPTH = 1 << 40


@dataclass(frozen=True, eq=False)
class Plan:
    """What the kernels read. T numbers go into cosines and sines: the *table*.

    ``stages`` (F, 3): first and last tile, and 1 if the local bits are the lowest ones.
    ``rows`` (F, R): where the runs of 2^low amplitudes of a block start. ``others`` (F, bits
    - local): the bits that number the blocks. ``tiles`` (M, 4): p, q, first and last step.
    ``steps`` (S, FIELDS): see :mod:`~qgen_core.simulators.statevector.steps`. ``slots`` (K, 5): first and
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


def pack(
    ops: list[Op], base: frozenset[int], room: int, depth: int
) -> Iterator[tuple[frozenset[int], list[Op]]]:
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


def _deposit(number: int, bits: list[int]) -> int:
    return sum(((number >> k) & 1) << bit for k, bit in enumerate(bits))


def _array(rows: list[Any], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _tiles(ops: list[Op], lane_bits: int, local: int) -> list[tuple[list[Op], int, int]]:
    """The ops and bits p > q of each tile: one level at a time or as deep as can be, what costs less."""
    lanes = frozenset(range(lane_bits))

    def attempt(depth: int) -> list[tuple[list[Op], int, int]]:
        tiles = []
        for held, group in pack(ops, lanes, lane_bits + 2, depth):
            high = sorted(held - lanes)
            high += [b for b in range(lane_bits, local) if b not in high][: 2 - len(high)]
            tiles.append((group, max(high), min(high)))
        return tiles

    def cost(tiles: list[tuple[list[Op], int, int]]) -> int:
        trial = Writer(lane_bits)
        passes = sum(len(trial.tile(*tile)) for tile in tiles)
        return passes + sum(code in (PAIR, PHASE4, PHASES) for code, *_ in trial.steps)

    return min(attempt(0), attempt(ANY_DEPTH), key=cost)


def make_plan(circuit: Circuit, lane_bits: int, local: int, low: int, *, last_phases: bool) -> Plan:
    """Plan a circuit for registers of 2^lane_bits, blocks of 2^local, runs of 2^low amplitudes."""
    wires = circuit.num_wires
    bits = max(wires, lane_bits + 2)
    local = min(max(local, lane_bits + 2), bits)
    low = min(max(low, lane_bits), local - 2)  # any two bits must find room beside the lowest
    ops, overall = decompose(circuit, last_phases=last_phases)
    ops = [op._replace(wires=tuple(wires - 1 - w for w in op.wires)) for op in ops]
    out = Writer(lane_bits)
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
        for group, p, q in _tiles(members, lane_bits, local):
            tiles += [(p, q, *part) for part in out.tile(group, p, q)]
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
        _array(out.steps, FIELDS),
        _array(out.slots, 5),
        np.array([v.const for v in out.values]),
        np.array([c for c, _ in out.terms], dtype=np.int64),
        np.array([f for _, f in out.terms], dtype=np.float64),
        out.table + 1,
        circuit.num_angles,
    )
