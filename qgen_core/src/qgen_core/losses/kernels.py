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

#: Wires that share one matrix where every wire is a factor of its own.
WIRES_AT_ONCE = 6
#: A register of more values is applied by Fourier transform, not as a matrix.
MATRIX_SIZE = 1024
#: Kernel values between samples worked on at once, so that they stay in the cache.
AT_ONCE = 2**16
#: Events whose pairs the median is taken over.
MEDIAN_EVENTS = 1000


def denominators(form: Form, bandwidth: Sequence[float]) -> Floats:
    """D of ``exp(-d2 / D)`` for each sigma. Raises BadOption unless all are above 0."""
    sigma = np.array(bandwidth, dtype=np.float64)
    if sigma.size == 0 or not (np.isfinite(sigma).all() and np.all(sigma > 0)):
        raise BadOption(
            f"bandwidth is a list of numbers above 0 or 'median', not {list(bandwidth)}"
        )
    if form == "exp(-d2/sigma)":
        return sigma
    return 2.0 * (sigma if form == "exp(-d2/(2sigma))" else sigma**2)


def median_denominator(points: Floats) -> Floats:
    """D = 2 m^2, with m the median distance > 0 between pairs of at most 1,000 points.

    Raises DataError when all points are one.
    """
    chosen = np.unique(
        np.linspace(0, len(points) - 1, min(len(points), MEDIAN_EVENTS)).astype(np.intp)
    )
    d2 = squared_distances(points[chosen], points[chosen])[np.triu_indices(len(chosen), 1)]
    if not np.any(d2 > 0):
        raise DataError("the median distance of the training events is 0; give a bandwidth")
    return np.array([2.0 * np.median(d2[d2 > 0])])


def squared_distances(x: Floats, y: Floats) -> Floats:
    """|x_i - y_j|^2 (N, M)."""
    d2: Floats = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2.0 * (x @ y.T)
    return np.maximum(d2, 0.0, out=d2)


def kernel_sums(x: Floats, y: Floats, weight: Floats, scales: Floats) -> tuple[Floats, Floats]:
    """``s_i = sum_j w_j k(x_i, y_j)`` (N,) and d s_i / d x_i (N, width), in pieces of memory."""
    sums, slopes = np.empty(len(x)), np.empty(x.shape)
    step = max(1, AT_ONCE // max(1, len(y)))
    for start in range(0, len(x), step):
        part = x[start : start + step]
        d2 = squared_distances(part, y)
        kernel, slope = np.zeros_like(d2), np.zeros_like(d2)
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
    """

    def __init__(
        self, registers: Sequence[int], distance: Literal["registers", "hamming"], scales: Floats
    ) -> None:
        if distance == "hamming":
            wires = sum(registers)
            parts = [min(WIRES_AT_ONCE, wires - start) for start in range(0, wires, WIRES_AT_ONCE)]
        else:
            parts = list(registers)
        factor = _hamming_factor if distance == "hamming" else _register_factor
        self.sizes = [2**bits for bits in parts]
        self.factors = [[factor(bits, float(scale)) for bits in parts] for scale in scales]

    def apply(self, tables: Floats) -> Floats:
        """K t for each row of (C, 2^Q), K the mean over the scales."""
        total = np.zeros(tables.shape)
        for factors in self.factors:
            result, left, right = tables, len(tables), tables.shape[1]
            for factor, size in zip(factors, self.sizes, strict=True):
                right //= size
                result = _times(factor, result.reshape(left, size, right))
                left *= size
            total += result.reshape(tables.shape)
        return total / len(self.factors)


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
    """The factor of a register times a table (left, size, right) of all."""
    size = table.shape[1]
    if factor.ndim == 1:
        spectrum = np.fft.rfft(table, n=2 * size, axis=1)
        return np.asarray(np.fft.irfft(spectrum * factor[:, None], n=2 * size, axis=1)[:, :size])
    if table.shape[2] == 1:  # one product of matrices instead of many with a vector
        return np.asarray(table[:, :, 0] @ factor)
    return np.asarray(factor @ table)
