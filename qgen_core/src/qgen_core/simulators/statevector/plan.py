"""Packing the ops of a circuit into few passes over memory.

The same packing is done twice. A *stage* contains ops on at most ``local`` bits of the amplitude
number, always including the lowest ones; its blocks of 2^local amplitudes fit the cache and are
independent of each other. Within a block a *tile* contains ops on the lane bits and on two more
bits, p and q; its four registers are loaded once for all of its steps.

Wire w is bit Q - 1 - w of the amplitude number; a register holds the ``lane_bits`` lowest bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.simulators.statevector.decompose import Op, decompose
from qgen_core.simulators.statevector.steps import (
    PAIR,
    PHASE4,
    PHASES,
    STEP_CODE,
    STEP_COLUMNS,
    StepWriter,
    take,
)
from qgen_core.typing import Floats, Ints

#: More levels than any circuit has.
ANY_DEPTH = 1 << 40


@dataclass(frozen=True, eq=False)
class StatevectorPlan:
    """What the kernels read (packed by :mod:`~qgen_core.simulators.statevector.tables`).

    - ``stages`` (F, 3): first and end tile, and 1 if the bits of a block are the lowest ones.
    - ``rows`` (F, R): where the runs of 2^low amplitudes of a block start.
    - ``others`` (F, bits - local): the bits that number the blocks.
    - ``tiles`` (M, 4): p, q, first and end step.
    - ``steps`` (S, STEP_COLUMNS): see :mod:`~qgen_core.simulators.statevector.steps`.
    - ``forms`` (K, 5): for each linear form its first and end term (in ``columns`` and
      ``factors``), its first place in the table of angles, the number of its places, and the bits
      of a place whose parity is its sign there. ``consts`` (K,) are the constants of the forms.
    - ``table``: places of the table of angles, T; the last one is the global phase.
    - ``angles``: angles of the circuit, A.
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
    forms: Ints
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
    """Pack ops into groups on at most ``room`` wires including ``base``, first fit.

    A group contains ops of at most ``depth`` levels after that of the first op left, which keeps
    the phases of one level together. Yields the wires and the ops of each group.
    """
    while ops:
        chosen = set(base)
        levels = [op.level for op in ops if op.kind != "d"]
        deepest = depth + min(levels, default=ANY_DEPTH)

        def fits(op: Op, chosen: set[int] = chosen, deepest: int = deepest) -> bool:
            if op.level > deepest or len(chosen.union(op.wires)) > room:
                return False
            chosen.update(op.wires)
            return True

        taken, rest = take(ops, fits)
        assert taken, "an op waits only for ops of its own or an earlier level"
        kept = _without_last_phases(taken)
        if kept and len(kept) < len(taken):
            kept_ids = {id(op) for op in kept}
            taken = kept
            rest = [op for op in ops if id(op) not in kept_ids]
            chosen = set(base)
            for op in taken:
                chosen.update(op.wires)
        yield frozenset(chosen), taken
        ops = rest


def _without_last_phases(ops: list[Op]) -> list[Op]:
    """Leave out phases that no later op of the group waits for; a later group will need them."""
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
    """The number whose bits at the places ``bits`` are the lowest bits of ``number``."""
    return sum(((number >> k) & 1) << bit for k, bit in enumerate(bits))


def _array(rows: list[Any], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


class _Tile(NamedTuple):
    """The ops of a tile and its bits, p > q."""

    ops: list[Op]
    p: int
    q: int


def _pack_tiles(ops: list[Op], lane_bits: int, local: int) -> list[_Tile]:
    """Pack the ops of a stage into tiles: level by level or as deep as possible.

    Returns whichever is cheaper.
    """
    lanes = frozenset(range(lane_bits))

    def attempt(depth: int) -> list[_Tile]:
        tiles = []
        for held, group in pack(ops, lanes, lane_bits + 2, depth):
            high = sorted(held - lanes)
            unused = [bit for bit in range(lane_bits, local) if bit not in high]
            high += unused[: 2 - len(high)]
            tiles.append(_Tile(group, max(high), min(high)))
        return tiles

    def cost(tiles: list[_Tile]) -> int:
        trial = StepWriter(lane_bits)
        passes = sum(len(trial.tile(*tile)) for tile in tiles)
        codes = [step[STEP_CODE] for step in trial.steps]
        return passes + sum(code in (PAIR, PHASE4, PHASES) for code in codes)

    return min(attempt(0), attempt(ANY_DEPTH), key=cost)


def _on_bits(ops: list[Op], bit_of: dict[int, int]) -> list[Op]:
    """The ops with their wires renumbered."""
    return [op._replace(wires=tuple(bit_of[wire] for wire in op.wires)) for op in ops]


def make_plan(
    circuit: Circuit, lane_bits: int, local: int, low: int, *, last_phases: bool
) -> StatevectorPlan:
    """Plan a circuit for registers of 2^lane_bits, blocks of 2^local, runs of 2^low amplitudes.

    The sizes are adapted to small circuits. ``last_phases`` as in :func:`decompose`.
    """
    wires = circuit.num_wires
    bits = max(wires, lane_bits + 2)
    local = min(max(local, lane_bits + 2), bits)
    low = min(max(low, lane_bits), local - 2)  # any two bits must fit in beside the lowest
    ops, overall = decompose(circuit, last_phases=last_phases)
    ops = _on_bits(ops, {wire: wires - 1 - wire for wire in range(wires)})
    out = StepWriter(lane_bits)
    stages: list[tuple[int, int, int]] = []
    rows: list[list[int]] = []
    others: list[list[int]] = []
    tiles: list[tuple[int, int, int, int]] = []
    for chosen, members in pack(ops, frozenset(range(low)), local, ANY_DEPTH):
        unused = [bit for bit in range(bits) if bit not in chosen]
        inside = sorted(chosen.union(unused[: local - len(chosen)]))
        rank = {bit: k for k, bit in enumerate(inside)}
        first = len(tiles)
        for tile in _pack_tiles(_on_bits(members, rank), lane_bits, local):
            passes = out.tile(tile.ops, tile.p, tile.q)
            tiles += [(tile.p, tile.q, first_step, end_step) for first_step, end_step in passes]
        in_place = inside[-1] == local - 1
        stages.append((first, len(tiles), int(in_place)))
        rows.append([_deposit(number, inside[low:]) for number in range(1 << (local - low))])
        others.append([bit for bit in range(bits) if bit not in rank])
    out.add_form(overall, out.table, 1, 0)
    return StatevectorPlan(
        wires=wires,
        bits=bits,
        local=local,
        low=low,
        stages=_array(stages, 3),
        rows=_array(rows, 1 << (local - low)),
        others=_array(others, bits - local),
        tiles=_array(tiles, 4),
        steps=_array(out.steps, STEP_COLUMNS),
        forms=_array(out.forms, 5),
        consts=np.array([value.const for value in out.values]),
        columns=np.array([column for column, _ in out.terms], dtype=np.int64),
        factors=np.array([factor for _, factor in out.terms], dtype=np.float64),
        table=out.table + 1,
        angles=circuit.num_angles,
    )
