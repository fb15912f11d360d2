"""Sums with signs over basis states: ``(-1)^(mask . x)`` for Z on the wires of a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

Tensor = torch.Tensor

#: Entries of a table of signs that is kept; larger ones are never made.
TABLE = 2**20
#: Wires at a time of a transform.
WIDE = 6


class Signs:
    """The map between values by mask (B, J) and tables over basis states (B, 2^Q), both ways.

    ``spread``: ``table[x] = sum_j (-1)^(mask_j . x) values[j]``; ``collect`` is its transpose.
    One product with a matrix of signs while that is small, else a Walsh-Hadamard transform, whose
    cost does not depend on the number of masks. Masks are distinct.
    """

    def __init__(self, masks: Sequence[int], wires: int, like: Tensor) -> None:
        self.wires = wires
        self._masks = torch.tensor(list(masks), dtype=torch.int64, device=like.device)
        self._matrix: Tensor | None = None
        if len(masks) << wires <= TABLE:
            odd = (
                np.bitwise_count(np.array(masks, dtype=np.int64)[:, None] & np.arange(2**wires)) & 1
            )
            self._matrix = torch.from_numpy(1.0 - 2.0 * odd).to(like)
            return
        full = np.array([[1.0]])
        for _ in range(min(WIDE, wires)):
            full = np.kron(full, [[1.0, 1.0], [1.0, -1.0]])
        self._walsh = torch.from_numpy(full).to(like)

    def spread(self, values: Tensor) -> Tensor:
        """(B, J) to (B, 2^Q)."""
        if self._matrix is not None:
            return values @ self._matrix
        start = values.new_zeros(len(values), 1 << self.wires)
        return self._transform(start.index_copy(1, self._masks, values))

    def collect(self, table: Tensor) -> Tensor:
        """(B, 2^Q) to (B, J)."""
        if self._matrix is not None:
            return table @ self._matrix.mT
        return self._transform(table).index_select(1, self._masks)

    def _transform(self, table: Tensor) -> Tensor:
        done = 0
        while done < self.wires:
            size = min(WIDE, self.wires - done)
            matrix = self._walsh[: 1 << size, : 1 << size]
            shape = (len(table), 1 << done, 1 << size, 1 << (self.wires - done - size))
            table = (matrix @ table.reshape(shape)).flatten(1)
            done += size
        return table
