"""Gaussian kernels of the maximum mean discrepancy: on tables of bits, and between samples.

A kernel is the mean over D of exp(-d^2 / D), d a Euclidean distance. On tables each term is a
Kronecker product over registers, or over wires, which transforms make diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, log, prod, sqrt
from typing import Any, Literal

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.support.buffers import contiguous
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats

Form = Literal["exp(-d2/sigma)", "exp(-d2/(2sigma))", "exp(-d2/(2sigma^2))"]

DOUBLE = np.dtype(np.float64)
COMPLEX = np.dtype(np.complex128)
#: Walsh transforms: this number of wires is one matrix factor, though each wire could be one.
WIRES_AT_ONCE = 4
#: A kernel between at most so many states is one matrix.
WHOLE_SIZE = 256
#: The time of a Fourier transform there and back for each number of a padded table, and of a Walsh
#: transform for each number and wire, as multiplications of a matrix product in that time.
FOURIER_WORK = 200
WALSH_WORK = 20
#: Values of a kernel below this are not told from 0 in a sum that holds the value at distance 0.
NEGLIGIBLE = 2.0**-60
#: Lengths of padded tables in eighths of their own: Fourier transforms of small primes are fast.
FAST_EIGHTHS = (9, 10, 12, 14, 15, 16)
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


def kernel_matrix(points: Floats, scale: float) -> Floats:
    """``exp(-|x_i - x_j|^2 / D)`` (N, N) between points (N, width), D the ``scale``.

    Raises ResourceRefused for more points than memory holds.

    >>> kernel_matrix(np.array([[0.0], [1.0]]), 1.0).round(6).tolist()
    [[1.0, 0.367879], [0.367879, 1.0]]
    """
    require_memory(
        3 * 8 * len(points) ** 2, f"a kernel of {len(points)} events", "take fewer a batch"
    )
    kernel: Floats = np.exp(squared_distances(points, points) / -scale)
    np.fill_diagonal(kernel, 1.0)
    return kernel


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
        term = np.empty_like(d2)
        for scale in scales:
            np.divide(d2, -scale, out=term)
            kernel += np.exp(term, out=term)
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
        term = np.empty_like(d2)
        for scale in scales:
            np.divide(d2, -scale, out=term)
            kernel += np.exp(term, out=term)
            term *= -2.0 / scale
            slope += term
        sums[start : start + step] = kernel @ weight
        slope *= weight
        slopes[start : start + step] = part * slope.sum(axis=1)[:, None] - slope @ y
    return sums / len(scales), slopes / len(scales)


class TableKernel:
    """The kernel between all basis states of some bits, applied to tables (C, 2^Q).

    With ``registers`` d^2 is the sum over registers of the squared difference of their numbers;
    with ``hamming`` it is the number of wires that differ. The terms exp(-d^2 / D) are summed with
    ``weights`` (scales,); None: their mean.

    Few states have one matrix. Hamming distances are diagonal after a Walsh transform, distances
    of registers after a Fourier transform of tables filled up with zeros as far as the kernel
    reaches: one transform serves all scales. Many short registers are filled up to so much more
    that a product with a matrix for each register and scale takes less time.

    >>> kernel = TableKernel((1,), "registers", np.array([1.0]))
    >>> kernel.apply(np.array([[1.0, 0.0]])).round(6).tolist()  # exp(-1) between 0 and 1
    [[1.0, 0.367879]]
    """

    def __init__(
        self,
        registers: Sequence[int],
        distance: Literal["registers", "hamming"],
        scales: Floats,
        weights: Floats | None = None,
    ) -> None:
        if weights is None:
            weights = np.full(len(scales), 1.0 / len(scales))
        wires = sum(registers)
        #: About the multiplications that one table takes.
        self.work: float
        self._way: _Whole | _Walsh | _Fourier | _Factors
        if distance == "hamming":
            self._way = _Walsh(wires, scales, weights)
            self.work = 2.0**wires * WALSH_WORK * wires
        else:
            lengths = _padded_lengths(registers, scales)
            fourier_work = FOURIER_WORK * prod(lengths) / 2.0**wires
            factor_work = len(scales) * sum(2.0**bits for bits in registers)
            if factor_work > fourier_work:
                self._way = _Fourier(registers, lengths, scales, weights)
            else:
                self._way = _Factors(registers, scales, weights)
            self.work = 2.0**wires * min(fourier_work, factor_work)
        if 2**wires <= WHOLE_SIZE:
            self._way = _Whole(self._way.apply(np.eye(2**wires)))
            self.work = 4.0**wires

    def apply(self, tables: Floats) -> Floats:
        """K t for each row t of (C, 2^Q)."""
        return self._way.apply(tables)


class _Whole:
    """The kernel as one matrix."""

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix

    def apply(self, tables: Floats) -> Floats:
        return np.asarray(tables @ self._matrix)


class _Walsh:
    """Hamming distances: the kernel is diagonal in the Walsh transform.

    A wire's factor (1, e; e, 1), e = exp(-1 / D), has the eigenvalues 1 + e and 1 - e, the second
    where the bit of the transformed index is 1.
    """

    def __init__(self, wires: int, scales: Floats, weights: Floats) -> None:
        self._blocks = _blocks_of_wires(wires)
        ones = np.arange(wires + 1)
        by_ones = np.zeros(wires + 1)
        for scale, weight in zip(scales, weights, strict=True):
            nearby = np.exp(-1.0 / scale)
            by_ones += weight * (1.0 + nearby) ** (wires - ones) * (1.0 - nearby) ** ones
        self._spectrum = by_ones[np.bitwise_count(np.arange(2**wires))] / 2**wires

    def apply(self, tables: Floats) -> Floats:
        spectrum = self._transformed(tables)
        spectrum *= self._spectrum
        return self._transformed(spectrum)

    def _transformed(self, tables: Floats) -> Floats:
        matrices = [_walsh_matrix(wires) for wires in self._blocks]
        return _on_each_part(matrices, tables)


@cache
def _walsh_matrix(wires: int) -> Floats:
    """The Walsh transform (2^Q, 2^Q) of a few wires: (-1)^(number of ones in i and j)."""
    number = np.arange(2**wires)
    odd = np.bitwise_count(number[:, None] & number) % 2
    return 1.0 - 2.0 * odd


class _Fourier:
    """Distances of registers: the kernel is diagonal in a Fourier transform of padded tables.

    Only the rows that are not zeros are transformed, and only those that are wanted are transformed
    back.
    """

    def __init__(
        self, registers: Sequence[int], lengths: Sequence[int], scales: Floats, weights: Floats
    ) -> None:
        self._sizes = [2**bits for bits in registers]
        self._lengths = lengths
        kept = [*lengths[:-1], lengths[-1] // 2 + 1]
        spectrum = np.zeros(kept)
        for scale, weight in zip(scales, weights, strict=True):
            term = np.array(weight)
            for length, count in zip(lengths, kept, strict=True):
                around = np.minimum(np.arange(length), length - np.arange(length))
                periodic = np.exp(around.astype(np.float64) ** 2 / -scale)
                factor = np.fft.fft(periodic).real[:count]
                term = term[..., None] * factor
            spectrum += term
        #: Its axes are in the reverse order of the registers.
        self._spectrum = np.ascontiguousarray(spectrum.T)

    def apply(self, tables: Floats) -> Floats:
        last = self._sizes[-1]
        table = tables.reshape(len(tables), *self._sizes)
        found = _kept((*table.shape[:-1], self._lengths[-1] // 2 + 1), COMPLEX)
        np.fft.rfft(table, self._lengths[-1], out=found)
        others = range(1, len(self._sizes))
        # Each axis in turn becomes the last one, whose numbers lie together.
        for axis in reversed(others):
            rows = _in_order(np.moveaxis(found, axis, -1))
            found = _kept((*rows.shape[:-1], self._lengths[axis - 1]), COMPLEX)
            np.fft.fft(rows, out=found, n=self._lengths[axis - 1])
        found *= self._spectrum
        for axis in others:
            back = _kept(found.shape, COMPLEX)
            np.fft.ifft(found, out=back)
            found = _in_order(np.moveaxis(back[..., : self._sizes[axis - 1]], -1, axis))
        whole = _kept((*found.shape[:-1], self._lengths[-1]), DOUBLE)
        np.fft.irfft(found, self._lengths[-1], out=whole)
        return _in_order(whole[..., :last]).reshape(tables.shape)


def _kept(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised array; new ones would cost more time than the transforms."""
    return contiguous(prod(shape[:-1]), shape[-1], dtype).reshape(shape)


