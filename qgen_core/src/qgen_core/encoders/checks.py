"""What every encoder asks of its arrays, and the errors it raises when they are not so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import CheckpointError, DataError
from qgen_core.typing import Array


def matrix(owner: str, x: Array, width: int | None = None) -> Array:
    """``x`` as (N, width) numbers, floats kept in their precision. Raises DataError."""
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{owner} needs numbers, not {array.dtype}")
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        expected = "features" if width is None else width
        raise DataError(
            f"{owner} needs an array (N, {expected}), not one of the shape {array.shape}"
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def training_matrix(owner: str, x: Array) -> Array:
    """Training events (N, F), N >= 1, all finite. Raises DataError."""
    array = matrix(owner, x)
    if array.size == 0:
        raise DataError(f"{owner} cannot be fitted: there are no training events")
    bad = ~np.isfinite(array)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{owner} cannot be fitted: {int(bad.sum())} values are not finite, "
            f"the first in feature {column} of event {row}; drop or mend them"
        )
    return array


def all_in_row(mask: Array) -> NDArray[np.bool_]:
    """Where a mask (N, F) is true in all columns (N,)."""
    rows: Any = np.all(mask, axis=1)
    return np.asarray(rows, dtype=np.bool_)


def require_accepted(owner: str, x: Array, accepted: NDArray[np.bool_], allowed: str) -> None:
    """Raise DataError, with the count and the first event, unless all events are accepted."""
    if accepted.all():
        return
    outside = np.flatnonzero(~accepted)
    values = ", ".join(f"{float(v):g}" for v in x[outside[0]][:8])
    raise DataError(
        f"{owner} cannot encode {len(outside)} of {len(x)} events, the first is event {outside[0]} ({values}); "
        f"it takes {allowed}: drop the others, or widen the encoder's options"
    )


def require_keys(owner: str, state: Mapping[str, Array], expected: set[str]) -> None:
    """Raise CheckpointError unless the saved state has exactly these arrays."""
    if set(state) != expected:
        raise CheckpointError(f"{owner} holds {sorted(expected)}, the checkpoint {sorted(state)}")


def not_fitted(owner: str) -> DataError:
    """The error for an encoder that is used before it was fitted or loaded."""
    return DataError(f"{owner} has seen no training events; call fit or load first")
