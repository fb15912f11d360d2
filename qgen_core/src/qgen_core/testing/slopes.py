"""Derivatives by finite differences, for functions whose exact derivative is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from qgen_core.typing import Floats

Value = TypeVar("Value", float, Floats)


def slope(function: Callable[[float], Value], step: float = 1e-3) -> Value:
    """The derivative of a function at 0 by central differences at two distances.

    The error is ``step^4 / 30`` times the fifth derivative. The function returns a number or an
    array, and the derivative has its shape.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, table 25.2 (five points).

    >>> round(slope(lambda t: float(np.sin(3 * t))), 9)
    3.0
    """
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)


def gradient(function: Callable[[Floats], float], at: Floats, step: float = 1e-3) -> Floats:
    """The derivatives of a function by each entry of its argument ``at``, in the shape of ``at``.

    Each is computed as :func:`slope` does.

    >>> gradient(lambda x: float(x @ x), np.array([1.0, 2.0])).round(9)
    array([2., 4.])
    """
    found = np.empty(at.shape)
    for place in np.ndindex(at.shape):
        unit = np.zeros(at.shape)
        unit[place] = 1.0

        def moved(t: float, unit: Floats = unit) -> float:
            return function(at + t * unit)

        found[place] = slope(moved, step)
    return found
