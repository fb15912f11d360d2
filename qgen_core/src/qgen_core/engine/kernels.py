"""The compiled passes: steps of tiles on registers, forward and backward.

A state is one row of floats: for each register-full of amplitudes their real parts, then
their imaginary parts. The way back turns the state and the adjoint by the inverse of each
step and adds up how their overlap grows with the angle; nothing is stored on the way.
"""

from __future__ import annotations

from typing import Any

from qgen_core.engine.plan import PHASE4, PHASES, RY_L, RY_P, RY_Q
from qgen_core.engine.registers import (
    cnot,
    flipped,
    lane_sine,
    load4,
    overlap_lanes,
    overlap_p,
    overlap_phases,
    overlap_q,
    splat4,
    store4,
    turn_lanes,
    turn_p,
    turn_phases,
    turn_q,
)
from qgen_core.engine.simd import jit_body, lane_bits, lane_sum, load, plus, splat, times, widen_add

Array = Any  # numba infers; (n,) or (B, n) of float32 or float64


@jit_body
def _spread(number: int, bit: int) -> int:
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
        at = start + 2 * lanes * _spread(_spread(t, q - lb), p - lb)
        re, im = load4(buf, at, dq, dp), load4(buf, at + lanes, dq, dp)
        for k in range(lo, hi):
            code, x, arg = steps[k, 0], steps[k, 1], steps[k, 3]
            if code == RY_P:
                c, s = splat(cos[arg]), splat(sin[arg])
                re, im = turn_p(c, s, re), turn_p(c, s, im)
            elif code == RY_Q:
                c, s = splat(cos[arg]), splat(sin[arg])
                re, im = turn_q(c, s, re), turn_q(c, s, im)
            elif code == RY_L:
                c, s = splat(cos[arg]), lane_sine(sin[arg], masks, x)
                re = turn_lanes(c, s, re, flipped(re, x))
                im = turn_lanes(c, s, im, flipped(im, x))
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
        at = start + 2 * lanes * _spread(_spread(t, q - lb), p - lb)
        re, im = load4(psi, at, dq, dp), load4(psi, at + lanes, dq, dp)
        ur, ui = load4(lam, at, dq, dp), load4(lam, at + lanes, dq, dp)
        for k in range(hi - 1, lo - 1, -1):
            code, x, arg = steps[k, 0], steps[k, 1], steps[k, 3]
            slot = (k - lo) * 4 * lanes
            if code == RY_P:
                c, s = splat(cos[arg]), splat(-sin[arg])
                overlap_p(acc, slot, ur, re)
                overlap_p(acc, slot + lanes, ui, im)
                re, im, ur, ui = turn_p(c, s, re), turn_p(c, s, im), turn_p(c, s, ur), turn_p(c, s, ui)
            elif code == RY_Q:
                c, s = splat(cos[arg]), splat(-sin[arg])
                overlap_q(acc, slot, ur, re)
                overlap_q(acc, slot + lanes, ui, im)
                re, im, ur, ui = turn_q(c, s, re), turn_q(c, s, im), turn_q(c, s, ur), turn_q(c, s, ui)
            elif code == RY_L:
                c, s = splat(cos[arg]), lane_sine(-sin[arg], masks, x)
                flip = flipped(re, x)
                overlap_lanes(acc, slot, ur, flip)
                re = turn_lanes(c, s, re, flip)
                flip = flipped(im, x)
                overlap_lanes(acc, slot + lanes, ui, flip)
                im = turn_lanes(c, s, im, flip)
                ur, ui = turn_lanes(c, s, ur, flipped(ur, x)), turn_lanes(c, s, ui, flipped(ui, x))
            elif code == PHASE4 or code == PHASES:
                overlap_phases(acc, slot, ur, ui, re, im)
                if code == PHASE4:
                    cs, sn = splat4(cos, arg), splat4(sin, arg)
                else:
                    cs, sn = load4(cos, arg, lanes, 2 * lanes), load4(sin, arg, lanes, 2 * lanes)
                # turning (imaginary, real) instead of (real, imaginary) turns back
                im, re = turn_phases(cs, sn, im, re)
                ui, ur = turn_phases(cs, sn, ui, ur)
            else:
                re, im = cnot(code, x, steps[k, 2], masks, re), cnot(code, x, steps[k, 2], masks, im)
                ur, ui = cnot(code, x, steps[k, 2], masks, ur), cnot(code, x, steps[k, 2], masks, ui)
        store4(psi, at, dq, dp, re)
        store4(psi, at + lanes, dq, dp, im)
        store4(lam, at, dq, dp, ur)
        store4(lam, at + lanes, dq, dp, ui)


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
