"""Shared by the losses of probability tables: checked rows, and logarithms that stay finite."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch
from qgen_core.typing import Array, Floats

#: By default the logarithm of a smaller probability is continued by its tangent.
FLOOR = 1e-12
#: Replaces 0 in a ratio whose weight is 0.
TINY = float(np.finfo(np.float64).tiny)


def check_floor(floor: float) -> float:
    """Return ``floor``. Raises BadOption unless it is a probability above 0 and below 1.

    >>> check_floor(1e-9)
    1e-09
    """
    if not 0 < floor < 1:
        raise BadOption(f"floor is a small probability above 0 and below 1, not {floor:g}")
    return floor


def rows(output: Array, batch: Batch) -> tuple[Floats, Floats]:
    """Probabilities p and target P, (C, K) each. Raises OutputMismatch if they do not fit.

    >>> p, target = rows(np.array([[0.0, 1.0]]), Batch(target=np.array([[0.5, 0.5]])))
    >>> target.tolist()
    [[0.5, 0.5]]
    """
    shape = np.shape(output)
    if batch.target is None:
        raise OutputMismatch(f"probabilities {shape} need a target of their shape, not none")
    if batch.target.shape != shape:
        raise OutputMismatch(
            f"probabilities {shape} need a target of their shape, not {batch.target.shape}"
        )
    p = np.ascontiguousarray(output, dtype=np.float64)
    target = np.ascontiguousarray(batch.target, dtype=np.float64)
    return p, target


def floored_log(p: Floats, floor: float) -> tuple[Floats, Floats]:
    """The logarithm of p and its derivative, continued below ``floor`` by the tangent at ``floor``.

    Value and derivative stay finite and consistent for p = 0 and for p below 0 by rounding.

    >>> logs, slope = floored_log(np.array([1.0, 0.0]), 0.5)
    >>> logs.round(6).tolist(), slope.tolist()  # ln 0.5 - 1 at p = 0
    ([0.0, -1.693147], [1.0, 2.0])
    """
    q = np.maximum(p, floor)
    slope = 1.0 / q
    return np.log(q) + (p - q) * slope, slope


def shares(weight: Floats | None, count: int) -> Floats:
    """Weights (N,) of ``count`` events divided by their sum.

    Raises OutputMismatch for another number of weights, and for a sum that is not above 0.

    >>> shares(np.array([1.0, 3.0]), 2).tolist()
    [0.25, 0.75]
    """
    if weight is None:
        weight = np.ones(count)
    w = np.asarray(weight, dtype=np.float64)
    if count == 0 or w.shape != (count,):
        raise OutputMismatch(
            f"one weight per event is needed; there are {w.shape} for {count} events"
        )
    total = float(w.sum())
    if not total > 0:
        raise OutputMismatch(f"the weights of a batch sum to {total:g}; take a larger batch_size")
    return w / total


def dot(a: Floats, b: Floats) -> float:
    """The sum of products over all entries; independent of the number of BLAS threads.

    >>> dot(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    11.0
    """
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))
