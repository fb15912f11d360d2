"""Signed sums over basis states: ``(-1)^(mask . x)`` for Z on the wires of a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

Tensor = torch.Tensor

#: Up to this number of entries the signs are kept as a matrix.
MAX_MATRIX_ENTRIES = 2**20
#: Wires per matrix product of the Walsh-Hadamard transform.
TRANSFORM_WIRES = 6


class SignedSums:
    """The linear map between values per mask (B, J) and tables over basis states (B, 2^Q).

    ``spread``: ``table[x] = sum_j (-1)^(mask_j . x) values[j]``; ``collect`` is its transpose.
    A product with a matrix of signs if that is small, else a Walsh-Hadamard transform, whose cost
    does not depend on the number of masks. Masks must be distinct.

    >>> sums = SignedSums([0b10], wires=2, reference=torch.zeros(0))  # Z on wire 0
    >>> sums.spread(torch.tensor([[3.0]]))
    tensor([[ 3.,  3., -3., -3.]])
    >>> sums.collect(torch.tensor([[0.5, 0.25, 0.25, 0.0]]))
    tensor([[0.5000]])
    """

    def __init__(self, masks: Sequence[int], wires: int, reference: Tensor) -> None:
        self.wires = wires
        self._masks = torch.tensor(list(masks), dtype=torch.int64, device=reference.device)
        self._matrix: Tensor | None = None
        if len(masks) << wires <= MAX_MATRIX_ENTRIES:
            mask_column = np.array(masks, dtype=np.int64)[:, None]
            odd = np.bitwise_count(mask_column & np.arange(2**wires)) & 1
            self._matrix = torch.from_numpy(1.0 - 2.0 * odd).to(reference)
            return
        full = np.array([[1.0]])
        for _ in range(min(TRANSFORM_WIRES, wires)):
            full = np.kron(full, [[1.0, 1.0], [1.0, -1.0]])
        self._walsh = torch.from_numpy(full).to(reference)

    def spread(self, values: Tensor) -> Tensor:
        """Values per mask (B, J) to a table (B, 2^Q)."""
        if self._matrix is not None:
            return values @ self._matrix
        start = values.new_zeros(len(values), 1 << self.wires)
        return self._transform(start.index_copy(1, self._masks, values))

    def collect(self, table: Tensor) -> Tensor:
        """A table (B, 2^Q) to values per mask (B, J)."""
        if self._matrix is not None:
            return table @ self._matrix.mT
        return self._transform(table).index_select(1, self._masks)

    def _transform(self, table: Tensor) -> Tensor:
        done = 0
        while done < self.wires:
            size = min(TRANSFORM_WIRES, self.wires - done)
            matrix = self._walsh[: 1 << size, : 1 << size]
            shape = (len(table), 1 << done, 1 << size, 1 << (self.wires - done - size))
            table = (matrix @ table.reshape(shape)).flatten(1)
            done += size
        return table
