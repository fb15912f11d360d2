"""Numbers as a result stores them: plain data with six significant digits."""

from __future__ import annotations

from typing import Any

import numpy as np


def six_digits(values: Any) -> Any:
    """A number, or an array of any shape as nested lists, rounded to six significant digits.

    >>> six_digits(1 / 3), six_digits([[1.0, 2e-7 / 3]])
    (0.333333, [[1.0, 6.66667e-08]])
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return float(f"{array:.6g}")
    return [six_digits(value) for value in array]
