"""Conversion of stored numbers to float64, exactly or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Array, Floats

#: Integers of this many bytes may lie beyond 2^53, where float64 does not hold every one.
WIDE = 8


def exact_floats(values: Array, what: str, first: int = 0) -> Floats:
    """Stored numbers (N, ...) as float64; ``first`` is the event that they begin with.

    Raises DataError, naming ``what`` they are, for an integer that float64 cannot hold.

    >>> exact_floats(np.array([1, 2**60]), "run").tolist()
    [1.0, 1.152921504606847e+18]
    >>> exact_floats(np.array([7, 2**53 + 1]), "events.h5: 'run'")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.DataError: DataError: events.h5: 'run' holds 9007199254740993 in event 1...
    """
    floats: Floats = values.astype(np.float64, copy=False)
    if values.dtype.kind not in "iu" or values.dtype.itemsize < WIDE or not values.size:
        return floats
    largest = 2.0 ** (8 * values.dtype.itemsize - (values.dtype.kind == "i"))
    inside = np.logical_and(floats >= -largest, floats < largest)  # else back is not defined
    back = np.where(inside, floats, 0.0).astype(values.dtype)
    rounded = np.logical_or(back != values, np.logical_not(inside))
    if rounded.any():
        place = np.unravel_index(int(np.argmax(rounded)), values.shape)
        raise inexact(what, values[place], first + int(place[0]))
    return floats


def inexact(what: str, value: Any, event: int) -> DataError:
    """The error for an integer that float64 cannot hold.

    >>> print(inexact("events.csv: 'run'", 2**53 + 1, 0))
    DataError: events.csv: 'run' holds 9007199254740993 in event 0, which float64 rounds to \
9007199254740992; leave the column out, or store it in two columns
    """
    return DataError(
        f"{what} holds {value} in event {event}, which float64 rounds to {float(value):.0f}; "
        "leave the column out, or store it in two columns"
    )
