"""Gaussian kernels of the maximum mean discrepancy: on tables of bits, and between samples.

A kernel is the mean over D of exp(-d^2 / D), d a Euclidean distance. On tables it is a
Kronecker product over registers, or over wires, so it is applied factor by factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Floats

Form = Literal["exp(-d2/sigma)", "exp(-d2/(2sigma))", "exp(-d2/(2sigma^2))"]

#: Hamming distance: this number of wires is one matrix factor, though each wire could be one.
WIRES_AT_ONCE = 6
#: A register of more values is applied by Fourier transform, not as a matrix.
MATRIX_SIZE = 1024
#: Number of kernel values between samples computed at once, so that they stay in the cache.
AT_ONCE = 2**16
#: The median is taken over the pairs of at most this number of events.
MEDIAN_EVENTS = 1000


def denominators(form: Form, bandwidth: Sequence[float]) -> Floats:
    """D of ``exp(-d2 / D)`` for each sigma. Raises BadOption unless all are above 0.

    >>> denominators("exp(-d2/(2sigma^2))", (1.0, 3.0)).tolist()
    [2.0, 18.0]
    """
    sigma = np.array(bandwidth, dtype=np.float64)
    if sigma.size == 0 or not (np.isfinite(sigma).all() and np.all(sigma > 0)):
        raise BadOption(
            f"bandwidth is a list of numbers above 0 or 'median', not {list(bandwidth)}"
        )
    if form == "exp(-d2/sigma)":
        return sigma
    if form == "exp(-d2/(2sigma))":
        return 2.0 * sigma
    squared: Floats = 2.0 * sigma**2
    return squared


def median_denominator(points: Floats) -> Floats:
    """D = 2 m^2, with m the median of distances above 0 between pairs of at most 1,000 points.

    Raises DataError when all points are equal.

    >>> median_denominator(np.array([[0.0], [0.0], [3.0]])).tolist()
    [18.0]
    """
    spread = np.linspace(0, len(points) - 1, min(len(points), MEDIAN_EVENTS))
    chosen = np.unique(spread.astype(np.intp))
    d2 = squared_distances(points[chosen], points[chosen])[np.triu_indices(len(chosen), 1)]
    if not np.any(d2 > 0):
        raise DataError("the median distance of the training events is 0; give a bandwidth")
    return np.array([2.0 * np.median(d2[d2 > 0])])


def squared_distances(x: Floats, y: Floats) -> Floats:
    """``|x_i - y_j|^2`` (N, M) of points x (N, width) and y (M, width).

    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).tolist()
    [[25.0]]
    """
    d2: Floats = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2.0 * (x @ y.T)
    return np.maximum(d2, 0.0, out=d2)


def kernel_sums(x: Floats, y: Floats, weight: Floats, scales: Floats) -> Floats:
    """``s_i = sum_j w_j k(x_i, y_j)`` (N,), in blocks of events.

    Points x (N, width) and y (M, width), weights w (M,), denominators ``scales`` of the kernel.

    >>> one = np.ones(1)
    >>> kernel_sums(np.array([[1.0]]), np.array([[0.0]]), one, one).round(6).tolist()  # 1 / e
    [0.367879]
    """
    sums = np.empty(len(x))
    step = max(1, AT_ONCE // max(1, len(y)))
    for start in range(0, len(x), step):
        d2 = squared_distances(x[start : start + step], y)
        kernel = np.zeros_like(d2)
        for scale in scales:
            kernel += np.exp(d2 / -scale)
        sums[start : start + step] = kernel @ weight
    means: Floats = sums / len(scales)
    return means


def kernel_sums_and_slopes(
    x: Floats, y: Floats, weight: Floats, scales: Floats
) -> tuple[Floats, Floats]:
    """:func:`kernel_sums` (N,), and d s_i / d x_i (N, width).

    >>> one = np.ones(1)
    >>> sums, slopes = kernel_sums_and_slopes(np.array([[1.0]]), np.array([[0.0]]), one, one)
    >>> sums.round(6).tolist(), slopes.round(6).tolist()  # 1 / e, -2 / e
    ([0.367879], [[-0.735759]])
    """
    sums = np.empty(len(x))
    slopes = np.empty(x.shape)
    step = max(1, AT_ONCE // max(1, len(y)))
    for start in range(0, len(x), step):
        part = x[start : start + step]
        d2 = squared_distances(part, y)
        kernel = np.zeros_like(d2)
        slope = np.zeros_like(d2)
        for scale in scales:
            term = np.exp(d2 / -scale)
            kernel += term
            slope += term * (-2.0 / scale)
        sums[start : start + step] = kernel @ weight
        slope *= weight
        slopes[start : start + step] = part * slope.sum(axis=1)[:, None] - slope @ y
    return sums / len(scales), slopes / len(scales)


class TableKernel:
    """The kernel between all basis states of some bits, applied to tables (C, 2^Q).

    With ``registers`` d^2 is the sum over registers of the squared difference of their numbers;
    with ``hamming`` it is the number of wires that differ.

    >>> kernel = TableKernel((1,), "registers", np.array([1.0]))
    >>> kernel.apply(np.array([[1.0, 0.0]])).round(6).tolist()  # exp(-1) between 0 and 1
    [[1.0, 0.367879]]
    """

    def __init__(
        self, registers: Sequence[int], distance: Literal["registers", "hamming"], scales: Floats
    ) -> None:
        if distance == "hamming":
            factor_of = _hamming_factor
            parts = _blocks_of_wires(sum(registers))
        else:
            factor_of = _register_factor
            parts = list(registers)
        self.sizes = [2**bits for bits in parts]
        self.factors: list[list[Floats]] = []
        for scale in scales:
            self.factors.append([factor_of(bits, float(scale)) for bits in parts])

    def apply(self, tables: Floats) -> Floats:
        """K t for each row t of (C, 2^Q), K the mean over the scales."""
        total = np.zeros(tables.shape)
        for factors in self.factors:
            result = tables
            left = len(tables)
            right = tables.shape[1]
            for factor, size in zip(factors, self.sizes, strict=True):
                right //= size
                result = _times(factor, result.reshape(left, size, right))
                left *= size
            total += result.reshape(tables.shape)
        return total / len(self.factors)


def _blocks_of_wires(wires: int) -> list[int]:
    """The numbers of wires that share one factor, as many as allowed in each but the last."""
    return [min(WIRES_AT_ONCE, wires - start) for start in range(0, wires, WIRES_AT_ONCE)]


def _hamming_factor(bits: int, scale: float) -> Floats:
    number = np.arange(2**bits)
    different = np.bitwise_count(number[:, None] ^ number)
    return np.exp(different / -scale)


def _register_factor(bits: int, scale: float) -> Floats:
    """A matrix (n, n); for many values, the spectrum (n + 1,) of the periodic kernel."""
    size = 2**bits
    number = np.arange(size, dtype=np.float64)
    if size <= MATRIX_SIZE:
        return np.exp((number[:, None] - number) ** 2 / -scale)
    around = np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size))
    return np.fft.rfft(np.exp(around.astype(np.float64) ** 2 / -scale)).real


def _times(factor: Floats, table: Floats) -> Floats:
    """A register's factor applied to the middle axis of a table (left, size, right)."""
    size = table.shape[1]
    if factor.ndim == 1:
        spectrum = np.fft.rfft(table, n=2 * size, axis=1)
        return np.asarray(np.fft.irfft(spectrum * factor[:, None], n=2 * size, axis=1)[:, :size])
    if table.shape[2] == 1:  # one matrix product instead of many matrix-vector products
        return np.asarray(table[:, :, 0] @ factor)
    return np.asarray(factor @ table)