def _in_order(array: Array) -> Array:
    """The array without gaps, which is a copy if it has some."""
    if array.flags.c_contiguous:
        return array
    copied = _kept(array.shape, array.dtype)
    copied[...] = array
    return copied


class _Factors:
    """Distances of registers: for each scale a Kronecker product of matrices."""

    def __init__(self, registers: Sequence[int], scales: Floats, weights: Floats) -> None:
        self._weights = weights
        self._factors: list[list[Floats]] = []
        for scale in scales:
            self._factors.append([_register_factor(bits, float(scale)) for bits in registers])

    def apply(self, tables: Floats) -> Floats:
        total = np.zeros(tables.shape)
        for factors, weight in zip(self._factors, self._weights, strict=True):
            term = _on_each_part(factors, tables)
            term *= weight
            total += term
        return total


def _blocks_of_wires(wires: int) -> list[int]:
    """The numbers of wires that share one factor, as many as allowed in each but the last."""
    return [min(WIRES_AT_ONCE, wires - start) for start in range(0, wires, WIRES_AT_ONCE)]


def _padded_lengths(registers: Sequence[int], scales: Floats) -> list[int]:
    """Of each register, the length of a periodic table whose two ends do not see each other.

    A table of n numbers is filled up by the distance at which the kernel is negligible, at most by
    n, to a length whose Fourier transform is fast.

    >>> _padded_lengths((4, 8), np.array([1.0]))  # exp(-7^2) is negligible
    [24, 288]
    """
    reach = ceil(sqrt(-float(np.max(scales)) * log(NEGLIGIBLE)))
    lengths = []
    for bits in registers:
        size = 2**bits
        least = size + min(reach, size)
        length = size
        for eighths in FAST_EIGHTHS:
            length = eighths * size // 8
            if length >= least:
                break
        lengths.append(length)
    return lengths


def _register_factor(bits: int, scale: float) -> Floats:
    """The kernel (n, n) between the numbers of a register."""
    number = np.arange(2**bits, dtype=np.float64)
    return np.exp((number[:, None] - number) ** 2 / -scale)


def _on_each_part(matrices: Sequence[Floats], tables: Floats) -> Floats:
    """The Kronecker product of symmetric matrices, applied to tables (C, 2^Q)."""
    result = tables
    left = len(tables)
    right = tables.shape[1]
    for matrix in matrices:
        size = len(matrix)
        right //= size
        if right == 1:  # one matrix product instead of many matrix-vector products
            product = _kept((left, size), DOUBLE)
            np.matmul(result.reshape(left, size), matrix, out=product)
        else:
            product = _kept((left, size, right), DOUBLE)
            np.matmul(matrix, result.reshape(left, size, right), out=product)
        result = product
        left *= size
    return result.reshape(tables.shape)
