"""Whether conditions fit a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_core.events import Space


def check_condition(
    model: str, space: Space | None, condition: NDArray[Any] | None, n: int
) -> None:
    """Raise DataError unless there is a row of ``space`` for each of n events, or neither."""
    if condition is None or space is None:
        if condition is None and space is None:
            return
        wanted = "no condition" if space is None else f"conditions of {space}"
        raise DataError(
            f"{model} takes {wanted}; {'none was' if condition is None else 'one was'} given"
        )
    if np.shape(condition) != (n, space.width):
        raise DataError(
            f"{model} takes conditions of {space}, a row for each of {n} events, not an array {np.shape(condition)}"
        )
