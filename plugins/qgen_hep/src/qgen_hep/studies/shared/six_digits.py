"""Numbers as a result stores them: plain data with six significant digits."""

from __future__ import annotations

from typing import Any

import numpy as np


def six_digits(values: Any) -> Any:
    """A number rounded to six significant digits; arrays and lists as nested lists of these.

    >>> six_digits(1 / 3), six_digits([np.array([1.0, 2e-7 / 3]), np.array([2.5])])
    (0.333333, [[1.0, 6.66667e-08], [2.5]])
    """
    if isinstance(values, list | tuple) or np.ndim(values) > 0:
        return [six_digits(value) for value in values]
    return float(f"{np.float64(values):.6g}")
