"""Drawing spins at their local fields: by the compiled code of the core, or on a GPU by torch."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from qgen_core.samplers.chains import Draws
from qgen_core.typing import Rng

Tensor = torch.Tensor


class SpinDraws(ABC):
    """Overwrites spins by random ones."""

    @abstractmethod
    def update(self, spins: Tensor, fields: Tensor) -> None:
        """Overwrite spins (N, M) by draws that are +1 with the probability 1 / (1 + exp(field)).

        ``fields`` (N, M) are overwritten. Both tensors are contiguous.
        """

    @classmethod
    def of(cls, rng: Rng, rows: int, device: torch.device) -> SpinDraws:
        """Those for tensors of up to ``rows`` rows on a device, seeded from ``rng``.

        >>> spins = torch.zeros(1, 2)
        >>> draws = SpinDraws.of(np.random.default_rng(1), 1, torch.device("cpu"))
        >>> draws.update(spins, torch.tensor([[90.0, -90.0]]))
        >>> spins.tolist()
        [[-1.0, 1.0]]
        """
        if device.type == "cpu":
            return _CompiledDraws(rng, rows)
        return _TorchDraws(rng, device)


class _CompiledDraws(SpinDraws):
    """Every 64 rows have random streams of their own, whatever the threads are."""

    def __init__(self, rng: Rng, rows: int) -> None:
        self._draws = Draws(rows, rng, torch.get_num_threads())

    def update(self, spins: Tensor, fields: Tensor) -> None:
        numbers = fields.numpy()
        rows, width = numbers.shape
        nothing = np.zeros((1, width), dtype=numbers.dtype)
        factors = np.ones(rows, dtype=numbers.dtype)
        self._draws.update(spins.numpy(), numbers, nothing, factors)


class _TorchDraws(SpinDraws):
    def __init__(self, rng: Rng, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))

    def update(self, spins: Tensor, fields: Tensor) -> None:
        uniform = torch.empty_like(fields).uniform_(generator=self._generator)
        torch.lt(uniform, fields.neg_().sigmoid_(), out=spins)
        spins.mul_(2).sub_(1)
