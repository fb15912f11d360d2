"""A step function above a density, the proposal of exact rejection sampling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qgen_core.typing import Floats, Rng


class Envelope:
    """The least step function on ``edges`` (K + 1,) above a function with a single maximum.

    ``function`` rises up to ``mode`` and falls after it.

    >>> envelope = Envelope(lambda x: x, np.array([0.0, 1.0, 2.0]), mode=2.0)
    >>> envelope.steps.tolist()
    [1.0, 2.0]
    """

    def __init__(self, function: Callable[[Floats], Floats], edges: Floats, mode: float) -> None:
        self.function = function
        self.edges = edges
        ends = function(edges)
        self.steps: Floats = np.maximum(ends[:-1], ends[1:])
        inside = int(np.searchsorted(edges, mode)) - 1
        if 0 <= inside < len(self.steps):
            self.steps[inside] = function(np.array([mode]))[0]
        self.sums: Floats = np.concatenate([[0.0], np.cumsum(self.steps * np.diff(edges))])

    def propose(self, low: Floats, high: Floats | float, rng: Rng) -> tuple[Floats, Floats]:
        """Points (N,) between ``low`` and ``high`` drawn from the step function.

        Also returns the ratio (N,) of function and step function there, the probability to accept.
        """
        first = np.interp(low, self.edges, self.sums)
        last = np.interp(high, self.edges, self.sums)
        area = first + (last - first) * rng.random(len(low))
        step = np.clip(np.searchsorted(self.sums, area, side="right") - 1, 0, len(self.steps) - 1)
        # Rounding errors must not move the point out of its step.
        offset = np.maximum(area - self.sums[step], 0.0) / self.steps[step]
        point = np.clip(self.edges[step] + offset, self.edges[step], self.edges[step + 1])
        return point, self.function(point) / self.steps[step]
