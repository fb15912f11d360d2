"""A plan as arrays, and the matrices of its passes."""

from __future__ import annotations

from math import prod

import numpy as np

from qgen_core.simulators.density import kernels
from qgen_core.simulators.density.bind import bind, bind_back
from qgen_core.simulators.density.plan import Group, Plan, Step
from qgen_core.simulators.simd.intrinsics import lanes_of
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.buffers import aligned
from qgen_core.typing import Floats, Ints

DOUBLE = np.dtype(np.float64)


class Tables:
    """A plan as the arrays that the compiled passes read."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        everything = (*plan.starts, *plan.runs, *plan.groups)
        places = np.cumsum([0, *(group.size**2 for group in everything)])
        self.bound = _bound_tables(everything, places)
        self.group_at = places[len(plan.starts) + len(plan.runs) :]
        at = int(places[-1])
        self.columns = [np.array(_columns_of(plan, step), dtype=np.intp) for step in plan.steps]
        steps: list[tuple[int, ...]] = []
        blocks: list[tuple[int, int, int]] = []
        rows: list[int] = []
        for step in plan.steps:
            n_in, n_out = len(step.before), len(step.after)
            first_row = len(rows)
            rows += [*step.before, *step.after]
            columns = prod(b[0] for b in step.blocks) * step.inner
            place = int(self.group_at[step.group])
            if not step.plain:
                place, at = at, at + n_in * n_out
            tiles = -(-columns // kernels.TILE)
            wanted = len(self.columns[len(steps)]) > 0
            offsets = (first_row, first_row + n_in, place)
            steps.append(
                (
                    n_in,
                    n_out,
                    step.inner,
                    len(blocks),
                    len(step.blocks),
                    *offsets,
                    tiles,
                    columns,
                    wanted,
                )
            )
            blocks += step.blocks
        self.steps = np.array(steps, dtype=np.int64)
        self.blocks = np.array(blocks, dtype=np.int64).reshape(len(blocks), 3)
        self.rows = np.array(rows, dtype=np.int64)
        self.total = at
        #: The first step whose matrix has a gradient; number of steps if none has.
        self.turning = (
            int(np.argmax(self.steps[:, 10])) if np.any(self.steps[:, 10]) else len(steps)
        )
        self.tile = max(int(np.max(self.steps[:, :2])), 4) * kernels.TILE
        self.cells = int(np.max(self.steps[:, 0] * self.steps[:, 1])) * lanes_of(DOUBLE)

    def buffers(self) -> tuple[Floats, Floats]:
        """Three tiles, and the sums of a gradient."""
        return aligned(1, 3 * self.tile, DOUBLE)[0].reshape(3, -1), aligned(1, self.cells, DOUBLE)[
            0
        ]

    def mats(self, angles: Floats, threads: int) -> Floats:
        """The matrices of all groups and steps for rows of angles (B, total)."""
        mats = np.empty((len(angles), self.total))
        spread(lambda a, b: bind(a, b, angles, *self.bound, mats), len(angles), threads)
        for row, step in zip(self.steps, self.plan.steps, strict=True):
            if not step.plain:
                whole, weights = self._whole(mats, step)[:, step.rows], self._weights(mats, step)
                digits = (whole * weights[:, None, :]).reshape(
                    len(mats), len(step.rows), *_digits(step)
                )
                folded = digits.sum(axis=tuple(2 + p for p in step.fresh))
                mats[:, row[7] : row[7] + row[0] * row[1]] = folded.reshape(
                    len(mats), row[0] * row[1]
                )
        return mats

    def back(self, angles: Floats, mats: Floats, d_mats: Floats, threads: int) -> Floats:
        """Gradients of angles (B, A), given those of the steps' matrices in ``d_mats``."""
        for row, step in zip(self.steps, self.plan.steps, strict=True):
            if not step.plain and row[10]:
                self._unfold(mats, d_mats, row, step)
        d_angles = np.zeros_like(angles)
        groups, ops, terms, _ = self.bound
        spread(
            lambda a, b: bind_back(a, b, angles, groups, ops, terms, mats, d_mats, d_angles),
            len(angles),
            threads,
        )
        return d_angles

    def _unfold(self, mats: Floats, d_mats: Floats, row: Ints, step: Step) -> None:
        """Pull the gradient of a step's matrix back to its group and to fresh wires."""
        batch, kept = len(mats), len(step.rows)
        digits = _digits(step)
        thin = [4] * len(digits)
        for p in step.fresh:
            thin[p] = 1
        d_step = d_mats[:, row[7] : row[7] + row[0] * row[1]].reshape(batch, kept, *thin)
        d_step = np.broadcast_to(d_step, (batch, kept, *digits)).reshape(batch, kept, prod(digits))
        weights, whole = self._weights(mats, step), self._whole(mats, step)
        self._whole(d_mats, step)[:, step.rows] += d_step * weights[:, None, :]
        d_weights = np.einsum("boi,boi->bi", d_step, whole[:, step.rows])
        for p in step.fresh:
            others = self._weights(mats, step, without=p)
            axes = tuple(1 + q for q in range(len(digits)) if q != p)
            d_start = (d_weights * others).reshape(batch, *digits).sum(axis=axes)
            wire = self.plan.groups[step.group].wires[p]
            self._start(d_mats, wire)[:, :, [0, 3]] += d_start[:, :, None]

    def _whole(self, mats: Floats, step: Step) -> Floats:
        """The matrices of a step's group, (B, 4^w, 4^w)."""
        size = self.plan.groups[step.group].size
        at = self.group_at[step.group]
        return mats[:, at : at + size**2].reshape(len(mats), size, size)

    def _start(self, mats: Floats, wire: int) -> Floats:
        """The matrices at the start of a wire, (B, 4, 4).

        They act on |0>, which is (1, 0, 0, 1).
        """
        return mats[:, 16 * wire : 16 * wire + 16].reshape(len(mats), 4, 4)

    def _weights(self, mats: Floats, step: Step, without: int = -1) -> Floats:
        """Products (B, 4^w) of the coefficients of a step's fresh wires, per digit of its group."""
        wires = self.plan.groups[step.group].wires
        weights = np.ones((len(mats), 1))
        for p, wire in enumerate(wires):
            start = self._start(mats, wire)
            factor = (
                start[:, :, 0] + start[:, :, 3]
                if p in step.fresh and p != without
                else np.ones((len(mats), 4))
            )
            weights = (weights[:, :, None] * factor[:, None, :]).reshape(len(mats), 4 ** (p + 1))
        return weights


