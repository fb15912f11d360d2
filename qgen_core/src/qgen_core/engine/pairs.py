"""Passes for ops on two bits alone, which most of a layer is: one loop without a look at what comes next.

There: registers come in another order (CNOTs), phases, RY on both bits. Back: the same from its end.
"""

from __future__ import annotations

from typing import Any

from qgen_core.engine.kernels import spread_bit
from qgen_core.engine.registers import (
    load4,
    load_at,
    overlap_p,
    overlap_phases,
    overlap_q,
    places4,
    splat4,
    store4,
    store_at,
    turn_p,
    turn_phases,
    turn_q,
)
from qgen_core.engine.simd import jit_body, lane_bits, lane_sum, load, plus

Array = Any


@jit_body
def forward_pair(buf: Array, start: int, bits: int, p: int, q: int, step: Array, cos: Array, sin: Array) -> None:
    """Run a pair on all tiles of 2^bits amplitudes at ``buf[start:]``."""
    lb = lane_bits(buf)
    lanes = 1 << lb
    dq, dp = (2 * lanes) << (q - lb), (2 * lanes) << (p - lb)
    arg, phases, places = step[3], step[2] != 0, places4(step[1], dq, dp)
    c, s = splat4(cos, arg), splat4(sin, arg)
    flag_p, flag_q, ratio_p, ratio_q = cos[arg + 4], cos[arg + 5], sin[arg + 4], sin[arg + 5]
    for t in range(1 << (bits - lb - 2)):
        at = start + 2 * lanes * spread_bit(spread_bit(t, q - lb), p - lb)
        re, im = load_at(buf, at, places), load_at(buf, at + lanes, places)
        if phases:
            re, im = turn_phases(c, s, re, im)
        re, im = turn_p(flag_p, ratio_p, re, im)
        re, im = turn_q(flag_q, ratio_q, re, im)
        store4(buf, at, dq, dp, re)
        store4(buf, at + lanes, dq, dp, im)


@jit_body
def backward_pair(
    psi: Array,
    lam: Array,
    start: int,
    bits: int,
    p: int,
    q: int,
    step: Array,
    cos: Array,
    sin: Array,
    acc: Array,
) -> None:
    """Undo a pair on state and adjoint, adding overlaps to ``acc``: phases in four registers, p in two, q in two."""
    lb = lane_bits(psi)
    lanes = 1 << lb
    dq, dp = (2 * lanes) << (q - lb), (2 * lanes) << (p - lb)
    arg, phases, places = step[3], step[2] != 0, places4(step[1], dq, dp)
    c, s = splat4(cos, arg), splat4(sin, arg)
    flag_p, flag_q, ratio_p, ratio_q = cos[arg + 4], cos[arg + 5], -sin[arg + 4], -sin[arg + 5]
    for t in range(1 << (bits - lb - 2)):
        at = start + 2 * lanes * spread_bit(spread_bit(t, q - lb), p - lb)
        re, ur = load4(psi, at, dq, dp), load4(lam, at, dq, dp)
        overlap_p(acc, 4 * lanes, ur, re)
        overlap_q(acc, 6 * lanes, ur, re)
        re, ur = turn_p(flag_p, ratio_p, re, ur)
        re, ur = turn_q(flag_q, ratio_q, re, ur)
        im, ui = load4(psi, at + lanes, dq, dp), load4(lam, at + lanes, dq, dp)
        overlap_p(acc, 5 * lanes, ui, im)
        overlap_q(acc, 7 * lanes, ui, im)
        im, ui = turn_p(flag_p, ratio_p, im, ui)
        im, ui = turn_q(flag_q, ratio_q, im, ui)
        if phases:
            overlap_phases(acc, 0, ur, ui, re, im)
            # turning (imaginary, real) instead of (real, imaginary) turns back
            im, re = turn_phases(c, s, im, re)
            ui, ur = turn_phases(c, s, ui, ur)
        store_at(psi, at, places, re)
        store_at(psi, at + lanes, places, im)
        store_at(lam, at, places, ur)
        store_at(lam, at + lanes, places, ui)


@jit_body
def collect_pair(step: Array, acc: Array, grads: Array) -> None:
    """Add the overlaps of a pair to the gradients of the table."""
    lanes = 1 << lane_bits(acc)
    arg = step[3]
    for register in range(4):
        grads[arg + register] += lane_sum(load(acc, register * lanes))
    for turn in range(2):
        at = (4 + 2 * turn) * lanes
        grads[arg + 4 + turn] += lane_sum(plus(load(acc, at), load(acc, at + lanes)))
