"""Between the angles of a circuit and the numbers that the kernels read, compiled.

A phase and a plane rotation take a cosine and a sine. The rotations of pairs are done up to a factor, in two products
instead of four: (a - t b, t a + b) with the tangent t or (t a - b, a + t b) with the cotangent, whichever is at most 1.
Their factors, sqrt(1 + t^2), are the same for all of the state; phases of a later pair scale it by the product of some.
The kernels find t among the sines, and among the cosines 1 for a tangent, 0 for a cotangent.

The *table* of a row holds the angle of every turn: linear forms of the circuit's angles, each with a
sign for each of its places. ``plan`` and ``signs`` point to the tables of a plan
(:mod:`~qgen_core.simulators.statevector.tables`), of which those of doubles begin with a Walsh matrix.
"""

from __future__ import annotations

from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    INNER,
    jit_body,
    jit_fused,
    lane_bits,
    lane_sum,
    load,
    multiply_add,
    pointer,
    splat,
    store,
)
from qgen_core.simulators.statevector.steps import FIELDS, PAIR, PHASES, RY_L
from qgen_core.simulators.statevector.tables import (
    ANGLES,
    COLUMNS_AT,
    CONSTS_AT,
    FACTORS_AT,
    RUN,
    SLOT,
    SLOTS,
    SLOTS_AT,
    STEPS,
    STEPS_AT,
    TABLE,
)

Array = Any


@partial(jit_fused, **INNER)
def find_turns(
    plan: Array, signs: Array, angles: Array, table: Array, cos: Array, sin: Array
) -> Any:
    """Cosines and sines (T,), or what pairs have there, for one row of angles (A,).

    Returned is the amplitude to start from; ``table`` (T,) is working memory.
    """
    slots, columns = pointer(plan, plan[SLOTS_AT]), pointer(plan, plan[COLUMNS_AT])
    consts, factors = pointer(signs, plan[CONSTS_AT]), pointer(signs, plan[FACTORS_AT])
    lanes = 1 << lane_bits(table)
    for k in range(plan[TABLE]):
        table[k] = 0.0
    for k in range(plan[SLOTS]):
        slot, value = pointer(slots, k * SLOT), consts[k]
        for term in range(slot[0], slot[1]):
            value += factors[term] * angles[columns[term]]
        at, count, sign = slot[2], slot[3], slot[4] * plan[RUN]
        if count % lanes == 0:
            for j in range(0, count, lanes):
                store(
                    table,
                    at + j,
                    multiply_add(load(table, at + j), load(signs, sign + j), splat(value)),
                )
        else:
            for j in range(count):
                table[at + j] += signs[sign + j] * value
    cosines(plan[TABLE], table, cos, sin)
    return _find_ratios(plan, cos, sin)


@jit_body
def _find_ratios(plan: Array, cos: Array, sin: Array) -> Any:
    """Tangents or cotangents in the places of the RYs of pairs, factors of scaling in the phases; that of the start.

    A state is made smaller before the RYs that will make it larger. On the way back, where RYs make it larger again,
    the same factors come behind them.
    """
    steps = pointer(plan, plan[STEPS_AT])
    square, sign = 1.0, 1.0
    for k in range(plan[STEPS] - FIELDS, -1, -FIELDS):
        if steps[k] != PAIR:
            continue
        at = steps[k + 3]
        for j in range(at + 4, at + 6):
            c, s = cos[j], sin[j]
            tangent = abs(c) >= abs(s)
            under = c if tangent else s
            cos[j], sin[j] = 1.0 if tangent else 0.0, (s if tangent else c) / under
            ratio = float(sin[j])  # as the kernels find it, for products in double precision
            square *= 1.0 + ratio * ratio
            sign = -sign if under < 0.0 else sign
        if steps[k + 2] == 2:
            factor = sign / sqrt(square)
            square, sign = 1.0, 1.0
            for j in range(at, at + 4):
                cos[j] *= factor
                sin[j] *= factor
    return sign / sqrt(square)


@jit_body
def _unscale(plan: Array, sin: Array, lanes: int, d_table: Array) -> None:
    """Correct gradients (T,) that were added up on states which had become larger on the way back."""
    steps, part = pointer(plan, plan[STEPS_AT]), 1.0
    for k in range(plan[STEPS] - FIELDS, -1, -FIELDS):
        code, at = steps[k], steps[k + 3]
        if code == PAIR:
            d_table[at + 4] *= part
            d_table[at + 5] *= part
            for j in range(at + 4, at + 6):
                ratio = float(sin[j])
                part /= 1.0 + ratio * ratio
        if part != 1.0:
            for j in range(
                at,
                at
                + (
                    4 * lanes if code == PHASES else 4 if code >= PAIR else 1 if code <= RY_L else 0
                ),
            ):
                d_table[j] *= part
        if code == PAIR and steps[k + 2] == 2:
            part = 1.0


@jit_body
def cosines(size: int, table: Array, cos: Array, sin: Array) -> None:
    """Cosines and sines (size,) of a table (size,), in a form that vectorises; the caller lets products and sums fuse.

    The argument is reduced by multiples of pi/2 given in three pieces, so that the result
    belongs to an argument at most a rounding error away; then the polynomials of fdlibm.
    """
    for k in range(size):
        x = table[k]
        n = np.rint(x * 0.6366197723675814)
        r = x - n * 1.57079632673412561417
        r -= n * 6.07710050630396597660e-11
        r -= n * 2.02226624879595063154e-21
        z = r * r
        s = -2.50507602534068634195e-08 + z * 1.58969099521155010221e-10
        s = 2.75573137070700676789e-06 + z * s
        s = -1.98412698298579493134e-04 + z * s
        s = 8.33333333332248946124e-03 + z * s
        s = r + r * z * (-1.66666666666666324348e-01 + z * s)
        c = 2.08757232129817482790e-09 + z * -1.13596475577881948265e-11
        c = -2.75573143513906633035e-07 + z * c
        c = 2.48015872894767294178e-05 + z * c
        c = -1.38888888888741095749e-03 + z * c
        c = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-02 + z * c)
        half = 0.5 * n
        odd = half != np.floor(half)
        cn, sn = (s, c) if odd else (c, s)
        half = np.floor(0.5 * (n + 1.0))
        cos[k] = -cn if np.floor(0.5 * half) != 0.5 * half else cn
        half = np.floor(0.5 * n)
        sin[k] = -sn if np.floor(0.5 * half) != 0.5 * half else sn


@jit_body
def collect_angles(plan: Array, signs: Array, d_table: Array, sin: Array, d_angles: Array) -> None:
    """From gradients of the table (T,) to those of the angles (A,) of one row: the transpose of the linear forms."""
    _unscale(plan, sin, 1 << lane_bits(sin), d_table)
    slots, columns = pointer(plan, plan[SLOTS_AT]), pointer(plan, plan[COLUMNS_AT])
    factors = pointer(signs, plan[FACTORS_AT])
    lanes = 1 << lane_bits(d_table)
    for column in range(plan[ANGLES]):
        d_angles[column] = 0.0
    for k in range(plan[SLOTS]):
        slot, value = pointer(slots, k * SLOT), 0.0
        at, count, sign = slot[2], slot[3], slot[4] * plan[RUN]
        if count % lanes == 0:
            total = splat(value)
            for j in range(0, count, lanes):
                total = multiply_add(total, load(d_table, at + j), load(signs, sign + j))
            value = lane_sum(total)
        else:
            for j in range(count):
                value += signs[sign + j] * d_table[at + j]
        for term in range(slot[0], slot[1]):
            d_angles[columns[term]] += factors[term] * value
