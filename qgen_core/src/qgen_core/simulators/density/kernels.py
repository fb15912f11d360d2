"""Compiled forward and backward passes over density matrices.

A pass multiplies the coefficients of a few wires, for all digits of the other wires, by one matrix.
They are taken in tiles: the rows of a tile are the digits of the wires, its columns ``TILE`` digits
of the others. A tile is gathered into a small array, multiplied with all sums in registers, and
scattered.

Arguments that several functions share; their columns are named in
:mod:`~qgen_core.simulators.density.layout`:

- ``tables``: the table of passes, that of their loops, and the offsets of the rows of tiles.
- ``states``: (keep, keep_at, work, work_at). State s of row b starts at ``keep[b, keep_at[s]]``, or
  if ``keep_at[s]`` is negative at ``work[work_at[s]]``.
- ``mats``: (values, groups, passes). The matrix of pass s for row b of angles stands in the row
  ``passes[b, s]`` of ``values`` (B, n).
- ``matrix``: that of a pass, for one row of angles.
- ``tiles``: working memory for three tiles.

Inside, states, matrices, tiles and rows of tables are pointers, which compile faster than arrays.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qgen_core.simulators.density.layout import (
    LOOP_SIZE,
    LOOP_STRIDE_AFTER,
    LOOP_STRIDE_BEFORE,
    PASS_FIRST_LOOP,
    PASS_HAS_GRADIENT,
    PASS_INNER,
    PASS_LOOPS,
    PASS_MATRIX,
    PASS_OFFSETS_AFTER,
    PASS_OFFSETS_BEFORE,
    PASS_ROWS_AFTER,
    PASS_ROWS_BEFORE,
    PASS_TILES,
    PASS_WIDTH,
    TILE,
    WALK_COUNTERS,
)
from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    INNER,
    Numbers,
    jit,
    jit_inline,
    lane_bits,
    lane_sum,
    load,
    multiply_add,
    plain,
    pointer,
    splat,
    store,
)

Arrays = Any  # a tuple of them

# Entries of ``walk``, the position in the loops of a pass: within the inner loop, offsets of the
# outer loops before and after the pass, and from WALK_COUNTERS on a counter for each outer loop.
_WALK_INNER = 0
_WALK_BEFORE = 1
_WALK_AFTER = 2


@jit_inline
def _next_tile(row: Numbers, loops: Numbers, walk: Numbers, before: Numbers, after: Numbers) -> int:
    """Find where the pieces of the next tile start before and after the pass; their length.

    ``row`` is that of the pass.
    """
    inner = row[PASS_INNER]
    piece: int = min(inner, TILE)
    for k in range(TILE // piece):
        before[k] = walk[_WALK_BEFORE] + walk[_WALK_INNER]
        after[k] = walk[_WALK_AFTER] + walk[_WALK_INNER]
        walk[_WALK_INNER] += piece
        if walk[_WALK_INNER] < inner:
            continue
        walk[_WALK_INNER] = 0
        for level in range(row[PASS_LOOPS] - 1, -1, -1):
            loop = pointer(loops, row[PASS_FIRST_LOOP] + level)
            size = loop[LOOP_SIZE]
            stride_before = loop[LOOP_STRIDE_BEFORE]
            stride_after = loop[LOOP_STRIDE_AFTER]
            walk[WALK_COUNTERS + level] += 1
            walk[_WALK_BEFORE] += stride_before
            walk[_WALK_AFTER] += stride_after
            if walk[WALK_COUNTERS + level] < size:
                break
            walk[WALK_COUNTERS + level] = 0
            walk[_WALK_BEFORE] -= size * stride_before
            walk[_WALK_AFTER] -= size * stride_after
    return piece


@jit_inline
def _gather(
    state: Numbers,
    offsets: Numbers,
    rows: int,
    places: Numbers,
    piece: int,
    used: int,
    tile: Numbers,
) -> None:
    """Copy the pieces of a tile from a state, row by row.

    ``offsets`` are those of its rows, ``places`` those of its pieces.
    """
    lanes = 1 << lane_bits(tile)
    for i in range(rows):
        base = offsets[i]
        if piece == 1:
            for k in range(used):
                tile[i * TILE + k] = state[base + places[k]]
            continue
        for k in range(used // piece):
            to = i * TILE + k * piece
            of = base + places[k]
            if piece % lanes == 0:
                for j in range(0, piece, lanes):
                    store(tile, to + j, load(state, of + j))
            else:
                for j in range(piece):
                    tile[to + j] = state[of + j]


@jit_inline
def _scatter(
    tile: Numbers,
    state: Numbers,
    offsets: Numbers,
    rows: int,
    places: Numbers,
    piece: int,
    used: int,
) -> None:
    """The inverse of :func:`_gather`."""
    lanes = 1 << lane_bits(tile)
    for i in range(rows):
        base = offsets[i]
        if piece == 1:
            for k in range(used):
                state[base + places[k]] = tile[i * TILE + k]
            continue
        for k in range(used // piece):
            of = i * TILE + k * piece
            to = base + places[k]
            if piece % lanes == 0:
                for j in range(0, piece, lanes):
                    store(state, to + j, load(tile, of + j))
            else:
                for j in range(piece):
                    state[to + j] = tile[of + j]


@partial(jit, **INNER)
def _multiply(
    m: Numbers,
    by_row: int,
    by_column: int,
    n_in: int,
    n_out: int,
    pairs: int,
    x: Numbers,
    y: Numbers,
) -> None:
    """Tile y = M x, with M[o, i] at ``m[o by_row + i by_column]``.

    A row of a tile has 2 ``pairs`` registers.
    """
    lanes = 1 << lane_bits(x)
    for pair in range(pairs):
        col = 2 * lanes * pair
        whole = n_out - n_out % 4
        for o in range(0, whole, 4):
            a0 = splat(0.0)
            a1 = a0
            a2 = a0
            a3 = a0
            a4 = a0
            a5 = a0
            a6 = a0
            a7 = a0
            for i in range(n_in):
                p = load(x, i * TILE + col)
                q = load(x, i * TILE + col + lanes)
                k = o * by_row + i * by_column
                c = splat(m[k])
                a0 = multiply_add(a0, c, p)
                a1 = multiply_add(a1, c, q)
                c = splat(m[k + by_row])
                a2 = multiply_add(a2, c, p)
                a3 = multiply_add(a3, c, q)
                c = splat(m[k + 2 * by_row])
                a4 = multiply_add(a4, c, p)
                a5 = multiply_add(a5, c, q)
                c = splat(m[k + 3 * by_row])
                a6 = multiply_add(a6, c, p)
                a7 = multiply_add(a7, c, q)
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
                c = splat(m[o * by_row + i * by_column])
                a0 = multiply_add(a0, c, load(x, i * TILE + col))
                a1 = multiply_add(a1, c, load(x, i * TILE + col + lanes))
            store(y, o * TILE + col, a0)
            store(y, o * TILE + col + lanes, a1)


@partial(jit, **INNER)
def _overlap(lam: Numbers, x: Numbers, n_in: int, n_out: int, pairs: int, total: Numbers) -> None:
    """Add lam x^T of a tile to ``total``, one register for each entry.

    The lanes of a register are summed later.
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
            b1 = b0
            b2 = b0
            b3 = b0
            for pair in range(pairs):
                at = o * TILE + 2 * lanes * pair
                col = i * TILE + 2 * lanes * pair
                p = load(x, col)
                q = load(x, col + lanes)
                a0 = multiply_add(a0, load(lam, at), p)
                b0 = multiply_add(b0, load(lam, at + lanes), q)
                at += TILE
                a1 = multiply_add(a1, load(lam, at), p)
                b1 = multiply_add(b1, load(lam, at + lanes), q)
                at += TILE
                a2 = multiply_add(a2, load(lam, at), p)
                b2 = multiply_add(b2, load(lam, at + lanes), q)
                at += TILE
                a3 = multiply_add(a3, load(lam, at), p)
                b3 = multiply_add(b3, load(lam, at + lanes), q)
            store(total, (o * n_in + i) * lanes, multiply_add(a0, one, b0))
            store(total, ((o + 1) * n_in + i) * lanes, multiply_add(a1, one, b1))
            store(total, ((o + 2) * n_in + i) * lanes, multiply_add(a2, one, b2))
            store(total, ((o + 3) * n_in + i) * lanes, multiply_add(a3, one, b3))
    for o in range(whole, n_out):
        for i in range(n_in):
            a0 = load(total, (o * n_in + i) * lanes)
            for register in range(2 * pairs):
                at = o * TILE + register * lanes
                col = i * TILE + register * lanes
                a0 = multiply_add(a0, load(lam, at), load(x, col))
            store(total, (o * n_in + i) * lanes, a0)


