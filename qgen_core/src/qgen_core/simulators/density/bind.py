"""Compiled: the matrices of groups from rows of angles, and gradients of angles from theirs.

A group's matrix is the product of its factors; a factor is a sum of terms, or the matrix of an
earlier group, a *run*. ``tables`` are (groups, factors, terms, columns), with the columns named in
:mod:`~qgen_core.simulators.density.layout`; ``terms`` are the numbers of all terms, ``columns`` the
columns of the angles that groups depend on.

``mats`` are (values, groups). ``values`` (B, n) holds the matrices, each written row by row. One
that is that of the row of angles before is not written again: the matrix of a group stands in the
row ``groups[b, g]`` of ``values``.

``waves`` (B, WAVES A) holds the functions of each angle that terms are multiplied with. ``bind``
writes them, for the rows of angles whose matrices it writes; ``bind_back`` reads them again.
"""

from __future__ import annotations

from functools import partial
from math import cos, sin
from typing import Any

from qgen_core.simulators.density.layout import (
    FACTOR_ANGLE,
    FACTOR_PLACE,
    FACTOR_SIZE,
    FACTOR_STRIDE,
    FACTOR_TERMS,
    GROUP_COLUMNS,
    GROUP_END_ANGLE,
    GROUP_END_FACTOR,
    GROUP_FIRST_ANGLE,
    GROUP_FIRST_FACTOR,
    GROUP_MATRIX,
    GROUP_SIZE,
)
from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    INNER,
    Numbers,
    jit,
    jit_fused,
    jit_sums,
    plain,
    pointer,
)

Arrays = Any  # a tuple of them
#: How many functions of an angle there are.
WAVES = 5


@partial(jit, **INNER)
def _write_waves(factor: Numbers, angles: Numbers, waves: Numbers) -> None:
    """Write the functions of a factor's terms at its angle t: 1, cos t, sin t, cos t/2, sin t/2."""
    t = angles[factor[FACTOR_ANGLE]]
    at = WAVES * factor[FACTOR_ANGLE]
    waves[at] = 1.0
    waves[at + 1] = cos(t)
    waves[at + 2] = sin(t)
    if factor[FACTOR_TERMS] > 3:
        waves[at + 3] = cos(t / 2)
        waves[at + 4] = sin(t / 2)


@partial(jit, **INNER)
def _slope(term: int, waves: Numbers, at: int) -> float:
    """The derivative of the function of a term but the first, from the functions from ``at`` on."""
    slope: float
    if term == 1:
        slope = -waves[at + 2]
    elif term == 2:
        slope = waves[at + 1]
    elif term == 3:
        slope = -waves[at + 4] / 2
    else:
        slope = waves[at + 3] / 2
    return slope


@partial(jit, **INNER)
def _copy(source: Numbers, first: int, count: int, target: Numbers, to: int) -> None:
    """Copy numbers (number by number, because numba takes long to compile slices of arrays)."""
    here = pointer(source, first)
    there = pointer(target, to)
    for k in range(count):
        there[k] = here[k]


@partial(jit, **INNER)
def _matrix(
    factor: Numbers, tables: Arrays, waves: Numbers, mats: Arrays, row: int, out: Numbers
) -> None:
    """The matrix (d, d) of a factor for the row of angles with the number ``row``."""
    groups, _, terms, _ = tables
    values, made_in = mats
    size = factor[FACTOR_SIZE] * factor[FACTOR_SIZE]
    place = factor[FACTOR_PLACE]
    if factor[FACTOR_TERMS] == 0:
        _copy(values[made_in[row, place]], groups[place, GROUP_MATRIX], size, out, plain(0))
        return
    if factor[FACTOR_ANGLE] < 0:
        _copy(terms, place, size, out, plain(0))
        return
    out[:size] = 0.0
    for term in range(factor[FACTOR_TERMS]):
        value = waves[WAVES * factor[FACTOR_ANGLE] + term]
        matrix = pointer(terms, place + term * size)
        for k in range(size):
            out[k] += value * matrix[k]


