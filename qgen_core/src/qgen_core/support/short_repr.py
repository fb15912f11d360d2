"""Components on one short line, for notebooks and messages."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from qgen_core.support.notebook import ShownInNotebook, table

#: Longest text of one value, and of all values together.
LONGEST_VALUE = 60
LONGEST = 120


class ShownByOptions(ShownInNotebook):
    """Base class of components: their repr is short, and a notebook shows a table of their options.

    >>> class Grid(ShownByOptions):
    ...     def __init__(self, *, size=3):
    ...         self.size = size
    >>> Grid(size=4), "<td>size</td><td>4</td>" in Grid(size=4)._repr_html_()
    (Grid(size=4), True)
    """

    def __repr__(self) -> str:
        return short_repr(self)

    def _details_html(self) -> str:
        rows = [[option.name, option.text] for option in _options(self)]
        if not rows:
            return ""
        return table(["option", "value"], rows)


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
    changed = [option for option in _options(component) if option.is_changed]
    for option in changed:
        text = f"{option.name}={option.text}"
        separator = ", " if shown else ""
        if len(shown) + len(text) > LONGEST:
            shown += f"{separator}..."
            break
        shown += separator + text
    return f"{type(component).__name__}({shown})"


class _Option(NamedTuple):
    """An option of a component with its value as text; is it another one than the default?"""

    name: str
    text: str
    is_changed: bool


def _options(component: object) -> Iterator[_Option]:
    """The options that a component keeps as attributes of the same name."""
    try:
        parameters = inspect.signature(type(component)).parameters
    except (TypeError, ValueError):
        return
    attributes = vars(component)
    for name, parameter in parameters.items():
        if name not in attributes:
            continue
        value = short_value(attributes[name])
        yield _Option(name, value, value != short_value(parameter.default))


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
