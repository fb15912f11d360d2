"""Compiled map from circuit angles to the numbers that the kernels read, and its adjoint.

Phases and plane rotations need a cosine and a sine. The rotations of pairs are applied up to a
factor, with two products instead of four: (a - t b, t a + b) with the tangent t, or
(t a - b, a + t b) with the cotangent t, whichever is at most 1 in magnitude. The factors
sqrt(1 + t^2) are the same for all amplitudes, so the phases of a later pair rescale the state by
the product of several. The kernels read t in the place of the sine; in the place of the cosine they
read 1 for a tangent and 0 for a cotangent.

The *table* of a row holds the angle of every rotation and phase. It is filled by linear forms of
the circuit's angles, each with a sign for each of its places. ``plan`` and ``doubles`` point to the
tables of a plan (:mod:`~qgen_core.simulators.statevector.tables`); the doubles begin with a Walsh
matrix, whose rows are the signs.
"""

from __future__ import annotations

from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    INNER,
    Numbers,
    jit,
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
from qgen_core.simulators.statevector.steps import (
    PAIR,
    PAIR_PHASES,
    PAIR_PLACES,
    PAIR_RY_P,
    PAIR_RY_Q,
    PHASES,
    RESCALING,
    RY_L,
    STEP_CODE,
    STEP_COLUMNS,
    STEP_PHASES,
    STEP_PLACE,
)
from qgen_core.simulators.statevector.tables import (
    ANGLES,
    CONSTS_AT,
    FACTORS_AT,
    FORM_COLUMNS,
    FORM_COUNT,
    FORM_END_TERM,
    FORM_FIRST_TERM,
    FORM_PLACE,
    FORM_SIGNS,
    FORMS,
    FORMS_AT,
    STEP_NUMBERS,
    STEPS_AT,
    TABLE_SIZE,
    TERM_COLUMNS_AT,
    WALSH_ROW,
)

#: pi/2 in three pieces; the first two have 33 bits each.
HALF_PI_1 = 1.57079632673412561417
HALF_PI_2 = 6.07710050630396597660e-11
HALF_PI_3 = 2.02226624879595063154e-21
#: 2^20: what is left of a multiple of it, and the multiple in its units, have at most 20 bits.
COARSE = 1048576.0


@partial(jit_fused, **INNER)
def find_rotations(
    plan: Numbers, doubles: Numbers, angles: Numbers, table: Numbers, cos: Numbers, sin: Numbers
) -> Any:
    """Write the cosines and sines (T,) of one row of angles (A,), and ratios for the RYs of pairs.

    Returns the amplitude of |0...0> at the start. ``table`` (T,) is working memory.
    """
    forms = pointer(plan, plan[FORMS_AT])
    columns = pointer(plan, plan[TERM_COLUMNS_AT])
    consts = pointer(doubles, plan[CONSTS_AT])
    factors = pointer(doubles, plan[FACTORS_AT])
    lanes = 1 << lane_bits(table)
    for k in range(plan[TABLE_SIZE]):
        table[k] = 0.0
    for k in range(plan[FORMS]):
        form = pointer(forms, k * FORM_COLUMNS)
        value = consts[k]
        for term in range(form[FORM_FIRST_TERM], form[FORM_END_TERM]):
            value += factors[term] * angles[columns[term]]
        place = form[FORM_PLACE]
        count = form[FORM_COUNT]
        sign = form[FORM_SIGNS] * plan[WALSH_ROW]
        if count % lanes == 0:
            for j in range(0, count, lanes):
                signs = load(doubles, sign + j)
                store(table, place + j, multiply_add(load(table, place + j), signs, splat(value)))
        else:
            for j in range(count):
                table[place + j] += doubles[sign + j] * value
    cosines(plan[TABLE_SIZE], table, cos, sin)
    return _find_ratios(plan, cos, sin)


@jit_body
def _find_ratios(plan: Numbers, cos: Numbers, sin: Numbers) -> Any:
    """Replace cosines and sines of pairs by ratios, and multiply rescaling factors into phases.

    Returns the factor at the start: the state is scaled down before the RYs that scale it up. In
    the backward pass the inverse RYs scale it up again, and the same factors are applied after
    them.
    """
    steps = pointer(plan, plan[STEPS_AT])
    square = 1.0
    sign = 1.0
    for k in range(plan[STEP_NUMBERS] - STEP_COLUMNS, -1, -STEP_COLUMNS):
        if steps[k + STEP_CODE] != PAIR:
            continue
        place = steps[k + STEP_PLACE]
        for j in range(place + PAIR_RY_P, place + PAIR_PLACES):
            c = cos[j]
            s = sin[j]
            if abs(c) >= abs(s):
                denominator = c
                cos[j] = 1.0
                sin[j] = s / denominator
            else:
                denominator = s
                cos[j] = 0.0
                sin[j] = c / denominator
            ratio = float(sin[j])  # as the kernels read it, for products in double precision
            square *= 1.0 + ratio * ratio
            if denominator < 0.0:
                sign = -sign
        if steps[k + STEP_PHASES] == RESCALING:
            factor = sign / sqrt(square)
            square = 1.0
            sign = 1.0
            for j in range(place, place + PAIR_PHASES):
                cos[j] *= factor
                sin[j] *= factor
    return sign / sqrt(square)


