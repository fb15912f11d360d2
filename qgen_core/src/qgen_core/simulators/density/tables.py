"""A plan as the arrays that compiled code reads, and the matrices of its passes."""

from __future__ import annotations

from math import prod

import numpy as np

from qgen_core.simulators.density.bind import bind, bind_back
from qgen_core.simulators.density.layout import (
    FACTOR_COLUMNS,
    LOOP_COLUMNS,
    NO_ANGLE,
    PASS_HAS_GRADIENT,
    PASS_MATRIX,
    PASS_ROWS_AFTER,
    PASS_ROWS_BEFORE,
    TILE,
)
from qgen_core.simulators.density.plan import DensityPass, DensityPlan, Factor, FusedGroup
from qgen_core.simulators.simd.intrinsics import lanes_of
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.buffers import aligned, contiguous
from qgen_core.typing import Floats, Ints

DOUBLE = np.dtype(np.float64)


class Tables:
    """The tables of a plan, with the columns named in ``layout.py``.

    ``passes``, ``loops`` and ``offsets`` (of the rows of tiles) are read by the kernels, ``bound``
    by ``bind`` and ``bind_back``. ``columns`` are the columns of the angles that the matrix of each
    pass depends on.
    """

    def __init__(self, plan: DensityPlan) -> None:
        self.plan = plan
        places = np.cumsum([0, *(group.size**2 for group in plan.all_groups)])
        self.bound = _tables_of_groups(plan.all_groups, places)
        self.group_at = places[len(plan.starts) + len(plan.runs) :]
        self.columns = [np.array(_columns_of(plan, one), dtype=np.intp) for one in plan.passes]
        #: Whether the matrix of a pass depends on a column of the angles, (passes, A).
        self.depends = np.zeros((len(self.columns), plan.num_angles), dtype=bool)
        for number, columns in enumerate(self.columns):
            self.depends[number, columns] = True
        #: Entries of all matrices for one row of angles.
        self.total = int(places[-1])
        rows: list[list[int]] = []
        loops: list[tuple[int, int, int]] = []
        offsets: list[int] = []
        for one, columns in zip(plan.passes, self.columns, strict=True):
            n_in = len(one.before)
            n_out = len(one.after)
            width = prod(loop[0] for loop in one.blocks) * one.inner
            matrix = int(self.group_at[one.group])
            if not one.uses_group_matrix:
                matrix = self.total
                self.total += n_in * n_out
            has_gradient = len(columns) > 0
            # in the order of the columns PASS_*
            row = [n_in, n_out, one.inner, len(loops), len(one.blocks)]
            row += [len(offsets), len(offsets) + n_in, matrix]
            row += [-(-width // TILE), width, int(has_gradient)]
            rows.append(row)
            loops += one.blocks
            offsets += [*one.before, *one.after]
        self.passes = np.array(rows, dtype=np.int64)
        self.loops = np.array(loops, dtype=np.int64).reshape(len(loops), LOOP_COLUMNS)
        self.offsets = np.array(offsets, dtype=np.int64)
        #: The first pass whose matrix has a gradient; the number of passes if none has.
        self.first_with_gradient = len(rows)
        has_gradients = self.passes[:, PASS_HAS_GRADIENT]
        if np.any(has_gradients):
            self.first_with_gradient = int(np.argmax(has_gradients))
        n_in_of = self.passes[:, PASS_ROWS_BEFORE]
        n_out_of = self.passes[:, PASS_ROWS_AFTER]
        self._tile_size = max(int(np.max(n_in_of)), int(np.max(n_out_of)), 4) * TILE
        self._sums_size = int(np.max(n_in_of * n_out_of)) * lanes_of(DOUBLE)

    def of_passes(self) -> tuple[Ints, Ints, Ints]:
        """What the kernels call ``tables``."""
        return self.passes, self.loops, self.offsets

    def buffers(self) -> tuple[Floats, Floats]:
        """Working memory of a thread: three tiles, and the sums of a matrix's gradient."""
        tiles = aligned(1, 3 * self._tile_size, DOUBLE)[0].reshape(3, -1)
        return tiles, aligned(1, self._sums_size, DOUBLE)[0]

    def mats(self, angles: Floats, threads: int) -> Floats:
        """The matrices of all groups and passes for rows of angles (B, total)."""
        mats = contiguous(len(angles), self.total, DOUBLE)

        def work(first: int, last: int) -> None:
            bind(first, last, angles, self.bound, mats)

        spread(work, len(angles), threads)
        for row, one in zip(self.passes, self.plan.passes, strict=True):
            if one.uses_group_matrix:
                continue
            matrix = self._whole(mats, one)
            if len(one.rows) < matrix.shape[1]:
                matrix = matrix[:, one.rows]
            if one.fresh:
                weights = self._weights(mats, one)
                shape = (len(mats), len(one.rows), *_digits(one))
                digits = (matrix * weights[:, None, :]).reshape(shape)
                matrix = digits.sum(axis=tuple(2 + p for p in one.fresh))
            part = _matrix_of(row)
            mats[:, part] = matrix.reshape(len(mats), part.stop - part.start)
        return mats

    def back(self, angles: Floats, mats: Floats, d_mats: Floats, threads: int) -> Floats:
        """Gradients of angles (B, A), given those of the passes' matrices in ``d_mats``."""
        for row, one in zip(self.passes, self.plan.passes, strict=True):
            if not one.uses_group_matrix and row[PASS_HAS_GRADIENT]:
                self._unfold(mats, d_mats, row, one)
        d_angles = np.zeros_like(angles)

        def work(first: int, last: int) -> None:
            bind_back(first, last, angles, self.bound, mats, d_mats, d_angles)

        spread(work, len(angles), threads)
        return d_angles

    def _unfold(self, mats: Floats, d_mats: Floats, row: Ints, one: DensityPass) -> None:
        """Propagate the gradient of a pass's matrix back to its group and to fresh wires."""
        batch = len(mats)
        kept = len(one.rows)
        digits = _digits(one)
        folded = [4] * len(digits)
        for p in one.fresh:
            folded[p] = 1
        d_pass = d_mats[:, _matrix_of(row)].reshape(batch, kept, *folded)
        d_pass = np.broadcast_to(d_pass, (batch, kept, *digits)).reshape(batch, kept, prod(digits))
        weights = self._weights(mats, one)
        whole = self._whole(mats, one)
        self._whole(d_mats, one)[:, one.rows] += d_pass * weights[:, None, :]
        d_weights = np.einsum("boi,boi->bi", d_pass, whole[:, one.rows])
        for p in one.fresh:
            others = self._weights(mats, one, without=p)
            axes = tuple(1 + q for q in range(len(digits)) if q != p)
            d_start = (d_weights * others).reshape(batch, *digits).sum(axis=axes)
            wire = self.plan.groups[one.group].wires[p]
            self._start(d_mats, wire)[:, :, [0, 3]] += d_start[:, :, None]

    def _whole(self, mats: Floats, one: DensityPass) -> Floats:
        """The matrices of a pass's group, (B, 4^w, 4^w)."""
        size = self.plan.groups[one.group].size
        at = self.group_at[one.group]
        return mats[:, at : at + size**2].reshape(len(mats), size, size)

    def _start(self, mats: Floats, wire: int) -> Floats:
        """The matrices at the start of a wire, (B, 4, 4).

        They act on |0>, which is (1, 0, 0, 1).
        """
        return mats[:, 16 * wire : 16 * wire + 16].reshape(len(mats), 4, 4)

    def _weights(self, mats: Floats, one: DensityPass, without: int = -1) -> Floats:
        """Products (B, 4^w) of the coefficients of a pass's fresh wires, per digit of its group.

        The wire at position ``without`` is left out.
        """
        wires = self.plan.groups[one.group].wires
        weights = np.ones((len(mats), 1))
        for p, wire in enumerate(wires):
            if p in one.fresh and p != without:
                start = self._start(mats, wire)
                factor = start[:, :, 0] + start[:, :, 3]
            else:
                factor = np.ones((len(mats), 4))
            weights = (weights[:, :, None] * factor[:, None, :]).reshape(len(mats), 4 ** (p + 1))
        return weights


def _tables_of_groups(
    groups: tuple[FusedGroup, ...], places: Ints
) -> tuple[Ints, Ints, Floats, Ints]:
    """Groups, factors, terms and columns as ``bind`` reads them.

    ``places`` are those of the groups' matrices.
    """
    place_of: dict[int, int] = {}
    for group, place in zip(groups, places[:-1], strict=True):
        place_of[id(group)] = place
    rows: list[tuple[int, ...]] = []
    factors: list[tuple[int, ...]] = []
    terms: list[Floats] = [np.zeros(1)]  # not read; compiled code has no empty arrays
    terms_size = 1
    columns = [0]  # not read, either
    for group in groups:
        end_factor = len(factors) + len(group.factors)
        end_column = len(columns) + len(group.columns)
        # in the order of the columns GROUP_*
        row = (group.size, len(factors), end_factor, place_of[id(group)], len(columns), end_column)
        rows.append(row)
        columns += group.columns
        for factor in group.factors:
            stride = _stride_of(factor, group)
            # in the order of the columns FACTOR_*
            if factor.run is not None:
                angle = 0 if factor.run.columns else NO_ANGLE
                factors.append((4, stride, place_of[id(factor.run)], 0, angle))
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


def _matrix_of(row: Ints) -> slice:
    """Where the matrix of a pass stands among all, given the row of the pass."""
    size = int(row[PASS_ROWS_BEFORE] * row[PASS_ROWS_AFTER])
    first = int(row[PASS_MATRIX])
    return slice(first, first + size)


def _columns_of(plan: DensityPlan, one: DensityPass) -> list[int]:
    """The columns of the angles that the matrix of a pass depends on."""
    group = plan.groups[one.group]
    columns = list(group.columns)
    for p in one.fresh:
        columns += plan.starts[group.wires[p]].columns
    return columns


def _digits(one: DensityPass) -> tuple[int, ...]:
    """The number of digits of each wire of a pass."""
    return (4,) * (len(one.fresh) + len(one.present))
