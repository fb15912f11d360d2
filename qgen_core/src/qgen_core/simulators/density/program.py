"""A planned circuit: forward and backward passes over batches of angle rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import ceil, isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.density import kernels
from qgen_core.simulators.density.layout import PASS_HAS_GRADIENT
from qgen_core.simulators.density.plan import DensityPlan
from qgen_core.simulators.density.tables import DOUBLE, Matrices, Tables
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.buffers import aligned, contiguous
from qgen_core.typing import Floats, Ints

#: Bytes of states that a batch may keep for its backward pass before it computes them again.
KEEP = 2**28
#: Numbers that the rows which are run at once may take.
AT_ONCE = 2**23
#: Multiplications of a batch (about 0.1 ms) below which it costs more to look for a step at which
#: states and observables can meet.
WORTH_MEETING = 2**20
#: Circuits whose working memory is kept, because every run of a training asks for it.
CIRCUITS = 64


class Layout(NamedTuple):
    """Where the states of a row are, if those at the ``cuts`` are kept; see :func:`layout_of`.

    Kept states take ``kept`` coefficients and begin at ``keep_at``, which is -1 for all others.
    States between two cuts take at most ``between`` coefficients and begin at ``work_at``.
    """

    cuts: tuple[int, ...]
    kept: int
    keep_at: Ints
    between: int
    work_at: Ints


@dataclass
class DensityRun:
    """A batch after its forward pass; ``keep`` holds the states at the cuts of the layout.

    ``waves`` are the functions of its angles.
    """

    waves: Floats
    mats: Matrices
    keep: Floats
    layout: Layout


class DensityProgram:
    """Forward and backward passes for one circuit and what is read of it.

    A state is numbered by the passes before it; state s is before pass s.
    """

    def __init__(self, plan: DensityPlan) -> None:
        self.plan = plan
        self.largest = max(plan.sizes)

    @cached_property
    def tables(self) -> Tables:
        """Made at first use: circuits whose states fit no memory are refused before that."""
        return Tables(self.plan)

    def memory(self, batch: int, threads: int, *, train: bool) -> int:
        """Bytes of states and matrices that a batch takes at once."""
        sizes = self.plan.sizes
        entries = self.plan.matrix_entries
        if train:
            kept, between = _coefficients(sizes, cuts_for(sizes, batch, threads))
            in_rows = batch * (kept + 2 * entries)
            return 8 * (in_rows + threads * (between + 2 * self.largest))
        rows = min(batch, self._rows_at_once(sizes[-1]))
        return 8 * (batch * sizes[-1] + rows * entries + 2 * threads * self.largest)

    def final(self, angles: Floats, threads: int) -> Floats:
        """The coefficients that are read, (B, product of the digits that each wire keeps)."""
        out = np.empty((len(angles), self.plan.sizes[-1]))
        for rows in self._chunks(len(angles), self.plan.sizes[-1]):
            run = self._run(angles[rows], (0, len(self.plan.passes)), threads)
            out[rows] = self._last_state(run)
        return out

    def selected(self, angles: Floats, places: NDArray[np.intp], threads: int) -> Floats:
        """The coefficients at some places of :meth:`final`, (B, places).

        After the last pass in which rows differ, observables can be evolved backward for all rows
        at once (the Heisenberg picture). That is done where it costs less.
        """
        meet = self._meeting_state(angles, len(places))
        if meet == len(self.plan.passes):
            return self.final(angles, threads)[:, places]
        observables: Floats | None = None
        out = np.empty((len(angles), len(places)))
        for rows in self._chunks(len(angles), self.plan.sizes[meet]):
            run = self._run(angles[rows], tuple(sorted({0, meet})), threads)
            if observables is None:  # the matrices that they need are those of any row
                observables = self._observables(run.mats, places, meet, threads)
            out[rows] = self._last_state(run) @ observables.T
        return out

    def forward(self, angles: Floats, threads: int) -> tuple[Floats, DensityRun]:
        """:meth:`final`, and what the backward pass needs."""
        run = self._run(angles, cuts_for(self.plan.sizes, len(angles), threads), threads)
        return self._last_state(run), run

    def backward(self, run: DensityRun, seed: Floats, threads: int) -> Floats:
        """Gradients of the angles (B, A); ``seed`` is that of the output of :meth:`forward`."""
        tables = self.tables
        layout = run.layout
        cuts = layout.cuts
        d_mats = np.zeros_like(run.mats[0])
        kept_all = len(cuts) == len(self.plan.sizes)
        segments = list(pairwise(cuts))
        if kept_all:  # nothing to compute again, so one segment will do
            segments = [(cuts[0], cuts[-1])]

        def work(first_row: int, end_row: int) -> None:
            states = aligned(1, max(layout.between, 8), DOUBLE)[0]
            lam = aligned(1, 2 * self.largest, DOUBLE)[0]
            buffers = tables.buffers()
            stored = (run.keep, layout.keep_at, states, layout.work_at)
            for row in range(first_row, end_row):
                half = len(self.plan.passes) % 2 * self.largest
                lam[half : half + seed.shape[1]] = seed[row]
                for first, last in reversed(segments):
                    if last <= tables.first_with_gradient:
                        break
                    if not kept_all:
                        again = (row, row + 1, first, last - 1)
                        kernels.forward(again, tables.of_passes(), run.mats, stored, buffers)
                    kernels.backward(
                        (row, max(first, tables.first_with_gradient), last),
                        tables.of_passes(),
                        run.mats,
                        stored,
                        lam,
                        buffers,
                        d_mats,
                    )

        spread(work, len(seed), threads)
        return tables.back(run.waves, run.mats, d_mats, threads)

    def _rows_at_once(self, size: int) -> int:
        """The number of rows to run at once: about 64 MiB, and enough for the threads."""
        return max(16, AT_ONCE // (self.plan.matrix_entries + size))

    def _chunks(self, batch: int, size: int) -> list[slice]:
        rows = self._rows_at_once(size)
        return [slice(first, first + rows) for first in range(0, batch, rows)]

    def _meeting_state(self, angles: Floats, words: int) -> int:
        """The state at which states evolved forward and observables evolved backward meet.

        The last state, if it costs less to run everything forward.
        """
        work = self.tables.work
        last = len(self.plan.passes)
        batch = len(angles)
        if work[0] * batch < WORTH_MEETING:
            return last
        differing = (angles != angles[0]).any(axis=0)
        meet = int(self.tables.last_passes[differing].max(initial=-1)) + 1
        size = self.plan.sizes[meet]
        saved = (batch - words) * work[meet] - batch * words * size
        held = words + min(batch, self._rows_at_once(size))
        if saved > 0 and 8 * held * size <= KEEP:
            return meet
        return last

    def _observables(
        self, mats: Matrices, places: NDArray[np.intp], meet: int, threads: int
    ) -> Floats:
        """What each place of the last state reads, as an observable of state ``meet``.

        (places, size). ``mats`` are the matrices of some rows, of which the first is used.
        """
        tables = self.tables
        last = len(self.plan.passes)
        passes = tables.passes.copy()
        passes[:, PASS_HAS_GRADIENT] = 0
        out = np.empty((len(places), self.plan.sizes[meet]))
        # without gradients neither states nor the gradients of matrices are looked at
        none = np.empty((1, 1))
        nowhere = np.zeros(last + 1, np.int64)
        start = last % 2 * self.largest
        end = meet % 2 * self.largest

        def work(first: int, end_place: int) -> None:
            lam = aligned(1, 2 * self.largest, DOUBLE)[0]
            buffers = tables.buffers()
            for number in range(first, end_place):
                lam[start : start + self.plan.sizes[-1]] = 0.0
                lam[start + places[number]] = 1.0
                kernels.backward(
                    (0, meet, last),
                    (passes, tables.loops, tables.offsets),
                    mats,
                    (none, nowhere, none[0], nowhere),
                    lam,
                    buffers,
                    none,
                )
                out[number] = lam[end : end + out.shape[1]]

        spread(work, len(places), threads)
        return out

    def _run(self, angles: Floats, cuts: tuple[int, ...], threads: int) -> DensityRun:
        """Run rows of angles up to the last of the cuts."""
        tables = self.tables
        mats, waves = tables.mats(angles, threads)
        layout = layout_of(self.plan.sizes, cuts)
        keep = contiguous(len(angles), layout.kept, DOUBLE)
        keep[:, 0] = 1.0

        def work(first: int, end: int) -> None:
            states = aligned(1, 2 * self.largest, DOUBLE)[0]
            part = (first, end, 0, cuts[-1])
            stored = (keep, layout.keep_at, states, tables.alternating)
            kernels.forward(part, tables.of_passes(), mats, stored, tables.buffers())

        spread(work, len(angles), threads)
        return DensityRun(waves, mats, keep, layout)

    def _last_state(self, run: DensityRun) -> Floats:
        """The state at the last cut, (B, size)."""
        last = run.layout.cuts[-1]
        at = run.layout.keep_at[last]
        return run.keep[:, at : at + self.plan.sizes[last]]


@lru_cache(CIRCUITS)
def cuts_for(sizes: tuple[int, ...], batch: int, threads: int) -> tuple[int, ...]:
    """The states that a batch keeps for its backward pass: all if they are small, else every k-th.

    Those between are computed again, k of them at a time in each thread, so memory is least with k
    near the square root of batch / threads times the number of passes.
    """
    passes = len(sizes) - 1
    every = 1
    if 8 * batch * sum(sizes) > KEEP:
        every = min(max(isqrt(ceil(passes * batch / threads)), 1), passes)
    return (*range(0, passes, every), passes)


@lru_cache(CIRCUITS)
def _coefficients(sizes: tuple[int, ...], cuts: tuple[int, ...]) -> tuple[int, int]:
    """How many coefficients the states at the cuts have, and at most those between two of them."""
    kept = sum(sizes[cut] for cut in cuts)
    between = max((sum(sizes[first + 1 : last]) for first, last in pairwise(cuts)), default=0)
    return kept, between


@lru_cache(CIRCUITS)
def layout_of(sizes: tuple[int, ...], cuts: tuple[int, ...]) -> Layout:
    """Where states of these sizes are, if those at the cuts are kept; each follows another.

    >>> layout = layout_of((1, 4, 16, 16), (0, 3))
    >>> layout.keep_at.tolist(), layout.work_at.tolist(), layout.between
    ([0, -1, -1, 1], [0, 0, 4, 0], 20)
    """
    kept, between = _coefficients(sizes, cuts)
    keep_at = np.full(len(sizes), -1, dtype=np.int64)
    keep_at[list(cuts)] = np.cumsum([0, *(sizes[cut] for cut in cuts[:-1])])
    work_at = np.zeros(len(sizes), dtype=np.int64)
    for first, last in pairwise(cuts):
        if last > first + 1:
            work_at[first + 1 : last] = np.cumsum([0, *sizes[first + 1 : last - 1]])
    return Layout(cuts, kept, keep_at, between, work_at)
