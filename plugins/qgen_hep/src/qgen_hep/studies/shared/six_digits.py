"""Numbers as a result stores them: plain data with six significant digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def six_digits(values: Any) -> Any:
    """A number rounded to six significant digits; arrays and lists as nested lists of these.

    Of a mapping, the values.

    >>> six_digits(1 / 3), six_digits([np.array([1.0, 2e-7 / 3]), np.array([2.5])])
    (0.333333, [[1.0, 6.66667e-08], [2.5]])
    >>> six_digits({"precision": 2 / 3})
    {'precision': 0.666667}
    """
    if isinstance(values, Mapping):
        return {name: six_digits(value) for name, value in values.items()}
    if isinstance(values, list | tuple) or np.ndim(values) > 0:
        return [six_digits(value) for value in values]
    return float(f"{np.float64(values):.6g}")
