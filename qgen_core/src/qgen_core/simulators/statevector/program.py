"""A planned circuit at one precision: runs batches of angle rows, and their way back.

Each way is one compiled call in each thread; only a state so large that threads share its blocks
takes a call for each stage.
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
from qgen_core.support.buffers import aligned, plain
from qgen_core.typing import AnglePullback, Array, Floats, Ints

Precision = Literal["double", "single"]

DTYPES: dict[str, np.dtype[Any]] = {"double": np.dtype(np.float64), "single": np.dtype(np.float32)}
#: log2 amplitudes of a block: state and adjoint then take 256 KiB, a part of the second-level
#: cache.
LOCAL: dict[str, int] = {"double": 13, "single": 14}
#: Blocks are summed up in at most this many chunks, whatever the number of threads.
CHUNKS = 16
#: Rows that a thread takes at a time, at most.
MOST_ROWS = 8


@cache
def _constants(precision: Precision) -> tuple[int, Array, Floats]:
    """Lane bits, their signs (bits * lanes,), and a Walsh matrix of four registers."""
    lanes = lanes_of(DTYPES[precision])
    bits = lanes.bit_length() - 1
    lane = np.arange(lanes)
    masks = np.array([2 * (lane >> b & 1) - 1 for b in range(bits)], dtype=DTYPES[precision])
    walsh = np.ones((1, 1))
    for _ in range(bits + 2):
        walsh = np.kron(walsh, np.array([[1.0, 1.0], [1.0, -1.0]]))
    return bits, masks.ravel(), walsh


class Running(NamedTuple):
    """A batch after its way there.

    Angles (B, A), cosines and sines (B, 2, T), states (B, 2N), what was read.
    """

    angles: Floats
    turns: Array
    psi: Array
    output: Array


class Program:
    """There and back for one circuit. ``last_phases`` False: for probabilities only."""

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
        self.plan = make_plan(
            circuit, self.lane_bits, block, low or self.lane_bits + 1, last_phases=last_phases
        )
        self.chunks = min(CHUNKS, self.plan.blocks)
        p = self.plan
        self._tables = (*tables_of(p, walsh), masks)
        self._spare = max(p.table, 2 * len(walsh))
        longest = int(max((p.tiles[:, TILE_END_STEP] - p.tiles[:, TILE_FIRST_STEP]), default=0))
        self._block, self._overlaps = (
            2 << p.local,
            max(2 << p.local, (4 << self.lane_bits) * longest),
        )

    def forward(
        self, angles: Floats, measure: Measure, threads: int
    ) -> tuple[Array, AnglePullback]:
        """The output (B, ...) for angles (B, A), float64, or complex128 for a state.

        And the way back to (B, A).

        The way back uses the states up; a second call runs the circuit again. Of a state there is
        none.
        """
        running = self._there(angles, threads, measure)
        output, kept = running.output, [running]
        if isinstance(measure, State):
            outputs.amplitudes(running.psi, output)
            output *= running.turns[:, 0, -1:] + 1j * running.turns[:, 1, -1:]
        elif output.ndim == 3:
            output = output[:, 0] if self.chunks == 1 else output.sum(axis=1)

        def back(cotangent: Array) -> Floats:
            running = kept.pop() if kept else self._there(angles, threads, measure)
            c = np.ascontiguousarray(cotangent, dtype=np.float64).reshape(output.shape)
            return self._back(
                running, threads, measure, c[:, None] if running.output.ndim == 3 else c
            )

        return output, back

    def _there(self, angles: Floats, threads: int, measure: Measure) -> Running:
        """Run all rows and read their outputs.

        Expectations (B, chunks, words) are summed up to each chunk.
        """
        batch, p = len(angles), self.plan
        turns = plain(batch, 2 * p.table, self.dtype).reshape(batch, 2, p.table)
        psi = aligned(batch, 2 << p.bits, self.dtype)
        output = outputs.empty(measure, batch, self.chunks, p.wires)
        words = outputs.words_of(measure)
        buf = (
            aligned(threads, self._block, self.dtype) if p.blocks > 1 else psi
        )  # one block stays where it is
        spare = aligned(threads, self._spare, DTYPES["double"], padded=True)

        def run(work: Ints, boxes: Ints, helpers: int) -> None:
            sweep.forward(
                *self._tables, angles, turns, psi, words, output, work, buf, spare, boxes, helpers
            )

        read = not isinstance(measure, State)
        self._share(batch, threads, run, range(-1, len(p.stages) + read))
        return Running(angles, turns, psi, output)

    def _back(self, running: Running, threads: int, measure: Measure, cotangent: Floats) -> Floats:
        """Gradients of the angles (B, A)."""
        angles, turns, psi, _ = running
        batch, p = len(angles), self.plan
        d_angles = plain(batch, angles.shape[1], DTYPES["double"])
        lam = aligned(batch, 2 << p.bits, self.dtype, 31)
        ways = threads if self._by_rows(batch, threads) else batch
        grads = aligned(ways * self.chunks, p.table, DTYPES["double"], padded=True)
        words, tables = outputs.words_of(measure), (*self._tables, turns)
        buf = aligned(3 * threads, self._overlaps, self.dtype, padded=True)
        spare = aligned(threads, self._spare, DTYPES["double"], padded=True)

        def run(work: Ints, boxes: Ints, helpers: int) -> None:
            sweep.backward(
                *tables,
                psi,
                lam,
                words,
                cotangent,
                grads,
                d_angles,
                work,
                buf,
                spare,
                boxes,
                helpers,
            )

        self._share(batch, threads, run, range(len(p.stages), -2, -1))
        return d_angles

    def _by_rows(self, batch: int, threads: int) -> bool:
        """Whether threads take whole rows, and not blocks of each."""
        return threads == 1 or self.chunks == 1 or batch >= 2 * threads

    def _share(
        self, batch: int, threads: int, run: Callable[[Ints, Ints, int], None], stages: range
    ) -> None:
        """All stages, of which threads take some rows at a time.

        Or stage by stage, of which they take blocks.
        """
        if self._by_rows(batch, threads):
            grain = max(batch if threads == 1 else min(batch // (8 * threads), MOST_ROWS), 1)
            work = np.array((0, 0, batch, -1, max(stages) + 1, self.chunks, grain))
            together(partial(run, work), batch, threads)
            return
        for k in stages:
            work = np.array((0, 0, batch, k, k + 1, self.chunks, batch if k < 0 else 0))
            together(partial(run, work), 1 if k < 0 else self.chunks, threads)