@partial(jit, **INNER)
def _prepare(row: Numbers, walk: Numbers, tiles: Numbers) -> tuple[int, int]:
    """Start the loops of a pass; columns in use and pairs of registers in each row of a tile."""
    walk[:] = 0
    used = min(TILE, row[PASS_WIDTH])
    if used < TILE:
        tiles[:] = 0.0
    lanes = 1 << lane_bits(tiles)
    return used, (used + 2 * lanes - 1) // (2 * lanes)


@jit_inline
def _state(states: Arrays, b: int, s: int) -> Numbers:
    """State s of row b."""
    keep, keep_at, work, work_at = states
    if keep_at[s] >= 0:
        return pointer(pointer(keep, b), keep_at[s])
    return pointer(work, work_at[s])


@jit_inline
def _matrix(mats: Arrays, row: Numbers, b: int, s: int) -> Numbers:
    """The matrix of pass s, whose row is ``row``, for row b of angles."""
    values, _, passes_made_in = mats
    made_in = pointer(passes_made_in, b)
    return pointer(pointer(values, made_in[s]), row[PASS_MATRIX])


@partial(jit, **INNER)
def _run_pass(
    row: Numbers,
    tables: Arrays,
    matrix: Numbers,
    before: Numbers,
    after: Numbers,
    buffers: Arrays,
) -> None:
    """One pass, from the state ``before`` to the one ``after``."""
    _, loops, offsets = tables
    tiles, places, _ = buffers
    n_in = row[PASS_ROWS_BEFORE]
    n_out = row[PASS_ROWS_AFTER]
    offsets_before = pointer(offsets, row[PASS_OFFSETS_BEFORE])
    offsets_after = pointer(offsets, row[PASS_OFFSETS_AFTER])
    x = pointer(tiles, 0)
    y = pointer(tiles, 1)
    walk = places[0]
    xs = places[1]
    ys = places[2]
    used, pairs = _prepare(row, walk, tiles[0])
    for _ in range(row[PASS_TILES]):
        piece = _next_tile(row, loops, walk, xs, ys)
        _gather(before, offsets_before, n_in, xs, piece, used, x)
        _multiply(matrix, n_in, plain(1), n_in, n_out, pairs, x, y)
        _scatter(y, after, offsets_after, n_out, ys, piece, used)


