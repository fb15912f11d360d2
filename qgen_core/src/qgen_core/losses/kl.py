"""The loss ``kl``: the Kullback-Leibler divergence of probability tables."""

from __future__ import annotations

from qgen_core.events import Batch
from qgen_core.interfaces import Loss
from qgen_core.losses.nll import NegativeLogLikelihood, entropy
from qgen_core.losses.tables import FLOOR
from qgen_core.typing import Array


class KullbackLeibler(Loss):
    """``KL(P || p) = sum_x P log(P/p)``, target first, natural logarithm, mean over condition rows.

    Args:
        floor: below it, log p is continued by its tangent at ``floor`` (as in ``nll``); other
            codes clip at 1e-8 (QUARK) or 1e-9 (Zapata), docs/readings.md.

    Raises BadOption for a floor outside (0, 1).

    >>> import numpy as np
    >>> target = Batch(target=np.array([[0.5, 0.5]]))
    >>> value, cotangent = KullbackLeibler()(np.array([[0.25, 0.75]]), target)
    >>> round(value, 6), cotangent.round(6).tolist()
    (0.143841, [[-2.0, -0.666667]])
    """

    reads = "probabilities"

    def __init__(self, *, floor: float = FLOOR) -> None:
        self._likelihood = NegativeLogLikelihood(floor=floor)

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent (C, K), of probabilities (C, K). Raises OutputMismatch."""
        value, cotangent = self._likelihood(output, batch)
        assert batch.target is not None
        return value - entropy(batch.target), cotangent
