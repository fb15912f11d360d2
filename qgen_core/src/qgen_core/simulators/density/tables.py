"""A plan as the arrays that compiled code reads, and the matrices of its passes."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from qgen_core.simulators.density.bind import WAVES, bind, bind_back
from qgen_core.simulators.density.fold import fold, fold_back
from qgen_core.simulators.density.layout import (
    FACTOR_COLUMNS,
    LOOP_COLUMNS,
    NO_ANGLE,
    PASS_HAS_GRADIENT,
    PASS_ROWS_AFTER,
    PASS_ROWS_BEFORE,
    PASS_WIDTH,
    TILE,
    WALK_COUNTERS,
)
from qgen_core.simulators.density.plan import DensityPass, DensityPlan, Factor, FusedGroup
from qgen_core.simulators.simd.intrinsics import lanes_of
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.buffers import aligned, contiguous
from qgen_core.typing import Floats, Ints

DOUBLE = np.dtype(np.float64)
INTEGER = np.dtype(np.int64)
#: Working memory of the kernels: three tiles, three rows of places (the position in the loops, and
#: the pieces of a tile before and after a pass), and the sums of a matrix's gradient.
Buffers = tuple[Floats, Ints, Floats]
#: Matrices of groups and passes for rows of angles: their numbers (B, n), and the rows of these in
#: which the matrix of each group (B, groups) and of each pass (B, passes) stands. A matrix that is
#: that of an earlier row is not written again.
Matrices = tuple[Floats, Ints, Ints]


class Tables:
    """The tables of a plan, with the columns named in ``layout.py``.

    ``passes``, ``loops`` and ``offsets`` (of the rows of tiles) are read by the kernels, ``bound``
    by ``bind`` and ``bind_back``. ``columns`` are the columns of the angles that the matrix of each
    pass depends on.
    """

    def __init__(self, plan: DensityPlan) -> None:
        self.plan = plan
        places = np.cumsum([0, *(group.size * group.width for group in plan.all_groups)])
        self.bound = _tables_of_groups(plan.all_groups, places)
        first_group = len(plan.starts) + len(plan.runs)
        group_at = places[first_group:]
        self.columns = [np.array(_columns_of(plan, one), dtype=np.intp) for one in plan.passes]
        #: The last pass whose matrix depends on a column of the angles, (A,); -1 if none does.
        self.last_passes = np.full(plan.num_angles, -1)
        for number, columns in enumerate(self.columns):
            self.last_passes[columns] = number
        #: Where states begin of which each takes the place of the one before the last.
        self.alternating = np.arange(len(plan.sizes)) % 2 * max(plan.sizes)
        #: Entries of all matrices for one row of angles.
        self.total = int(places[-1])
        rows: list[list[int]] = []
        loops: list[tuple[int, int, int]] = []
        offsets: list[int] = []
        folds: list[int] = []
        for one, columns in zip(plan.passes, self.columns, strict=True):
            n_in = len(one.before)
            n_out = len(one.after)
            width = prod(loop[0] for loop in one.blocks) * one.inner
            matrix = int(group_at[one.group])
            if not one.uses_group_matrix:
                matrix = self.total
                self.total += n_in * n_out
            has_gradient = len(columns) > 0
            # in the order of the columns PASS_*
            row = [n_in, n_out, one.inner, len(loops), len(one.blocks)]
            row += [len(offsets), len(offsets) + n_in, matrix]
            row += [-(-width // TILE), width, int(has_gradient)]
            row += [first_group + one.group, len(folds), len(one.fresh)]
            rows.append(row)
            folds += _fold_of(one, plan.groups[one.group])
            loops += one.blocks
            offsets += [*one.before, *one.after]
        self.passes = np.array(rows, dtype=np.int64)
        self.loops = np.array(loops, dtype=np.int64).reshape(len(loops), LOOP_COLUMNS)
        self.offsets = np.array(offsets, dtype=np.int64)
        self._of_folds = (self.bound[0], self.passes, np.array(folds, dtype=np.int64))
        #: The first pass whose matrix has a gradient; the number of passes if none has.
        self.first_with_gradient = len(rows)
        has_gradients = self.passes[:, PASS_HAS_GRADIENT]
        if np.any(has_gradients):
            self.first_with_gradient = int(np.argmax(has_gradients))
        n_in_of = self.passes[:, PASS_ROWS_BEFORE]
        n_out_of = self.passes[:, PASS_ROWS_AFTER]
        work = n_in_of * n_out_of * self.passes[:, PASS_WIDTH]
        #: Multiplications of a row from each state on, (passes + 1,).
        self.work = [int(np.sum(work[number:])) for number in range(len(work) + 1)]
        self._tile_size = max(int(np.max(n_in_of)), int(np.max(n_out_of)), 4) * TILE
        largest = max(group.size for group in plan.all_groups) ** 2
        longest = max(len(group.factors) for group in plan.all_groups)
        #: Rows and columns of the scratch that ``bind_back`` needs; it is enough for the others.
        self._scratch = (longest + 4, largest)
        self._sums_size = int(np.max(n_in_of * n_out_of)) * lanes_of(DOUBLE)

    def of_passes(self) -> tuple[Ints, Ints, Ints]:
        """What the kernels call ``tables``."""
        return self.passes, self.loops, self.offsets

    def buffers(self) -> Buffers:
        """Working memory of a thread."""
        tiles = aligned(1, 3 * self._tile_size, DOUBLE)[0].reshape(3, -1)
        places = contiguous(3, max(len(self.loops) + WALK_COUNTERS, TILE), INTEGER)
        return tiles, places, aligned(1, self._sums_size, DOUBLE)[0]

    def mats(self, angles: Floats, threads: int) -> tuple[Matrices, Floats]:
        """The matrices of all groups and passes for rows of angles (B, A).

        Also the functions of the angles (B, 5 A) that they are made of, as :meth:`back` needs them.
        """
        batch = len(angles)
        waves = contiguous(batch, WAVES * self.plan.num_angles, DOUBLE)
        made_in = np.empty((batch, len(self.plan.all_groups)), dtype=np.int64)
        passes_made_in = np.empty((batch, len(self.plan.passes)), dtype=np.int64)
        mats = (contiguous(batch, self.total, DOUBLE), made_in, passes_made_in)

        def work(first: int, last: int) -> None:
            scratch = contiguous(*self._scratch, DOUBLE)
            bind(first, last, angles, waves, self.bound, mats[:2], scratch)
            fold(first, last, self._of_folds, mats, scratch)

        spread(work, batch, threads)
        return mats, waves

    def back(self, waves: Floats, mats: Matrices, d_mats: Floats, threads: int) -> Floats:
        """Gradients of angles (B, A), given those of the passes' matrices in ``d_mats`` (B, n)."""
        d_angles = np.zeros((len(waves), self.plan.num_angles))

        def work(first: int, last: int) -> None:
            scratch = contiguous(*self._scratch, DOUBLE)
            fold_back(first, last, self._of_folds, mats, d_mats, scratch)
            bind_back(first, last, waves, self.bound, mats[:2], d_mats, d_angles, scratch)

        spread(work, len(waves), threads)
        return d_angles