@partial(jit_fused, **INNER)
def _times_on_a_wire(
    p: Numbers, stride: int, transposed: bool, cells: int, src: Numbers, dst: Numbers
) -> None:
    """What :func:`_times` does for a digit, whose matrix (4, 4) fits into registers."""
    step = 1
    across = 4
    if transposed:
        step = 4
        across = 1
    p00 = p[0]
    p01 = p[step]
    p02 = p[2 * step]
    p03 = p[3 * step]
    p10 = p[across]
    p11 = p[across + step]
    p12 = p[across + 2 * step]
    p13 = p[across + 3 * step]
    p20 = p[2 * across]
    p21 = p[2 * across + step]
    p22 = p[2 * across + 2 * step]
    p23 = p[2 * across + 3 * step]
    p30 = p[3 * across]
    p31 = p[3 * across + step]
    p32 = p[3 * across + 2 * step]
    p33 = p[3 * across + 3 * step]
    for first in range(0, cells, 4 * stride):
        for cell in range(first, first + stride):
            x0 = src[cell]
            x1 = src[cell + stride]
            x2 = src[cell + 2 * stride]
            x3 = src[cell + 3 * stride]
            dst[cell] = p00 * x0 + p01 * x1 + p02 * x2 + p03 * x3
            dst[cell + stride] = p10 * x0 + p11 * x1 + p12 * x2 + p13 * x3
            dst[cell + 2 * stride] = p20 * x0 + p21 * x1 + p22 * x2 + p23 * x3
            dst[cell + 3 * stride] = p30 * x0 + p31 * x1 + p32 * x2 + p33 * x3


