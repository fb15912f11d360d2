"""The loss ``mean``: a model's own objective, averaged over events."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import OutputMismatch
from qgen_core.events import Batch
from qgen_core.interfaces import Loss
from qgen_core.losses.tables import dot, shares
from qgen_core.typing import Array


class Mean(Loss):
    """The weighted mean of ``objective`` (N,): ``sum w o / sum w``.

    The model's documentation says what its objective is, and whether it is a surrogate of which
    only the gradient has a meaning.

    >>> import numpy as np
    >>> Mean()(np.array([1.0, 3.0]), Batch(weight=np.array([3.0, 1.0])))[0]
    1.5
    """

    reads = "objective"

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent (N,), of an objective (N,). Raises OutputMismatch."""
        return weighted_mean(output, batch)


def weighted_mean(values: Array, batch: Batch) -> tuple[float, Array]:
    """The mean of values (N,) with the batch's weights, and its derivative (N,).

    Raises OutputMismatch for other shapes, and where negative weights cancel in a minibatch.

    >>> value, derivative = weighted_mean(np.array([1.0, 3.0]), Batch())
    >>> value, derivative.tolist()
    (2.0, [0.5, 0.5])
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise OutputMismatch(f"one value per event is needed, not an array {values.shape}")
    share = shares(batch.weight, len(values))
    return dot(share, values), share
