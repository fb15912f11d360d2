"""What the losses of probability tables share: checked rows, and logarithms that stay finite."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch
from qgen_core.typing import Array, Floats

#: The default least probability whose logarithm is taken.
FLOOR = 1e-12
#: Stands in for 0 in a ratio whose weight is 0.
TINY = float(np.finfo(np.float64).tiny)


def check_floor(floor: float) -> float:
    """``floor`` if it is a probability that can be divided by. Raises BadOption."""
    if not 0 < floor < 1:
        raise BadOption(f"floor is a small probability above 0, not {floor:g}")
    return floor


def rows(output: Array, batch: Batch) -> tuple[Floats, Floats]:
    """Probabilities p and target P, (C, K) each. Raises OutputMismatch if they do not fit."""
    if batch.target is None or batch.target.shape != np.shape(output):
        target = "none" if batch.target is None else str(batch.target.shape)
        raise OutputMismatch(
            f"probabilities {np.shape(output)} need a target of their shape, not {target}"
        )
    return np.ascontiguousarray(output, dtype=np.float64), np.ascontiguousarray(
        batch.target, dtype=np.float64
    )


def floored_log(p: Floats, floor: float) -> tuple[Floats, Floats]:
    """The logarithm of p and its derivative, continued below ``floor`` by the tangent at ``floor``.

    So value and derivative stay finite and consistent for p = 0 and for rounding below 0.
    """
    q = np.maximum(p, floor)
    slope = 1.0 / q
    return np.log(q) + (p - q) * slope, slope


def shares(weight: Floats | None, count: int) -> Floats:
    """Each event's part of the whole weight (N,). Raises OutputMismatch where there is no whole."""
    w = np.ones(count) if weight is None else np.asarray(weight, dtype=np.float64)
    if count == 0 or w.shape != (count,):
        raise OutputMismatch(
            f"one weight per event is needed; there are {w.shape} for {count} events"
        )
    total = float(w.sum())
    if not total > 0:
        raise OutputMismatch(f"the weights of a batch sum to {total:g}; take a larger batch_size")
    return w / total


def dot(a: Floats, b: Floats) -> float:
    """The sum of products over all entries; the same number whatever the threads of a BLAS."""
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))
