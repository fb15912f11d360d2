"""The generator ``independent-bits``: the baseline for every model of bits."""

import numpy as np

from qgen_core import Batch, Generator, Space
from qgen_core.typing import Array, Pullback, Rng


class IndependentBits(Generator):
    """Each bit is 1 with its own probability ``1 / (1 + exp(-theta))``, without correlations.

    Outputs: ``samples`` (N, width), ``log_prob`` (N,). Parameters: ``theta`` (width,).

    >>> model = IndependentBits(space=Space("bits", 3))
    >>> model.sample(2, rng=np.random.default_rng(0)).shape
    (2, 3)
    """

    outputs = frozenset({"samples", "log_prob"})

    def __init__(self, *, space: Space) -> None:
        self.space = space
        self.theta = np.zeros(space.width)

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        p = 1 / (1 + np.exp(-self.theta))
        return (rng.random((n, self.space.width)) < p).astype(np.int8)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "log_prob" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        x = batch.x
        p = 1 / (1 + np.exp(-self.theta))
        log_prob = -np.logaddexp(0, (1 - 2 * x) * self.theta).sum(axis=1)
        return log_prob, lambda cotangent: {"theta": cotangent @ (x - p)}
