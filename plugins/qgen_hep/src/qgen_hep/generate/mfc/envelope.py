"""A staircase above a function, to draw from: the proposals of an exact rejection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qgen_core.typing import Floats, Rng


class Envelope:
    """The least staircase on ``edges`` (K + 1,) above ``function``, which rises up to ``mode`` and falls after it."""

    def __init__(self, function: Callable[[Floats], Floats], edges: Floats, mode: float) -> None:
        self.function, self.edges = function, edges
        ends = function(edges)
        self.steps: Floats = np.maximum(ends[:-1], ends[1:])
        inside = int(np.searchsorted(edges, mode)) - 1
        if 0 <= inside < len(self.steps):
            self.steps[inside] = function(np.array([mode]))[0]
        self.sums: Floats = np.concatenate([[0.0], np.cumsum(self.steps * np.diff(edges))])

    def propose(self, low: Floats, high: Floats | float, rng: Rng) -> tuple[Floats, Floats]:
        """A point between ``low`` and ``high`` (N,) from the staircase, and function / staircase there."""
        first, last = (np.interp(side, self.edges, self.sums) for side in (low, high))
        area = first + (last - first) * rng.random(len(low))
        step = np.clip(np.searchsorted(self.sums, area, side="right") - 1, 0, len(self.steps) - 1)
        # rounding must not leave the step
        offset = np.maximum(area - self.sums[step], 0.0) / self.steps[step]
        point = np.clip(self.edges[step] + offset, self.edges[step], self.edges[step + 1])
        return point, self.function(point) / self.steps[step]