def _bound_tables(groups: tuple[Group, ...], places: Ints) -> tuple[Ints, Ints, Floats, Ints]:
    """Groups, ops, terms and columns as ``bind`` reads them."""
    place_of = {id(group): place for group, place in zip(groups, places[:-1], strict=True)}
    rows: list[tuple[int, ...]] = []
    ops: list[tuple[int, ...]] = []
    terms, columns, at = [np.zeros(1)], [0], 1
    for group in groups:
        own = group.columns
        rows.append((group.size, len(ops), len(ops) + len(group.ops), place_of[id(group)]))
        rows[-1] += (len(columns), len(columns) + len(own))
        columns += own
        for op in group.ops:
            stride = 4 ** (len(group.wires) - 1 - op.positions[0]) if len(op.positions) == 1 else 1
            if op.run is not None:
                ops.append((4, stride, place_of[id(op.run)], 0, 0 if op.run.columns else -1))
                continue
            ops.append((op.terms.shape[1], stride, at, len(op.terms), op.column))
            terms.append(op.terms.ravel())
            at += op.terms.size
    ops_table = np.array(ops, dtype=np.int64).reshape(len(ops), 5)
    return (
        np.array(rows, dtype=np.int64),
        ops_table,
        np.concatenate(terms),
        np.array(columns, dtype=np.int64),
    )


def _columns_of(plan: Plan, step: Step) -> list[int]:
    """The angles that the matrix of a step depends on."""
    wires = plan.groups[step.group].wires
    involved = [plan.groups[step.group], *(plan.starts[wires[p]] for p in step.fresh)]
    return [column for group in involved for column in group.columns]


def _digits(step: Step) -> tuple[int, ...]:
    return (4,) * (len(step.fresh) + len(step.present))