@partial(jit, **FLAT)
def forward(
    part: tuple[int, int, int, int], tables: Arrays, mats: Arrays, states: Arrays, buffers: Arrays
) -> None:
    """Run the passes first..end on the rows first_row..end_row of a batch.

    ``part`` is (first_row, end_row, first, end).
    """
    first_row, end_row, first, end = part
    passes, _, _ = tables
    for b in range(first_row, end_row):
        for s in range(first, end):
            before = _state(states, b, s)
            after = _state(states, b, s + 1)
            row = pointer(passes, s)
            _run_pass(row, tables, _matrix(mats, row, b, s), before, after, buffers)


@partial(jit, **INNER)
def _undo_pass(
    row: Numbers,
    tables: Arrays,
    matrix: Numbers,
    before: Numbers,
    adjoints: tuple[Numbers, Numbers],
    buffers: Arrays,
) -> None:
    """One pass backward, from the adjoint after it to the one before it.

    ``adjoints`` are (before, after), ``before`` is the state before the pass. The gradient of the
    matrix is added to the sums of the ``buffers``.
    """
    _, loops, offsets = tables
    adjoint_before, adjoint_after = adjoints
    tiles, places, total = buffers
    n_in = row[PASS_ROWS_BEFORE]
    n_out = row[PASS_ROWS_AFTER]
    offsets_before = pointer(offsets, row[PASS_OFFSETS_BEFORE])
    offsets_after = pointer(offsets, row[PASS_OFFSETS_AFTER])
    lam = pointer(tiles, 0)
    product = pointer(tiles, 1)
    x = pointer(tiles, 2)
    tiles[2] = 0.0
    walk = places[0]
    xs = places[1]
    ys = places[2]
    used, pairs = _prepare(row, walk, tiles[0])
    for _ in range(row[PASS_TILES]):
        piece = _next_tile(row, loops, walk, xs, ys)
        _gather(adjoint_after, offsets_after, n_out, ys, piece, used, lam)
        _multiply(matrix, plain(1), n_in, n_out, n_in, pairs, lam, product)
        _scatter(product, adjoint_before, offsets_before, n_in, xs, piece, used)
        if row[PASS_HAS_GRADIENT] > 0:
            _gather(before, offsets_before, n_in, xs, piece, used, x)
            _overlap(lam, x, n_in, n_out, pairs, pointer(total, 0))


@partial(jit, **FLAT)
def backward(
    part: tuple[int, int, int],
    tables: Arrays,
    mats: Arrays,
    states: Arrays,
    lam: Numbers,
    buffers: Arrays,
    d_mats: Numbers,
) -> None:
    """Propagate the adjoint of one row of a batch backward through the passes end - 1..first.

    ``part`` is (row, first, end). ``lam`` holds the adjoint of state s in its first half if s is
    even, else in its second. The states before the passes must be there. Adds the gradients of
    matrices to ``d_mats`` (B, n).
    """
    b, first, end = part
    passes, _, _ = tables
    tiles, _, total = buffers
    half = lam.shape[0] // 2
    lanes = 1 << lane_bits(tiles)
    for s in range(end - 1, first - 1, -1):
        row = pointer(passes, s)
        cells = row[PASS_ROWS_BEFORE] * row[PASS_ROWS_AFTER]
        total[: cells * lanes] = 0.0
        before = _state(states, b, s)
        adjoints = (pointer(lam, s % 2 * half), pointer(lam, (s + 1) % 2 * half))
        _undo_pass(row, tables, _matrix(mats, row, b, s), before, adjoints, buffers)
        if row[PASS_HAS_GRADIENT] > 0:
            at = row[PASS_MATRIX]
            for k in range(cells):
                d_mats[b, at + k] += lane_sum(load(total, k * lanes))
