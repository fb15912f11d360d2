"""Moments of columns by which networks scale their inputs."""

from __future__ import annotations

import torch

from qgen_core.encoders.checks import constant_columns


def deviations(x: torch.Tensor) -> torch.Tensor:
    """The standard deviation of each column (F,) of a batch (N, F), 1 for columns of one value.

    That of a constant column is often not 0 but rounding, by which nothing can be divided.

    >>> deviations(torch.full((7, 1), 0.1, dtype=torch.float64)).tolist()
    [1.0]
    """
    low = x.amin(dim=0).numpy(force=True)
    high = x.amax(dim=0).numpy(force=True)
    constant = torch.from_numpy(constant_columns(low, high)).to(x.device)
    return torch.where(constant, 1.0, x.std(dim=0, correction=0))
