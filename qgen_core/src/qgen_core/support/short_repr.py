"""Objects on one short line, for notebooks and messages."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

#: Longest text of one value, and of all values together.
LONGEST_VALUE = 60
LONGEST = 120


def short_repr(component: object) -> str:
    """The class of a component with its options that differ from their defaults.

    An option is shown where the component keeps it as an attribute of the same name.

    >>> class Grid:
    ...     def __init__(self, *, size=3, points=None, name="a"):
    ...         self.size = size
    ...         self.points = points
    >>> short_repr(Grid(size=4, points=np.zeros((2, 5)), name="b"))
    'Grid(size=4, points=array (2, 5))'
    """
    shown = ""
    for text in _options(component):
        separator = ", " if shown else ""
        if len(shown) + len(text) > LONGEST:
            shown += f"{separator}..."
            break
        shown += separator + text
    return f"{type(component).__name__}({shown})"


def _options(component: object) -> Iterator[str]:
    """``name=value`` of each option that was set to something else than its default."""
    try:
        parameters = inspect.signature(type(component)).parameters
    except (TypeError, ValueError):
        return
    attributes = vars(component)
    for name, parameter in parameters.items():
        if name not in attributes:
            continue
        value = short_value(attributes[name])
        if value != short_value(parameter.default):
            yield f"{name}={value}"


def short_value(value: Any) -> str:
    """A value as text of at most ``LONGEST_VALUE`` characters; of an array, the shape.

    >>> short_value(np.zeros((2, 3))), short_value(0.5), short_value(len)
    ('array (2, 3)', '0.5', 'len')
    """
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    if inspect.isroutine(value) or isinstance(value, type):
        return value.__name__
    text_of_class: object = type(value).__repr__
    if text_of_class is object.__repr__:
        return type(value).__name__
    text = " ".join(repr(value).split())
    if len(text) > LONGEST_VALUE:
        return f"{text[: LONGEST_VALUE - 3]}..."
    return text
