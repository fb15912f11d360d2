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
#: Width and height of a map in inches.
SIZE = (3.4, 2.9)
#: The least density that has a colour of its own, as a fraction of the greatest one.
LEAST_COLOUR = 1e-4


@dataclass(frozen=True)
class Bins:
    """The edges of the bins of two columns, and the labels and scales of their axes."""

    edges: tuple[Floats, Floats]
    labels: tuple[str, str]
    scales: tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Maps:
    """Densities by title with the label of their colours, and pulls, of which some are sparse."""

    bins: Bins
    densities: Mapping[str, Floats]
    bar_label: str
    pull: Floats
    sparse: NDArray[np.bool_]


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
    maps = maps_of(joint, recipe, latex=latex)
    if maps is None:
        return None
    columns = " and ".join(joint["columns"])
    images = _density_images(maps, f"Density of {columns}")
    drawn = framed_figure(*SIZE)
    draw_pulls(drawn, maps)
    images.append(image(drawn, f"Pulls of {columns}"))
    text = (
        "Cells without events are white. Pulls are differences of the normalised counts over "
        "their standard deviation if both samples have one distribution; grey cells expect fewer "
        f"than {LEAST_EXPECTED:.0f} events of the smaller sample."
    )
    return side_by_side(images) + note(text)


def maps_of(joint: dict[str, Any], recipe: Mapping[str, Any], *, latex: bool) -> Maps | None:
    """What is drawn of a joint histogram; None when one of its histograms is empty."""
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
    area = np.outer(np.diff(first), np.diff(second))
    bar_label = "Density"
    if units != ["1", "1"]:
        bar_label += f" [1/{_area_unit(units)}]"
    pull = pulls(reference, generated, joint.get("sizes"))
    return Maps(
        bins=Bins((first, second), (labels[0], labels[1]), scales),
        densities={
            "Reference": reference / reference.sum() / area,
            "Generated": generated / generated.sum() / area,
        },
        bar_label=bar_label,
        pull=pull,
        sparse=np.isnan(pull) & ((reference != 0) | (generated != 0)),
    )


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


def _density_images(maps: Maps, alt: str) -> list[str]:
    """Images of the densities, of one figure whose values change: the axes take most time."""
    drawn = framed_figure(*SIZE)
    axes, mesh = _density_mesh(drawn, maps, np.zeros(maps.pull.shape))
    bar = drawn.colorbar(mesh, ax=axes, extend="neither", pad=0.04)
    images = []
    for title, density in maps.densities.items():
        mesh.set_array(_shown(density).T)
        _label(axes, bar, title, maps.bar_label)
        images.append(image(drawn, f"{alt}: {title.lower()}"))
    return images


def draw_density(drawn: Any, maps: Maps, title: str) -> None:
    """Draw one of the densities into an empty figure, or a part of one."""
    axes, mesh = _density_mesh(drawn, maps, maps.densities[title])
    bar = drawn.colorbar(mesh, ax=axes, extend="neither", pad=0.04)
    _label(axes, bar, title, maps.bar_label)


def draw_pulls(drawn: Any, maps: Maps) -> None:
    """Draw the pulls into an empty figure, or a part of one; sparse cells are grey."""
    from matplotlib.colors import ListedColormap, Normalize

    axes, mesh = _map(drawn, maps.bins, maps.pull, Normalize(-PULL_RANGE, PULL_RANGE), "RdBu_r")
    grey = np.ma.masked_where(~maps.sparse, np.ones(maps.sparse.shape))
    axes.pcolormesh(*maps.bins.edges, grey.T, cmap=ListedColormap([SPARSE]), rasterized=True)
    bar = drawn.colorbar(mesh, ax=axes, extend="both", pad=0.04)
    _label(axes, bar, "Pull", "(generated - reference) / error")


def _density_mesh(drawn: Any, maps: Maps, values: Floats) -> tuple[Any, Any]:
    """Axes and mesh of a density, in the range of colours that both share."""
    from matplotlib.colors import LogNorm

    norm = LogNorm(*_limits(list(maps.densities.values())))
    return _map(drawn, maps.bins, values, norm, "viridis")


def _map(drawn: Any, bins: Bins, values: Floats, norm: Any, colours: str) -> tuple[Any, Any]:
    """Axes and mesh of a map in which cells that are 0 or not finite are left white."""
    axes = drawn.subplots()
    mesh = axes.pcolormesh(*bins.edges, _shown(values).T, norm=norm, cmap=colours, rasterized=True)
    axes.set_xlabel(bins.labels[0])
    axes.set_ylabel(bins.labels[1])
    axes.set_xscale(**bins.scales[0])
    axes.set_yscale(**bins.scales[1])
    return axes, mesh


def _shown(values: Floats) -> Any:
    """The values without those that are 0 or not finite."""
    return np.ma.masked_where(~(np.isfinite(values) & (values != 0)), values)


def _label(axes: Any, bar: Any, title: str, bar_label: str) -> None:
    bar.set_label(bar_label, fontsize=11)
    bar.minorticks_off()
    axes.minorticks_off()
    axes.set_title(title, fontsize=12)
