"""A planned circuit at one precision: runs batches of angle rows, and their way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuit import Circuit
from qgen_core.engine import outputs, sweep
from qgen_core.engine.plan import make_plan
from qgen_core.engine.scratch import aligned, plain
from qgen_core.engine.simd import lanes_of
from qgen_core.engine.threads import spread
from qgen_core.measures import Expectations, Measure, Probabilities, State

Array = NDArray[Any]
Floats = NDArray[np.float64]
Precision = Literal["double", "single"]

DTYPES: dict[str, np.dtype[Any]] = {"double": np.dtype(np.float64), "single": np.dtype(np.float32)}
#: log2 amplitudes of a block: state and adjoint then take 256 KiB, a part of the second-level cache.
LOCAL: dict[str, int] = {"double": 13, "single": 14}
#: Blocks are summed up in at most this many chunks, whatever the number of threads.
CHUNKS = 16


@cache
def _constants(precision: Precision) -> tuple[int, Array, Floats]:
    """Lane bits, the sign of each lane bit (bits * lanes,), and a Walsh matrix of four registers."""
    lanes = lanes_of(DTYPES[precision])
    bits = lanes.bit_length() - 1
    lane = np.arange(lanes)
    masks = np.array([2 * (lane >> b & 1) - 1 for b in range(bits)], dtype=DTYPES[precision])
    walsh = np.ones((1, 1))
    for _ in range(bits + 2):
        walsh = np.kron(walsh, np.array([[1.0, 1.0], [1.0, -1.0]]))
    return bits, masks.ravel(), walsh


@dataclass
class Running:
    """A batch after its forward pass; ``psi`` is None once the way back has consumed it."""

    angles: Floats
    cos: Array
    sin: Array
    overall: Floats
    psi: Array | None


class Program:
    """Forward and backward for one circuit. ``last_phases`` False: for probabilities only."""

    def __init__(
        self, circuit: Circuit, precision: Precision, *, last_phases: bool, local: int | None = None, low: int = 0
    ) -> None:
        self.precision: Precision = precision
        self.dtype = DTYPES[precision]
        self.lane_bits, self.masks, self.signs = _constants(precision)
        block = LOCAL[precision] if local is None else local
        self.plan = make_plan(circuit, self.lane_bits, block, low or self.lane_bits + 1, last_phases=last_phases)
        self.chunks = min(CHUNKS, self.plan.blocks)
        p = self.plan
        self._shape = np.array([p.local, p.low])
        self._reads = (self._shape, p.stages, p.rows, p.others, p.tiles, p.steps)
        longest = int(max((p.tiles[:, 3] - p.tiles[:, 2]), default=0))
        self._buffer = (3, max(2 << p.local, (4 << self.lane_bits) * longest))

    def forward(self, angles: Floats, threads: int) -> Running:
        """All rows (B, A) from |0...0>."""
        p = self.plan
        table = plain(len(angles), p.table, np.dtype(np.float64))
        cos, sin = plain(len(table), p.table, self.dtype), plain(len(table), p.table, self.dtype)
        sweep.expand(angles, p.slots, p.consts, p.columns, p.factors, self.signs, table)
        sweep.cosines(table.ravel(), cos.ravel(), sin.ravel())
        running = Running(angles, cos, sin, table[:, -1].copy(), None)
        self._run(running, threads)
        return running

    def _run(self, running: Running, threads: int) -> Array:
        batch = len(running.angles)
        psi = aligned(batch, 2 << self.plan.bits, self.dtype)
        running.psi = psi

        def work(part: tuple[int, ...]) -> None:
            buf = aligned(1, 2 << self.plan.local, self.dtype)[0]
            sweep.forward(psi, *self._reads, running.cos, running.sin, self.masks, np.array(part), buf)

        outputs.start(psi, np.array((0, batch, 0, self.chunks, self.chunks)))
        self._spread(batch, threads, work, range(len(self.plan.stages)))
        return psi

    def backward(self, running: Running, seed: Callable[[Array, Array], None], threads: int) -> Floats:
        """Gradients of the angles (B, A); ``seed`` fills the adjoint, given the state."""
        psi = running.psi if running.psi is not None else self._run(running, threads)
        running.psi = None
        lam = aligned(len(psi), psi.shape[1], self.dtype, 31)
        seed(psi, lam)
        grads = plain(len(psi), self.chunks * self.plan.table, np.dtype(np.float64))
        grads = grads.reshape(len(psi), self.chunks, self.plan.table)
        grads.fill(0)

        def work(part: tuple[int, ...]) -> None:
            buf = aligned(*self._buffer, self.dtype)
            sweep.backward(psi, lam, grads, *self._reads, running.cos, running.sin, self.masks, np.array(part), buf)

        self._spread(len(psi), threads, work, range(len(self.plan.stages) - 1, -1, -1))
        d_table = grads[:, 0] if self.chunks == 1 else grads.sum(axis=1)
        d_angles = np.zeros_like(running.angles)
        p = self.plan
        sweep.contract(d_table, p.slots, p.columns, p.factors, self.signs, d_angles)
        return d_angles

    def _spread(self, batch: int, threads: int, work: Callable[[tuple[int, ...]], None], stages: range) -> None:
        """Threads share the blocks of each stage, where there are several."""
        if threads == 1 or self.chunks == 1:
            work((0, batch, 0, len(stages), 0, self.chunks, self.chunks))
            return
        for stage in stages:
            self._stage(batch, threads, work, stage)

    def _stage(self, batch: int, threads: int, work: Callable[[tuple[int, ...]], None], stage: int) -> None:
        spread(lambda a, b: work((0, batch, stage, stage + 1, a, b, self.chunks)), self.chunks, threads)

    def _ends(self, batch: int, threads: int, work: Callable[[Array], None]) -> None:
        """Run a kernel of ``outputs`` over chunks of the amplitudes."""
        spread(lambda a, b: work(np.array((0, batch, a, b, self.chunks))), self.chunks, threads)

    def read(self, running: Running, measure: Measure, threads: int) -> Array:
        """The output of a measure: float64, or complex128 for a state."""
        psi = running.psi
        assert psi is not None
        size, batch = 1 << self.plan.wires, len(psi)
        if isinstance(measure, Probabilities):
            out = np.empty((batch, size))
            self._ends(batch, threads, lambda part: outputs.probabilities(psi, out, part))
            return out
        if isinstance(measure, State):
            state = np.empty((batch, size), dtype=np.complex128)
            outputs.amplitudes(psi, state, np.array((0, batch, 0, self.chunks, self.chunks)))
            state *= np.exp(1j * running.overall)[:, None]
            return state
        assert isinstance(measure, Expectations)
        words = outputs.group_words(measure.paulis)
        values = np.zeros((batch, self.chunks, len(words.words)))
        self._ends(batch, threads, lambda part: outputs.expectations(psi, self.signs, *words, values, part))
        return np.asarray(values.sum(axis=1))

    def seed(self, measure: Measure, cotangent: Floats, threads: int) -> Callable[[Array, Array], None]:
        """A function that fills the adjoint of a measure, given the state."""
        batch, padded = len(cotangent), self.plan.bits > self.plan.wires

        def fill(psi: Array, lam: Array) -> None:
            if isinstance(measure, Probabilities):
                if padded:
                    lam[:] = 0
                self._ends(batch, threads, lambda part: outputs.seed_probabilities(psi, cotangent, lam, part))
                return
            assert isinstance(measure, Expectations)
            words = outputs.group_words(measure.paulis)
            lam[:] = 0
            self._ends(
                batch, threads, lambda part: outputs.seed_expectations(psi, self.signs, *words, cotangent, lam, part)
            )

        return fill
