"""The scales of axes: logarithmic where a distribution has a heavy tail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.typing import Floats

#: A range of so many times the middle half of the events is a heavy tail. A normal distribution of
#: 10^6 events spans 7 times its middle half, an exponential one 13 times.
HEAVY = 20.0


def scale_of(edges: ArrayLike, counts: ArrayLike) -> dict[str, Any]:
    """Arguments of ``set_xscale`` for bins with edges (B + 1,) and counts (B,).

    Linear without a heavy tail; with one logarithmic, or, where there are values of 0 and below,
    linear around 0 and logarithmic beyond the width of the middle half.

    >>> scale_of([0.0, 1.0, 2.0], [1.0, 1.0])
    {'value': 'linear'}
    >>> scale_of([1.0, 2.0, 4.0, 400.0], [5.0, 4.0, 1.0])
    {'value': 'log'}
    >>> scale_of([0.0, 1.0, 2.0, 400.0], [5.0, 5.0, 1.0])["value"]
    'symlog'
    """
    places = np.asarray(edges, dtype=np.float64)
    events = np.maximum(np.asarray(counts, dtype=np.float64), 0.0)
    low, middle, high = _quantiles(places, events)
    half = high - low
    if half <= 0 or places[-1] - places[0] <= HEAVY * half:
        return {"value": "linear"}
    if places[0] > 0:
        return {"value": "log"}
    return {"value": "symlog", "linthresh": max(abs(middle), half)}


def _quantiles(edges: Floats, counts: Floats) -> Floats:
    """The quartiles of a histogram, with the events of a bin spread evenly over it."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    found: Floats = np.interp(np.array([0.25, 0.5, 0.75]) * below[-1], below, edges)
    return found
