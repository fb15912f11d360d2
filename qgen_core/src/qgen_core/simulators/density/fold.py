"""Compiled: the matrices of passes from those of groups, and the gradients of these from theirs.

A pass applies the matrix of its group. If a wire enters, the columns of its digits are added up,
weighted with the coefficients of its start; if a wire leaves, only the rows of the digits that are
read are kept. ``tables`` are (groups, passes, folds), with the columns named
in :mod:`~qgen_core.simulators.density.layout`. The starts are the first groups, one a wire.

``mats`` are (values, groups, passes). ``values`` (B, n) holds the matrices, each written row by
row; that of a group stands in the row ``groups[b, g]`` of it, that of a pass in ``passes[b, s]``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qgen_core.simulators.density.layout import (
    GROUP_MATRIX,
    GROUP_SIZE,
    PASS_FOLD,
    PASS_FRESH,
    PASS_GROUP,
    PASS_HAS_GRADIENT,
    PASS_MATRIX,
    PASS_ROWS_AFTER,
    PASS_ROWS_BEFORE,
)
from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    INNER,
    Numbers,
    jit,
    jit_inline,
    plain,
    pointer,
)

Arrays = Any  # a tuple of them
#: Entries of a fold for each wire that enters: its number and its stride.
_WIRE = 2


@partial(jit, **INNER)
def _weights(
    number: int, tables: Arrays, mats: Arrays, row: int, without: int, out: Numbers
) -> None:
    """The products of the coefficients of a pass's fresh wires, for each digit of its group.

    ``number`` is that of the pass. The fresh wire ``without`` is left out.
    """
    groups, passes, folds = tables
    values, made_in, _ = mats
    one = passes[number]
    size = groups[one[PASS_GROUP], GROUP_SIZE]
    out[:size] = 1.0
    for fresh in range(one[PASS_FRESH]):
        if fresh == without:
            continue
        entry = one[PASS_FOLD] + one[PASS_ROWS_AFTER] + size + _WIRE * fresh
        wire = folds[entry]
        stride = folds[entry + 1]
        start = values[made_in[row, wire]]
        for digit in range(4):
            coefficient = start[groups[wire, GROUP_MATRIX] + digit]
            for high in range(0, size, 4 * stride):
                for low in range(stride):
                    out[high + digit * stride + low] *= coefficient


@partial(jit, **INNER)
def _unchanged(number: int, tables: Arrays, mats: Arrays, row: int) -> bool:
    """Whether the group of a pass and its fresh wires are those of an earlier row."""
    groups, passes, folds = tables
    _, made_in, _ = mats
    one = passes[number]
    entry = one[PASS_FOLD] + one[PASS_ROWS_AFTER] + groups[one[PASS_GROUP], GROUP_SIZE]
    changes = int(made_in[row, one[PASS_GROUP]] == row)
    for fresh in range(one[PASS_FRESH]):
        changes += made_in[row, folds[entry + _WIRE * fresh]] == row
    return changes == 0


@jit_inline
def _folded(
    one: Numbers, fold: Numbers, weights: Numbers, size: int, of: Numbers, to: Numbers
) -> None:
    """Write the matrix of a pass to ``to``, given that of its group at ``of``, of some size.

    All but ``one``, the row of the pass, are pointers: the loops are too short for checked indices.
    """
    n_in = one[PASS_ROWS_BEFORE]
    n_out = one[PASS_ROWS_AFTER]
    columns = pointer(fold, n_out)
    for cell in range(n_out * n_in):
        to[cell] = 0.0
    for o in range(n_out):
        source = pointer(of, fold[o] * size)
        target = pointer(to, o * n_in)
        for i in range(size):
            target[columns[i]] += weights[i] * source[i]


@partial(jit, **FLAT)
def fold(first: int, last: int, tables: Arrays, mats: Arrays, scratch: Numbers) -> None:
    """Write the matrices of all passes for the rows first..last of a batch.

    Those of the row before are not computed again if nothing has changed. ``scratch`` has rows as
    long as the largest group has digits, at least one.
    """
    groups, passes, folds = tables
    values, made_in, passes_made_in = mats
    weights = scratch[0]
    for row in range(first, last):
        for number in range(len(passes)):
            one = passes[number]
            group = one[PASS_GROUP]
            at = groups[group, GROUP_MATRIX]
            if one[PASS_MATRIX] == at:
                passes_made_in[row, number] = made_in[row, group]
                continue
            if row > first and _unchanged(number, tables, mats, row):
                passes_made_in[row, number] = passes_made_in[row - 1, number]
                continue
            passes_made_in[row, number] = row
            _weights(number, tables, mats, row, plain(-1), weights)
            of = pointer(pointer(values, made_in[row, group]), at)
            to = pointer(pointer(values, row), one[PASS_MATRIX])
            size = groups[group, GROUP_SIZE]
            _folded(one, pointer(folds, one[PASS_FOLD]), pointer(weights, 0), size, of, to)


@partial(jit, **INNER)
def _unfold(
    number: int, tables: Arrays, mats: Arrays, row: int, d_mats: Numbers, scratch: Numbers
) -> None:
    """Propagate the gradient of a pass's matrix back to its group and to the starts of wires.

    ``d_mats`` are the gradients of one row.
    """
    groups, passes, folds = tables
    values, made_in, _ = mats
    one = passes[number]
    group = one[PASS_GROUP]
    at = groups[group, GROUP_MATRIX]
    size = groups[group, GROUP_SIZE]
    n_in = one[PASS_ROWS_BEFORE]
    n_out = one[PASS_ROWS_AFTER]
    weights = scratch[0]
    d_weights = scratch[1]
    _weights(number, tables, mats, row, plain(-1), weights)
    d_weights[:size] = 0.0
    columns = pointer(folds, one[PASS_FOLD] + n_out)
    for o in range(n_out):
        kept = at + folds[one[PASS_FOLD] + o] * size
        whole = pointer(pointer(values, made_in[row, group]), kept)
        d_whole = pointer(d_mats, kept)
        d_cells = pointer(d_mats, one[PASS_MATRIX] + o * n_in)
        for i in range(size):
            d_cell = d_cells[columns[i]]
            d_whole[i] += d_cell * weights[i]
            d_weights[i] += d_cell * whole[i]
    for fresh in range(one[PASS_FRESH]):
        entry = one[PASS_FOLD] + n_out + size + _WIRE * fresh
        d_start = groups[folds[entry], GROUP_MATRIX]
        stride = folds[entry + 1]
        _weights(number, tables, mats, row, fresh, weights)
        for i in range(size):
            d_mats[d_start + i // stride % 4] += d_weights[i] * weights[i]


@partial(jit, **FLAT)
def fold_back(
    first: int, last: int, tables: Arrays, mats: Arrays, d_mats: Numbers, scratch: Numbers
) -> None:
    """Add the gradients of groups and starts to ``d_mats`` (B, n), given those of passes in it.

    ``scratch`` is like that of :func:`fold`, with at least two rows.
    """
    groups, passes, _ = tables
    for row in range(first, last):
        for number in range(len(passes)):
            one = passes[number]
            is_group = one[PASS_MATRIX] == groups[one[PASS_GROUP], GROUP_MATRIX]
            if one[PASS_HAS_GRADIENT] > 0 and not is_group:
                _unfold(number, tables, mats, row, d_mats[row], scratch)
