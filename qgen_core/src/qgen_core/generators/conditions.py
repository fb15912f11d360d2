"""What the models of bits with conditions have in common: the check of the given conditions."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import DataError
from qgen_core.events import Space
from qgen_core.typing import Array


def check_condition(
    model: str, space: Space | None, condition: Array | None, n: int | None
) -> None:
    """Raise DataError unless the conditions (N, K) fit the space of a model's conditions.

    ``space`` None is a model without conditions, ``n`` the number of events that each need a row;
    None for any number of rows. ``model`` is the name in the message.

    >>> check_condition("nade", Space("angles", 1), np.zeros((3, 1)), 3)
    >>> check_condition("nade", None, np.zeros((3, 1)), 3)
    Traceback (most recent call last):
    qgen_core.errors.DataError: DataError: nade takes no condition; one was given
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
            f"{model} takes conditions of {space}, a row for each of {n} events, not an "
            f"array {np.shape(condition)}"
        )
