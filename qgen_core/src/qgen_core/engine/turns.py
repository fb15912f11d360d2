"""Between the angles of a circuit and the cosines and sines that the kernels read, compiled.

The *table* of a row holds the angle of every turn: linear forms of the circuit's angles, each with a
sign for each of its places. ``slots``, ``consts``, ``columns`` and ``factors`` are those of a
:class:`~qgen_core.engine.plan.Plan`, ``signs`` is a Walsh matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.engine.simd import jit_body, jit_fused, lane_bits, lane_sum, load, multiply_add, splat, store

Array = Any


@jit_fused
def find_turns(
    angles: Array,
    row: int,
    slots: Array,
    consts: Array,
    columns: Array,
    factors: Array,
    signs: Array,
    table: Array,
    cos: Array,
    sin: Array,
) -> None:
    """Cosines and sines (T,) for one row of angles (B, A); ``table`` (T,) is working memory."""
    lanes = 1 << lane_bits(table)
    for k in range(len(table)):
        table[k] = 0.0
    for k in range(len(slots)):
        value = consts[k]
        for term in range(slots[k, 0], slots[k, 1]):
            value += factors[term] * angles[row, columns[term]]
        at, count, which = slots[k, 2], slots[k, 3], slots[k, 4]
        if count % lanes == 0:
            sign = which * signs.shape[1]
            for j in range(0, count, lanes):
                store(table, at + j, multiply_add(load(table, at + j), load(signs, sign + j), splat(value)))
        else:
            for j in range(count):
                table[at + j] += signs[which, j] * value
    cosines(table, cos, sin)


@jit_body
def cosines(table: Array, cos: Array, sin: Array) -> None:
    """Cosines and sines (n,) of a table (n,), in a form that vectorises; the caller lets products and sums fuse.

    The argument is reduced by multiples of pi/2 given in three pieces, so that the result
    belongs to an argument at most a rounding error away; then the polynomials of fdlibm.
    """
    for k in range(len(table)):
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
def collect_angles(
    d_table: Array, slots: Array, columns: Array, factors: Array, signs: Array, row: int, d_angles: Array
) -> None:
    """From gradients of the table (T,) to those of the angles (B, A) of one row: the transpose of the linear forms."""
    lanes = 1 << lane_bits(d_table)
    for column in range(d_angles.shape[1]):
        d_angles[row, column] = 0.0
    for k in range(len(slots)):
        at, count, which = slots[k, 2], slots[k, 3], slots[k, 4]
        value = 0.0
        if count % lanes == 0:
            sign = which * signs.shape[1]
            total = splat(value)
            for j in range(0, count, lanes):
                total = multiply_add(total, load(d_table, at + j), load(signs, sign + j))
            value = lane_sum(total)
        else:
            for j in range(count):
                value += signs[which, j] * d_table[at + j]
        for term in range(slots[k, 0], slots[k, 1]):
            d_angles[row, columns[term]] += factors[term] * value
