"""Products of spins with a matrix of floats, in about half the time of a product of floats."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.simd.threads import spread
from qgen_core.support.buffers import aligned, contiguous
from qgen_core.support.resources import usable_threads
from qgen_core.typing import Array, Floats

#: Spins are multiplied as floats where there are fewer rows of them, or fewer multiplications.
LEAST_ROWS = 16
LEAST_PRODUCTS = 2**20
#: From this number of multiplications on a call takes a tenth of a millisecond or more, and threads
#: are worth it.
WORTH_THREADS = 2**24
#: Rows and bytes that the matrix is filled up to: what one pass of the compiled code reads.
ROWS_AT_ONCE = 32
BYTES_AT_ONCE = 256


class SpinProduct:
    """Multiplies rows of spins by a matrix (K, M).

    Results do not depend on the number of threads. Those of large products are sums in an order
    that is the same on every processor.

    Args:
        matrix: the numbers, which are copied.
        dtype: of the numbers and of the results, float32 or float64.
        threads: how many threads work on large products; None: one a processor.

    >>> product = SpinProduct(np.array([[1.0], [2.0]]), np.float64)
    >>> product(np.array([[1, 1], [1, -1]], dtype=np.int8)).tolist()
    [[3.0], [-1.0]]
    """

    def __init__(
        self,
        matrix: Floats,
        dtype: np.dtype[Any] | type[np.floating[Any]],
        *,
        threads: int | None = None,
    ) -> None:
        rows, width = matrix.shape
        self._dtype = np.dtype(dtype)
        self._threads = threads
        columns_at_once = BYTES_AT_ONCE // self._dtype.itemsize
        filled_rows = -(-rows // ROWS_AT_ONCE) * ROWS_AT_ONCE
        filled_width = -(-width // columns_at_once) * columns_at_once
        # Padded, because a matrix whose rows are a power of two apart takes long to transpose.
        self._filled = aligned(filled_rows, filled_width, self._dtype, padded=True)
        self._filled[rows:] = 0
        self._filled[:, width:] = 0
        self._matrix = self._filled[:rows, :width]
        self._matrix[:] = matrix

    def transposed(self) -> SpinProduct:
        """The product with the transposed matrix (M, K).

        >>> product = SpinProduct(np.array([[1.0], [2.0]]), np.float64).transposed()
        >>> product(np.array([[-1]], dtype=np.int8)).tolist()
        [[-1.0, -2.0]]
        """
        return SpinProduct(self._matrix.T, self._dtype, threads=self._threads)

    def __call__(self, spins: NDArray[np.int8]) -> Array:
        """The product (N, M) with spins -1 and +1 (N, K)."""
        products = len(spins) * self._matrix.size
        if len(spins) < LEAST_ROWS or products < LEAST_PRODUCTS:
            return spins.astype(self._dtype) @ self._matrix
        threads = self._threads or usable_threads()
        if products < WORTH_THREADS:
            threads = 1
        return self._from_tables(_codes(spins), threads)

    def _from_tables(self, codes: NDArray[np.uint32], threads: int) -> Array:
        from qgen_core.samplers.product_kernels import BLOCK_BYTES, ROWS

        count = codes.shape[1]
        out = contiguous(count, self._matrix.shape[1], self._dtype)
        blocks = -(-out.shape[1] * self._dtype.itemsize // BLOCK_BYTES)
        pieces = blocks * -(-count // ROWS)
        spread(partial(_add_pieces, codes, self._filled, out), pieces, threads)
        return out


def _add_pieces(
    codes: NDArray[np.uint32], numbers: Array, out: Array, first: int, end: int
) -> None:
    """Compute some pieces of a product, with working memory of this thread."""
    from qgen_core.samplers.product_kernels import (
        BLOCK_BYTES,
        GROUPS,
        ROWS,
        SUMS,
        add_signed_rows,
    )

    block = BLOCK_BYTES // numbers.itemsize
    tables = aligned(GROUPS * SUMS, block, numbers.dtype)
    sums = aligned(min(len(out), ROWS), block, numbers.dtype)
    add_signed_rows(codes, numbers, tables, sums, out, first, end)


def _codes(spins: NDArray[np.int8]) -> NDArray[np.uint32]:
    """A bit for each spin (N, K), in words of 32 (W, N); the first spin has the lowest bit."""
    # Rows in one piece, which those of transposed spins are not, are packed 30 times as fast.
    octets = np.packbits(np.ascontiguousarray(spins > 0), axis=1, bitorder="little")
    words = -(-octets.shape[1] // 4)
    filled = np.zeros((len(spins), 4 * words), dtype=np.uint8)
    filled[:, : octets.shape[1]] = octets
    return np.ascontiguousarray(filled.view("<u4").T, dtype=np.uint32)
