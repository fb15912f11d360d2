"""Compiled loops around the tiles: rows of a batch, stages, and blocks of a stage.

Blocks whose bits are not the lowest are gathered into a buffer, worked on, and scattered.
Gradients are summed per row and chunk of blocks; the number of chunks does not depend on
the number of threads, so neither does any bit of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.engine.kernels import backward_tile, collect, forward_tile
from qgen_core.engine.simd import jit, jit_fused, lane_bits, lane_sum, load, multiply_add, splat, store

Array = Any


@jit
def expand(
    angles: Array, slots: Array, consts: Array, columns: Array, factors: Array, signs: Array, table: Array
) -> None:
    """Angles (B, A) to the table (B, T): linear forms, each with a sign for each of its places."""
    lanes = 1 << lane_bits(table)
    for row in range(len(angles)):
        out = table[row]
        out[:] = 0.0
        for k in range(len(slots)):
            value = consts[k]
            for term in range(slots[k, 0], slots[k, 1]):
                value += factors[term] * angles[row, columns[term]]
            at, count, sign = slots[k, 2], slots[k, 3], signs[slots[k, 4]]
            if count % lanes == 0:
                for place in range(0, count, lanes):
                    store(out, at + place, multiply_add(load(out, at + place), load(sign, place), splat(value)))
            else:
                for place in range(count):
                    out[at + place] += sign[place] * value


@jit_fused
def cosines(table: Array, cos: Array, sin: Array) -> None:
    """Cosines and sines (n,) of a table (n,), in a form that vectorises.

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


@jit
def contract(d_table: Array, slots: Array, columns: Array, factors: Array, signs: Array, d_angles: Array) -> None:
    """The transpose of :func:`expand`: adds gradients of the table (B, T) to those of the angles (B, A)."""
    lanes = 1 << lane_bits(d_table)
    for row in range(len(d_table)):
        grads = d_table[row]
        for k in range(len(slots)):
            at, count, sign = slots[k, 2], slots[k, 3], signs[slots[k, 4]]
            value = 0.0
            if count % lanes == 0:
                total = splat(value)
                for place in range(0, count, lanes):
                    total = multiply_add(total, load(grads, at + place), load(sign, place))
                value = lane_sum(total)
            else:
                for place in range(count):
                    value += sign[place] * grads[at + place]
            for term in range(slots[k, 0], slots[k, 1]):
                d_angles[row, columns[term]] += factors[term] * value


@jit
def _block_start(block: int, others: Array) -> int:
    at = 0
    for k in range(len(others)):
        at += ((block >> k) & 1) << others[k]
    return at


@jit
def _copy(source: Array, at: int, target: Array, to: int, count: int) -> None:
    """Copy ``count`` numbers, a multiple of two registers."""
    lanes = 1 << lane_bits(source)
    for j in range(0, count, 2 * lanes):
        one, two = load(source, at + j), load(source, at + j + lanes)
        store(target, to + j, one)
        store(target, to + j + lanes, two)


@jit
def _gather(state: Array, start: int, rows: Array, run: int, buf: Array) -> None:
    for r in range(len(rows)):
        _copy(state, 2 * (start + rows[r]), buf, r * run, run)


@jit
def _scatter(state: Array, start: int, rows: Array, run: int, buf: Array) -> None:
    for r in range(len(rows)):
        _copy(buf, r * run, state, 2 * (start + rows[r]), run)


@jit
def forward(
    psi: Array,
    shape: Array,
    stages: Array,
    rows: Array,
    others: Array,
    tiles: Array,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    part: Array,
    buf: Array,
) -> None:
    """Run rows, stages and blocks named by ``part`` on the states psi (B, 2N).

    ``shape`` is (local, low); ``part`` is (first row, last row, first stage, ..., last chunk,
    chunks). ``buf`` holds one block.
    """
    local, low = shape[0], shape[1]
    run = 2 << low
    blocks = 1 << others.shape[1]
    for row in range(part[0], part[1]):
        for stage in range(part[2], part[3]):
            for block in range(part[4] * blocks // part[6], part[5] * blocks // part[6]):
                start = _block_start(block, others[stage])
                here = stages[stage, 2] == 1
                work, at = (psi[row], 2 * start) if here else (buf, 0)
                if not here:
                    _gather(psi[row], start, rows[stage], run, buf)
                for m in range(stages[stage, 0], stages[stage, 1]):
                    p, q, lo, hi = tiles[m, 0], tiles[m, 1], tiles[m, 2], tiles[m, 3]
                    forward_tile(work, at, local, p, q, lo, hi, steps, cos[row], sin[row], masks)
                if not here:
                    _scatter(psi[row], start, rows[stage], run, buf)


@jit
def _undo_block(
    psi: Array,
    lam: Array,
    grads: Array,
    shape: Array,
    stage: Array,
    rows: Array,
    start: int,
    tiles: Array,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    buf: Array,
) -> None:
    """Undo one stage on one block of one row; adds to ``grads`` (T,)."""
    run = 2 << shape[1]
    here = stage[2] == 1
    acc = buf[2]
    width = 4 << lane_bits(acc)
    work, adjoint, at = (psi, lam, 2 * start) if here else (buf[0], buf[1], 0)
    if not here:
        _gather(psi, start, rows, run, buf[0])
        _gather(lam, start, rows, run, buf[1])
    for m in range(stage[1] - 1, stage[0] - 1, -1):
        p, q, lo, hi = tiles[m, 0], tiles[m, 1], tiles[m, 2], tiles[m, 3]
        acc[: (hi - lo) * width] = 0.0
        backward_tile(work, adjoint, at, shape[0], p, q, lo, hi, steps, cos, sin, masks, acc)
        collect(lo, hi, steps, masks, acc, grads)
    if not here:
        _scatter(psi, start, rows, run, buf[0])
        _scatter(lam, start, rows, run, buf[1])


@jit
def backward(
    psi: Array,
    lam: Array,
    grads: Array,
    shape: Array,
    stages: Array,
    rows: Array,
    others: Array,
    tiles: Array,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    part: Array,
    buf: Array,
) -> None:
    """Undo on states and adjoints what :func:`forward` did; adds to ``grads`` (B, chunks, T).

    ``buf`` (3, n): a block of the state, one of the adjoint, and overlaps.
    """
    blocks = 1 << others.shape[1]
    for row in range(part[0], part[1]):
        for stage in range(part[3] - 1, part[2] - 1, -1):
            for chunk in range(part[4], part[5]):
                for block in range(chunk * blocks // part[6], (chunk + 1) * blocks // part[6]):
                    _undo_block(
                        psi[row],
                        lam[row],
                        grads[row, chunk],
                        shape,
                        stages[stage],
                        rows[stage],
                        _block_start(block, others[stage]),
                        tiles,
                        steps,
                        cos[row],
                        sin[row],
                        masks,
                        buf,
                    )
