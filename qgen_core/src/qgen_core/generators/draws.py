"""Drawing one outcome per event where the distribution depends on the event's condition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.events import distinct_rows
from qgen_core.simulators.outcomes import sample_indices
from qgen_core.typing import Array, Floats, Rng


def distinct(condition: Array | None, n: int) -> tuple[Array | None, NDArray[np.intp]]:
    """The distinct rows (C, K) of n conditions, and the row (n,) that each event has.

    >>> rows, which = distinct(np.array([[2.0], [1.0], [2.0]]), 3)
    >>> rows.tolist(), which.tolist()
    ([[1.0], [2.0]], [1, 0, 1])
    """
    if condition is None:
        return None, np.zeros(n, dtype=np.intp)
    return distinct_rows(condition)


def draw_outcomes(probabilities: Floats, row: NDArray[np.intp], rng: Rng) -> NDArray[np.int64]:
    """Independent outcomes (n,), each from the row of probabilities (C, 2^Q) that its event has.

    Counts are drawn per row and assigned to the events of the row in random order. Raises
    BadOption for rows that do not sum to one.

    >>> certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> draw_outcomes(certain, np.array([0, 1, 1]), np.random.default_rng(0)).tolist()
    [0, 1, 1]
    """
    if len(probabilities) == 1:
        return sample_indices(probabilities[0], len(row), rng)
    p = np.clip(probabilities, 0.0, None)
    totals = p.sum(axis=1, keepdims=True)
    if not np.all(np.abs(totals - 1) < 1e-3):
        worst = float(totals[np.argmax(np.abs(totals - 1))][0])
        raise BadOption(
            f"probabilities of a condition sum to {worst:g}, not to 1; check the backend that "
            "gave them"
        )
    counts = rng.multinomial(np.bincount(row, minlength=len(p)), p / totals)
    rows, outcomes = np.nonzero(counts)
    outcome = np.empty(len(row), dtype=np.int64)
    outcome[grouped(row, rng)] = np.repeat(outcomes, counts[rows, outcomes])
    return outcome


def grouped(row: NDArray[np.intp], rng: Rng) -> NDArray[np.intp]:
    """Event numbers (n,) sorted by row, in random order within a row.

    >>> grouped(np.array([1, 0, 2]), np.random.default_rng(0)).tolist()
    [1, 0, 2]
    """
    shuffled = rng.permutation(len(row))
    order: NDArray[np.intp] = shuffled[np.argsort(row[shuffled], kind="stable")]
    return order
