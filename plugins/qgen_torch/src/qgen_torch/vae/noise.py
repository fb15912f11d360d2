"""Random tensors from numpy generators, in the type and on the device of another tensor."""

from __future__ import annotations

import torch

from qgen_core.typing import Array, Rng

Tensor = torch.Tensor


def _like(numbers: Array, tensor: Tensor) -> Tensor:
    return torch.from_numpy(numbers).to(tensor.device, tensor.dtype)


def uniform(like: Tensor, rng: Rng) -> Tensor:
    """Uniform numbers of the shape of ``like``, strictly between 0 and 1.

    >>> import numpy as np
    >>> rho = uniform(torch.zeros(2, 3), np.random.default_rng(1))
    >>> rho.shape, bool(((rho > 0) & (rho < 1)).all())
    (torch.Size([2, 3]), True)
    """
    least = torch.finfo(like.dtype).eps
    return _like(rng.random(tuple(like.shape)), like).clamp(least, 1 - least)


def logistic(like: Tensor, rng: Rng) -> Tensor:
    """``log(rho / (1 - rho))`` of uniform rho: l plus it is above 0 with probability sigmoid(l).

    >>> import numpy as np
    >>> logistic(torch.zeros(2, 3), np.random.default_rng(1)).shape
    torch.Size([2, 3])
    """
    return _like(rng.logistic(size=tuple(like.shape)), like)


def normal(like: Tensor, rng: Rng) -> Tensor:
    """Standard normal numbers of the shape of ``like``.

    >>> import numpy as np
    >>> normal(torch.zeros(2, 3), np.random.default_rng(1)).shape
    torch.Size([2, 3])
    """
    return _like(rng.standard_normal(tuple(like.shape)), like)
