"""Passes for ops on two bits alone, which most of a layer is: one loop without a look at what comes next.

There: registers come in another order (CNOTs), phases, RY on both bits. Back: the same from its end.
"""

from __future__ import annotations

from typing import Any

from qgen_core.engine.instructions import ordered, run_pair, splat4, tile_at, undo_pair
from qgen_core.engine.simd import jit_body, lane_bits, lane_sum, load, plus
from qgen_core.engine.steps import FIELDS

Array = Any


@jit_body
def forward_pair(
    buf: Array, start: int, bits: int, p: int, q: int, k: int, steps: Array, cos: Array, sin: Array
) -> None:
    """Run step k, a pair, on all tiles of 2^bits amplitudes at ``buf[start:]``."""
    dq, dp, arg = 2 << q, 2 << p, steps[FIELDS * k + 3]
    places, phases = ordered(steps[FIELDS * k + 1], dq, dp), steps[FIELDS * k + 2] != 0
    c, s, turns = splat4(cos, arg), splat4(sin, arg), (cos[arg + 4], sin[arg + 4], cos[arg + 5], sin[arg + 5])
    for t in range(1 << (bits - lane_bits(buf) - 2)):
        run_pair(buf, tile_at(buf, start, t, p, q), dq, dp, places, phases, c, s, turns)


@jit_body
def backward_pair(
    psi: Array,
    lam: Array,
    start: int,
    bits: int,
    p: int,
    q: int,
    k: int,
    steps: Array,
    cos: Array,
    sin: Array,
    acc: Array,
) -> None:
    """Undo step k, a pair; adds overlaps to ``acc``: four registers of phases, two of p, two of q."""
    dq, dp, arg = 2 << q, 2 << p, steps[FIELDS * k + 3]
    places, phases = ordered(steps[FIELDS * k + 1], dq, dp), steps[FIELDS * k + 2] != 0
    c, s, turns = splat4(cos, arg), splat4(sin, arg), (cos[arg + 4], -sin[arg + 4], cos[arg + 5], -sin[arg + 5])
    for t in range(1 << (bits - lane_bits(psi) - 2)):
        undo_pair(psi, lam, tile_at(psi, start, t, p, q), dq, dp, places, phases, c, s, turns, acc)


@jit_body
def collect_pair(k: int, steps: Array, acc: Array, grads: Array) -> None:
    """Add the overlaps of a pair to the gradients of the table."""
    lanes, arg = 1 << lane_bits(acc), steps[FIELDS * k + 3]
    for register in range(4):
        grads[arg + register] += lane_sum(load(acc, register * lanes))
    for turn in range(2):
        at = (4 + 2 * turn) * lanes
        grads[arg + 4 + turn] += lane_sum(plus(load(acc, at), load(acc, at + lanes)))
