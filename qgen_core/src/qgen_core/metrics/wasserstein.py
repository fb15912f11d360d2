"""The earth mover's distance of each column, without bins."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair, shares
from qgen_core.metrics.resample import once, source_of
from qgen_core.typing import Array, Floats


def wasserstein(
    reference: Events,
    generated: Events,
    *,
    edges: Edges = None,
    unit: Literal["std", "column"] = "std",
) -> Mapping[str, float]:
    """``W1(column)``: the integral of |F - G|, F and G the weighted cumulative distributions.

    ``unit`` "std" divides by the reference's standard deviation, which makes columns
    comparable (a column that does not vary is left in its own unit); "column" gives GeV for a
    column in GeV.
    """
    check_pair(reference, generated)
    result = {}
    for number, name in enumerate(reference.columns):
        values = partial(column, number=number)
        distance = earth_mover(reference, generated, number, values)
        result[f"W1({name})"] = distance / (
            spread(reference, number, values) if unit == "std" else 1.0
        )
    return result


def column(events: Events, number: int) -> Array:
    """One column (N,)."""
    return events.x[:, number]


def earth_mover(
    reference: Events, generated: Events, key: Hashable, values: Callable[[Events], Array]
) -> float:
    """The Wasserstein distance of order one between ``values`` (N,) of both, in their unit.

    ``key`` names the values.

    >>> a, b = Events(np.array([[0.0], [1.0]])), Events(np.array([[3.0]]))
    >>> earth_mover(a, b, "x", lambda events: events.x[:, 0])
    2.5
    """
    other = source_of(generated)

    def merge(source: Events) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
        support, place = np.unique(
            np.concatenate([values(source), values(other)]), return_inverse=True
        )
        return support.astype(np.float64), place[: len(source)], place[len(source) :]

    support, first, second = once(reference, ("merged", key, id(other)), merge)
    ahead = np.cumsum(
        shares(first, reference, len(support)) - shares(second, generated, len(support))
    )
    return float(np.abs(ahead[:-1]) @ np.diff(support))


def spread(events: Events, key: Hashable, values: Callable[[Events], Array]) -> float:
    """The weighted standard deviation of ``values`` of the source; 1 where they do not vary."""

    def compute(source: Events) -> float:
        numbers = values(source)
        mean = np.average(numbers, weights=source.weight)
        return float(np.average((numbers - mean) ** 2, weights=source.weight))

    variance = once(events, ("variance", key), compute)
    return float(np.sqrt(variance)) if variance > 0 else 1.0