@jit_body
def _unscale(plan: Numbers, sin: Numbers, lanes: int, d_table: Numbers) -> None:
    """Correct gradients (T,) for the growth of the states in the backward pass."""
    steps = pointer(plan, plan[STEPS_AT])
    part = 1.0
    for k in range(plan[STEP_NUMBERS] - STEP_COLUMNS, -1, -STEP_COLUMNS):
        code = steps[k + STEP_CODE]
        place = steps[k + STEP_PLACE]
        if code == PAIR:
            d_table[place + PAIR_RY_P] *= part
            d_table[place + PAIR_RY_Q] *= part
            for j in range(place + PAIR_RY_P, place + PAIR_PLACES):
                ratio = float(sin[j])
                part /= 1.0 + ratio * ratio
        if part != 1.0:
            count = 0
            if code == PHASES:
                count = 4 * lanes
            elif code >= PAIR:
                count = PAIR_PHASES
            elif code <= RY_L:
                count = 1
            for j in range(place, place + count):
                d_table[j] *= part
        if code == PAIR and steps[k + STEP_PHASES] == RESCALING:
            part = 1.0


@jit_body
def cosines(size: int, table: Numbers, cos: Numbers, sin: Numbers) -> None:
    """Cosines and sines (size,) of a table (size,), in a form that vectorises.

    The caller allows products and sums to fuse. The argument x is reduced by a multiple n pi/2,
    given in three pieces (Cody and Waite), so that the result belongs to an argument at most one
    rounding error away; then follow the polynomials of fdlibm.

    For |n| < 2^40 no error depends on whether the processor can fuse: n = h + l with h a multiple
    of 2^20, so both have at most 20 significant bits, and their products with the 33 bits of the
    first piece are exact. So are the differences x - h p - l p: where h is not 0, all terms are
    multiples of 2^-33 below 2^20, which have 53 bits. The second piece is below 2^-34, so the
    rounding of its product with n is 2^-34 of that of x.
    """
    for k in range(size):
        x = table[k]
        n = np.rint(x * 0.6366197723675814)
        h = np.rint(n * (1.0 / COARSE)) * COARSE
        r = x - h * HALF_PI_1
        r -= (n - h) * HALF_PI_1
        r -= n * HALF_PI_2
        r -= n * HALF_PI_3
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
        if odd:
            cn = s
            sn = c
        else:
            cn = c
            sn = s
        half = np.floor(0.5 * (n + 1.0))
        cos[k] = -cn if np.floor(0.5 * half) != 0.5 * half else cn
        half = np.floor(0.5 * n)
        sin[k] = -sn if np.floor(0.5 * half) != 0.5 * half else sn


@partial(jit, **INNER)
def collect_angles(
    plan: Numbers, doubles: Numbers, d_table: Numbers, sin: Numbers, d_angles: Numbers
) -> None:
    """Gradients of one row of angles (A,) from those of its table (T,), by the transposed forms."""
    _unscale(plan, sin, 1 << lane_bits(sin), d_table)
    forms = pointer(plan, plan[FORMS_AT])
    columns = pointer(plan, plan[TERM_COLUMNS_AT])
    factors = pointer(doubles, plan[FACTORS_AT])
    lanes = 1 << lane_bits(d_table)
    for column in range(plan[ANGLES]):
        d_angles[column] = 0.0
    for k in range(plan[FORMS]):
        form = pointer(forms, k * FORM_COLUMNS)
        value = 0.0
        place = form[FORM_PLACE]
        count = form[FORM_COUNT]
        sign = form[FORM_SIGNS] * plan[WALSH_ROW]
        if count % lanes == 0:
            total = splat(value)
            for j in range(0, count, lanes):
                total = multiply_add(total, load(d_table, place + j), load(doubles, sign + j))
            value = lane_sum(total)
        else:
            for j in range(count):
                value += doubles[sign + j] * d_table[place + j]
        for term in range(form[FORM_FIRST_TERM], form[FORM_END_TERM]):
            d_angles[columns[term]] += factors[term] * value
