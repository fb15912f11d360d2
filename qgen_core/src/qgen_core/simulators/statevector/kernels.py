"""Compiled passes over one tile's registers: its steps forward, and their inverses backward.

A state is one row of floats: for each register of amplitudes their real parts, then their
imaginary parts. The backward pass applies the inverse of each step to the state and the adjoint,
and adds up how their overlap grows with the angle; no intermediate states are stored.

``operands`` and ``states`` are as in :mod:`~qgen_core.simulators.statevector.instructions`.
"""

from __future__ import annotations

from typing import Any

from qgen_core.simulators.simd.intrinsics import (
    Numbers,
    jit_body,
    lane_bits,
    lane_sum,
    load,
    plus,
    pointer,
    times,
    widen_add,
)
from qgen_core.simulators.statevector.instructions import (
    load4,
    run_pair,
    run_phases,
    run_turn,
    splat4,
    store4,
    tile_at,
    undo_pair,
    undo_phases,
    undo_turn,
)
from qgen_core.simulators.statevector.steps import (
    PAIR,
    PAIR_RY_P,
    PAIR_RY_Q,
    PHASE4,
    PHASES,
    RY_L,
    STEP_CODE,
    STEP_COLUMNS,
    STEP_CONTROL,
    STEP_PLACE,
    STEP_RUN_START,
)
from qgen_core.simulators.statevector.tables import TILE_END_STEP, TILE_FIRST_STEP, TILE_P, TILE_Q

Pointers = Any  # a tuple of them


@jit_body
def forward_tile(buf: Numbers, start: int, bits: int, tile: Numbers, operands: Pointers) -> None:
    """Run the steps of a tile on all tiles of a block of 2^bits amplitudes at ``buf[start:]``."""
    steps, cos, sin, _ = operands
    first = tile[TILE_FIRST_STEP]
    if steps[first * STEP_COLUMNS + STEP_CODE] == PAIR:
        run_pair(buf, start, bits, tile, operands)
        return
    end = tile[TILE_END_STEP]
    p = tile[TILE_P]
    q = tile[TILE_Q]
    strides = (2 << q, 2 << p)
    width = lane_bits(buf)
    lanes = 1 << width
    for number in range(1 << (bits - width - 2)):
        at = tile_at(buf, start, number, p, q)
        re = load4(buf, at, strides)
        im = load4(buf, at + lanes, strides)
        for k in range(first, end):
            step = pointer(steps, k * STEP_COLUMNS)
            code = step[STEP_CODE]
            place = step[STEP_PLACE]
            if code == PHASE4:
                re, im = run_phases(splat4(cos, place), splat4(sin, place), re, im)
            elif code == PHASES:
                c = load4(cos, place, (lanes, 2 * lanes))
                s = load4(sin, place, (lanes, 2 * lanes))
                re, im = run_phases(c, s, re, im)
            else:
                re, im = run_turn(step, operands, re, im)
        store4(buf, at, strides, re)
        store4(buf, at + lanes, strides, im)


@jit_body
def backward_tile(
    states: Pointers, start: int, bits: int, tile: Numbers, operands: Pointers, acc: Numbers
) -> None:
    """Undo the steps of a tile on state and adjoint, adding overlaps to ``acc``.

    A step has four registers there, a PAIR eight.

    Turns are real: they are undone on the real and on the imaginary parts one after another, since
    all of state and adjoint would take more registers than most processors have.
    """
    steps, cos, sin, _ = operands
    psi, _ = states
    first = tile[TILE_FIRST_STEP]
    if steps[first * STEP_COLUMNS + STEP_CODE] == PAIR:
        undo_pair(states, start, bits, tile, operands, acc)
        return
    end = tile[TILE_END_STEP]
    p = tile[TILE_P]
    q = tile[TILE_Q]
    strides = (2 << q, 2 << p)
    width = lane_bits(psi)
    lanes = 1 << width
    for number in range(1 << (bits - width - 2)):
        at = tile_at(psi, start, number, p, q)
        k = end
        while k > first:
            last = k
            step = pointer(steps, (k - 1) * STEP_COLUMNS)
            code = step[STEP_CODE]
            place = step[STEP_PLACE]
            k = step[STEP_RUN_START]
            slot = (k - first) * 4 * lanes
            if code == PHASE4:
                c = splat4(cos, place)
                s = splat4(sin, place)
                undo_phases(states, at, strides, c, s, acc, slot)
            elif code == PHASES:
                c = load4(cos, place, (lanes, 2 * lanes))
                s = load4(sin, place, (lanes, 2 * lanes))
                undo_phases(states, at, strides, c, s, acc, slot)
            else:
                for part in range(0, 2 * lanes, lanes):
                    _undo_turns(states, at + part, strides, k, last, operands, acc, slot + part)


@jit_body
def _undo_turns(
    states: Pointers,
    at: int,
    strides: tuple[int, int],
    first: int,
    last: int,
    operands: Pointers,
    acc: Numbers,
    slot: int,
) -> None:
    """Undo the turns first..last on the real or imaginary parts of one tile.

    The overlap of the first goes to ``acc[slot:]``.
    """
    psi, lam = states
    steps, _, _, _ = operands
    lanes = 1 << lane_bits(psi)
    v = load4(psi, at, strides)
    u = load4(lam, at, strides)
    for k in range(last - 1, first - 1, -1):
        step = pointer(steps, k * STEP_COLUMNS)
        v, u = undo_turn(step, operands, v, u, acc, slot + (k - first) * 4 * lanes)
    store4(psi, at, strides, v)
    store4(lam, at, strides, u)


@jit_body
def collect(tile: Numbers, operands: Pointers, acc: Numbers, grads: Numbers) -> None:
    """Add the overlaps of a tile's steps to the gradients of the table of angles."""
    steps, _, _, masks = operands
    lanes = 1 << lane_bits(acc)
    first = tile[TILE_FIRST_STEP]
    for k in range(first, tile[TILE_END_STEP]):
        step = pointer(steps, k * STEP_COLUMNS)
        code = step[STEP_CODE]
        place = step[STEP_PLACE]
        slot = (k - first) * 4 * lanes
        if code <= RY_L:
            total = plus(load(acc, slot), load(acc, slot + lanes))
            if code == RY_L:
                total = times(load(masks, step[STEP_CONTROL] * lanes), total)
            grads[place] += lane_sum(total)
        elif code == PHASES:
            for register in range(4):
                widen_add(grads, place + register * lanes, load(acc, slot + register * lanes))
        elif code >= PAIR:
            for register in range(4):
                grads[place + register] += lane_sum(load(acc, slot + register * lanes))
        if code == PAIR:
            for turn in (PAIR_RY_P, PAIR_RY_Q):
                one = (2 * turn - 4) * lanes
                total = plus(load(acc, one), load(acc, one + lanes))
                grads[place + turn] += lane_sum(total)
