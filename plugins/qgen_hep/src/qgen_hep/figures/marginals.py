"""Distributions of single columns with the ratio of generated to reference below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_hep.figures.density import density, ratio
from qgen_hep.figures.labels import axis_label, escaped
from qgen_hep.figures.ratio_panels import RatioPanels, log_if_steep
from qgen_hep.figures.scales import scale_of
from qgen_hep.figures.style import GENERATED, GUIDE, REFERENCE, framed_figure, image

#: Width and height in inches of both panels together.
SIZE = (3.8, 4.0)
#: Bins whose reference has a smaller relative error decide the range of the ratio.
WELL_KNOWN = 0.2
#: Half the height of the panel of ratios: the least that leaves a margin, or the last.
RATIO_RANGES = (0.25, 0.5, 1.0)


def marginal_figure(
    marginal: dict[str, Any],
    recipe: Mapping[str, Any],
    kind: str,
    *,
    latex: bool = False,
    title: str = "",
) -> str | None:
    """HTML of one marginal of an evaluation; None if a histogram is empty.

    ``kind`` is that of the reference, such as ``simulated``; ``latex`` draws names as formulas. The
    axis is logarithmic where the reference has a heavy tail.

    >>> counts = {"reference": [4, 9], "generated": [5, 8]}
    >>> errors = {"reference_error": [2, 3], "generated_error": [2, 3]}
    >>> marginal = {"column": "pt", "unit": "GeV", "edges": [0, 1, 2], **counts, **errors}
    >>> marginal_figure(marginal, {}, "simulated").count("<img")
    1
    """
    if not has_events(marginal):
        return None
    drawn = framed_figure(*SIZE)
    draw_marginal(drawn, marginal, recipe, kind, latex=latex, title=title)
    column = marginal["column"]
    return image(drawn, f"Density of {column}, generated and reference, and their ratio")


def has_events(marginal: Mapping[str, Any]) -> bool:
    """Whether both histograms of a marginal hold events."""
    return bool(sum(marginal["reference"]) > 0 and sum(marginal["generated"]) > 0)


def draw_marginal(
    drawn: Any,
    marginal: dict[str, Any],
    recipe: Mapping[str, Any],
    kind: str,
    *,
    latex: bool = False,
    title: str = "",
) -> None:
    """Draw what :func:`marginal_figure` shows into an empty figure, or a part of one."""
    upper, lower = drawn.subplots(2, sharex=True, height_ratios=[3, 1.1])
    edges = np.asarray(marginal["edges"], dtype=np.float64)
    relative, relative_error, band = ratio(marginal)
    reach = _reach(relative, band)
    panels = RatioPanels(
        upper,
        lower,
        edges,
        (1 - reach, 1 + reach),
        inset=0.07 * reach,
        triangle=5,
        closed=True,
    )
    label = "Reference"
    if kind not in ("", "unknown"):
        label += f" ({escaped(kind)})"
    _draw_densities(panels, marginal, label)
    panels.guides(lw=1.0, zorder=0)
    _draw_band(lower, edges, np.ones(len(band)), np.nan_to_num(band, nan=0.0), REFERENCE)
    style = {"color": GENERATED, "marker": "o", "ms": 4, "elinewidth": 1.2}
    panels.ratio_points(relative, relative_error, **style)
    lower.set_ylabel("Generated /\nreference", loc="center", fontsize=11)
    lower.set_xlabel(axis_label(marginal["column"], marginal["unit"], recipe, latex=latex))
    lower.set_xscale(**scale_of(edges, marginal["reference"]))
    lower.minorticks_off()
    upper.xaxis.minorticks_off()
    if title:
        upper.set_title(title, fontsize=12)
    upper.set_ylabel(_density_label(marginal["unit"]))


def _density_label(unit: str) -> str:
    if unit in ("", "1"):
        return "Density"
    return f"Density [1/{escaped(unit)}]"


def _draw_densities(panels: RatioPanels, marginal: dict[str, Any], label: str) -> None:
    """The reference filled with its error band, generated events as points with error bars."""
    import mplhep

    axes = panels.top
    edges = marginal["edges"]
    expected, expected_error = density(marginal["reference"], marginal["reference_error"], edges)
    found, found_error = density(marginal["generated"], marginal["generated_error"], edges)
    panels.fill_reference(expected, label)
    outline = {"histtype": "step", "color": REFERENCE, "edges": False}
    mplhep.histplot(expected, edges, ax=axes, flow="none", **outline)
    _draw_band(axes, edges, expected, expected_error, GUIDE)
    dots = {"color": GENERATED, "markersize": 5.5, "elinewidth": 1.2, "label": "Generated"}
    mplhep.histplot(
        found, edges, yerr=found_error, histtype="errorbar", ax=axes, flow="none", **dots
    )
    positive = expected[expected > 0]
    # Steep: a quarter of the bins is far below the highest one.
    if not log_if_steep(axes, positive, float(np.quantile(positive, 0.25))):
        axes.set_ylim(0, 1.35 * max(expected.max(), found.max()))
    axes.legend(loc="upper right")


def _draw_band(axes: Any, edges: Any, values: Any, errors: Any, colour: str) -> None:
    """The errors of a histogram as a band around it."""
    import mplhep

    style = {"facecolor": colour, "edgecolor": "none", "alpha": 0.45, "hatch": None}
    mplhep.histplot(values, edges, yerr=errors, histtype="band", ax=axes, flow="none", **style)


def _reach(relative: Any, band: Any) -> float:
    """How far the panel of ratios reaches from 1, for the ratios that are well known."""
    known = np.isfinite(relative) & (np.nan_to_num(band, nan=np.inf) < WELL_KNOWN)
    most = float(np.max(np.abs(relative - 1)[known], initial=0.0))
    for reach in RATIO_RANGES:
        if most < 0.9 * reach:
            return reach
    return RATIO_RANGES[-1]
