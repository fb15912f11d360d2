"""Compiled forward and backward passes over the rows of a batch, their stages and blocks.

Stages are numbered from 0. Stage -1 stands for what comes before them: the cosines and sines and
the state |0...0>, in the backward pass the gradients of the angles. Stage ``len(stages)`` comes
after them: it reads outputs, and in the backward pass makes adjoint states of cotangents and clears
the gradients of the table. So one call can do everything for some rows, and several threads can
also work on the blocks of one state, stage by stage.

``work`` (columns below) says what a call does. Each thread repeatedly takes a *piece* of it: a few
rows, or one chunk of all rows where no number of rows is given. Pieces are not assigned beforehand,
because the cores of a shared machine differ in speed and a helper thread starts later.

Blocks whose bits are not the lowest are gathered into a buffer, worked on, and scattered. Gradients
are summed per row and chunk of blocks. The number of chunks does not depend on the number of
threads, so neither does any bit of the result.

Arrays that travel together are passed as tuples, which cost nothing in compiled code and little at
its border. Outputs and cotangents are arguments of their own, because numba leaves out the branches
for other numbers of axes only for arguments. Passes over a block are functions of their own, and
not inlined: numba then compiles them once for all measures.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    INNER,
    Numbers,
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

Arrays = Any  # a tuple of them, or of pointers

# Entries of the work.
#: Rows or chunks taken so far.
TAKEN = 0
#: Threads that joined so far.
JOINED = 1
ROWS = 2
FIRST_STAGE = 3
END_STAGE = 4
CHUNKS = 5
#: Rows of a piece; 0 if a piece is one chunk of all rows.
GRAIN = 6


@jit_body
def _take_piece(work: Numbers) -> tuple[int, int, int, int]:
    """Take a piece: its first row and the end of its rows, its first chunk and the end of them.

    There are no rows in it when nothing is left.
    """
    end = work[ROWS]
    chunks = work[CHUNKS]
    grain = work[GRAIN]
    if grain > 0:
        first = take(work, TAKEN, grain)
        if first + grain < end:
            end = first + grain
        low = 0
        high = chunks
    else:
        first = 0
        low = take(work, TAKEN, 1)
        high = low + 1
        if low >= chunks:
            end = 0
    return first, end, low, high


@jit_body
def _stages(plan: Numbers, work: Numbers) -> tuple[int, int]:
    """The first stage of the plan that is worked on, and the end of the stages."""
    first = work[FIRST_STAGE]
    if first < 0:
        first = 0
    end = work[END_STAGE]
    if end > plan[STAGES]:
        end = plan[STAGES]
    return first, end


@jit_body
def _block_start(plan: Numbers, stage: int, block: int) -> int:
    """The first amplitude of a block of a stage."""
    bits = plan[BLOCK_BITS]
    places = pointer(plan, plan[BLOCK_BITS_AT] + stage * bits)
    start = 0
    for j in range(bits):
        start += ((block >> j) & 1) << places[j]
    return start


@jit_body
def _runs_of_stage(plan: Numbers, stage: int) -> tuple[Numbers, int, int]:
    """Where the runs of a block begin, relative to it, their number, and the length of each."""
    count = 1 << (plan[LOCAL_BITS] - plan[RUN_BITS])
    run = 2 << plan[RUN_BITS]
    return pointer(plan, plan[RUNS_AT] + stage * count), count, run


@jit_body
def _clear(numbers: Numbers, count: int) -> None:
    for k in range(count):
        numbers[k] = 0.0


@partial(jit, **INNER)
def _run_block(
    plan: Numbers, stage: int, block: int, psi: Numbers, operands: Arrays, buf: Numbers
) -> None:
    """Run a stage on one block of one row; ``buf`` holds a block."""
    row = pointer(plan, plan[STAGES_AT] + stage * STAGE_COLUMNS)
    bits = plan[LOCAL_BITS]
    start = _block_start(plan, stage, block)
    runs, count, run = _runs_of_stage(plan, stage)
    in_place = row[STAGE_IN_PLACE] == 1
    if in_place:
        state = psi
        at = 2 * start
    else:
        state = buf
        at = 0
        gather(psi, start, runs, count, run, buf)
    for number in range(row[STAGE_FIRST_TILE], row[STAGE_END_TILE]):
        tile = pointer(plan, plan[TILES_AT] + number * TILE_COLUMNS)
        forward_tile(state, at, bits, tile, operands)
    if not in_place:
        scatter(psi, start, runs, count, run, buf)


@partial(jit, **FLAT)
def forward(
    tables: Arrays,
    batch: Arrays,
    out: Numbers,
    buffers: Arrays,
    work: Numbers,
    boxes: Numbers,
    helpers: int,
) -> None:
    """Forward pass: run what ``work`` names, on ``helpers`` more threads.

    - ``tables``: integers and doubles of a plan, and the signs of the lane bits.
    - ``batch``: angles (B, A), their cosines and sines (B, 2, T), states (B, 2N), Pauli words.
    - ``out``: expectations (B, chunks, K), or probabilities (B, 2^Q).
    - ``buffers``: (threads, n), for a block where there are several; (threads, n) doubles.
    """
    if helpers >= 0:
        share(boxes, helpers)
        withdraw(pointer(boxes, 0), helpers)
        return
    ints, doubles, masks = tables
    angles, turns, states, words = batch
    blocks, scratch = buffers
    plan = pointer(ints, 0)
    numbers = pointer(doubles, 0)
    todo = pointer(work, 0)
    lane_signs = pointer(masks, 0)
    chunks = todo[CHUNKS]
    each = (1 << plan[BLOCK_BITS]) // chunks
    first_stage, end_stage = _stages(plan, todo)
    me = take(work, JOINED, 1)
    spare = pointer(scratch, me)
    buf = pointer(blocks, me)
    while True:
        first, end, low, high = _take_piece(todo)
        if first >= end:
            break
        for row in range(first, end):
            psi = pointer(states, row)
            cos = pointer(turns, row)
            sin = pointer(cos, plan[TABLE_SIZE])
            operands = (pointer(plan, plan[STEPS_AT]), cos, sin, lane_signs)
            if todo[FIRST_STAGE] < 0:
                _clear(psi, plan[STATE_NUMBERS])
                psi[0] = find_rotations(plan, numbers, pointer(angles, row), spare, cos, sin)
            for stage in range(first_stage, end_stage):
                for block in range(low * each, high * each):
                    _run_block(plan, stage, block, psi, operands, buf)
            if todo[END_STAGE] > plan[STAGES]:
                part = (low, high, chunks)
                result = pointer(out, row)
                if out.ndim == 2:
                    probabilities(plan, psi, part, result)
                else:
                    expectations(plan, numbers, psi, part, pointer(words, 0), spare, result)


@partial(jit, **INNER)
def _undo_block(
    plan: Numbers,
    stage: int,
    block: int,
    states: Arrays,
    operands: Arrays,
    buffers: Arrays,
    grads: Numbers,
) -> None:
    """Undo a stage on one block of one row; adds to ``grads`` (T,).

    ``states`` are the state and the adjoint. ``buffers``: a block of each, and the overlaps.
    """
    psi, lam = states
    psi_buffer, lam_buffer, acc = buffers
    row = pointer(plan, plan[STAGES_AT] + stage * STAGE_COLUMNS)
    bits = plan[LOCAL_BITS]
    start = _block_start(plan, stage, block)
    runs, count, run = _runs_of_stage(plan, stage)
    in_place = row[STAGE_IN_PLACE] == 1
    if in_place:
        inner = states
        at = 2 * start
    else:
        inner = (psi_buffer, lam_buffer)
        at = 0
        gather(psi, start, runs, count, run, psi_buffer)
        gather(lam, start, runs, count, run, lam_buffer)
    lanes = 1 << lane_bits(acc)
    zero = splat(rounded(0.0, acc))
    for number in range(row[STAGE_END_TILE] - 1, row[STAGE_FIRST_TILE] - 1, -1):
        tile = pointer(plan, plan[TILES_AT] + number * TILE_COLUMNS)
        sums = 4 * (tile[TILE_END_STEP] - tile[TILE_FIRST_STEP])
        if sums < 8:  # a PAIR is one step with eight registers
            sums = 8
        for j in range(0, sums * lanes, lanes):
            store(acc, j, zero)
        backward_tile(inner, at, bits, tile, operands, acc)
        collect(tile, operands, acc, grads)
    if not in_place:
        scatter(psi, start, runs, count, run, psi_buffer)
        scatter(lam, start, runs, count, run, lam_buffer)


@jit_body
def _add_up(grads: Numbers, first: int, end: int, count: int) -> None:
    """Add some rows (..., T) to the first of them."""
    total = pointer(grads, first)
    for row in range(first + 1, end):
        more = pointer(grads, row)
        for k in range(count):
            total[k] += more[k]


@partial(jit, **FLAT)
def backward(
    tables: Arrays,
    batch: Arrays,
    cotangent: Numbers,
    buffers: Arrays,
    work: Numbers,
    boxes: Numbers,
    helpers: int,
) -> None:
    """Backward pass: undo what ``work`` names, on ``helpers`` more threads.

    - ``tables``: as in :func:`forward`.
    - ``batch``: cosines and sines (B, 2, T), states and adjoints (B, 2N) each, Pauli words, the
      gradients of the table, those of the angles (B, A). The gradients of the table are those of
      the row that a thread works on (threads x chunks, T), or if only some stages are undone those
      of all rows (B x chunks, T).
    - ``cotangent``: (B, 1, K) for expectations, (B, 2^Q) for probabilities.
    - ``buffers``: (3 threads, n), of which a thread needs a block of the state, one of the adjoint,
      and the overlaps; (threads, n) doubles.
    """
    if helpers >= 0:
        share(boxes, helpers)
        withdraw(pointer(boxes, 0), helpers)
        return
    ints, doubles, masks = tables
    turns, states, adjoints, words, grads, d_angles = batch
    blocks, scratch = buffers
    plan = pointer(ints, 0)
    numbers = pointer(doubles, 0)
    todo = pointer(work, 0)
    lane_signs = pointer(masks, 0)
    chunks = todo[CHUNKS]
    each = (1 << plan[BLOCK_BITS]) // chunks
    first_stage, end_stage = _stages(plan, todo)
    everything = todo[FIRST_STAGE] < 0 and todo[END_STAGE] > plan[STAGES]
    me = take(work, JOINED, 1)
    own = (pointer(blocks, 3 * me), pointer(blocks, 3 * me + 1), pointer(blocks, 3 * me + 2))
    spare = pointer(scratch, me)
    while True:
        first, end, low, high = _take_piece(todo)
        if first >= end:
            break
        for row in range(first, end):
            psi = pointer(states, row)
            lam = pointer(adjoints, row)
            cos = pointer(turns, row)
            sin = pointer(cos, plan[TABLE_SIZE])
            operands = (pointer(plan, plan[STEPS_AT]), cos, sin, lane_signs)
            table = chunks * row
            if everything:
                table = chunks * me
            if todo[END_STAGE] > plan[STAGES]:
                part = (low, high, chunks)
                c = pointer(cotangent, row)
                if cotangent.ndim == 2:
                    seed_probabilities(plan, psi, part, c, lam)
                else:
                    seed_expectations(plan, numbers, psi, part, pointer(words, 0), spare, c, lam)
                for chunk in range(low, high):
                    _clear(pointer(grads, table + chunk), plan[TABLE_SIZE])
            for stage in range(end_stage - 1, first_stage - 1, -1):
                for block in range(low * each, high * each):
                    grad = pointer(grads, table + block // each)
                    _undo_block(plan, stage, block, (psi, lam), operands, own, grad)
            if todo[FIRST_STAGE] < 0:
                _add_up(grads, table, table + chunks, plan[TABLE_SIZE])
                collect_angles(plan, numbers, pointer(grads, table), sin, pointer(d_angles, row))
