"""A planned circuit at one precision: forward and backward passes over batches of angle rows.

Each pass is one compiled call in each thread. Only where threads share the blocks of one large
state is it one call for each stage.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Measure, State
from qgen_core.simulators.simd.intrinsics import lanes_of
from qgen_core.simulators.simd.threads import together
from qgen_core.simulators.statevector import outputs, sweep
from qgen_core.simulators.statevector.plan import make_plan
from qgen_core.simulators.statevector.tables import TILE_END_STEP, TILE_FIRST_STEP, tables_of
from qgen_core.support.buffers import aligned, contiguous
from qgen_core.typing import AnglePullback, Array, Floats, Ints

Precision = Literal["double", "single"]

DTYPES: dict[str, np.dtype[Any]] = {"double": np.dtype(np.float64), "single": np.dtype(np.float32)}
#: log2 amplitudes of a block: state and adjoint then take 256 KiB, a part of the second-level
#: cache.
LOCAL: dict[str, int] = {"double": 13, "single": 14}
#: The sums over blocks are taken in at most this many chunks, whatever the number of threads.
CHUNKS = 16
#: Rows that a thread takes at a time, at most.
MOST_ROWS = 8
#: Cache lines by which adjoint states are shifted against the states they are read with.
ADJOINT_SHIFT = 31


@cache
def _constants(precision: Precision) -> tuple[int, Array, Floats]:
    """Lane bits, their signs (bits * lanes,), and a Walsh matrix over four registers."""
    lanes = lanes_of(DTYPES[precision])
    bits = lanes.bit_length() - 1
    lane = np.arange(lanes)
    masks = np.array([2 * (lane >> b & 1) - 1 for b in range(bits)], dtype=DTYPES[precision])
    walsh = np.ones((1, 1))
    for _ in range(bits + 2):
        walsh = np.kron(walsh, np.array([[1.0, 1.0], [1.0, -1.0]]))
    return bits, masks.ravel(), walsh


class StatevectorRun(NamedTuple):
    """A batch after its forward pass.

    Angles (B, A), their cosines and sines (B, 2, T), states (B, 2N), the output, and doubles for
    each thread to work with.
    """

    angles: Floats
    turns: Array
    psi: Array
    output: Array
    scratch: Floats


class StatevectorProgram:
    """Forward and backward passes for one circuit.

    With ``last_phases`` False it is right for probabilities only. ``local`` and ``low`` replace the
    sizes of blocks and of their contiguous runs (log2 of amplitudes), for tests.
    """

    def __init__(
        self,
        circuit: Circuit,
        precision: Precision,
        *,
        last_phases: bool,
        local: int | None = None,
        low: int = 0,
    ) -> None:
        self.precision: Precision = precision
        self.dtype = DTYPES[precision]
        self.lane_bits, masks, walsh = _constants(precision)
        block = LOCAL[precision] if local is None else local
        plan = make_plan(
            circuit, self.lane_bits, block, low or self.lane_bits + 1, last_phases=last_phases
        )
        self.plan = plan
        self.chunks = min(CHUNKS, plan.blocks)
        self._tables = (*tables_of(plan, walsh), masks)
        # numbers that a thread needs: doubles, a block, and a block or all overlaps of a tile
        self._scratch = max(plan.table, 2 * len(walsh))
        self._block = 2 << plan.local
        lengths = plan.tiles[:, TILE_END_STEP] - plan.tiles[:, TILE_FIRST_STEP]
        longest = int(max(lengths, default=0))
        self._overlaps = max(self._block, (4 << self.lane_bits) * longest)

    def forward(
        self, angles: Floats, measure: Measure, threads: int
    ) -> tuple[Array, AnglePullback]:
        """The output (B, ...) for angles (B, A), and the pullback to gradients (B, A).

        The output is float64, of a state complex128; a state has no pullback. The pullback
        overwrites the states, and a second call runs the circuit again.
        """
        run = self._run(angles, threads, measure)
        kept = [run]
        output = run.output
        if isinstance(measure, State):
            outputs.amplitudes(run.psi, output)
            output *= run.turns[:, 0, -1:] + 1j * run.turns[:, 1, -1:]
        elif output.ndim == 3:
            output = output[:, 0] if self.chunks == 1 else output.sum(axis=1)

        def pullback(cotangent: Array) -> Floats:
            run = kept.pop() if kept else self._run(angles, threads, measure)
            c = np.ascontiguousarray(cotangent, dtype=np.float64).reshape(output.shape)
            if run.output.ndim == 3:
                c = c[:, None]
            return self._undo(run, threads, measure, c)

        return output, pullback

    def _run(self, angles: Floats, threads: int, measure: Measure) -> StatevectorRun:
        """Run all rows and read their outputs, of expectations the part of each chunk."""
        batch = len(angles)
        plan = self.plan
        turns = contiguous(batch, 2 * plan.table, self.dtype).reshape(batch, 2, plan.table)
        psi = aligned(batch, 2 << plan.bits, self.dtype)
        output = outputs.empty(measure, batch, self.chunks, plan.wires)
        blocks = psi  # not used where there is one block, which stays where it is
        if plan.blocks > 1:
            blocks = aligned(threads, self._block, self.dtype)
        scratch = _padded(threads, self._scratch, DTYPES["double"])
        tables = self._tables
        rows = (angles, turns, psi, outputs.words_of(measure))
        buffers = (blocks, scratch)

        def call(work: Ints, boxes: Ints, helpers: int) -> None:
            sweep.forward(tables, rows, output, buffers, work, boxes, helpers)

        end = len(plan.stages)
        if not isinstance(measure, State):
            end += 1  # the outputs
        self._share(batch, threads, call, range(-1, end))
        return StatevectorRun(angles, turns, psi, output, scratch)

    def _undo(
        self, run: StatevectorRun, threads: int, measure: Measure, cotangent: Floats
    ) -> Floats:
        """Gradients of the angles (B, A); overwrites the states."""
        angles, turns, psi, _, scratch = run
        batch = len(angles)
        plan = self.plan
        d_angles = contiguous(batch, angles.shape[1], DTYPES["double"])
        lam = aligned(batch, 2 << plan.bits, self.dtype, ADJOINT_SHIFT)
        tables_at_once = threads if self._by_rows(batch, threads) else batch
        grads = _padded(tables_at_once * self.chunks, plan.table, DTYPES["double"])
        blocks = _padded(3 * threads, self._overlaps, self.dtype)
        tables = self._tables
        rows = (turns, psi, lam, outputs.words_of(measure), grads, d_angles)
        buffers = (blocks, scratch)

        def call(work: Ints, boxes: Ints, helpers: int) -> None:
            sweep.backward(tables, rows, cotangent, buffers, work, boxes, helpers)

        self._share(batch, threads, call, range(len(plan.stages), -2, -1))
        return d_angles

    def _by_rows(self, batch: int, threads: int) -> bool:
        """Whether threads take whole rows, and not blocks of each."""
        return threads == 1 or self.chunks == 1 or batch >= 2 * threads

    def _share(
        self, batch: int, threads: int, call: Callable[[Ints, Ints, int], None], stages: range
    ) -> None:
        """Do all stages, in one call whose rows are shared by threads, or one call a stage.

        Where there is a call for each stage, threads share its blocks. ``call`` is given the work.
        """
        if self._by_rows(batch, threads):
            grain = batch
            if threads > 1:
                grain = min(batch // (8 * threads), MOST_ROWS)
            work = np.array((0, 0, batch, -1, max(stages) + 1, self.chunks, max(grain, 1)))
            together(partial(call, work), batch, threads)
            return
        for stage in stages:
            grain = 0
            pieces = self.chunks
            if stage < 0:  # angles have no blocks
                grain = batch
                pieces = 1
            work = np.array((0, 0, batch, stage, stage + 1, self.chunks, grain))
            together(partial(call, work), pieces, threads)


def _padded(rows: int, width: int, dtype: np.dtype[Any]) -> Array:
    """Padded rows, at least two: numba takes one alone for contiguous and compiles for it anew."""
    return aligned(max(rows, 2), width, dtype, padded=True)
