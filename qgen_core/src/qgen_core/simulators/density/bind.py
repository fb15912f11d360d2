"""Compiled: the matrices of groups from rows of angles, and the way back from their gradients.

A table of groups has the columns size D, first and last op, place of its matrix, and first and last
of the ``columns`` of angles that it depends on. A table of ops: size d, stride of its wire among
the D digits, place of its terms, how many, and column of its angle (-1: none). An op of no terms is
the matrix of an earlier group, at that place; its last entry is 0 if that has an angle. Matrices
are written row by row.
"""

from __future__ import annotations

from math import cos, sin
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import jit, jit_sums

Array = Any  # numba infers


@jit
def _wave(term: int, t: float) -> float:
    """Term functions 1, cos t, sin t, cos t/2, sin t/2."""
    if term == 0:
        return 1.0
    if term == 1:
        return cos(t)
    if term == 2:
        return sin(t)
    return cos(t / 2) if term == 3 else sin(t / 2)


@jit
def _slope(term: int, t: float) -> float:
    """Their derivatives."""
    if term == 0:
        return 0.0
    if term == 1:
        return -sin(t)
    if term == 2:
        return cos(t)
    return -sin(t / 2) / 2 if term == 3 else cos(t / 2) / 2


@jit
def _matrix(op: Array, terms: Array, angles: Array, mats: Array, out: Array) -> None:
    """The matrix (d, d) of an op at one row of angles."""
    size = op[0] * op[0]
    if op[3] == 0:
        out[:size] = mats[op[2] : op[2] + size]
        return
    if op[4] < 0:
        out[:size] = terms[op[2] : op[2] + size]
        return
    out[:size] = 0.0
    for term in range(op[3]):
        factor = _wave(term, angles[op[4]])
        at = op[2] + term * size
        for k in range(size):
            out[k] += factor * terms[at + k]


@jit_sums
def _times(
    p: Array, d: int, stride: int, transposed: bool, size: int, src: Array, dst: Array
) -> None:
    """dst = P src for matrices (size, size); P acts on one digit of the rows, or on all of them."""
    dst[: size * size] = 0.0
    for high in range(size // (d * stride)):
        for cell in range(d * d):
            a, b = cell // d, cell % d
            factor = p[b * d + a] if transposed else p[cell]
            if factor != 0.0:
                to, of = (high * d + a) * stride * size, (high * d + b) * stride * size
                for j in range(stride * size):
                    dst[to + j] += factor * src[of + j]


@jit_sums
def _overlap(g: Array, m: Array, d: int, stride: int, size: int, out: Array) -> None:
    """The gradient (d, d) of an op, when g belongs to what it makes of m."""
    out[: d * d] = 0.0
    for high in range(size // (d * stride)):
        for a in range(d):
            for b in range(d):
                to, of = (high * d + a) * stride * size, (high * d + b) * stride * size
                total = 0.0
                for j in range(stride * size):
                    total += g[to + j] * m[of + j]
                out[a * d + b] += total


@jit
def _unchanged(group: Array, columns: Array, one: Array, other: Array) -> bool:
    """Whether two rows of angles make the same matrix."""
    different = 0
    for k in range(group[4], group[5]):
        different += one[columns[k]] != other[columns[k]]
    return different == 0


@jit
def bind(
    first: int,
    last: int,
    angles: Array,
    groups: Array,
    ops: Array,
    terms: Array,
    columns: Array,
    mats: Array,
) -> None:
    """All matrices of rows first..last; what a row shares with the one before is copied."""
    largest = np.max(groups[:, 0]) ** 2
    src, dst, p = np.empty(largest), np.empty(largest), np.empty(largest)
    for row in range(first, last):
        for g in range(len(groups)):
            size, at = groups[g, 0], groups[g, 3]
            cells = size * size
            if row > first and _unchanged(groups[g], columns, angles[row], angles[row - 1]):
                mats[row, at : at + cells] = mats[row - 1, at : at + cells]
                continue
            src[:cells] = 0.0
            for k in range(size):
                src[k * size + k] = 1.0
            for k in range(groups[g, 1], groups[g, 2]):
                _matrix(ops[k], terms, angles[row], mats[row], p)
                _times(p, ops[k, 0], ops[k, 1], False, size, src, dst)
                src, dst = dst, src
            mats[row, at : at + cells] = src[:cells]


@jit_sums
def _slope_of(op: Array, terms: Array, angles: Array, d_p: Array) -> float:
    """d loss / d angle of an op, given the gradient of its matrix."""
    size = op[0] * op[0]
    total = 0.0
    for term in range(1, op[3]):
        part = 0.0
        for k in range(size):
            part += terms[op[2] + term * size + k] * d_p[k]
        total += part * _slope(term, angles[op[4]])
    return total


@jit
def _group_back(
    group: Array,
    ops: Array,
    terms: Array,
    angles: Array,
    mats: Array,
    d_mats: Array,
    d_angles: Array,
    steps: Array,
    buffers: Array,
) -> None:
    """The way back through one group.

    Its matrix is made again op by op, then its gradient taken back.
    """
    size, begin, end, at = group[0], group[1], group[2], group[3]
    p, d_p, now, then = buffers[0], buffers[1], buffers[2], buffers[3]
    steps[0, : size * size] = 0.0
    for k in range(size):
        steps[0, k * size + k] = 1.0
    for k in range(begin, end - 1):
        _matrix(ops[k], terms, angles, mats, p)
        _times(p, ops[k, 0], ops[k, 1], False, size, steps[k - begin], steps[k - begin + 1])
    now[: size * size] = d_mats[at : at + size * size]
    for k in range(end - 1, begin - 1, -1):
        cells = ops[k, 0] * ops[k, 0]
        if ops[k, 4] >= 0:
            _overlap(now, steps[k - begin], ops[k, 0], ops[k, 1], size, d_p)
            if ops[k, 3] == 0:
                d_mats[ops[k, 2] : ops[k, 2] + cells] += d_p[:cells]
            else:
                d_angles[ops[k, 4]] += _slope_of(ops[k], terms, angles, d_p)
        _matrix(ops[k], terms, angles, mats, p)
        _times(p, ops[k, 0], ops[k, 1], True, size, now, then)
        now, then = then, now


@jit
def bind_back(
    first: int,
    last: int,
    angles: Array,
    groups: Array,
    ops: Array,
    terms: Array,
    mats: Array,
    d_mats: Array,
    d_angles: Array,
) -> None:
    """Add the gradients of angles to ``d_angles``, given those of all matrices.

    Runs get theirs from groups.
    """
    largest, longest = np.max(groups[:, 0]) ** 2, np.max(groups[:, 2] - groups[:, 1])
    steps, buffers = np.empty((longest + 1, largest)), np.empty((4, largest))
    for row in range(first, last):
        for g in range(len(groups) - 1, -1, -1):
            if groups[g, 5] > groups[g, 4]:
                _group_back(
                    groups[g],
                    ops,
                    terms,
                    angles[row],
                    mats[row],
                    d_mats[row],
                    d_angles[row],
                    steps,
                    buffers,
                )
