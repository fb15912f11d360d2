"""Pictures of showers in a calorimeter of a few layers, on a common logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Floats
from qgen_hep.figures.style import figure

#: Colours span so many powers of ten below the greatest energy.
DECADES = 5.0
#: Size in inches of the image of a layer.
PANEL = (2.9, 2.1)


def shower_figure(
    samples: Mapping[str, Floats],
    shapes: Sequence[tuple[int, int]],
    *,
    window: float,
    event: int | None = None,
) -> Any:
    """A figure with a row for each layer and a column for each sample.

    ``samples`` are energies (N, cells) in MeV by name, layer by layer with y running fastest, e.g.
    those of the dataset ``calogan``; ``shapes`` the numbers of cells along x and y of each layer,
    which fill a square of ``window`` mm. Without ``event`` the mean over a sample is drawn, else
    the shower of this number. All images have one logarithmic scale of energy in a cell; cells
    without energy are white, those below the scale have its first colour.

    Raises DataError for samples without showers, of other numbers of cells, or without energy.

    >>> drawn = shower_figure({"e+": np.ones((3, 10))}, [(2, 3), (2, 2)], window=480.0)
    >>> len(drawn.axes)
    3
    """
    from matplotlib.colors import LogNorm

    cells = sum(across * along for across, along in shapes)
    images = {}
    for name, showers in samples.items():
        images[name] = _image(name, np.asarray(showers), cells, event)
    top = max((float(image.max()) for image in images.values()), default=0.0)
    if top <= 0:
        raise DataError("there is no energy in any of the showers, so nothing to draw")
    scale = LogNorm(top / 10**DECADES, top)

    drawn = figure(PANEL[0] * len(images) + 1.2, PANEL[1] * len(shapes) + 0.5)
    drawn.set_layout_engine("constrained")
    grid = drawn.subplots(len(shapes), len(images), squeeze=False, sharex=True, sharey=True)
    for column, (name, image) in enumerate(images.items()):
        first = 0
        for layer, (across, along) in enumerate(shapes):
            axes = grid[layer, column]
            part = image[first : first + across * along].reshape(across, along)
            first += across * along
            mesh = _draw(axes, part, scale, window)
            if column == 0:
                axes.set_ylabel(f"layer {layer}\nx [mm]", fontsize=10)
        grid[0, column].set_title(name, fontsize=12)
        grid[-1, column].set_xlabel("y [mm]", fontsize=10)
    bar = drawn.colorbar(mesh, ax=grid, pad=0.02)
    label = "Energy in a cell [MeV]"
    if event is None:
        label = "Mean energy in a cell [MeV]"
    bar.set_label(label, fontsize=11)
    return drawn


def _image(name: str, showers: Floats, cells: int, event: int | None) -> Floats:
    """The cells (cells,) of one shower, or their means."""
    if showers.ndim != 2 or showers.shape[1] != cells or not len(showers):
        raise DataError(
            f"the showers of {name!r} must have the shape (N, {cells}), not {showers.shape}"
        )
    if event is None:
        mean: Floats = showers.mean(axis=0)
        return mean
    if not 0 <= event < len(showers):
        raise DataError(f"there is no event {event} among the {len(showers)} showers of {name!r}")
    one: Floats = showers[event]
    return one


def _draw(axes: Any, part: Floats, scale: Any, window: float) -> Any:
    """The image (across, along) of a layer, x upwards and y to the right."""
    across, along = part.shape
    shown = np.ma.masked_where(part <= 0, np.maximum(part, scale.vmin))
    horizontal = np.linspace(-window / 2, window / 2, along + 1)
    vertical = np.linspace(-window / 2, window / 2, across + 1)
    mesh = axes.pcolormesh(horizontal, vertical, shown, norm=scale, cmap="viridis", rasterized=True)
    axes.tick_params(labelsize=9)
    return mesh
