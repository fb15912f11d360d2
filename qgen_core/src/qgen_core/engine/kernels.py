"""The compiled passes: steps of tiles on registers, forward and backward.

A state is one row of floats: for each register-full of amplitudes their real parts, then
their imaginary parts. The way back turns the state and the adjoint by the inverse of each
step and adds up how their overlap grows with the angle; nothing is stored on the way.
"""

from __future__ import annotations

from typing import Any

from qgen_core.engine.registers import (
    cnot,
    flipped,
    load4,
    overlap_lanes,
    overlap_p,
    overlap_q,
    scaled,
    splat4,
    store4,
    turn_lanes,
    turn_p,
    turn_phases,
    turn_q,
    undo_phases,
)
from qgen_core.engine.simd import jit_body, lane_bits, lane_sum, load, plus, splat, times, widen_add
from qgen_core.engine.steps import PHASE4, PHASES, RY_L, RY_P, RY_Q, SCALE

Array = Any  # numba infers; (n,) or (B, n) of float32 or float64


@jit_body
def spread_bit(number: int, bit: int) -> int:
    """The number with a zero put in at a bit."""
    below = number & ((1 << bit) - 1)
    return ((number - below) << 1) | below


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
    lb = lane_bits(buf)
    lanes = 1 << lb
    dq, dp = (2 * lanes) << (q - lb), (2 * lanes) << (p - lb)
    for t in range(1 << (bits - lb - 2)):
        at = start + 2 * lanes * spread_bit(spread_bit(t, q - lb), p - lb)
        re, im = load4(buf, at, dq, dp), load4(buf, at + lanes, dq, dp)
        for k in range(lo, hi):
            code, x, arg = steps[k, 0], steps[k, 1], steps[k, 3]
            if code == RY_P:
                re, im = turn_p(cos[arg], sin[arg], re, im)
            elif code == RY_Q:
                re, im = turn_q(cos[arg], sin[arg], re, im)
            elif code == RY_L:
                re, im = turn_lanes(cos[arg], sin[arg], masks, x, re, im, flipped(re, x), flipped(im, x))
            elif code == SCALE:
                re, im = scaled(cos[arg], re), scaled(cos[arg], im)
            elif code == PHASE4:
                re, im = turn_phases(splat4(cos, arg), splat4(sin, arg), re, im)
            elif code == PHASES:
                re, im = turn_phases(load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes), re, im)
            else:
                y = steps[k, 2]
                re, im = cnot(code, x, y, masks, re), cnot(code, x, y, masks, im)
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
    """Undo steps hi..lo on state and adjoint, adding overlaps to ``acc``: 4 registers a step."""
    lb = lane_bits(psi)
    lanes = 1 << lb
    dq, dp = (2 * lanes) << (q - lb), (2 * lanes) << (p - lb)
    for t in range(1 << (bits - lb - 2)):
        at = start + 2 * lanes * spread_bit(spread_bit(t, q - lb), p - lb)
        k = hi
        while k > lo:
            code, arg, last = steps[k - 1, 0], steps[k - 1, 3], k
            k = steps[k - 1, 4]
            if code == PHASE4:
                undo_phases(psi, lam, at, dq, dp, splat4(cos, arg), splat4(sin, arg), acc, (k - lo) * 4 * lanes)
            elif code == PHASES:
                c, s = load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes)
                undo_phases(psi, lam, at, dq, dp, c, s, acc, (k - lo) * 4 * lanes)
            else:
                for part in range(0, 2 * lanes, lanes):
                    _undo_turns(psi, lam, at + part, dq, dp, k, last, steps, cos, sin, masks, acc, part - lo * 4 * lanes)


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
    """Undo turns on the real or imaginary parts of one tile, which real matrices do not mix."""
    lanes = 1 << lane_bits(psi)
    v, u = load4(psi, at, dq, dp), load4(lam, at, dq, dp)
    for k in range(last - 1, first - 1, -1):
        code, x, arg = steps[k, 0], steps[k, 1], steps[k, 3]
        slot = sums + k * 4 * lanes
        if code == RY_P:
            overlap_p(acc, slot, u, v)
            v, u = turn_p(cos[arg], -sin[arg], v, u)
        elif code == RY_Q:
            overlap_q(acc, slot, u, v)
            v, u = turn_q(cos[arg], -sin[arg], v, u)
        elif code == RY_L:
            flip = flipped(v, x)
            overlap_lanes(acc, slot, u, flip)
            v, u = turn_lanes(cos[arg], -sin[arg], masks, x, v, u, flip, flipped(u, x))
        elif code == SCALE:
            v, u = scaled(cos[arg], v), scaled(cos[arg], u)
        else:
            v, u = cnot(code, x, steps[k, 2], masks, v), cnot(code, x, steps[k, 2], masks, u)
    store4(psi, at, dq, dp, v)
    store4(lam, at, dq, dp, u)


@jit_body
def collect(lo: int, hi: int, steps: Array, masks: Array, acc: Array, grads: Array) -> None:
    """Add the overlaps of steps lo..hi to the gradients of the table."""
    lanes = 1 << lane_bits(acc)
    for k in range(lo, hi):
        code, arg = steps[k, 0], steps[k, 3]
        slot = (k - lo) * 4 * lanes
        if code == RY_P or code == RY_Q:
            grads[arg] += lane_sum(plus(load(acc, slot), load(acc, slot + lanes)))
        elif code == RY_L:
            sign = load(masks, steps[k, 1] * lanes)
            grads[arg] += lane_sum(times(sign, plus(load(acc, slot), load(acc, slot + lanes))))
        elif code == PHASE4:
            for register in range(4):
                grads[arg + register] += lane_sum(load(acc, slot + register * lanes))
        elif code == PHASES:
            for register in range(4):
                widen_add(grads, arg + register * lanes, load(acc, slot + register * lanes))
