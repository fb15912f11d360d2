"""The compiled way there and back: rows of a batch, stages, and blocks of a stage.

Stages are numbered from 0; -1 stands for what comes before them: cosines and sines and the state |0...0>, on the
way back the gradients of the angles. Stage ``len(stages)``, which comes behind, clears the gradients of the table.
So one call does all for some rows, and many calls do one state block by block, in several threads.

Blocks whose bits are not the lowest are gathered into a buffer, worked on, and scattered.
Gradients are summed per row and chunk of blocks; the number of chunks does not depend on
the number of threads, so neither does any bit of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.engine.instructions import gather, scatter
from qgen_core.engine.kernels import backward_tile, collect, forward_tile
from qgen_core.engine.simd import jit, jit_body, lane_bits, splat, store
from qgen_core.engine.turns import collect_angles, find_turns

Array = Any


@jit_body
def _block_start(block: int, others: Array) -> int:
    at = 0
    for k in range(len(others)):
        at += ((block >> k) & 1) << others[k]
    return at


@jit
def forward(
    angles: Array,
    slots: Array,
    consts: Array,
    columns: Array,
    factors: Array,
    signs: Array,
    turns: Array,
    psi: Array,
    shape: Array,
    stages: Array,
    rows: Array,
    others: Array,
    tiles: Array,
    steps: Array,
    masks: Array,
    part: Array,
    buf: Array,
) -> None:
    """Run what ``part`` names: (first row, last row, first stage, last stage, first chunk, last chunk, chunks).

    ``angles`` is (B, A), ``turns`` (B, 2, T), ``psi`` (B, 2N), ``shape`` (local, low); ``buf`` holds a block where
    there are several.
    """
    run, count = 2 << shape[1], 1 << (shape[0] - shape[1])
    blocks = 1 << others.shape[1]
    table = np.empty(turns.shape[2])
    last = part[3] if part[3] < len(stages) else len(stages)
    for row in range(part[0], part[1]):
        state, cos, sin = psi[row], turns[row, 0], turns[row, 1]
        for stage in range(part[2], last):
            if stage < 0:
                for k in range(len(state)):
                    state[k] = 0.0
                state[0] = find_turns(angles, row, slots, consts, columns, factors, signs, steps, table, cos, sin)
                continue
            for block in range(part[4] * blocks // part[6], part[5] * blocks // part[6]):
                start = _block_start(block, others[stage])
                here = stages[stage, 2] == 1
                work, at = (state, 2 * start) if here else (buf, 0)
                if not here:
                    gather(state, start, rows, stage * count, count, run, buf)
                for m in range(stages[stage, 0], stages[stage, 1]):
                    p, q, lo, hi = tiles[m, 0], tiles[m, 1], tiles[m, 2], tiles[m, 3]
                    forward_tile(work, at, shape[0], p, q, lo, hi, steps, cos, sin, masks)
                if not here:
                    scatter(state, start, rows, stage * count, count, run, buf)


@jit_body
def _undo_block(
    psi: Array,
    lam: Array,
    grads: Array,
    shape: Array,
    stage: Array,
    rows: Array,
    first: int,
    start: int,
    tiles: Array,
    steps: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    buf: Array,
) -> None:
    """Undo one stage on one block of one row; adds to ``grads`` (T,)."""
    run, count = 2 << shape[1], 1 << (shape[0] - shape[1])
    here = stage[2] == 1
    acc = buf[2]
    lanes, nothing = 1 << lane_bits(acc), splat(acc.dtype.type(0))
    work, adjoint, at = (psi, lam, 2 * start) if here else (buf[0], buf[1], 0)
    if not here:
        gather(psi, start, rows, first * count, count, run, buf[0])
        gather(lam, start, rows, first * count, count, run, buf[1])
    for m in range(stage[1] - 1, stage[0] - 1, -1):
        p, q, lo, hi = tiles[m, 0], tiles[m, 1], tiles[m, 2], tiles[m, 3]
        for k in range(0, max(8, 4 * (hi - lo)) * lanes, lanes):
            store(acc, k, nothing)
        backward_tile(work, adjoint, at, shape[0], p, q, lo, hi, steps, cos, sin, masks, acc)
        collect(lo, hi, steps, masks, acc, grads)
    if not here:
        scatter(psi, start, rows, first * count, count, run, buf[0])
        scatter(lam, start, rows, first * count, count, run, buf[1])


@jit_body
def _clear(sums: Array, first: int, last: int) -> None:
    """No gradients yet, for some chunks (chunks, T)."""
    for chunk in range(first, last):
        for k in range(sums.shape[1]):
            sums[chunk, k] = 0.0


@jit_body
def _add_up(sums: Array) -> None:
    """The gradients of all chunks (chunks, T), in the place of the first."""
    for chunk in range(1, len(sums)):
        for k in range(sums.shape[1]):
            sums[0, k] += sums[chunk, k]


@jit
def backward(
    psi: Array,
    lam: Array,
    turns: Array,
    shape: Array,
    stages: Array,
    rows: Array,
    others: Array,
    tiles: Array,
    steps: Array,
    masks: Array,
    slots: Array,
    columns: Array,
    factors: Array,
    signs: Array,
    grads: Array,
    d_angles: Array,
    part: Array,
    buf: Array,
) -> None:
    """Undo on the states psi (B, 2N) what :func:`forward` did, down to gradients of the angles (B, A).

    ``lam`` (B, 2N) are the adjoint states, ``grads`` (B, chunks, T) the gradients of the table, or (1, chunks, T) for
    the rows one after another. ``buf`` (3, n): a block of the state, one of the adjoint, and overlaps.
    """
    blocks = 1 << others.shape[1]
    for row in range(part[0], part[1]):
        state, adjoint, cos, sin = psi[row], lam[row], turns[row, 0], turns[row, 1]
        sums = grads[row if len(grads) > 1 else 0]
        for stage in range(part[3] - 1, part[2] - 1, -1):
            if stage < 0:
                _add_up(sums)
                collect_angles(sums[0], slots, columns, factors, signs, steps, sin, row, d_angles)
                continue
            if stage == len(stages):
                _clear(sums, part[4], part[5])
                continue
            for chunk in range(part[4], part[5]):
                for block in range(chunk * blocks // part[6], (chunk + 1) * blocks // part[6]):
                    _undo_block(
                        state,
                        adjoint,
                        sums[chunk],
                        shape,
                        stages[stage],
                        rows,
                        stage,
                        _block_start(block, others[stage]),
                        tiles,
                        steps,
                        cos,
                        sin,
                        masks,
                        buf,
                    )
