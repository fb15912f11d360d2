"""The classical twin of a circuit: layers with exactly as many parameters."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

Tensor = torch.Tensor


class ClassicalBlock(nn.Module):
    """Layers ``tanh(x + W x + b)`` of n columns with a given number of numbers in all W and b.

    A layer takes at most n^2 + n of them, and all layers about as many. The first n are b, and the
    others fill the diagonals of W one by one, from the main one on; what is left is 0.

    >>> block = ClassicalBlock(3, 7)
    >>> block(torch.zeros(2, 3)).shape, sum(values.numel() for values in block.parameters())
    (torch.Size([2, 3]), 7)
    """

    def __init__(self, width: int, parameters: int) -> None:
        super().__init__()
        most = width**2 + width
        layers = max(-(-parameters // most), 1)
        scale = width**-0.5
        self.theta = nn.Parameter(torch.empty(parameters).uniform_(-scale, scale))
        self.width = width
        sizes = [len(part) for part in np.array_split(np.arange(parameters), layers)]
        self.sizes = sizes
        # Row 0 of the table of a layer is b, row 1 + i is column i of W.
        rows = np.arange(width)
        by_diagonal = [rows]
        for diagonal in range(width):
            columns = (rows + diagonal) % width
            by_diagonal.append((1 + columns) * width + rows)
        self.register_buffer(
            "places", torch.from_numpy(np.concatenate(by_diagonal)), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Columns (N, n) in (-1, 1) of columns (N, n)."""
        places = self.get_buffer("places")
        for numbers in torch.split(self.theta, self.sizes):
            empty = numbers.new_zeros((1 + self.width) * self.width)
            table = empty.index_copy(0, places[: len(numbers)], numbers)
            table = table.view(1 + self.width, self.width)
            x = torch.tanh(x + x @ table[1:] + table[0])
        return x
