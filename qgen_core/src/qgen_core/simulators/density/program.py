"""A planned circuit: runs batches of angle rows, and their way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, isqrt

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.density import kernels
from qgen_core.simulators.density.plan import Plan
from qgen_core.simulators.density.tables import DOUBLE, Tables
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.buffers import aligned
from qgen_core.typing import Floats, Ints

#: Bytes of states that a batch may keep for its way back before it computes them again.
KEEP = 2**28
#: Numbers that the rows of a run take at once.
AT_ONCE = 2**23
#: Multiplications of a batch (about 0.1 ms) below which looking for a meeting point costs more.
WORTH_MEETING = 2**20


@dataclass
class Running:
    """A batch after its forward pass; ``keep`` holds the states at the ``cuts``."""

    angles: Floats
    mats: Floats
    keep: Floats
    keep_at: Ints
    cuts: list[int]


class Program:
    """Forward and backward for one circuit and what is read of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.largest = max(plan.sizes)

    @cached_property
    def tables(self) -> Tables:
        """Made late, because states that no memory holds are refused before."""
        return Tables(self.plan)

    def memory(self, batch: int, threads: int, *, train: bool) -> int:
        """Bytes of states and matrices that a batch takes at once."""
        sizes = self.plan.sizes
        if not train:
            rows = min(batch, self._rows_at_once(sizes[-1]))
            return 8 * (batch * sizes[-1] + rows * self.plan.cells + 2 * threads * self.largest)
        cuts = cuts_for(sizes, batch, threads)
        kept = sum(sizes[c] for c in cuts) + 2 * self.plan.cells
        return 8 * (batch * kept + threads * (_stored(sizes, cuts) + 2 * self.largest))

    def final(self, angles: Floats, threads: int) -> Floats:
        """The coefficients that are read, (B, product of what each wire keeps)."""
        out = np.empty((len(angles), self.plan.sizes[-1]))
        for rows in self._chunks(len(angles), self.plan.sizes[-1]):
            out[rows] = self._read(self._forward(angles[rows], [0, len(self.plan.steps)], threads))
        return out

    def selected(self, angles: Floats, places: NDArray[np.intp], threads: int) -> Floats:
        """The coefficients at some places of :meth:`final`, (B, places).

        After the last step in which rows differ, observables can be evolved backwards for all rows
        at once (the Heisenberg picture). That is done where it costs less.
        """
        meet = self._meeting_step(angles, len(places))
        if meet == len(self.plan.steps):
            return self.final(angles, threads)[:, places]
        observables = self._observables(angles[:1], places, meet, threads)
        out = np.empty((len(angles), len(places)))
        for rows in self._chunks(len(angles), self.plan.sizes[meet]):
            out[rows] = (
                self._read(self._forward(angles[rows], sorted({0, meet}), threads)) @ observables.T
            )
        return out

    def forward(self, angles: Floats, threads: int) -> tuple[Floats, Running]:
        """:meth:`final`, and what the way back needs."""
        running = self._forward(angles, cuts_for(self.plan.sizes, len(angles), threads), threads)
        return self._read(running), running

    def backward(self, running: Running, seed: Floats, threads: int) -> Floats:
        """Gradients of the angles (B, A); ``seed`` belongs to what :meth:`forward` read."""
        t, cuts, sizes = self.tables, running.cuts, self.plan.sizes
        d_mats = np.zeros_like(running.mats)
        pieces = list(zip(cuts, cuts[1:], strict=False))
        everything = len(cuts) == len(sizes)
        if everything:  # one piece, nothing to compute again
            pieces = [(cuts[0], cuts[-1])]
        store_at = np.zeros(len(sizes), dtype=np.int64)
        for first, last in pieces:
            store_at[first + 1 : last] = (
                np.cumsum([0, *sizes[first + 1 : last - 1]]) if last > first + 1 else 0
            )
        stored = _stored(sizes, cuts)

        def work(a: int, b: int) -> None:
            states, lam = (
                aligned(1, max(stored, 8), DOUBLE)[0],
                aligned(1, 2 * self.largest, DOUBLE)[0],
            )
            tiles, total = t.buffers()
            read = (
                t.steps,
                t.blocks,
                t.rows,
                running.mats,
                running.keep,
                running.keep_at,
                states,
                store_at,
            )
            for row in range(a, b):
                half = len(self.plan.steps) % 2 * self.largest
                lam[half : half + seed.shape[1]] = seed[row]
                for first, last in reversed(pieces):
                    if last <= t.turning:
                        break
                    if not everything:
                        kernels.forward(np.array((row, row + 1, first, last - 1)), *read, tiles)
                    part = np.array((row, row + 1, max(first, t.turning), last))
                    kernels.backward(part, *read, lam, tiles, total, d_mats)

        spread(work, len(seed), threads)
        return t.back(running.angles, running.mats, d_mats, threads)

    def _rows_at_once(self, size: int) -> int:
        """The number of rows per piece: about 64 MiB each, and enough pieces for the threads."""
        return max(16, AT_ONCE // (self.plan.cells + size))

    def _chunks(self, batch: int, size: int) -> list[slice]:
        rows = self._rows_at_once(size)
        return [slice(first, first + rows) for first in range(0, batch, rows)]

    def _meeting_step(self, angles: Floats, words: int) -> int:
        """Where states that come forward and observables that come backward meet; the end.

        Nowhere.
        """
        steps, last, batch = self.tables.steps, len(self.plan.steps), len(angles)
        work = steps[:, 0] * steps[:, 1] * steps[:, 9]
        if np.sum(work) * batch < WORTH_MEETING:
            return last
        differing = np.any(angles != angles[:1], axis=0)
        meet = max(
            (k + 1 for k, own in enumerate(self.tables.columns) if np.any(differing[own])),
            default=0,
        )
        size = self.plan.sizes[meet]
        saved = (batch - words) * int(np.sum(work[meet:])) - batch * words * size
        held = words + min(batch, self._rows_at_once(size))
        return meet if saved > 0 and 8 * held * size <= KEEP else last

    def _observables(
        self, angles: Floats, places: NDArray[np.intp], meet: int, threads: int
    ) -> Floats:
        """What each place of the end reads, as an observable before step ``meet``.

        (places, size).
        """
        t, last = self.tables, len(self.plan.steps)
        mats, steps = t.mats(angles, 1), t.steps.copy()
        steps[:, 10] = 0  # no gradients
        out = np.empty((len(places), self.plan.sizes[meet]))
        none, nowhere = np.empty((1, 1)), np.zeros(last + 1, np.int64)
        start, end = last % 2 * self.largest, meet % 2 * self.largest

        def work(a: int, b: int) -> None:
            lam = aligned(1, 2 * self.largest, DOUBLE)[0]
            tiles, total = t.buffers()
            for row in range(a, b):
                lam[start : start + self.plan.sizes[-1]] = 0.0
                lam[start + places[row]] = 1.0
                read = (steps, t.blocks, t.rows, mats, none, nowhere, none[0], nowhere)
                kernels.backward(np.array((0, 1, meet, last)), *read, lam, tiles, total, none)
                out[row] = lam[end : end + out.shape[1]]

        spread(work, len(places), threads)
        return out

    def _forward(self, angles: Floats, cuts: list[int], threads: int) -> Running:
        t, sizes = self.tables, self.plan.sizes
        mats = t.mats(angles, threads)
        keep_at = np.full(len(sizes), -1, dtype=np.int64)
        kept = [sizes[c] for c in cuts]
        keep_at[cuts] = np.cumsum([0, *kept[:-1]])
        keep = np.empty((len(angles), sum(kept)))
        keep[:, 0] = 1.0
        work_at = np.arange(len(sizes)) % 2 * self.largest

        def work(a: int, b: int) -> None:
            states, (tiles, _) = aligned(1, 2 * self.largest, DOUBLE)[0], t.buffers()
            part = np.array((a, b, 0, cuts[-1]))
            kernels.forward(
                part, t.steps, t.blocks, t.rows, mats, keep, keep_at, states, work_at, tiles
            )

        spread(work, len(angles), threads)
        return Running(angles, mats, keep, keep_at, cuts)

    def _read(self, running: Running) -> Floats:
        at, end = running.keep_at[running.cuts[-1]], running.cuts[-1]
        return running.keep[:, at : at + self.plan.sizes[end]]


def cuts_for(sizes: tuple[int, ...], batch: int, threads: int) -> list[int]:
    """The states that a batch keeps for its way back: all if that is little, else every k-th.

    Those between are computed again, k of them at a time in each thread, so k is near the root of
    batch / threads times the number of steps.
    """
    steps = len(sizes) - 1
    every = 1
    if 8 * batch * sum(sizes) > KEEP:
        every = min(max(isqrt(ceil(steps * batch / threads)), 1), steps)
    return [*range(0, steps, every), steps]


def _stored(sizes: tuple[int, ...], cuts: list[int]) -> int:
    """The most coefficients between two states that are kept."""
    return max(sum(sizes[a + 1 : b]) for a, b in zip(cuts, cuts[1:], strict=False))
