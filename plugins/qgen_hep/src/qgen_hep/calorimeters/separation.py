"""The separation power of histograms of features, with what lies outside the histograms.

Source: the evaluation of the CaloChallenge, Krause et al., arXiv:2410.21611, which takes the
separation power from Diefenbacher et al., arXiv:2009.03796, eq. 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qgen_core.typing import Array, Floats, Ints
from qgen_hep.calorimeters.features import high_level_features
from qgen_hep.calorimeters.geometry import LayerLike
from qgen_hep.calorimeters.showers import Showers

#: Energies of voxels, all of them in one histogram.
VOXELS = "voxels"
#: The histograms of the response at each energy of data set 1.
RESPONSE_AT = "E_tot/E_inc at "
#: Below this energy in MeV the response is drawn from 0.4 to 1.4, from there on, for photons, from
#: 0.9 to 1.1: it is the fifth energy of data set 1.
NARROW_FROM = 2.0**12
#: A layer within this radius in mm, as in data sets 2 and 3, has narrow histograms.
SMALL_RADIUS = 50.0
#: A layer beyond this radius in mm, such as 12 to 14 of data set 1, has wide histograms.
LARGE_RADIUS = 1000.0


class Limits(NamedTuple):
    """The upper ends of the histograms of a layer in mm; those of eta and phi are symmetric.

    >>> limits_of(2000.0).centre
    500.0
    """

    centre: float
    width: float
    centre_r: float
    width_r: float


def limits_of(radius: float) -> Limits:
    """The limits for a layer that ends at a radius in mm.

    Those of the CaloChallenge are given for numbers of layers in each data set. For its layers the
    radius gives the same, and it serves other calorimeters as well.

    >>> limits_of(41.85)
    Limits(centre=30.0, width=30.0, centre_r=42.0, width_r=20.0)
    >>> limits_of(2000.0).centre_r, limits_of(600.0).centre_r
    (1500.0, 500.0)
    """
    if radius < SMALL_RADIUS:
        return Limits(30.0, 30.0, 42.0, 20.0)
    if radius > LARGE_RADIUS:
        return Limits(500.0, 400.0, 1500.0, 1500.0)
    return Limits(100.0, 100.0, 500.0, 500.0)


@dataclass(frozen=True, eq=False)
class Histogram:
    """A histogram of a feature.

    ``family`` names the histograms of all layers that belong together. Values of ``lowest`` and
    ``highest`` MeV of incident energy bound the showers that count.

    >>> Histogram("sparsity_0", "sparsity", np.linspace(0, 1, 21)).bins
    20
    """

    name: str
    family: str
    edges: Floats
    lowest: float = 0.0
    highest: float = np.inf

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.edges) - 1

    def numbers(self, values: Array) -> Ints:
        """The bin of each value (N,), or ``bins`` for values outside; the last bin is closed.

        >>> Histogram("x", "x", np.array([0.0, 1.0, 2.0])).numbers([-1.0, 0.0, 1.0, 2.0, 3.0])
        array([2, 0, 1, 1, 2])
        """
        values = np.asarray(values)
        found = np.searchsorted(self.edges, values, side="right") - 1
        found[values == self.edges[-1]] = self.bins - 1
        found[found < 0] = self.bins
        return np.asarray(found)


class Separation(NamedTuple):
    """The separation power of two histograms, and the shares of values outside of them.

    >>> separation_power([2, 0, 2], [0, 2, 2]).power  # two bins; the last number is outside
    1.0
    """

    power: float
    outside_reference: float
    outside_generated: float


def separation_power(reference: Array | list[int], generated: Array | list[int]) -> Separation:
    """``1/2 sum_i (p_i - q_i)^2 / (p_i + q_i)`` of counts (bins + 1,), the last of them outside.

    p and q are the shares of the values inside: 0 for equal and 1 for disjoint histograms. Samples
    of n and m values of one distribution over K filled bins have (K - 1) (1/n + 1/m) / 4 on
    average. If one histogram has no value inside, and the other has, it is 1; if none has, 0.

    >>> separation_power([5, 5, 0], [10, 0, 10])
    Separation(power=0.3333333333333333, outside_reference=0.0, outside_generated=0.5)
    """
    shares = []
    outside = []
    for counts in (reference, generated):
        values = np.asarray(counts, dtype=np.float64)
        total = values.sum()
        inside = total - values[-1]
        shares.append(values[:-1] / max(inside, 1.0))
        outside.append(float(values[-1] / max(total, 1.0)))
    p, q = shares
    filled = p + q > 0
    power = float(np.sum((p - q)[filled] ** 2 / (p + q)[filled])) / 2
    if p.any() != q.any():
        power = 1.0
    return Separation(power, outside[0], outside[1])


class Histograms:
    """The histograms of the CaloChallenge for a reference.

    ``all`` has them in order. Those of energies of layers and voxels end at the largest value of
    the reference; they begin at ``threshold`` in MeV, or, if it is 0, at the least positive value.
    The responses at single energies are there if all energies of the reference are powers of 2 in
    MeV, as in data set 1.
    """

    def __init__(self, reference: Showers, threshold: float) -> None:
        features = high_level_features(reference)
        found = [Histogram("E_tot/E_inc", "E_tot/E_inc", np.linspace(0.5, 1.5, 101))]
        found += _responses(reference)
        for name, values in features.items():
            if name.startswith("E_layer"):
                found.append(Histogram(name, "E_layer", _rising(values, threshold, 40)))
        for layer in reference.calorimeter.layers:
            found += _of_layer(layer)
        self.all = found
        self.voxels = Histogram(VOXELS, VOXELS, _rising(reference.voxels, threshold, 50))

    def binned(self, showers: Showers) -> Array:
        """The bins of showers (N, histograms + voxel bins + 1), to be counted.

        First the bin of each histogram, ``bins`` if outside and ``bins`` + 1 if the shower does not
        count; then how many of the shower's voxels with energy are in each bin of the voxels.
        """
        features = high_level_features(showers)
        columns = []
        for one in self.all:
            values = features[one.name.partition(" at ")[0]]
            numbers = one.numbers(values)
            is_counted = (showers.incident >= one.lowest) & (showers.incident < one.highest)
            numbers[~is_counted] = one.bins + 1
            columns.append(numbers)
        slots = self.voxels.bins + 1
        pieces = []
        for piece in showers.pieces():
            numbers = self.voxels.numbers(piece)
            place = np.arange(len(piece))[:, None] * slots + numbers
            counts = np.bincount(place[piece > 0], minlength=len(piece) * slots)
            pieces.append(counts.reshape(len(piece), slots))
        found = np.concatenate([np.stack(columns, axis=1), np.concatenate(pieces)], axis=1)
        return found.astype(np.int32)

    def separations(self, reference: Array, generated: Array) -> dict[str, Separation]:
        """The separation power of each histogram of two samples of :meth:`binned` showers."""
        counts = zip(self._counts(reference), self._counts(generated), strict=True)
        every = [*self.all, self.voxels]
        return {one.name: separation_power(*pair) for one, pair in zip(every, counts, strict=True)}

    def _counts(self, binned: Array) -> list[Array]:
        """How many values are in each bin and outside, for each histogram."""
        sizes = [one.bins + 2 for one in self.all]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        places = binned[:, : len(sizes)] + starts[:-1]
        counts = np.bincount(places.ravel(), minlength=starts[-1])
        found = [part[:-1] for part in np.split(counts, starts[1:-1])]
        return [*found, binned[:, len(sizes) :].sum(axis=0)]

    def families(self) -> dict[str, list[str]]:
        """The names of the histograms of each family."""
        found: dict[str, list[str]] = {}
        for one in [*self.all, self.voxels]:
            found.setdefault(one.family, []).append(one.name)
        return found


def _rising(values: Array, threshold: float, number: int) -> Floats:
    """So many edges from the threshold to the largest value, equal in the logarithm."""
    largest = float(np.max(values, initial=0.0))
    least = threshold
    if least <= 0:
        least = float(np.min(values[values > 0], initial=largest))
    if not largest > least > 0:
        # Nothing to see: a layer without energy.
        least, largest = max(least, 1.0), 10 * max(least, 1.0)
    edges = np.logspace(np.log10(least), np.log10(largest), number)
    # The logarithm may round the ends across the values that they come from.
    edges[0] = least
    edges[-1] = largest
    return edges


def _responses(reference: Showers) -> list[Histogram]:
    """The response at each energy, if all energies are powers of 2 MeV."""
    energies = np.unique(reference.incident)
    powers = np.log2(energies)
    if np.any(np.abs(powers - np.rint(powers)) > 1e-6):
        return []
    found = []
    for energy in 2 ** np.rint(powers):
        edges = np.linspace(0.4, 1.4, 21)
        if reference.calorimeter.particle == "photon" and energy >= NARROW_FROM:
            edges = np.linspace(0.9, 1.1, 21)
        name = f"{RESPONSE_AT}{energy:.0f} MeV"
        # Rounded energies of files may lie a little below the power of 2.
        lowest = energy * (1 - 1e-6)
        found.append(Histogram(name, "E_tot/E_inc at one energy", edges, lowest, 2 * lowest))
    return found


def _of_layer(layer: LayerLike) -> Sequence[Histogram]:
    """The histograms of centres, widths and the sparsity of a layer."""
    radius = float(np.max(layer.r))
    limits = limits_of(radius)
    edges = {}
    if layer.has_directions:
        for direction in ("eta", "phi"):
            edges[f"EC_{direction}"] = np.linspace(-limits.centre, limits.centre, 101)
            edges[f"width_{direction}"] = np.linspace(0, limits.width, 101)
    edges["EC_r"] = np.linspace(0, limits.centre_r, 101)
    edges["width_r"] = np.linspace(0, limits.width_r, 101)
    edges["sparsity"] = np.linspace(0, 1, 21)
    return [Histogram(f"{name}_{layer.number}", name, one) for name, one in edges.items()]
