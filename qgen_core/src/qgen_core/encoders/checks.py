"""Checks of arrays that the encoders share, and their errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import CheckpointError, DataError
from qgen_core.typing import Array

#: Values of a column that differ by less, in units of the largest of them, are the same.
ROUNDING = 1e-12


def matrix(owner: str, x: Array, width: int | None = None) -> Array:
    """``x`` as floats (N, width), in its own precision if it has one, else float64.

    ``owner`` is the encoder's name for messages; ``width`` None accepts any number of columns.
    Raises DataError for what is no matrix of numbers, or of another width.

    >>> matrix("log", np.array([[1, 2]])).dtype
    dtype('float64')
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{owner} needs numbers, not {array.dtype}")
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        columns = "features"
        if width is not None:
            columns = str(width)
        raise DataError(
            f"{owner} needs an array (N, {columns}), not one of the shape {array.shape}"
        )
    if array.dtype.kind == "f":
        return array
    return array.astype(np.float64)


def training_matrix(owner: str, x: Array) -> Array:
    """Training events (N, F) as :func:`matrix`. Raises DataError for none and for NaN or infinity.

    >>> training_matrix("log", np.array([[1.0], [2.0]])).shape
    (2, 1)
    """
    array = matrix(owner, x)
    if array.size == 0:
        raise DataError(f"{owner} cannot be fitted: there are no training events")
    if np.isfinite(array.sum(dtype=np.float64)):
        return array
    bad = ~np.isfinite(array)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{owner} cannot be fitted: {int(bad.sum())} values are not finite, "
            f"the first in feature {column} of event {row}; drop or correct them"
        )
    return array


def constant_columns(low: Array, high: Array) -> NDArray[np.bool_]:
    """Which columns (F,) hold one value, up to rounding, by their smallest and largest values.

    Divided by their spread, such columns would be rounding as large as any other number.

    >>> constant_columns(np.array([0.3, 0.3, 0.0]), np.array([0.1 + 0.2, 0.4, 0.0])).tolist()
    [True, False, True]
    """
    largest = np.maximum(np.abs(low), np.abs(high))
    found: NDArray[np.bool_] = high - low <= ROUNDING * largest
    return found


def all_in_row(mask: Array) -> NDArray[np.bool_]:
    """Which rows (N,) of a mask (N, F) are true in all columns.

    >>> all_in_row(np.array([[True, True], [True, False]])).tolist()
    [True, False]
    """
    rows: Any = np.all(mask, axis=1)
    return np.asarray(rows, dtype=np.bool_)


def require_accepted(owner: str, x: Array, accepted: NDArray[np.bool_], allowed: str) -> None:
    """Raise DataError, with the number and the first of them, if events are not accepted.

    ``accepted`` (N,) is what ``accepts`` returned; ``allowed`` says in words what it requires.

    >>> require_accepted("log", np.array([[1.0]]), np.array([True]), "values above 0")
    """
    if accepted.all():
        return
    outside = np.flatnonzero(~accepted)
    values = ", ".join(f"{float(v):g}" for v in x[outside[0]][:8])
    raise DataError(
        f"{owner} cannot encode {len(outside)} of {len(x)} events, the first is event "
        f"{outside[0]} ({values}); it accepts {allowed}: drop the others, or widen the encoder's "
        "options"
    )


def require_keys(owner: str, state: Mapping[str, Array], expected: set[str]) -> None:
    """Raise CheckpointError unless the saved state has exactly these arrays.

    >>> require_keys("log", {"width": np.array([2])}, {"width"})
    """
    if set(state) != expected:
        raise CheckpointError(
            f"{owner} needs the arrays {sorted(expected)}, the checkpoint holds {sorted(state)}"
        )


def saved_width(owner: str, saved: Array) -> int:
    """The number of columns in a state. Raises CheckpointError unless it is one whole number.

    >>> saved_width("log", np.array([3]))
    3
    """
    if saved.shape != (1,) or saved.dtype.kind != "i" or saved[0] < 1:
        raise CheckpointError(f"the checkpoint of {owner} does not say how many features there are")
    return int(saved[0])


def not_fitted(owner: str) -> DataError:
    """The error for an encoder that is used before it was fitted or loaded.

    >>> print(not_fitted("log"))
    DataError: log is not fitted to training events yet; call fit or load first
    """
    return DataError(f"{owner} is not fitted to training events yet; call fit or load first")
