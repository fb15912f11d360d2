"""The compiled way there and back: rows of a batch, stages, and blocks of a stage.

Stages are numbered from 0; -1 stands for what comes before them: cosines and sines and the state
|0...0>, on the way back the gradients of the angles. Stage ``len(stages)``, which comes behind,
reads outputs, on the way back it makes adjoint states of cotangents and clears the gradients of the
table. So one call does all for some rows, and many calls do one state block by block, in several
threads.

``work`` says what there is to do. Threads *take* pieces of it, some rows each time, or one chunk of
all rows where no number of rows is given: cores of a shared machine differ in speed, and a helper
begins later.

Blocks whose bits are not the lowest are gathered into a buffer, worked on, and scattered.
Gradients are summed per row and chunk of blocks; the number of chunks does not depend on
the number of threads, so neither does any bit of the result.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    jit,
    jit_body,
    lane_bits,
    pointer,
    rounded,
    splat,
    store,
)
from qgen_core.simulators.simd.work_sharing import share, take, withdraw
from qgen_core.simulators.statevector.instructions import gather, scatter
from qgen_core.simulators.statevector.kernels import backward_tile, collect, forward_tile
from qgen_core.simulators.statevector.outputs import (
    expectations,
    probabilities,
    seed_expectations,
    seed_probabilities,
)
from qgen_core.simulators.statevector.rotations import collect_angles, find_rotations
from qgen_core.simulators.statevector.tables import (
    BLOCK_BITS,
    BLOCK_BITS_AT,
    LOCAL_BITS,
    RUN_BITS,
    RUNS_AT,
    STAGE_COLUMNS,
    STAGE_END_TILE,
    STAGE_FIRST_TILE,
    STAGE_IN_PLACE,
    STAGES,
    STAGES_AT,
    STATE_NUMBERS,
    STEPS_AT,
    TABLE_SIZE,
    TILE_COLUMNS,
    TILE_END_STEP,
    TILE_FIRST_STEP,
    TILES_AT,
)

Array = Any  # numba infers

#: Of the work: pieces taken, threads that came, rows, first stage, behind the last, chunks, rows to
#: take at a time.
TAKEN, CAME, ROWS, FIRST, LAST, CHUNKS, GRAIN = range(7)


@jit_body
def _next_row(work: Array, row: int, last: int, low: int, high: int) -> tuple[int, int, int, int]:
    """The row after this one and the last of the piece, first and last chunk.

    After a piece another, or row -1.
    """
    if row + 1 < last:
        return row + 1, last, low, high
    rows, chunks, grain = work[ROWS], work[CHUNKS], work[GRAIN]
    first = take(work, TAKEN, grain if grain > 0 else 1)
    if grain > 0:
        end = first + grain
        return first if first < rows else -1, end if end < rows else rows, 0, chunks
    return 0 if first < chunks and rows > 0 else -1, rows, first, first + 1


@jit_body
def _stages(plan: Array, work: Array) -> tuple[int, int]:
    """The first stage that is worked on, and that behind the last."""
    first, last = work[FIRST], work[LAST]
    return first if first > 0 else 0, last if last < plan[STAGES] else plan[STAGES]


@jit_body
def _block_start(plan: Array, k: int, block: int) -> int:
    """The first amplitude of a block of stage k."""
    bits, at = plan[BLOCK_BITS], 0
    others = pointer(plan, plan[BLOCK_BITS_AT] + k * bits)
    for j in range(bits):
        at += ((block >> j) & 1) << others[j]
    return at


@jit_body
def _clear(numbers: Array, count: int) -> None:
    for k in range(count):
        numbers[k] = 0.0


@jit_body
def _run_block(
    plan: Array, k: int, block: int, psi: Array, cos: Array, sin: Array, masks: Array, buf: Array
) -> None:
    """Run stage k on one block of one row."""
    stage, steps = pointer(plan, plan[STAGES_AT] + k * STAGE_COLUMNS), pointer(plan, plan[STEPS_AT])
    bits, run, count = (
        plan[LOCAL_BITS],
        2 << plan[RUN_BITS],
        1 << (plan[LOCAL_BITS] - plan[RUN_BITS]),
    )
    start, rows = _block_start(plan, k, block), pointer(plan, plan[RUNS_AT] + k * count)
    here = stage[STAGE_IN_PLACE] == 1
    state, at = (psi, 2 * start) if here else (buf, 0)
    if not here:
        gather(psi, start, rows, count, run, buf)
    for m in range(stage[STAGE_FIRST_TILE], stage[STAGE_END_TILE]):
        forward_tile(
            state,
            at,
            bits,
            pointer(plan, plan[TILES_AT] + m * TILE_COLUMNS),
            steps,
            cos,
            sin,
            masks,
        )
    if not here:
        scatter(psi, start, rows, count, run, buf)


@partial(jit, **FLAT)
def forward(
    ints: Array,
    doubles: Array,
    masks: Array,
    angles: Array,
    turns: Array,
    psi: Array,
    words: Array,
    out: Array,
    work: Array,
    buffers: Array,
    spare: Array,
    boxes: Array,
    helpers: int,
) -> None:
    """Run what ``work`` names, in pieces.

    ``ints`` and ``doubles`` are the tables of a plan, ``angles`` is (B, A), ``turns`` (B, 2, T),
    ``psi`` (B, 2N). ``buffers`` (threads, n) hold a block where there are several, ``spare``
    (threads, n) a table or products. ``out`` is (B, chunks, K) for expectations of ``words``, else
    (B, 2^Q).
    """
    if helpers >= 0:
        share(boxes, helpers)
        withdraw(pointer(boxes, 0), helpers)
        return
    plan, numbers, lanes, todo = (
        pointer(ints, 0),
        pointer(doubles, 0),
        pointer(masks, 0),
        pointer(work, 0),
    )
    chunks, each = todo[CHUNKS], (1 << plan[BLOCK_BITS]) // todo[CHUNKS]
    first, last = _stages(plan, todo)
    me = take(work, CAME, 1)
    table, buf = pointer(spare, me), pointer(buffers, me)
    row, end, low, high = -1, 0, 0, 0
    while True:
        row, end, low, high = _next_row(todo, row, end, low, high)
        if row < 0:
            break
        state, cos = pointer(psi, row), pointer(turns, row)
        sin = pointer(cos, plan[TABLE_SIZE])
        if todo[FIRST] < 0:
            _clear(state, plan[STATE_NUMBERS])
            state[0] = find_rotations(plan, numbers, pointer(angles, row), table, cos, sin)
        for k in range(first, last):
            for block in range(low * each, high * each):
                _run_block(plan, k, block, state, cos, sin, lanes, buf)
        if todo[LAST] > plan[STAGES]:
            if out.ndim == 2:
                probabilities(plan, state, low, high, chunks, pointer(out, row))
            else:
                expectations(
                    plan,
                    numbers,
                    state,
                    low,
                    high,
                    chunks,
                    pointer(words, 0),
                    table,
                    pointer(out, row),
                )


@jit_body
def _undo_block(
    plan: Array,
    k: int,
    block: int,
    psi: Array,
    lam: Array,
    grads: Array,
    cos: Array,
    sin: Array,
    masks: Array,
    buf: Array,
    other: Array,
    acc: Array,
) -> None:
    """Undo stage k on one block of one row; adds to ``grads`` (T,)."""
    stage, steps = pointer(plan, plan[STAGES_AT] + k * STAGE_COLUMNS), pointer(plan, plan[STEPS_AT])
    bits, run, count = (
        plan[LOCAL_BITS],
        2 << plan[RUN_BITS],
        1 << (plan[LOCAL_BITS] - plan[RUN_BITS]),
    )
    start, rows = _block_start(plan, k, block), pointer(plan, plan[RUNS_AT] + k * count)
    here = stage[STAGE_IN_PLACE] == 1
    lanes, nothing = 1 << lane_bits(acc), splat(rounded(0.0, acc))
    state, adjoint, at = (psi, lam, 2 * start) if here else (buf, other, 0)
    if not here:
        gather(psi, start, rows, count, run, buf)
        gather(lam, start, rows, count, run, other)
    for m in range(stage[STAGE_END_TILE] - 1, stage[STAGE_FIRST_TILE] - 1, -1):
        tile = pointer(plan, plan[TILES_AT] + m * TILE_COLUMNS)
        sums = 4 * (tile[TILE_END_STEP] - tile[TILE_FIRST_STEP])
        for j in range(0, (sums if sums > 8 else 8) * lanes, lanes):
            store(acc, j, nothing)
        backward_tile(state, adjoint, at, bits, tile, steps, cos, sin, masks, acc)
        collect(tile[TILE_FIRST_STEP], tile[TILE_END_STEP], steps, masks, acc, grads)
    if not here:
        scatter(psi, start, rows, count, run, buf)
        scatter(lam, start, rows, count, run, other)


@jit_body
def _add_up(grads: Array, first: int, last: int, count: int) -> None:
    """The sum of some rows (..., T), in the place of the first."""
    total = pointer(grads, first)
    for row in range(first + 1, last):
        more = pointer(grads, row)
        for k in range(count):
            total[k] += more[k]


@partial(jit, **FLAT)
def backward(
    ints: Array,
    doubles: Array,
    masks: Array,
    turns: Array,
    psi: Array,
    lam: Array,
    words: Array,
    cotangent: Array,
    grads: Array,
    d_angles: Array,
    work: Array,
    buffers: Array,
    spare: Array,
    boxes: Array,
    helpers: int,
) -> None:
    """Backward pass: undo :func:`forward` on psi (B, 2N); gradients of the angles (B, A).

    The cotangent is (B, 1, K) for expectations, (B, 2^Q) for probabilities. ``lam`` (B, 2N) are the
    adjoint states, ``grads`` (threads x chunks, T) the gradients of the table of the row that a
    thread is at, or (B x chunks, T) where this is not the whole way. ``buffers`` (3 threads, n): a
    block of the state, one of the adjoint, and overlaps.
    """
    if helpers >= 0:
        share(boxes, helpers)
        withdraw(pointer(boxes, 0), helpers)
        return
    plan, numbers, lanes, todo = (
        pointer(ints, 0),
        pointer(doubles, 0),
        pointer(masks, 0),
        pointer(work, 0),
    )
    chunks, each = todo[CHUNKS], (1 << plan[BLOCK_BITS]) // todo[CHUNKS]
    first, last = _stages(plan, todo)
    whole, me = todo[FIRST] < 0 and todo[LAST] > plan[STAGES], take(work, CAME, 1)
    buf, other = pointer(buffers, 3 * me), pointer(buffers, 3 * me + 1)
    acc, pair = pointer(buffers, 3 * me + 2), pointer(spare, me)
    row, end, low, high = -1, 0, 0, 0
    while True:
        row, end, low, high = _next_row(todo, row, end, low, high)
        if row < 0:
            break
        state, adjoint, cos = pointer(psi, row), pointer(lam, row), pointer(turns, row)
        sin, c = pointer(cos, plan[TABLE_SIZE]), pointer(cotangent, row)
        table = chunks * (me if whole else row)
        if todo[LAST] > plan[STAGES]:
            if cotangent.ndim == 2:
                seed_probabilities(plan, state, low, high, chunks, c, adjoint)
            else:
                seed_expectations(
                    plan, numbers, state, low, high, chunks, pointer(words, 0), pair, c, adjoint
                )
            for k in range(low, high):
                _clear(pointer(grads, table + k), plan[TABLE_SIZE])
        for k in range(last - 1, first - 1, -1):
            for block in range(low * each, high * each):
                grad = pointer(grads, table + block // each)
                _undo_block(plan, k, block, state, adjoint, grad, cos, sin, lanes, buf, other, acc)
        if todo[FIRST] < 0:
            _add_up(grads, table, table + chunks, plan[TABLE_SIZE])
            collect_angles(plan, numbers, pointer(grads, table), sin, pointer(d_angles, row))
