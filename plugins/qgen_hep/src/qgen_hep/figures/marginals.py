"""Distributions of single columns with the ratio of generated to reference below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_hep.figures.density import density, ratio
from qgen_hep.figures.labels import axis_label, plain
from qgen_hep.figures.style import GENERATED, GUIDE, REFERENCE, figure, image

#: A density whose quarter of lowest bins lies further below its top is drawn on a logarithmic axis.
STEEP = 100.0
#: Bins whose reference has a smaller relative error decide the range of the ratio.
WELL_KNOWN = 0.2
RATIO_RANGES = (0.25, 0.5, 1.0)


def marginal_figure(marginal: dict[str, Any], recipe: Mapping[str, Any], kind: str) -> str | None:
    """HTML of one marginal; None if a histogram is empty. ``kind`` is that of the reference."""
    if sum(marginal["reference"]) <= 0 or sum(marginal["generated"]) <= 0:
        return None
    drawn = figure(4.7, 4.7)
    upper, lower = drawn.subplots(2, sharex=True, height_ratios=[3, 1.1])
    _densities(upper, marginal, f"Reference ({plain(kind)})" if kind else "Reference")
    _ratios(lower, marginal)
    lower.set_xlabel(axis_label(marginal["column"], marginal["unit"], recipe))
    lower.set_xlim(marginal["edges"][0], marginal["edges"][-1])
    unit = marginal["unit"]
    upper.set_ylabel(f"Density [1/{plain(unit)}]" if unit not in ("", "1") else "Density")
    return image(
        drawn, f"Density of {marginal['column']}, generated and reference, and their ratio"
    )


def _densities(axes: Any, marginal: dict[str, Any], name: str) -> None:
    import mplhep

    edges = marginal["edges"]
    truth, truth_error = density(marginal["reference"], marginal["reference_error"], edges)
    made, made_error = density(marginal["generated"], marginal["generated_error"], edges)
    options: dict[str, Any] = {"ax": axes, "flow": "none"}
    mplhep.histplot(
        truth, edges, histtype="fill", color=REFERENCE, alpha=0.35, label=name, **options
    )
    mplhep.histplot(truth, edges, histtype="step", color=REFERENCE, edges=False, **options)
    band = {"facecolor": GUIDE, "edgecolor": "none", "alpha": 0.45, "hatch": None}
    mplhep.histplot(truth, edges, yerr=truth_error, histtype="band", **band, **options)
    dots = {"color": GENERATED, "markersize": 5.5, "elinewidth": 1.2, "label": "Generated"}
    mplhep.histplot(made, edges, yerr=made_error, histtype="errorbar", **dots, **options)
    positive = truth[truth > 0]
    if positive.max() > STEEP * np.quantile(positive, 0.25):
        axes.set_yscale("log")
        axes.set_ylim(0.3 * positive.min(), 4 * positive.max())
    else:
        axes.set_ylim(0, 1.35 * max(truth.max(), made.max()))
    axes.legend(loc="upper right")


def _ratios(axes: Any, marginal: dict[str, Any]) -> None:
    """Ratios with errors over the band of the reference; points out of range are marked."""
    import mplhep

    edges = np.asarray(marginal["edges"], dtype=np.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    found, error, band = ratio(marginal)
    known = np.isfinite(found) & (np.nan_to_num(band, nan=np.inf) < WELL_KNOWN)
    most = float(np.max(np.abs(found - 1)[known], initial=0.0))
    reach = next((r for r in RATIO_RANGES if most < 0.9 * r), RATIO_RANGES[-1])
    for line, style in ((1.0, "-"), (0.9, ":"), (1.1, ":")):
        axes.axhline(line, color=GUIDE, lw=1.0, ls=style, zorder=0)
    wide = np.nan_to_num(band, nan=0.0)
    look = {"facecolor": REFERENCE, "edgecolor": "none", "alpha": 0.45, "hatch": None}
    mplhep.histplot(
        np.ones(len(middle)), edges, yerr=wide, histtype="band", ax=axes, flow="none", **look
    )
    inside = np.isfinite(found) & (np.abs(found - 1) <= reach)
    axes.errorbar(
        middle[inside], found[inside], error[inside], fmt="o", color=GENERATED, ms=4, elinewidth=1.2
    )
    for beyond, marker, edge in ((found > 1 + reach, "^", 0.93), (found < 1 - reach, "v", -0.93)):
        axes.plot(
            middle[beyond], np.full(beyond.sum(), 1 + edge * reach), marker, color=GENERATED, ms=5
        )
    axes.set_ylim(1 - reach, 1 + reach)
    axes.set_ylabel("Generated /\nreference", loc="center", fontsize=11)
