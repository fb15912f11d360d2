"""Observables of showers: energies, depth, widths and the share of cells that are hit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Array, Floats
from qgen_hep.showers.geometry import MEV_IN_GEV, Geometry, Layer


def observables(
    showers: Array, incident: Array, geometry: Geometry, *, threshold: float = 0.0
) -> dict[str, Floats]:
    """Each observable (N,) of showers (N, cells) in MeV by its name.

    For each layer: ``energy`` in GeV; ``fraction``, its share of the energy of all layers;
    ``width`` in mm, the standard deviation of the energy in the direction of the finer cells; and
    ``hits``, the share of cells above ``threshold`` in MeV. For the shower: ``total energy`` in
    GeV, ``response``, its ratio to the ``incident`` energy (N,) in GeV, and ``depth``, the mean
    number of the layer, counted from 0 and weighted by energy. Fractions, widths and the depth are
    0 where there is no energy.

    Raises DataError for showers of another shape, and for incident energies that are not positive
    or not as many as the showers.

    >>> from qgen_hep.showers.geometry import CALOGAN
    >>> shower = np.zeros((1, 504))
    >>> shower[0, [0, 2]] = 250.0  # two strips, 10 mm apart
    >>> shower[0, -1] = 500.0  # a cell of the last layer
    >>> found = observables(shower, np.array([2.0]), CALOGAN)
    >>> for name in ("response", "depth", "layer_0 fraction", "layer_0 width", "layer_2 width"):
    ...     print(name, found[name].item())
    response 0.5
    depth 1.0
    layer_0 fraction 0.5
    layer_0 width 5.0
    layer_2 width 0.0
    """
    grids = geometry.by_layer(np.asarray(showers, dtype=np.float64))
    energy = np.asarray(incident, dtype=np.float64)
    if energy.shape != (len(grids[0]),):
        raise DataError(
            f"{len(grids[0])} showers need so many incident energies, not {energy.shape}"
        )
    if np.any(energy <= 0):
        number = int(np.argmax(energy <= 0))
        raise DataError(f"incident energies are positive, that of shower {number} is not")
    energies = np.stack([grid.sum(axis=(1, 2)) for grid in grids], axis=1) / MEV_IN_GEV
    total = energies.sum(axis=1)
    fractions = _ratio(energies, total[:, None])
    found: dict[str, Floats] = {}
    for number, layer in enumerate(geometry.layers):
        found[f"{layer.name} energy"] = energies[:, number]
        found[f"{layer.name} fraction"] = fractions[:, number]
        found[f"{layer.name} width"] = _width(grids[number], layer)
        found[f"{layer.name} hits"] = (grids[number] > threshold).mean(axis=(1, 2))
    found["total energy"] = total
    found["response"] = total / energy
    found["depth"] = fractions @ np.arange(len(geometry.layers))
    return found


def _width(grid: Floats, layer: Layer) -> Floats:
    """The standard deviation (N,) of the energy of a layer in its finer direction, in mm."""
    along = grid.sum(axis=2 - layer.fine_axis)
    share = _ratio(along, along.sum(axis=1, keepdims=True))
    mean = share @ layer.places
    square = share @ layer.places**2
    width: Floats = np.sqrt(np.maximum(square - mean**2, 0.0))
    return width


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, 0 where there is no whole."""
    found: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return found


@dataclass(frozen=True)
class Profile:
    """Mean and standard deviation (bins,) of a number in bins of another; NaN for under 2 values.

    >>> values, by = np.array([1.0, 3.0, 10.0]), np.array([0.1, 0.2, 0.7])
    >>> found = profile(values, by, edges=np.array([0.0, 0.5, 1.0]))
    >>> found.mean.tolist(), found.deviation.tolist()
    ([2.0, nan], [1.4142135623730951, nan])
    """

    mean: Floats
    deviation: Floats


def profile(values: Floats, by: Floats, edges: Floats) -> Profile:
    """Mean and standard deviation of ``values`` (N,) in the bins (edges) of ``by`` (N,)."""
    place = np.searchsorted(edges, by, side="right") - 1
    means = np.full(len(edges) - 1, np.nan)
    deviations = np.full(len(edges) - 1, np.nan)
    for number in range(len(edges) - 1):
        inside = values[place == number]
        if len(inside) > 1:
            means[number] = inside.mean()
            deviations[number] = inside.std(ddof=1)
    return Profile(means, deviations)
