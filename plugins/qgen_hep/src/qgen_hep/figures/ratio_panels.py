"""A distribution in bins with its ratio to a reference in a panel below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.style import GUIDE, REFERENCE

#: Values that span a larger factor are drawn on a logarithmic axis.
STEEP = 100.0
#: Heights and line styles of the lines in a ratio panel.
GUIDES: Mapping[float, str] = {1.0: "-", 0.9: ":", 1.1: ":"}


class RatioPanels:
    """Two axes over the same bins: distributions above, their ratios to a reference below.

    Args:
        top: the axes of the distributions.
        bottom: the axes of the ratios.
        edges: the edges (B + 1,) of the bins.
        limits: the range of the ratios. Points beyond it are drawn as triangles.
        inset: how far inside the limits the triangles are.
        triangle: the size of the triangles in points.
        closed: whether a ratio that equals a limit is a point; otherwise it is a triangle.

    >>> from qgen_hep.figures.style import figure
    >>> top, bottom = figure(4.0, 4.0).subplots(2)
    >>> edges = np.array([0.0, 1.0, 2.0])
    >>> panels = RatioPanels(top, bottom, edges, (0.5, 1.5), inset=0.06, triangle=4)
    >>> panels.fill_reference(np.array([0.5, 0.5]), "reference")
    >>> panels.ratio_points(np.array([1.1, 7.0]), color="black", marker=".")
    >>> panels.guides()
    >>> [line.get_xydata().tolist() for line in bottom.lines[:2]]
    [[[0.5, 1.1]], [[1.5, 1.44]]]
    """

    def __init__(
        self,
        top: Any,
        bottom: Any,
        edges: Floats,
        limits: tuple[float, float],
        *,
        inset: float,
        triangle: float,
        closed: bool = False,
    ) -> None:
        self.top = top
        self.bottom = bottom
        self.edges = edges
        self.limits = limits
        self.inset = inset
        self.triangle = triangle
        self.closed = closed
        bottom.set_ylim(*limits)
        for axes in (top, bottom):
            axes.set_xlim(edges[0], edges[-1])

    @property
    def centres(self) -> Floats:
        """The centres (B,) of the bins."""
        centres: Floats = (self.edges[1:] + self.edges[:-1]) / 2
        return centres

    def fill_reference(self, values: Floats, label: str) -> None:
        """Draw the reference (B,) as a filled histogram in the panel above."""
        self.top.stairs(values, self.edges, fill=True, color=REFERENCE, alpha=0.35, label=label)

    def ratio_points(self, ratio: Floats, error: Floats | None = None, **style: Any) -> None:
        """Draw ratios (B,) as points, with error bars if there are errors; NaN is left out."""
        low, high = self.limits
        above = ratio > high if self.closed else ratio >= high
        below = ratio < low if self.closed else ratio <= low
        inside = np.isfinite(ratio) & ~above & ~below
        x = self.centres[inside]
        if error is None:
            self.bottom.plot(x, ratio[inside], ls="none", **style)
        else:
            self.bottom.errorbar(x, ratio[inside], yerr=error[inside], ls="none", **style)
        self._triangles(above, high - self.inset, "^", style["color"])
        self._triangles(below, low + self.inset, "v", style["color"])

    def _triangles(self, beyond: Any, level: float, marker: str, color: str) -> None:
        heights = np.full(np.count_nonzero(beyond), level)
        self.bottom.plot(
            self.centres[beyond],
            heights,
            ls="none",
            marker=marker,
            ms=self.triangle,
            color=color,
        )

    def guides(self, levels: Mapping[float, str] = GUIDES, **style: Any) -> None:
        """Draw horizontal lines at these ratios; ``levels`` gives the line style of each."""
        for level, dashes in levels.items():
            self.bottom.axhline(level, color=GUIDE, ls=dashes, **style)


def log_if_steep(axes: Any, positive: Floats, lowest: float) -> bool:
    """Use a logarithmic axis if the greatest positive value is far above ``lowest``.

    Returns whether the axis is logarithmic. Without positive values it is not.

    >>> from qgen_hep.figures.style import figure
    >>> log_if_steep(figure(4.0, 4.0).subplots(), np.array([1.0, 300.0]), 1.0)
    True
    """
    if not len(positive) or positive.max() <= STEEP * lowest:
        return False
    axes.set_yscale("log")
    axes.set_ylim(0.3 * positive.min(), 4 * positive.max())
    return True
