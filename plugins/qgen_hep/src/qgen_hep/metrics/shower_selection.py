"""The metric ``shower-selection``: the number by which checkpoints compete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.typing import Array, Floats

#: Conditions of more different values are taken together.
MOST_ENERGIES = 32
#: Bins of a centre or a width.
SHAPE_BINS = 50
#: What keeps the centre of an empty layer finite.
TINY = 1e-16


def shower_selection(
    reference: Events,
    generated: Events,
    *,
    layers: Sequence[tuple[int, int]],
    bins: int = 30,
    shape_weight: float = 1.0,
) -> Mapping[str, float]:
    """How far total energies and shapes of showers are from the reference; for ``select``.

    ``selection`` is ``chi2/ndf + shape_weight * shape``. ``chi2/ndf`` compares the sum over all
    columns in ``bins`` of equal width over the reference, separately for each incident energy (a
    different row of the condition) if there are at most 32 of them, with all chi2 and all degrees
    of freedom added. ``shape`` is the mean separation power of the centres and widths of the
    layers: 1/2 sum (a - b)^2 / (a + b) of the shares a and b in 50 bins over the reference, 0 to 1.

    Columns are cells in any common unit, layer by layer, then by angle, then by radius; encoded
    columns will do, if the encoding keeps the proportions. ``layers`` has the number of angles and
    of radii of each. A layer with one angle has a centre and a width in the radius; one with more
    has them in the two directions across the shower as well. Radii are counted in cells.

    Raises BadOption if the layers do not have as many cells as there are columns, for a negative
    weight and for fewer than two bins.

    Source: the selection of FastCaloGAN (chi2 of the total energy, 30 bins) with a term for the
    shape, which it lacks; this term is our choice.

    >>> showers = np.random.default_rng(1).random((500, 11))
    >>> layers = [(1, 3), (4, 2)]
    >>> same = shower_selection(Events(showers), Events(showers), layers=layers)
    >>> same["selection"]
    0.0
    >>> hotter = shower_selection(Events(showers), Events(1.2 * showers), layers=layers)
    >>> hotter["chi2/ndf"] > 5, hotter["shape"] < 0.01
    (True, True)
    """
    cells = sum(angles * radii for angles, radii in layers)
    widths = {events.x.shape[1] for events in (reference, generated)}
    if widths != {cells}:
        raise BadOption(
            f"shower-selection: the layers {[list(layer) for layer in layers]} have {cells} cells, "
            f"and the events {' and '.join(map(str, sorted(widths)))} columns"
        )
    if bins < 2 or not shape_weight >= 0:
        raise BadOption(
            "shower-selection needs at least 2 bins and a shape_weight of at least 0, not "
            f"{bins} and {shape_weight:g}"
        )
    square = 0.0
    degrees = 0
    for first, second in _energies(reference, generated):
        found, of_these = _chi_square(
            reference.x[first].sum(axis=1),
            generated.x[second].sum(axis=1),
            reference.weights[first],
            generated.weights[second],
            bins,
        )
        square += found
        degrees += of_these
    per_degree = square / max(degrees, 1)
    observed = _shapes(reference.x, layers), _shapes(generated.x, layers)
    powers = []
    for mine, other in zip(*observed, strict=True):
        powers.append(_separation(mine, other, reference.weights, generated.weights))
    shape = float(np.mean(powers)) if powers else 0.0
    return {
        "selection": per_degree + shape_weight * shape,
        "chi2/ndf": per_degree,
        "shape": shape,
    }


def _energies(
    reference: Events, generated: Events
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which events of the two have one incident energy, for each of them."""
    everything = np.ones(len(reference), dtype=bool), np.ones(len(generated), dtype=bool)
    if reference.condition is None or generated.condition is None:
        yield everything
        return
    energies = np.unique(reference.condition, axis=0)
    if len(energies) > MOST_ENERGIES:
        yield everything
        return
    for energy in energies:
        yield (
            np.all(reference.condition == energy, axis=1),
            np.all(generated.condition == energy, axis=1),
        )


def _chi_square(
    x: Array, y: Array, x_weights: Floats, y_weights: Floats, bins: int
) -> tuple[float, int]:
    """chi2 of two weighted histograms and its degrees of freedom; values outside are in the ends.

    With contents a, b, their variances u, v and totals A, B it is sum (A b - B a)^2 / (A^2 v +
    B^2 u) over the bins that are not empty.
    """
    edges = _inner_edges(x, bins)
    a, u = _histogram(x, x_weights, edges)
    b, v = _histogram(y, y_weights, edges)
    variance = a.sum() ** 2 * v + b.sum() ** 2 * u
    filled = variance > 0
    difference = a.sum() * b - b.sum() * a
    square = float(np.sum(difference[filled] ** 2 / variance[filled]))
    return square, max(int(np.count_nonzero(filled)) - 1, 0)


def _separation(x: Array, y: Array, x_weights: Floats, y_weights: Floats) -> float:
    """1/2 sum (a - b)^2 / (a + b) of the shares of two histograms."""
    edges = _inner_edges(x, SHAPE_BINS)
    a, _ = _histogram(x, x_weights / x_weights.sum(), edges)
    b, _ = _histogram(y, y_weights / y_weights.sum(), edges)
    total = a + b
    filled = total > 0
    return float(0.5 * np.sum((a - b)[filled] ** 2 / total[filled]))


def _inner_edges(x: Array, bins: int) -> Floats:
    """The edges between bins of equal width over x."""
    edges: Floats = np.linspace(float(x.min()), float(x.max()), bins + 1)[1:-1]
    return edges


def _histogram(x: Array, weights: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """The sums of weights, and of squared weights, in the bins between the edges and beyond."""
    numbers = np.searchsorted(edges, x, side="right")
    size = len(edges) + 1
    contents: Floats = np.bincount(numbers, weights=weights, minlength=size).astype(np.float64)
    squares: Floats = np.bincount(numbers, weights=weights**2, minlength=size).astype(np.float64)
    return contents, squares


def _shapes(x: Array, layers: Sequence[tuple[int, int]]) -> list[Array]:
    """Centres and widths (N,) of each layer in the directions that it resolves."""
    found: list[Array] = []
    start = 0
    for angles, radii in layers:
        stop = start + angles * radii
        energies = np.maximum(x[:, start:stop], 0)
        start = stop
        angle = np.repeat((np.arange(angles) + 0.5) * (2 * np.pi / angles), radii)
        radius = np.tile(np.arange(radii) + 0.5, angles)
        directions = []
        if radii > 1:
            directions.append(radius)
        if angles > 1:
            directions += [radius * np.cos(angle), radius * np.sin(angle)]
        total = energies.sum(axis=1) + TINY
        for direction in directions:
            centre = energies @ direction / total
            square = energies @ direction**2 / total
            found += [centre, np.sqrt(np.maximum(square - centre**2, 0))]
    return found
