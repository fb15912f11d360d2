"""The joint distribution of two columns: reference, generated, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats
from qgen_hep.figures.density import LEAST_EXPECTED, pulls
from qgen_hep.figures.labels import axis_label, escaped
from qgen_hep.figures.scales import scale_of
from qgen_hep.figures.style import SPARSE, framed_figure, image, note, side_by_side

PULL_RANGE = 5.0
#: The least density that has a colour of its own, as a fraction of the greatest one.
LEAST_COLOUR = 1e-4


@dataclass(frozen=True)
class Bins:
    """The edges of the bins of two columns, and the labels and scales of their axes."""

    edges: tuple[Floats, Floats]
    labels: tuple[str, str]
    scales: tuple[dict[str, Any], dict[str, Any]]


def joint_figures(
    joint: dict[str, Any], recipe: Mapping[str, Any], *, latex: bool = False
) -> str | None:
    """HTML of three maps; None when one of the histograms is empty.

    ``joint`` is that of an evaluation: ``columns``, ``edges`` and ``units`` of two columns, the
    histograms ``reference`` and ``generated``, and the effective ``sizes`` of both samples.

    >>> joint = {"columns": ["pt", "eta"], "edges": [[0, 1, 2], [0, 1]], "units": ["GeV", "1"]}
    >>> joint_figures(joint | {"reference": [[1], [2]], "generated": [[2], [1]]}, {}).count("<img")
    3
    """
    reference = np.asarray(joint["reference"], dtype=np.float64)
    generated = np.asarray(joint["generated"], dtype=np.float64)
    if reference.sum() <= 0 or generated.sum() <= 0:
        return None
    first, second = (np.asarray(edges, dtype=np.float64) for edges in joint["edges"])
    units = list(joint.get("units") or ["1", "1"])
    labels = [
        axis_label(column, unit, recipe, latex=latex)
        for column, unit in zip(joint["columns"], units, strict=True)
    ]
    scales = (scale_of(first, reference.sum(axis=1)), scale_of(second, reference.sum(axis=0)))
    bins = Bins((first, second), (labels[0], labels[1]), scales)
    area = np.outer(np.diff(first), np.diff(second))
    densities = {
        "Reference": reference / reference.sum() / area,
        "Generated": generated / generated.sum() / area,
    }
    limits = _limits(list(densities.values()))
    bar_label = "Density"
    if units != ["1", "1"]:
        bar_label += f" [1/{_area_unit(units)}]"
    columns = " and ".join(joint["columns"])
    images = _density_maps(bins, densities, limits, bar_label, f"Density of {columns}")
    pull = pulls(reference, generated, joint.get("sizes"))
    sparse = np.isnan(pull) & ((reference != 0) | (generated != 0))
    images.append(_pull_map(bins, pull, sparse, f"Pulls of {columns}"))
    text = (
        "Cells without events are white. Pulls are differences of the normalised counts over "
        "their standard deviation if both samples have one distribution; grey cells expect fewer "
        f"than {LEAST_EXPECTED:.0f} events of the smaller sample."
    )
    return side_by_side(images) + note(text)


def _area_unit(units: list[str]) -> str:
    named = [escaped(unit) for unit in units if unit not in ("", "1")]
    if len(named) == 2 and named[0] == named[1]:
        return f"{named[0]}²"
    return " ".join(named)


def _limits(densities: list[Floats]) -> tuple[float, float]:
    """The range of the colours that both maps share."""
    positive = np.concatenate([density[density > 0] for density in densities])
    top = float(positive.max())
    return max(float(positive.min()), LEAST_COLOUR * top), top


def _density_maps(
    bins: Bins,
    densities: Mapping[str, Floats],
    limits: tuple[float, float],
    bar_label: str,
    alt: str,
) -> list[str]:
    """Maps of densities by title, in one figure whose values change: the axes take most time."""
    from matplotlib.colors import LogNorm

    nothing = np.zeros(next(iter(densities.values())).shape)
    drawn, axes, mesh = _map(bins, nothing, LogNorm(*limits), "viridis")
    bar = drawn.colorbar(mesh, ax=axes, extend="neither", pad=0.04)
    images = []
    for title, density in densities.items():
        mesh.set_array(_shown(density).T)
        images.append(_labelled(drawn, axes, bar, title, bar_label, f"{alt}: {title.lower()}"))
    return images


def _pull_map(bins: Bins, pull: Floats, sparse: NDArray[np.bool_], alt: str) -> str:
    """A map of pulls; cells that are ``sparse`` are grey."""
    from matplotlib.colors import ListedColormap, Normalize

    drawn, axes, mesh = _map(bins, pull, Normalize(-PULL_RANGE, PULL_RANGE), "RdBu_r")
    grey = np.ma.masked_where(~sparse, np.ones(sparse.shape))
    axes.pcolormesh(*bins.edges, grey.T, cmap=ListedColormap([SPARSE]), rasterized=True)
    bar = drawn.colorbar(mesh, ax=axes, extend="both", pad=0.04)
    return _labelled(drawn, axes, bar, "Pull", "(generated - reference) / error", alt)


def _map(bins: Bins, values: Floats, norm: Any, colours: str) -> tuple[Any, Any, Any]:
    """Figure, axes and mesh of a map in which cells that are 0 or not finite are left white."""
    drawn = framed_figure(3.4, 2.9)
    axes = drawn.subplots()
    mesh = axes.pcolormesh(*bins.edges, _shown(values).T, norm=norm, cmap=colours, rasterized=True)
    axes.set_xlabel(bins.labels[0])
    axes.set_ylabel(bins.labels[1])
    axes.set_xscale(**bins.scales[0])
    axes.set_yscale(**bins.scales[1])
    return drawn, axes, mesh


def _shown(values: Floats) -> Any:
    """The values without those that are 0 or not finite."""
    return np.ma.masked_where(~(np.isfinite(values) & (values != 0)), values)


def _labelled(drawn: Any, axes: Any, bar: Any, title: str, bar_label: str, alt: str) -> str:
    bar.set_label(bar_label, fontsize=11)
    bar.minorticks_off()
    axes.minorticks_off()
    axes.set_title(title, fontsize=12)
    return image(drawn, alt)
