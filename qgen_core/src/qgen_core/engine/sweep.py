"""The compiled way there and back: rows of a batch, stages, and blocks of a stage.

Stages are numbered from 0; -1 stands for what comes before them: cosines and sines and the state |0...0>, on the
way back the gradients of the angles. Stage ``len(stages)``, which comes behind, reads outputs, on the way back it
makes adjoint states of cotangents and clears the gradients of the table. So one call does all for some rows, and
many calls do one state block by block, in several threads.

``work`` says what there is to do: (pieces taken, threads that came, rows, first stage, last stage, chunks, rows to
take at a time). Threads *take* pieces of it, some rows each time, or one chunk of all rows where no number of rows is
given: cores of a shared machine differ in speed, and a helper begins later.

Blocks whose bits are not the lowest are gathered into a buffer, worked on, and scattered.
Gradients are summed per row and chunk of blocks; the number of chunks does not depend on
the number of threads, so neither does any bit of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.engine.instructions import gather, scatter
from qgen_core.engine.joining import share, shared, take, withdraw
from qgen_core.engine.kernels import backward_tile, collect, forward_tile
from qgen_core.engine.outputs import expectations, probabilities, seed_expectations, seed_probabilities
from qgen_core.engine.simd import jit, jit_body, lane_bits, splat, store
from qgen_core.engine.turns import collect_angles, find_turns

Array = Any


@jit_body
def _next_row(work: Array, row: int, last: int, low: int, high: int) -> tuple[int, int, int, int]:
    """The row after this one and the last of the piece, first and last chunk; after a piece another, or row -1."""
    if row + 1 < last:
        return row + 1, last, low, high
    rows, chunks, grain = work[2], work[5], work[6]
    first = take(work, 0, max(grain, 1))
    if grain > 0:
        return first if first < rows else -1, min(first + grain, rows), 0, chunks
    return 0 if first < chunks and rows > 0 else -1, rows, first, first + 1


@jit_body
def _block_start(block: int, others: Array) -> int:
    at = 0
    for k in range(len(others)):
        at += ((block >> k) & 1) << others[k]
    return at


@jit_body
def _clear(numbers: Array, first: int, last: int) -> None:
    """Zeros in some rows of a table."""
    for row in range(first, last):
        for k in range(numbers.shape[1]):
            numbers[row, k] = 0.0


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
    groups: Array,
    words: Array,
    out: Array,
    work: Array,
    buffers: Array,
    boxes: Array,
    helpers: int,
) -> None:
    """Run what ``work`` names, in pieces.

    ``angles`` is (B, A), ``turns`` (B, 2, T), ``psi`` (B, 2N), ``shape`` (local, low); ``buffers`` (threads, n) hold a
    block where there are several. ``out`` is (B, chunks, K) for expectations of ``words``, else (B, 2^Q).
    """
    if helpers >= 0:
        withdraw(boxes, helpers, share(boxes, helpers))
        return
    shared()
    run, count = 2 << shape[1], 1 << (shape[0] - shape[1])
    chunks, each = work[5], (1 << others.shape[1]) // work[5]
    first, last = max(work[3], 0), min(work[4], len(stages))
    table, buf = np.empty(turns.shape[2]), buffers[take(work, 1, 1)]
    if out.ndim == 3:
        pair = np.empty((2, len(signs)))
    row, end, low, high = -1, 0, 0, 0
    while True:
        row, end, low, high = _next_row(work, row, end, low, high)
        if row < 0:
            break
        state, cos, sin = psi[row], turns[row, 0], turns[row, 1]
        if work[3] < 0:
            _clear(psi, row, row + 1)
            state[0] = find_turns(angles, row, slots, consts, columns, factors, signs, steps, table, cos, sin)
        for k in range(first, last):
            for block in range(low * each, high * each):
                start, here = _block_start(block, others[k]), stages[k, 2] == 1
                place, at = (state, 2 * start) if here else (buf, 0)
                if not here:
                    gather(state, start, rows, k * count, count, run, buf)
                for m in range(stages[k, 0], stages[k, 1]):
                    p, q, lo, hi = tiles[m, 0], tiles[m, 1], tiles[m, 2], tiles[m, 3]
                    forward_tile(place, at, shape[0], p, q, lo, hi, steps, cos, sin, masks)
                if not here:
                    scatter(state, start, rows, k * count, count, run, buf)
        if work[4] > len(stages):
            if out.ndim == 2:
                probabilities(psi, row, low, high, chunks, out)
            else:
                expectations(psi, row, low, high, chunks, signs, groups, words, pair, out)


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
def _add_up(grads: Array, first: int, last: int) -> None:
    """The sum of some rows (..., T), in the place of the first."""
    for row in range(first + 1, last):
        for k in range(grads.shape[1]):
            grads[first, k] += grads[row, k]


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
    groups: Array,
    words: Array,
    cotangent: Array,
    grads: Array,
    d_angles: Array,
    work: Array,
    buffers: Array,
    boxes: Array,
    helpers: int,
) -> None:
    """Undo on the states psi (B, 2N) what :func:`forward` did, from a cotangent to gradients of the angles (B, A).

    The cotangent is (B, 1, K) for expectations, (B, 2^Q) for probabilities. ``lam`` (B, 2N) are the adjoint states,
    ``grads`` (threads x chunks, T) the gradients of the table of the row that a thread is at, or (B x chunks, T) where
    this is not the whole way. ``buffers`` (3 threads, n): a block of the state, one of the adjoint, and overlaps.
    """
    if helpers >= 0:
        withdraw(boxes, helpers, share(boxes, helpers))
        return
    shared()
    chunks, each = work[5], (1 << others.shape[1]) // work[5]
    first, last = max(work[3], 0), min(work[4], len(stages))
    whole, me = work[3] < 0 and work[4] > len(stages), take(work, 1, 1)
    buf = buffers[3 * me : 3 * me + 3]
    if cotangent.ndim == 3:
        pair = np.empty((2, len(signs)))
    row, end, low, high = -1, 0, 0, 0
    while True:
        row, end, low, high = _next_row(work, row, end, low, high)
        if row < 0:
            break
        state, adjoint, cos, sin = psi[row], lam[row], turns[row, 0], turns[row, 1]
        table = chunks * (me if whole else row)
        if work[4] > len(stages):
            if cotangent.ndim == 2:
                seed_probabilities(psi, row, low, high, chunks, cotangent, lam)
            else:
                seed_expectations(psi, row, low, high, chunks, signs, groups, words, pair, cotangent, lam)
            _clear(grads, table + low, table + high)
        for k in range(last - 1, first - 1, -1):
            for block in range(low * each, high * each):
                grad, start = grads[table + block // each], _block_start(block, others[k])
                _undo_block(state, adjoint, grad, shape, stages[k], rows, k, start, tiles, steps, cos, sin, masks, buf)
        if work[3] < 0:
            _add_up(grads, table, table + chunks)
            collect_angles(grads[table], slots, columns, factors, signs, steps, sin, row, d_angles)
