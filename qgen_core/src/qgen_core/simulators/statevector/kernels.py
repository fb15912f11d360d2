"""The compiled passes: steps of tiles on registers, forward and backward.

A state is one row of floats: for each register-full of amplitudes their real parts, then
their imaginary parts. The way back turns the state and the adjoint by the inverse of each
step and adds up how their overlap grows with the angle; nothing is stored on the way.
"""

from __future__ import annotations

from typing import Any

from qgen_core.simulators.simd.intrinsics import (
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
    STEP_TARGET,
)
from qgen_core.simulators.statevector.tables import TILE_END_STEP, TILE_FIRST_STEP, TILE_P, TILE_Q

Array = Any  # numba infers; pointers to float32 or float64


@jit_body
def forward_tile(
    buf: Array,
    start: int,
    bits: int,
    tile: Array,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
) -> None:
    """Run the steps of a tile (p, q, first and last step) on all tiles of a block."""
    p, q = tile[TILE_P], tile[TILE_Q]
    lo, hi = tile[TILE_FIRST_STEP], tile[TILE_END_STEP]
    if steps[lo * STEP_COLUMNS + STEP_CODE] == PAIR:
        run_pair(buf, start, bits, p, q, lo, steps, cos, sin)
        return
    lb = lane_bits(buf)
    lanes = 1 << lb
    dq, dp = 2 << q, 2 << p
    for t in range(1 << (bits - lb - 2)):
        at = tile_at(buf, start, t, p, q)
        re, im = load4(buf, at, dq, dp), load4(buf, at + lanes, dq, dp)
        for k in range(lo, hi):
            step = pointer(steps, k * STEP_COLUMNS)
            code, arg = step[STEP_CODE], step[STEP_PLACE]
            if code == PHASE4:
                re, im = run_phases(splat4(cos, arg), splat4(sin, arg), re, im)
            elif code == PHASES:
                re, im = run_phases(
                    load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes), re, im
                )
            else:
                re, im = run_turn(
                    code, step[STEP_CONTROL], step[STEP_TARGET], cos[arg], sin[arg], masks, re, im
                )
        store4(buf, at, dq, dp, re)
        store4(buf, at + lanes, dq, dp, im)


@jit_body
def backward_tile(
    psi: Array,
    lam: Array,
    start: int,
    bits: int,
    tile: Array,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    acc: Array,
) -> None:
    """Undo the steps of a tile on state and adjoint, adding overlaps to ``acc``.

    4 registers a step, 8 of a pair.

    Turns are real: they are undone on the real and on the imaginary parts one after another, since
    all of state and adjoint would be more registers than most processors have.
    """
    p, q = tile[TILE_P], tile[TILE_Q]
    lo, hi = tile[TILE_FIRST_STEP], tile[TILE_END_STEP]
    if steps[lo * STEP_COLUMNS + STEP_CODE] == PAIR:
        undo_pair(psi, lam, start, bits, p, q, lo, steps, cos, sin, acc)
        return
    lb = lane_bits(psi)
    lanes = 1 << lb
    dq, dp = 2 << q, 2 << p
    for t in range(1 << (bits - lb - 2)):
        at = tile_at(psi, start, t, p, q)
        k = hi
        while k > lo:
            last = k
            step = pointer(steps, (k - 1) * STEP_COLUMNS)
            code, arg, k = step[STEP_CODE], step[STEP_PLACE], step[STEP_RUN_START]
            if code == PHASE4:
                undo_phases(
                    psi,
                    lam,
                    at,
                    dq,
                    dp,
                    splat4(cos, arg),
                    splat4(sin, arg),
                    acc,
                    (k - lo) * 4 * lanes,
                )
            elif code == PHASES:
                c, s = load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes)
                undo_phases(psi, lam, at, dq, dp, c, s, acc, (k - lo) * 4 * lanes)
            else:
                for part in range(0, 2 * lanes, lanes):
                    sums = part - lo * 4 * lanes
                    _undo_turns(
                        psi, lam, at + part, dq, dp, k, last, steps, cos, sin, masks, acc, sums
                    )


@jit_body
def _undo_turns(
    psi: Array,
    lam: Array,
    at: int,
    dq: int,
    dp: int,
    first: int,
    last: int,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    acc: Array,
    sums: int,
) -> None:
    """Undo turns on the real or imaginary parts of one tile. ``sums``.

    Where the overlap of a step 0 would go.
    """
    lanes = 1 << lane_bits(psi)
    v, u = load4(psi, at, dq, dp), load4(lam, at, dq, dp)
    for k in range(last - 1, first - 1, -1):
        step = pointer(steps, k * STEP_COLUMNS)
        code, arg = step[STEP_CODE], step[STEP_PLACE]
        v, u = undo_turn(
            code,
            step[STEP_CONTROL],
            step[STEP_TARGET],
            cos[arg],
            -sin[arg],
            masks,
            v,
            u,
            acc,
            sums + k * 4 * lanes,
        )
    store4(psi, at, dq, dp, v)
    store4(lam, at, dq, dp, u)


@jit_body
def collect(lo: int, hi: int, steps: Array, masks: Array, acc: Array, grads: Array) -> None:
    """Add the overlaps of steps lo..hi to the gradients of the table."""
    lanes = 1 << lane_bits(acc)
    for k in range(lo, hi):
        step = pointer(steps, k * STEP_COLUMNS)
        code, arg = step[STEP_CODE], step[STEP_PLACE]
        slot = (k - lo) * 4 * lanes
        if code <= RY_L:
            total = plus(load(acc, slot), load(acc, slot + lanes))
            grads[arg] += lane_sum(
                times(load(masks, step[STEP_CONTROL] * lanes), total) if code == RY_L else total
            )
        elif code == PHASES:
            for register in range(4):
                widen_add(grads, arg + register * lanes, load(acc, slot + register * lanes))
        elif code >= PAIR:
            for register in range(4):
                grads[arg + register] += lane_sum(load(acc, slot + register * lanes))
        if code == PAIR:
            for at in (PAIR_RY_P, PAIR_RY_Q):
                one = (2 * at - 4) * lanes
                grads[arg + at] += lane_sum(plus(load(acc, one), load(acc, one + lanes)))
