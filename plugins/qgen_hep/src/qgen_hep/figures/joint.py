"""The joint distribution of two columns: reference, generated, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.density import pulls
from qgen_hep.figures.labels import axis_label, plain
from qgen_hep.figures.style import figure, image, note, side_by_side

PULL_RANGE = 5.0
#: The colours of a density span at most so many orders of magnitude.
DECADES = 1e-4


def joint_figures(joint: dict[str, Any], recipe: Mapping[str, Any]) -> str | None:
    """HTML of three maps; None when one of the histograms is empty."""
    truth, made = (
        np.asarray(joint[which], dtype=np.float64) for which in ("reference", "generated")
    )
    if truth.sum() <= 0 or made.sum() <= 0:
        return None
    first, second = (np.asarray(edges, dtype=np.float64) for edges in joint["edges"])
    area = np.outer(np.diff(first), np.diff(second))
    units = list(joint.get("units") or ["1", "1"])
    labels = (
        axis_label(joint["columns"][0], units[0], recipe),
        axis_label(joint["columns"][1], units[1], recipe),
    )
    densities = [truth / truth.sum() / area, made / made.sum() / area]
    limits = _limits(densities)
    per = "" if units == ["1", "1"] else f" [1/{_area_unit(units)}]"
    of = " and ".join(joint["columns"])
    images = [
        _map(
            first,
            second,
            d,
            (*labels, f"Density{per}"),
            title,
            limits,
            f"Density of {of}: {title.lower()}",
        )
        for d, title in zip(densities, ("Reference", "Generated"), strict=True)
    ]
    bar = "(generated - reference) / error"
    images.append(
        _map(first, second, pulls(truth, made), (*labels, bar), "Pull", None, f"Pulls of {of}")
    )
    text = (
        "Cells without events are white. Pulls are differences of the normalised counts "
        "over their Poisson errors."
    )
    return side_by_side(images) + note(text)


def _area_unit(units: list[str]) -> str:
    named = [plain(unit) for unit in units if unit not in ("", "1")]
    return f"{named[0]}²" if len(named) == 2 and named[0] == named[1] else " ".join(named)


def _limits(densities: list[Floats]) -> tuple[float, float]:
    """The range of the colours that both maps share."""
    positive = np.concatenate([d[d > 0] for d in densities])
    top = float(positive.max())
    return max(float(positive.min()), DECADES * top), top


def _map(
    first: Floats, second: Floats, values: Floats, labels: tuple[str, str, str], title: str,
    limits: tuple[float, float] | None, alt: str,
) -> str:  # fmt: skip
    """One map with ``labels`` of both axes and of the colours; without limits it shows pulls."""
    from matplotlib.colors import LogNorm, Normalize

    drawn = figure(4.1, 3.7)
    axes = drawn.subplots()
    shown = np.ma.masked_where(~(np.isfinite(values) & (values != 0)), values)
    norm = Normalize(-PULL_RANGE, PULL_RANGE) if limits is None else LogNorm(*limits)
    colours = "RdBu_r" if limits is None else "viridis"
    mesh = axes.pcolormesh(first, second, shown.T, norm=norm, cmap=colours, rasterized=True)
    bar = drawn.colorbar(mesh, ax=axes, extend="both" if limits is None else "neither", pad=0.02)
    bar.set_label(labels[2], fontsize=11)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title(title, fontsize=12)
    return image(drawn, alt)
