"""Conditions of generators: the check that they fit, their width, and blocks of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_core.events import Space


def check_condition(
    model: str, space: Space | None, condition: NDArray[Any] | None, n: int
) -> None:
    """Check the conditions of n events against the model's condition space.

    Raises DataError unless the model has a condition space and there are n rows of it, or the
    model has none and no conditions are given.

    >>> check_condition("my-model", Space("reals", 2), np.zeros((5, 2)), 5)
    """
    if condition is None and space is None:
        return
    if condition is None:
        raise DataError(f"{model} takes conditions of {space}; none was given")
    if space is None:
        raise DataError(f"{model} takes no condition; one was given")
    if np.shape(condition) != (n, space.width):
        raise DataError(
            f"{model} takes conditions of {space}, one row for each of {n} events, "
            f"not an array of shape {np.shape(condition)}"
        )


def condition_width(space: Space | None) -> int:
    """The number of columns of the conditions; 0 without conditions.

    >>> condition_width(Space("reals", 2)), condition_width(None)
    (2, 0)
    """
    if space is None:
        return 0
    return space.width


def condition_rows(condition: NDArray[Any] | None, start: int, stop: int) -> NDArray[Any] | None:
    """The conditions of events ``start`` to ``stop``; None without conditions.

    >>> condition_rows(np.array([[0.1], [0.2], [0.3]]), 1, 3)
    array([[0.2],
           [0.3]])
    """
    if condition is None:
        return None
    return condition[start:stop]
