"""The loss ``nll``: the negative log-likelihood of the events, or of their distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Batch
from qgen_core.interfaces import Loss
from qgen_core.losses.mean import weighted_mean
from qgen_core.losses.tables import FLOOR, TINY, check_floor, dot, floored_log, rows
from qgen_core.typing import Array


class NegativeLogLikelihood(Loss):
    """``-sum_x P log p``, mean over the condition rows; or the weighted mean of -log_prob.

    Both are the same number for one condition row. The minimum is the entropy of P; ``kl`` is
    this loss minus that entropy.

    Args:
        reads: ``probabilities`` compares tables, each condition with the same weight;
            ``log_prob`` averages over events, each with its own weight.
        floor: below it, log p is continued by its tangent at ``floor``, so that value and cotangent
            stay finite and consistent at p = 0. For ``probabilities`` only.

    Raises BadOption for a floor outside (0, 1).

    >>> import numpy as np
    >>> target = Batch(target=np.array([[0.5, 0.5]]))
    >>> value, cotangent = NegativeLogLikelihood()(np.array([[0.5, 0.5]]), target)
    >>> round(value, 6), cotangent.round(6).tolist()  # ln 2
    (0.693147, [[-1.0, -1.0]])
    """

    def __init__(
        self, *, reads: Literal["probabilities", "log_prob"] = "probabilities", floor: float = FLOOR
    ) -> None:
        self.reads = reads
        self.floor = check_floor(floor)

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent in the shape of the output, (C, K) or (N,).

        Raises OutputMismatch for an output that does not fit the batch.
        """
        if self.reads == "log_prob":
            value, weight = weighted_mean(output, batch)
            return -value, -weight
        p, target = rows(output, batch)
        logs, slope = floored_log(p, self.floor)
        slope *= target
        slope *= -1.0 / len(p)
        return -dot(target, logs) / len(p), slope


def entropy(target: NDArray[np.float64]) -> float:
    """``-sum P log P`` of a table (C, K), mean over its rows.

    >>> round(entropy(np.array([[0.5, 0.5, 0.0]])), 6)  # ln 2
    0.693147
    """
    return -dot(target, np.log(np.maximum(target, TINY))) / len(target)
