"""The compiled passes over density matrices, forward and backward.

A pass multiplies the coefficients of a few wires, for all digits of the others, by one matrix. They
are taken in tiles: the rows of a tile are the digits of the wires, its columns ``TILE`` digits of
the others, gathered into a small array, multiplied with all sums in registers, and put back.

A table of steps has the columns: rows of the tile before and after, neighbouring coefficients
``inner``, first and number of the outer loops, where the offsets of the rows before and after
begin, where the matrix stands, its number of tiles, how many columns there are, and whether its
gradient is wanted. ``blocks`` holds the loops (size, stride before, stride after).

States stand in ``keep``, a row of the batch each, at ``keep_at``, or where that is negative in
``work``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    jit,
    jit_inline,
    lane_bits,
    lane_sum,
    load,
    multiply_add,
    splat,
    store,
)

Array = Any  # numba infers

#: Columns of a tile: a few registers, whatever their width.
TILE = 32


@jit_inline
def _next_tile(step: Array, blocks: Array, walk: Array, xs: Array, ys: Array) -> int:
    """Where the pieces of the next tile start before (xs) and after (ys) the pass.

    How long a piece is.

    ``walk``: place in the run, offsets of the run before and after, and a counter for each loop.
    """
    inner, first, loops = step[2], step[3], step[4]
    piece: int = min(inner, TILE)
    for k in range(TILE // piece):
        xs[k], ys[k] = walk[1] + walk[0], walk[2] + walk[0]
        walk[0] += piece
        if walk[0] < inner:
            continue
        walk[0] = 0
        for level in range(loops - 1, -1, -1):
            size, x, y = (
                blocks[first + level, 0],
                blocks[first + level, 1],
                blocks[first + level, 2],
            )
            walk[3 + level] += 1
            walk[1] += x
            walk[2] += y
            if walk[3 + level] < size:
                break
            walk[3 + level] = 0
            walk[1] -= size * x
            walk[2] -= size * y
    return piece


@jit_inline
def _gather(
    state: Array,
    offset: int,
    rows: Array,
    first: int,
    count: int,
    at: Array,
    piece: int,
    used: int,
    tile: Array,
) -> None:
    """The pieces of a tile, row by row."""
    lanes = 1 << lane_bits(tile)
    for i in range(count):
        base = offset + rows[first + i]
        if piece == 1:
            for k in range(used):
                tile[i * TILE + k] = state[base + at[k]]
            continue
        for k in range(used // piece):
            to, of = i * TILE + k * piece, base + at[k]
            if piece % lanes == 0:
                for j in range(0, piece, lanes):
                    store(tile, to + j, load(state, of + j))
            else:
                for j in range(piece):
                    tile[to + j] = state[of + j]


@jit_inline
def _scatter(
    tile: Array,
    state: Array,
    offset: int,
    rows: Array,
    first: int,
    count: int,
    at: Array,
    piece: int,
    used: int,
) -> None:
    """The inverse of :func:`_gather`."""
    lanes = 1 << lane_bits(tile)
    for i in range(count):
        base = offset + rows[first + i]
        if piece == 1:
            for k in range(used):
                state[base + at[k]] = tile[i * TILE + k]
            continue
        for k in range(used // piece):
            of, to = i * TILE + k * piece, base + at[k]
            if piece % lanes == 0:
                for j in range(0, piece, lanes):
                    store(state, to + j, load(tile, of + j))
            else:
                for j in range(piece):
                    state[to + j] = tile[of + j]


@jit
def _multiply(
    m: Array,
    at: int,
    by_row: int,
    by_column: int,
    n_in: int,
    n_out: int,
    pairs: int,
    x: Array,
    y: Array,
) -> None:
    """Tile y = M x, with M[o, i] at ``at + o by_row + i by_column``.

    ``pairs`` of registers in a row.
    """
    lanes = 1 << lane_bits(x)
    for pair in range(pairs):
        col = 2 * lanes * pair
        whole = n_out - n_out % 4
        for o in range(0, whole, 4):
            a0 = splat(0.0)
            a1, a2, a3, a4, a5, a6, a7 = a0, a0, a0, a0, a0, a0, a0
            for i in range(n_in):
                p, q = load(x, i * TILE + col), load(x, i * TILE + col + lanes)
                k = at + o * by_row + i * by_column
                c = splat(m[k])
                a0, a1 = multiply_add(a0, c, p), multiply_add(a1, c, q)
                c = splat(m[k + by_row])
                a2, a3 = multiply_add(a2, c, p), multiply_add(a3, c, q)
                c = splat(m[k + 2 * by_row])
                a4, a5 = multiply_add(a4, c, p), multiply_add(a5, c, q)
                c = splat(m[k + 3 * by_row])
                a6, a7 = multiply_add(a6, c, p), multiply_add(a7, c, q)
            to = o * TILE + col
            store(y, to, a0)
            store(y, to + lanes, a1)
            store(y, to + TILE, a2)
            store(y, to + TILE + lanes, a3)
            store(y, to + 2 * TILE, a4)
            store(y, to + 2 * TILE + lanes, a5)
            store(y, to + 3 * TILE, a6)
            store(y, to + 3 * TILE + lanes, a7)
        for o in range(whole, n_out):
            a0 = splat(0.0)
            a1 = a0
            for i in range(n_in):
                c = splat(m[at + o * by_row + i * by_column])
                a0 = multiply_add(a0, c, load(x, i * TILE + col))
                a1 = multiply_add(a1, c, load(x, i * TILE + col + lanes))
            store(y, o * TILE + col, a0)
            store(y, o * TILE + col + lanes, a1)


@jit
def _overlap(lam: Array, x: Array, n_in: int, n_out: int, pairs: int, total: Array) -> None:
    """Add lam x^T of a tile to ``total``.

    A register for each entry, its lanes to be summed later.
    """
    lanes = 1 << lane_bits(x)
    one = splat(1.0)
    whole = n_out - n_out % 4
    for o in range(0, whole, 4):
        for i in range(n_in):
            a0 = load(total, (o * n_in + i) * lanes)
            a1 = load(total, ((o + 1) * n_in + i) * lanes)
            a2 = load(total, ((o + 2) * n_in + i) * lanes)
            a3 = load(total, ((o + 3) * n_in + i) * lanes)
            b0 = splat(0.0)
            b1, b2, b3 = b0, b0, b0
            for pair in range(pairs):
                at, col = o * TILE + 2 * lanes * pair, i * TILE + 2 * lanes * pair
                p, q = load(x, col), load(x, col + lanes)
                a0, b0 = (
                    multiply_add(a0, load(lam, at), p),
                    multiply_add(b0, load(lam, at + lanes), q),
                )
                at += TILE
                a1, b1 = (
                    multiply_add(a1, load(lam, at), p),
                    multiply_add(b1, load(lam, at + lanes), q),
                )
                at += TILE
                a2, b2 = (
                    multiply_add(a2, load(lam, at), p),
                    multiply_add(b2, load(lam, at + lanes), q),
                )
                at += TILE
                a3, b3 = (
                    multiply_add(a3, load(lam, at), p),
                    multiply_add(b3, load(lam, at + lanes), q),
                )
            store(total, (o * n_in + i) * lanes, multiply_add(a0, one, b0))
            store(total, ((o + 1) * n_in + i) * lanes, multiply_add(a1, one, b1))
            store(total, ((o + 2) * n_in + i) * lanes, multiply_add(a2, one, b2))
            store(total, ((o + 3) * n_in + i) * lanes, multiply_add(a3, one, b3))
    for o in range(whole, n_out):
        for i in range(n_in):
            a0 = load(total, (o * n_in + i) * lanes)
            for register in range(2 * pairs):
                a0 = multiply_add(
                    a0, load(lam, o * TILE + register * lanes), load(x, i * TILE + register * lanes)
                )
            store(total, (o * n_in + i) * lanes, a0)


@jit
def _prepare(step: Array, walk: Array, tiles: Array) -> tuple[int, int]:
    """Columns in use and pairs of registers of each tile; loops start at their beginning."""
    walk[:] = 0
    used = min(TILE, step[9])
    if used < TILE:
        tiles[:] = 0.0
    lanes = 1 << lane_bits(tiles)
    return used, (used + 2 * lanes - 1) // (2 * lanes)


@jit
def _pass(
    step: Array,
    blocks: Array,
    rows: Array,
    m: Array,
    x: Array,
    x0: int,
    y: Array,
    y0: int,
    walk: Array,
    tiles: Array,
) -> None:
    """One step forward: from the state at ``x[x0:]`` to the one at ``y[y0:]``."""
    n_in, n_out = step[0], step[1]
    used, pairs = _prepare(step, walk, tiles[0])
    xs, ys = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    for _ in range(step[8]):
        piece = _next_tile(step, blocks, walk, xs, ys)
        _gather(x, x0, rows, step[5], n_in, xs, piece, used, tiles[0])
        _multiply(m, step[7], n_in, 1, n_in, n_out, pairs, tiles[0], tiles[1])
        _scatter(tiles[1], y, y0, rows, step[6], n_out, ys, piece, used)


@jit
def forward(
    part: Array,
    steps: Array,
    blocks: Array,
    rows: Array,
    mats: Array,
    keep: Array,
    keep_at: Array,
    work: Array,
    work_at: Array,
    tiles: Array,
) -> None:
    """Steps part[2]..part[3] of the rows part[0]..part[1] of a batch."""
    walk = np.empty(3 + len(blocks), np.int64)
    for row in range(part[0], part[1]):
        for s in range(part[2], part[3]):
            x, x0 = (keep[row], keep_at[s]) if keep_at[s] >= 0 else (work, work_at[s])
            y, y0 = (keep[row], keep_at[s + 1]) if keep_at[s + 1] >= 0 else (work, work_at[s + 1])
            _pass(steps[s], blocks, rows, mats[row], x, x0, y, y0, walk, tiles)


@jit
def _pass_back(
    step: Array,
    blocks: Array,
    rows: Array,
    m: Array,
    x: Array,
    x0: int,
    lam: Array,
    l0: int,
    to: int,
    walk: Array,
    tiles: Array,
    total: Array,
) -> None:
    """One step back: the adjoint from ``lam[l0:]`` to ``lam[to:]``.

    The gradient of its matrix to ``total``.
    """
    n_in, n_out = step[0], step[1]
    tiles[2] = 0.0
    used, pairs = _prepare(step, walk, tiles[0])
    xs, ys = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    for _ in range(step[8]):
        piece = _next_tile(step, blocks, walk, xs, ys)
        _gather(lam, l0, rows, step[6], n_out, ys, piece, used, tiles[0])
        _multiply(m, step[7], 1, n_in, n_out, n_in, pairs, tiles[0], tiles[1])
        _scatter(tiles[1], lam, to, rows, step[5], n_in, xs, piece, used)
        if step[10] > 0:
            _gather(x, x0, rows, step[5], n_in, xs, piece, used, tiles[2])
            _overlap(tiles[0], tiles[2], n_in, n_out, pairs, total)


@jit
def backward(
    part: Array,
    steps: Array,
    blocks: Array,
    rows: Array,
    mats: Array,
    keep: Array,
    keep_at: Array,
    work: Array,
    work_at: Array,
    lam: Array,
    tiles: Array,
    total: Array,
    d_mats: Array,
) -> None:
    """Propagate the adjoint of row part[0] backwards from step part[3] to part[2].

    ``lam`` holds the adjoint of state s in its first half if s is even, else in its second. The
    states before the steps must be there. Adds the gradients of matrices to ``d_mats``.
    """
    walk = np.empty(3 + len(blocks), np.int64)
    row, half, lanes = part[0], lam.shape[0] // 2, 1 << lane_bits(tiles)
    for s in range(part[3] - 1, part[2] - 1, -1):
        x, x0 = (keep[row], keep_at[s]) if keep_at[s] >= 0 else (work, work_at[s])
        cells = steps[s, 0] * steps[s, 1]
        total[: cells * lanes] = 0.0
        _pass_back(
            steps[s],
            blocks,
            rows,
            mats[row],
            x,
            x0,
            lam,
            (s + 1) % 2 * half,
            s % 2 * half,
            walk,
            tiles,
            total,
        )
        if steps[s, 10] > 0:
            for k in range(cells):
                d_mats[row, steps[s, 7] + k] += lane_sum(load(total, k * lanes))