def _tables_of_groups(
    groups: tuple[FusedGroup, ...], places: Ints
) -> tuple[Ints, Ints, Floats, Ints]:
    """Groups, factors, terms and columns as ``bind`` reads them.

    ``places`` are those of the groups' matrices.
    """
    number_of: dict[int, int] = {}
    for number, group in enumerate(groups):
        number_of[id(group)] = number
    rows: list[tuple[int, ...]] = []
    factors: list[tuple[int, ...]] = []
    terms: list[Floats] = [np.zeros(1)]  # not read; compiled code has no empty arrays
    terms_size = 1
    columns = [0]  # not read, either
    for group, place in zip(groups, places[:-1], strict=True):
        end_factor = len(factors) + len(group.factors)
        end_column = len(columns) + len(group.columns)
        # in the order of the columns GROUP_*
        row = (group.size, len(factors), end_factor, place, len(columns), end_column, group.width)
        rows.append(row)
        columns += group.columns
        for factor in group.factors:
            stride = _stride_of(factor, group)
            # in the order of the columns FACTOR_*
            if factor.run is not None:
                angle = 0 if factor.run.columns else NO_ANGLE
                factors.append((4, stride, number_of[id(factor.run)], 0, angle))
                continue
            size = factor.terms.shape[1]
            factors.append((size, stride, terms_size, len(factor.terms), factor.column))
            terms.append(factor.terms.ravel())
            terms_size += factor.terms.size
    return (
        np.array(rows, dtype=np.int64),
        np.array(factors, dtype=np.int64).reshape(len(factors), FACTOR_COLUMNS),
        np.concatenate(terms),
        np.array(columns, dtype=np.int64),
    )


def _stride_of(factor: Factor, group: FusedGroup) -> int:
    """The stride of a factor's wire among the digits of its group; 1 if it acts on several."""
    if len(factor.positions) > 1:
        return 1
    return int(4 ** (len(group.wires) - 1 - factor.positions[0]))


def _columns_of(plan: DensityPlan, one: DensityPass) -> list[int]:
    """The columns of the angles that the matrix of a pass depends on."""
    group = plan.groups[one.group]
    columns = list(group.columns)
    for p in one.fresh:
        columns += plan.starts[group.wires[p]].columns
    return columns


def _fold_of(one: DensityPass, group: FusedGroup) -> list[int]:
    """The fold of a pass, as ``layout.py`` describes it."""
    width = len(group.wires)
    fold = [int(row) for row in one.rows]
    for digits in product(range(4), repeat=width):
        column = 0
        for position in one.present:
            column = 4 * column + digits[position]
        fold.append(column)
    for position in one.fresh:
        fold += [group.wires[position], 4 ** (width - 1 - position)]
    return fold
