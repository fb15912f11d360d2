"""The loss ``tv``: total variation of probability tables."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Batch, Space
from qgen_core.interfaces import Loss
from qgen_core.losses.tables import rows
from qgen_core.typing import Array


class TotalVariation(Loss):
    """``1/2 sum_x |p - P|`` of the joint distribution, or its mean over the marginals.

    Mean over the condition rows. The cotangent is a subgradient: 0 where p = P.

    Args:
        over: ``joint``, or ``marginals``: ``1/(2 I) sum_{i, x} |p_i(x) - P_i(x)|`` for I
            features. It does not see correlations.

    Raises BadOption for marginals of events that have no registers.

    Source: the marginal form is the TV of the seed talk on muonic force carriers,
    docs/readings.md.

    >>> import numpy as np
    >>> TotalVariation()(np.array([[0.5, 0.5, 0.0, 0.0]]), Batch(target=np.full((1, 4), 0.25)))[0]
    0.5
    """

    reads = "probabilities"

    def __init__(
        self, *, space: Space | None = None, over: Literal["joint", "marginals"] = "joint"
    ) -> None:
        if over == "marginals" and (space is None or not space.registers):
            raise BadOption(
                f"tv over marginals needs events in registers, not {space}; take over = 'joint'"
            )
        self.registers: tuple[int, ...] | None = None
        if space is not None and over == "marginals":
            self.registers = space.registers

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent (C, K), of probabilities (C, K). Raises OutputMismatch."""
        p, target = rows(output, batch)
        difference = p - target
        if self.registers is None:
            distance = 0.5 * float(np.abs(difference).sum())
            return distance / len(p), np.sign(difference) * (0.5 / len(p))
        shape = tuple(2**bits for bits in self.registers)
        box = difference.reshape(-1, *shape)
        cotangent = np.zeros_like(box)
        value = 0.0
        for axis in range(1, box.ndim):
            others = tuple(a for a in range(1, box.ndim) if a != axis)
            marginal = box.sum(axis=others, keepdims=True)
            value += float(np.abs(marginal).sum())
            cotangent += np.sign(marginal)
        factor = 0.5 / (len(shape) * len(p))
        return factor * value, factor * cotangent.reshape(p.shape)