@partial(jit_sums, **INNER)
def _times(
    p: Numbers, d: int, stride: int, transposed: bool, cells: int, src: Numbers, dst: Numbers
) -> None:
    """dst = P src for matrices of so many cells; P acts on one digit of the rows, or on all.

    ``stride`` is that of the digit among the cells. The loops are too short for checked indices.
    """
    whole = pointer(dst, 0)
    entries = pointer(p, 0)
    if d == 4:
        _times_on_a_wire(entries, stride, transposed, cells, pointer(src, 0), whole)
        return
    for cell in range(cells):
        whole[cell] = 0.0
    for a in range(d):
        for b in range(d):
            factor = entries[b * d + a] if transposed else entries[a * d + b]
            if factor != 0.0:
                for high in range(cells // (d * stride)):
                    to = pointer(dst, (high * d + a) * stride)
                    of = pointer(src, (high * d + b) * stride)
                    for j in range(stride):
                        to[j] += factor * of[j]


@partial(jit_sums, **INNER)
def _overlap(g: Numbers, m: Numbers, d: int, stride: int, cells: int, out: Numbers) -> None:
    """The gradient (d, d) of a factor, where m is multiplied by it and g is the result's gradient.

    Both have so many cells; ``stride`` is that of the factor's digit among them.
    """
    out[: d * d] = 0.0
    for high in range(cells // (d * stride)):
        for a in range(d):
            to = pointer(g, (high * d + a) * stride)
            sums = pointer(out, a * d)
            for b in range(d):
                of = pointer(m, (high * d + b) * stride)
                total = 0.0
                for j in range(stride):
                    total += to[j] * of[j]
                sums[b] += total


@partial(jit, **INNER)
def _unchanged(group: Numbers, columns: Numbers, one: Numbers, other: Numbers) -> bool:
    """Whether two rows of angles give the same matrix."""
    different = 0
    for k in range(group[GROUP_FIRST_ANGLE], group[GROUP_END_ANGLE]):
        different += one[columns[k]] != other[columns[k]]
    return different == 0


@partial(jit, **INNER)
def _is_first_product(group: Numbers, factor: Numbers) -> bool:
    """Whether the first factor of a group is its product with the unit matrix."""
    size = group[GROUP_SIZE]
    is_all: bool = factor[FACTOR_SIZE] == size and group[GROUP_COLUMNS] == size
    return is_all


@partial(jit, **INNER)
def _begin(group: Numbers, out: Numbers) -> int:
    """Write what the factors of a group are multiplied with; the number of its cells.

    It is the unit matrix, or for a start |0>, whose coefficients are (1, 0, 0, 1).
    """
    size = group[GROUP_SIZE]
    columns = group[GROUP_COLUMNS]
    out[: size * columns] = 0.0
    if columns == 1:
        out[0] = 1.0
        out[3] = 1.0
    else:
        for k in range(size):
            out[k * size + k] = 1.0
    cells: int = size * columns
    return cells


@partial(jit, **FLAT)
def bind(
    first: int,
    last: int,
    angles: Numbers,
    waves: Numbers,
    tables: Arrays,
    mats: Arrays,
    scratch: Numbers,
) -> None:
    """Write the matrices of all groups for the rows first..last of a batch.

    Those that depend on the same angles as in the row before are not computed again. ``scratch``
    has rows as long as the largest matrix, at least three.
    """
    groups, factors, _, columns = tables
    values, made_in = mats
    src = scratch[0]
    dst = scratch[1]
    p = scratch[2]
    for row in range(first, last):
        for g in range(len(groups)):
            group = groups[g]
            if row > first and _unchanged(group, columns, angles[row], angles[row - 1]):
                made_in[row, g] = made_in[row - 1, g]
                continue
            made_in[row, g] = row
            begin = group[GROUP_FIRST_FACTOR]
            end = group[GROUP_END_FACTOR]
            for k in range(begin, end):
                if factors[k, FACTOR_TERMS] > 1:
                    _write_waves(factors[k], angles[row], waves[row])
            if begin < end and _is_first_product(group, factors[begin]):
                cells = group[GROUP_SIZE] * group[GROUP_COLUMNS]
                _matrix(factors[begin], tables, waves[row], mats, row, src)
                begin += 1
            else:
                cells = _begin(group, src)
            for k in range(begin, end):
                factor = factors[k]
                _matrix(factor, tables, waves[row], mats, row, p)
                stride = factor[FACTOR_STRIDE] * group[GROUP_COLUMNS]
                _times(p, factor[FACTOR_SIZE], stride, plain(False), cells, src, dst)
                src, dst = dst, src
            _copy(src, plain(0), cells, values[row], group[GROUP_MATRIX])


@partial(jit_sums, **INNER)
def _slope_of(factor: Numbers, terms: Numbers, waves: Numbers, d_p: Numbers) -> float:
    """d loss / d angle of a factor, given the gradient of its matrix."""
    size = factor[FACTOR_SIZE] * factor[FACTOR_SIZE]
    total = 0.0
    for term in range(1, factor[FACTOR_TERMS]):
        part = 0.0
        matrix = pointer(terms, factor[FACTOR_PLACE] + term * size)
        for k in range(size):
            part += matrix[k] * d_p[k]
        total += part * _slope(term, waves, WAVES * factor[FACTOR_ANGLE])
    return total


@partial(jit, **INNER)
def _group_back(
    group: Numbers,
    tables: Arrays,
    rows: tuple[int, Numbers, Numbers, Numbers],
    mats: Arrays,
    scratch: Numbers,
) -> None:
    """Add the gradients of the angles of one group, given that of its matrix.

    ``rows`` are the number of a row, the functions of its angles, the gradients of its matrices,
    and those of its angles. The partial products of the group's factors are computed again; then
    the gradient is propagated backward through them, to the first factor that depends on an angle.
    """
    groups, factors, terms, _ = tables
    row, waves, d_mats, d_angles = rows
    columns = group[GROUP_COLUMNS]
    begin = group[GROUP_FIRST_FACTOR]
    end = group[GROUP_END_FACTOR]
    first = begin
    while factors[first, FACTOR_ANGLE] < 0:
        first += 1
    p = scratch[0]
    d_p = scratch[1]
    now = scratch[2]
    then = scratch[3]
    products = scratch[4:]
    is_first_product = _is_first_product(group, factors[begin])
    cells = _begin(group, products[0])
    for k in range(begin, end - 1):
        factor = factors[k]
        source = products[k - begin]
        target = products[k - begin + 1]
        if k == begin and is_first_product:
            _matrix(factor, tables, waves, mats, row, target)
            continue
        _matrix(factor, tables, waves, mats, row, p)
        stride = factor[FACTOR_STRIDE] * columns
        _times(p, factor[FACTOR_SIZE], stride, plain(False), cells, source, target)
    _copy(d_mats, group[GROUP_MATRIX], cells, now, plain(0))
    for k in range(end - 1, first - 1, -1):
        factor = factors[k]
        d = factor[FACTOR_SIZE]
        stride = factor[FACTOR_STRIDE] * columns
        if factor[FACTOR_ANGLE] >= 0:
            _overlap(now, products[k - begin], d, stride, cells, d_p)
            if factor[FACTOR_TERMS] == 0:
                d_run = pointer(d_mats, groups[factor[FACTOR_PLACE], GROUP_MATRIX])
                for cell in range(d * d):
                    d_run[cell] += d_p[cell]
            else:
                d_angles[factor[FACTOR_ANGLE]] += _slope_of(factor, terms, waves, d_p)
        if k == first:
            return
        _matrix(factor, tables, waves, mats, row, p)
        _times(p, d, stride, plain(True), cells, now, then)
        now, then = then, now


@partial(jit, **FLAT)
def bind_back(
    first: int,
    last: int,
    waves: Numbers,
    tables: Arrays,
    mats: Arrays,
    d_mats: Numbers,
    d_angles: Numbers,
    scratch: Numbers,
) -> None:
    """Add the gradients of angles to ``d_angles``, given those of all matrices in ``d_mats``.

    ``d_mats`` (B, n) has those of each row, also of matrices that several rows share. Groups come
    last first, because runs get their gradients from the groups that contain them. ``scratch`` has
    rows as long as the largest matrix, four more than the longest group has factors.
    """
    groups, _, _, _ = tables
    _, made_in = mats
    for row in range(first, last):
        for g in range(len(groups) - 1, -1, -1):
            group = groups[g]
            if group[GROUP_END_ANGLE] > group[GROUP_FIRST_ANGLE]:
                rows = (row, waves[made_in[row, g]], d_mats[row], d_angles[row])
                _group_back(group, tables, rows, mats, scratch)
