"""The compiled passes: steps of tiles on registers, forward and backward.

A state is one row of floats: for each register-full of amplitudes their real parts, then
their imaginary parts. The way back turns the state and the adjoint by the inverse of each
step and adds up how their overlap grows with the angle; nothing is stored on the way.
"""

from __future__ import annotations

from typing import Any

from qgen_core.engine.instructions import (
    load4,
    run_phases,
    run_turn,
    splat4,
    store4,
    tile_at,
    undo_phases,
    undo_turn,
)
from qgen_core.engine.pairs import backward_pair, collect_pair, forward_pair
from qgen_core.engine.simd import entry, jit_body, lane_bits, lane_sum, load, plus, times, widen_add
from qgen_core.engine.steps import FIELDS, PAIR, PHASE4, PHASES, RY_L, RY_P, RY_Q

Array = Any  # numba infers; (n,) or (B, n) of float32 or float64


@jit_body
def forward_tile(
    buf: Array,
    start: int,
    bits: int,
    p: int,
    q: int,
    lo: int,
    hi: int,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
) -> None:
    """Run steps lo..hi on all tiles of 2^bits amplitudes at ``buf[start:]``."""
    if entry(steps, FIELDS * lo) == PAIR:
        forward_pair(buf, start, bits, p, q, lo, steps, cos, sin)
        return
    lb = lane_bits(buf)
    lanes = 1 << lb
    dq, dp = 2 << q, 2 << p
    for t in range(1 << (bits - lb - 2)):
        at = tile_at(buf, start, t, p, q)
        re, im = load4(buf, at, dq, dp), load4(buf, at + lanes, dq, dp)
        for k in range(FIELDS * lo, FIELDS * hi, FIELDS):
            code, arg = entry(steps, k), entry(steps, k + 3)
            if code == PHASE4:
                re, im = run_phases(splat4(cos, arg), splat4(sin, arg), re, im)
            elif code == PHASES:
                re, im = run_phases(load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes), re, im)
            else:
                x, y, c, s = entry(steps, k + 1), entry(steps, k + 2), entry(cos, arg), entry(sin, arg)
                re, im = run_turn(code, x, y, c, s, masks, re, im)
        store4(buf, at, dq, dp, re)
        store4(buf, at + lanes, dq, dp, im)


@jit_body
def backward_tile(
    psi: Array,
    lam: Array,
    start: int,
    bits: int,
    p: int,
    q: int,
    lo: int,
    hi: int,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    acc: Array,
) -> None:
    """Undo steps hi..lo on state and adjoint, adding overlaps to ``acc``: 4 registers a step, 8 of a pair.

    Turns are real: they are undone on the real and on the imaginary parts one after another, since all of state and
    adjoint would be more registers than most processors have.
    """
    if entry(steps, FIELDS * lo) == PAIR:
        backward_pair(psi, lam, start, bits, p, q, lo, steps, cos, sin, acc)
        return
    lb = lane_bits(psi)
    lanes = 1 << lb
    dq, dp = 2 << q, 2 << p
    for t in range(1 << (bits - lb - 2)):
        at = tile_at(psi, start, t, p, q)
        k = hi
        while k > lo:
            last, here = k, FIELDS * (k - 1)
            code, arg, k = entry(steps, here), entry(steps, here + 3), entry(steps, here + 4)
            if code == PHASE4:
                undo_phases(psi, lam, at, dq, dp, splat4(cos, arg), splat4(sin, arg), acc, (k - lo) * 4 * lanes)
            elif code == PHASES:
                c, s = load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes)
                undo_phases(psi, lam, at, dq, dp, c, s, acc, (k - lo) * 4 * lanes)
            else:
                for part in range(0, 2 * lanes, lanes):
                    sums = part - lo * 4 * lanes
                    _undo_turns(psi, lam, at + part, dq, dp, k, last, steps, cos, sin, masks, acc, sums)


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
    """Undo turns on the real or imaginary parts of one tile. ``sums``: where the overlap of a step 0 would go."""
    lanes = 1 << lane_bits(psi)
    v, u = load4(psi, at, dq, dp), load4(lam, at, dq, dp)
    for k in range(last - 1, first - 1, -1):
        here = FIELDS * k
        code, x, y, arg = entry(steps, here), entry(steps, here + 1), entry(steps, here + 2), entry(steps, here + 3)
        v, u = undo_turn(code, x, y, entry(cos, arg), -entry(sin, arg), masks, v, u, acc, sums + k * 4 * lanes)
    store4(psi, at, dq, dp, v)
    store4(lam, at, dq, dp, u)


@jit_body
def collect(lo: int, hi: int, steps: Array, masks: Array, acc: Array, grads: Array) -> None:
    """Add the overlaps of steps lo..hi to the gradients of the table."""
    if entry(steps, FIELDS * lo) == PAIR:
        collect_pair(lo, steps, acc, grads)
        return
    lanes = 1 << lane_bits(acc)
    for k in range(lo, hi):
        code, arg = entry(steps, FIELDS * k), entry(steps, FIELDS * k + 3)
        slot = (k - lo) * 4 * lanes
        if code == RY_P or code == RY_Q:
            grads[arg] += lane_sum(plus(load(acc, slot), load(acc, slot + lanes)))
        elif code == RY_L:
            sign = load(masks, entry(steps, FIELDS * k + 1) * lanes)
            grads[arg] += lane_sum(times(sign, plus(load(acc, slot), load(acc, slot + lanes))))
        elif code == PHASE4:
            for register in range(4):
                grads[arg + register] += lane_sum(load(acc, slot + register * lanes))
        elif code == PHASES:
            for register in range(4):
                widen_add(grads, arg + register * lanes, load(acc, slot + register * lanes))
