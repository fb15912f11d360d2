"""Drawing one outcome per event when events have different distributions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.simulators.outcomes import sample_indices
from qgen_core.typing import Array, Floats, Rng


def distinct(condition: Array | None, n: int) -> tuple[Array | None, NDArray[np.intp]]:
    """The distinct rows (C, K) of n conditions, and which of them each event has (n,)."""
    if condition is None:
        return None, np.zeros(n, dtype=np.intp)
    rows, which = np.unique(condition, axis=0, return_inverse=True)
    return rows, which.reshape(n)


def draw_outcomes(probabilities: Floats, row: NDArray[np.intp], rng: Rng) -> NDArray[np.int64]:
    """An outcome (n,) for each event from its row of (C, 2^Q) probabilities, independently.

    Counts are drawn per row and dealt out at random to the events of the row. Raises BadOption
    for rows that do not sum to one.
    """
    if len(probabilities) == 1:
        return sample_indices(probabilities[0], len(row), rng)
    p = np.clip(probabilities, 0.0, None)
    totals = p.sum(axis=1, keepdims=True)
    if not np.all(np.abs(totals - 1) < 1e-3):
        raise BadOption(
            "probabilities of a condition sum to "
            f"{float(totals[np.argmax(np.abs(totals - 1))][0]):g}"
        )
    counts = rng.multinomial(np.bincount(row, minlength=len(p)), p / totals)
    rows, outcomes = np.nonzero(counts)
    outcome = np.empty(len(row), dtype=np.int64)
    outcome[grouped(row, rng)] = np.repeat(outcomes, counts[rows, outcomes])
    return outcome


def grouped(row: NDArray[np.intp], rng: Rng) -> NDArray[np.intp]:
    """Event numbers (n,) ordered by row, in random order within a row."""
    shuffled = rng.permutation(len(row))
    order: NDArray[np.intp] = shuffled[np.argsort(row[shuffled], kind="stable")]
    return order
