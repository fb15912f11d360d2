"""The generator ``independent-bits``: what every model of bits has to beat."""

import numpy as np

from qgen_core import Batch, Generator, Space
from qgen_core.typing import Array, Pullback, Rng


class IndependentBits(Generator):
    """Each bit is 1 with a probability of its own, ``1 / (1 + exp(-theta))``: it knows no correlations."""

    outputs = frozenset({"samples", "log_prob"})

    def __init__(self, *, space: Space) -> None:
        self.space, self.theta = space, np.zeros(space.width)

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        return (rng.random((n, self.space.width)) < 1 / (1 + np.exp(-self.theta))).astype(np.int8)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "log_prob" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        x, p = batch.x, 1 / (1 + np.exp(-self.theta))
        log_prob = -np.logaddexp(0, (1 - 2 * x) * self.theta).sum(axis=1)
        return log_prob, lambda cotangent: {"theta": cotangent @ (x - p)}
