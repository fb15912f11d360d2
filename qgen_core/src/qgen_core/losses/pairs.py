"""Sums of a kernel over pairs of samples: pair by pair, or from how often each outcome occurs.

Both kinds take samples x of the model and events y of the data, with weights, in a form of their
own: points (N, width), or numbers of outcomes (N,).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.losses.kernels import TableKernel, kernel_sums, kernel_sums_and_slopes
from qgen_core.typing import Array, Floats

#: Samples of more wires are not counted.
MOST_WIRES = 20
#: The time of a term of the kernel of one pair, as multiplications of a matrix product.
PAIR_WORK = 50
#: Numbers of tables that are transformed at once.
AT_ONCE = 2**18


class Weighted(NamedTuple):
    """Samples x (N, ...) and events y (M, ...), in the form that a kernel takes, with weights."""

    x: Array
    y: Array
    weight_of_x: Floats
    weight_of_y: Floats


class PointKernel:
    """The mean over ``scales`` D of exp(-d^2 / D), d the distance between points.

    >>> kernel = PointKernel(np.array([1.0]))
    >>> kernel.sums(np.array([[1.0]]), np.array([[0.0]]), np.ones(1)).round(6).tolist()  # 1 / e
    [0.367879]
    """

    def __init__(self, scales: Floats) -> None:
        self._scales = scales

    def sums(self, x: Array, y: Array, weight: Floats) -> Floats:
        """``s_i = sum_j w_j k(x_i, y_j)`` (N,), for weights w (M,)."""
        return kernel_sums(x, y, weight, self._scales)

    def sums_and_slopes(self, samples: Weighted, factor: float) -> tuple[Floats, Floats, Floats]:
        """The sums at x over x and over y (N,), and the slopes (N, width).

        A slope is the derivative by x_i of ``factor`` times the first sum, minus the second.
        """
        x, y, weight_of_x, weight_of_y = samples
        sums_xx, slopes_xx = kernel_sums_and_slopes(x, x, weight_of_x, self._scales)
        sums_xy, slopes_xy = kernel_sums_and_slopes(x, y, weight_of_y, self._scales)
        return sums_xx, sums_xy, factor * slopes_xx - slopes_xy


class CountedKernel:
    """The same between outcomes of at most 20 wires, whose weights are first added up in tables.

    Takes time in proportion to the outcomes, whatever the number of events.

    >>> kernel = CountedKernel((1,), "registers", np.array([1.0]))
    >>> kernel.sums(np.array([1]), np.array([0]), np.ones(1)).round(6).tolist()  # 1 / e
    [0.367879]
    """

    def __init__(
        self, registers: Sequence[int], distance: Literal["registers", "hamming"], scales: Floats
    ) -> None:
        self._described = (registers, distance, scales)
        self._kernel = TableKernel(registers, distance, scales)
        self._outcomes = np.arange(2 ** sum(registers))
        #: Of each number that the distance compares: its lowest bit, and how many it has.
        self._places: list[tuple[int, int]] = []
        widths = list(registers)
        if distance == "hamming":
            widths = [1] * sum(registers)
        lowest = sum(registers)
        for width in widths:
            lowest -= width
            self._places.append((lowest, width))

    def is_faster(self, x: int, y: int) -> bool:
        """Whether it takes less time than all pairs of x samples with each other and y events."""
        tables = len(self._places) + 3
        pairs = float(x) * (x + y)
        return tables * self._kernel.work < PAIR_WORK * len(self._described[2]) * pairs

    def sums(self, x: Array, y: Array, weight: Floats) -> Floats:
        """``s_i = sum_j w_j k(x_i, y_j)`` (N,), for weights w (M,)."""
        table = self._kernel.apply(self._table(y, weight)[None])
        found: Floats = table[0, x]
        return found

    def sums_and_slopes(self, samples: Weighted, factor: float) -> tuple[Floats, Floats, Floats]:
        """As :meth:`PointKernel.sums_and_slopes`; slopes (N, registers), or (N, wires)."""
        x = samples.x
        p = self._table(x, samples.weight_of_x)
        q = self._table(samples.y, samples.weight_of_y)
        sums = self._kernel.apply(np.stack([p, q]))
        return sums[0, x], sums[1, x], self._slopes(x, factor * p - q)

    def _table(self, outcomes: NDArray[np.int64], weight: Floats) -> Floats:
        """The weight of each outcome (2^Q,)."""
        table = np.bincount(outcomes, weight, minlength=len(self._outcomes))
        return np.asarray(table, dtype=np.float64)

    def _slopes(self, x: NDArray[np.int64], table: Floats) -> Floats:
        """``sum_y t(y) dk(x, y)/dx`` for a table t of outcomes, (N, registers).

        The derivative is -2 (x - y) exp(-d^2 / D) / D: x times the kernel of t, minus that of y t.
        """
        parts = len(self._places)
        sums = np.empty((1 + parts, len(x)))
        at_once = max(1, AT_ONCE // len(table))
        for first in range(0, 1 + parts, at_once):
            rows = range(first, min(first + at_once, 1 + parts))
            tables = np.stack([self._numbers(row - 1, self._outcomes) * table for row in rows])
            sums[rows.start : rows.stop] = self._slope_kernel.apply(tables)[:, x]
        slopes = -sums[1:]
        for part in range(parts):
            slopes[part] += self._numbers(part, x) * sums[0]
        return slopes.T

    def _numbers(self, part: int, outcomes: NDArray[np.int64]) -> Array:
        """The number in a register of outcomes (N,); 1 for the part -1."""
        if part < 0:
            return np.ones(1)
        lowest, width = self._places[part]
        numbers: Array = (outcomes >> lowest) & (2**width - 1)
        return numbers

    @cached_property
    def _slope_kernel(self) -> TableKernel:
        """The sum of -2 exp(-d^2 / D) / D."""
        registers, distance, scales = self._described
        return TableKernel(registers, distance, scales, -2.0 / scales / len(scales))
