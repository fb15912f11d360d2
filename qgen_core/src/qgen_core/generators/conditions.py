"""Conditions of generators: their width, and the check that they fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_core.events import Space
from qgen_core.typing import Array


def condition_width(space: Space | None) -> int:
    """The number of columns of the conditions; 0 without conditions.

    >>> condition_width(Space("angles", 2)), condition_width(None)
    (2, 0)
    """
    if space is None:
        return 0
    return space.width


def require_conditions(
    model: str, space: Space | None, condition: Array | None, n: int | None
) -> None:
    """Raise DataError unless there are conditions where the model takes them, and they fit.

    They need a row for each of ``n`` events; n None allows any number of rows.

    >>> require_conditions("my-model", Space("angles", 2), np.zeros((5, 2)), 5)
    """
    if space is None and condition is None:
        return
    if space is None:
        raise DataError(f"{model} takes no condition; one was given")
    if condition is None:
        raise DataError(f"{model} takes conditions of {space}; none was given")
    is_table = np.ndim(condition) == 2 and condition.shape[1] == space.width
    if not is_table or n not in (None, len(condition)):
        raise DataError(
            f"{model} takes conditions of {space}, a row for each of {n} events, not an array "
            f"{np.shape(condition)}"
        )


def least_changed(before: Array, batch: Array) -> Array:
    """A row (C, K) of a batch's conditions (N, K) for each Markov chain, near to the one it had.

    ``before`` are the rows that the chains had (C, K). A chain far from its last condition would
    need many sweeps. Rows are assigned in sorted order, which moves them least where K is 1.

    >>> least_changed(np.array([[5.0], [1.0], [3.0]]), np.array([[1.5], [2.5], [6.0]])).ravel()
    array([6. , 1.5, 2.5])
    """
    offered = batch[np.arange(len(before)) % len(batch)]
    found = np.empty_like(offered)
    found[_sorted(before)] = offered[_sorted(offered)]
    return found


def _sorted(rows: Array) -> NDArray[np.intp]:
    """The order of rows by their first column, then by the next one."""
    return np.lexsort(rows.T[::-1])
