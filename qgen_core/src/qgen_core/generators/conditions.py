"""Conditions of generators: their width, and the check that they fit."""

from __future__ import annotations

import numpy as np

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
