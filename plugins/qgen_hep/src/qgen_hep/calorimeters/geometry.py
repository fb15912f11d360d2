"""Calorimeters: their layers, where the voxels of a layer are, and how showers are flattened.

A shower is a row of voxel energies. Its layers follow each other in the order in which a shower
crosses them, and a layer is a grid of rows and columns. The layers of the CaloChallenge are rings
in r, cut by angle: a row is an angle, and r runs fastest.

Source: the CaloChallenge (Krause et al., arXiv:2410.21611), and the layout of its data sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Array, Floats
from qgen_hep.calorimeters.binning import read_binning

#: The column of the voxels in CaloChallenge files.
SHOWERS = "showers"


class LayerLike(Protocol):
    """What every layer of a calorimeter knows.

    Places are those of the voxels' centres in mm, (voxels,), in the order in which a shower holds
    them; ``eta`` and ``phi`` are the two directions across the shower, as the CaloChallenge calls
    them, and ``r`` is the distance from its axis.
    """

    @property
    def number(self) -> int:
        """The number of the layer in the detector."""

    @property
    def start(self) -> int:
        """The number of its first voxel in a shower."""

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns; columns run fastest."""

    @property
    def has_directions(self) -> bool:
        """Whether a shower has a place in eta and phi here, and not only one in r."""

    @property
    def eta(self) -> Floats:
        """Where the voxels are in the first direction."""

    @property
    def phi(self) -> Floats:
        """Where the voxels are in the second direction."""

    @property
    def r(self) -> Floats:
        """How far the voxels are from the axis."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the voxels as columns of events."""


def voxels_of(layer: LayerLike) -> slice:
    """Where the voxels of a layer are in a shower.

    >>> voxels_of(CalorimeterLayer(1, (0.0, 2.0, 4.0), angles=10, start=8))
    slice(8, 28, None)
    """
    rows, columns = layer.shape
    return slice(layer.start, layer.start + rows * columns)


@dataclass(frozen=True)
class CalorimeterLayer:
    """A layer of rings around the axis of the shower, each cut into equal angles.

    Args:
        number: the number of the layer in the detector.
        r_edges: the edges of the rings in mm.
        angles: the number of angular bins; they start at the angle -pi.
        start: the number of the first voxel of the layer in a shower.

    Raises DataError for edges that are not finite and rising from 0 or more, and for less than one
    ring or angle.

    >>> layer = CalorimeterLayer(1, (0.0, 2.0, 4.0), angles=4, start=8)
    >>> layer.shape, layer.r.tolist()
    ((4, 2), [1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0])
    >>> layer.eta.round(3).tolist()
    [-0.707, -2.121, 0.707, 2.121, 0.707, 2.121, -0.707, -2.121]
    """

    number: int
    r_edges: tuple[float, ...]
    angles: int
    start: int

    def __post_init__(self) -> None:
        edges = np.asarray(self.r_edges, dtype=np.float64)
        object.__setattr__(self, "r_edges", tuple(edges.tolist()))
        if edges.ndim != 1 or len(edges) < 2 or self.angles < 1:
            raise DataError(
                f"layer {self.number} has {self.angles} angles and {len(edges)} radial edges; it "
                "needs at least 1 and 2"
            )
        if not np.all(np.isfinite(edges)) or edges[0] < 0 or np.any(np.diff(edges) <= 0):
            raise DataError(
                f"the radial edges of layer {self.number} must be finite, rise, and start at 0 or "
                f"more; they are {', '.join(map(str, self.r_edges))}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of angles and of rings."""
        return self.angles, len(self.r_edges) - 1

    @property
    def has_directions(self) -> bool:
        """Whether the rings are cut into angles."""
        return self.angles > 1

    @cached_property
    def _alpha(self) -> Floats:
        """The angles of the voxels' centres."""
        edges = np.linspace(-np.pi, np.pi, self.angles + 1)
        return np.repeat(_middles(edges), self.shape[1])

    @cached_property
    def r(self) -> Floats:
        """The distances of the voxels' centres from the axis in mm, (voxels,)."""
        return np.tile(_middles(np.array(self.r_edges)), self.angles)

    @cached_property
    def eta(self) -> Floats:
        """r times the cosine of the angle, in mm, (voxels,)."""
        return np.asarray(self.r * np.cos(self._alpha))

    @cached_property
    def phi(self) -> Floats:
        """r times the sine of the angle, in mm, (voxels,)."""
        return np.asarray(self.r * np.sin(self._alpha))

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of the voxels as columns of events."""
        voxels = voxels_of(self)
        return tuple(f"{SHOWERS}[{number}]" for number in range(voxels.start, voxels.stop))


def _middles(edges: Floats) -> Floats:
    """The middle of each bin."""
    return np.asarray((edges[:-1] + edges[1:]) / 2)


@dataclass(frozen=True)
class Calorimeter:
    """The layers of a calorimeter, in the order in which a shower crosses them.

    Args:
        name: the name, for messages.
        particle: the particle whose showers it describes; empty if it serves several.
        layers: the layers; their voxels follow each other without gaps.
        incident_unit: the unit of the energy of incident particles, in MeV. The energies of voxels
            are in MeV.
        threshold: the least energy of a voxel that counts in comparisons, in MeV.

    Raises DataError for no layers, and for layers whose voxels do not follow each other.

    >>> DS1_PHOTONS.voxels, [layer.number for layer in DS1_PHOTONS.layers]
    (368, [0, 1, 2, 3, 12])
    """

    name: str
    particle: str
    layers: tuple[LayerLike, ...]
    incident_unit: float = 1.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.layers:
            raise DataError(f"the calorimeter {self.name} has no layers with voxels")
        end = 0
        for layer in self.layers:
            if layer.start != end:
                raise DataError(
                    f"layer {layer.number} of the calorimeter {self.name} starts at voxel "
                    f"{layer.start}, the layers before it end at {end}"
                )
            end = voxels_of(layer).stop

    @classmethod
    def of_rings(
        cls,
        name: str,
        particle: str,
        rings: dict[int, tuple[tuple[float, ...], int]],
        threshold: float = 0.0,
    ) -> Calorimeter:
        """From the radial edges in mm and the number of angles by the number of the layer.

        >>> Calorimeter.of_rings("small", "photon", {0: ((0, 5, 10), 1), 3: ((0, 2), 8)}).voxels
        10
        """
        layers: list[LayerLike] = []
        start = 0
        for number, (r_edges, angles) in rings.items():
            layer = CalorimeterLayer(number, tuple(r_edges), angles, start)
            start = voxels_of(layer).stop
            layers.append(layer)
        return cls(name, particle, tuple(layers), threshold=threshold)

    @classmethod
    def from_xml(cls, path: str | Path, particle: str) -> Calorimeter:
        """From a binning file of the CaloChallenge: the ``Bin`` whose name is ``particle``.

        Layers with a single radial edge are unused, and left out. Raises DataError for a file that
        cannot be read, is not such a file, or has not exactly one such particle.

        >>> import tempfile
        >>> layer = '<Layer id="1" r_edges="0,2,4" n_bin_alpha="10"/>'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "binning.xml"
        ...     _ = path.write_text(f'<Bins><Bin name="photon">{layer}</Bin></Bins>')
        ...     print(Calorimeter.from_xml(path, "photon").voxels)
        20
        """
        path = Path(path)
        return cls.of_rings(path.stem, particle, read_binning(path, particle))

    def whole_layers(self) -> Calorimeter:
        """The same calorimeter with one voxel for each layer, named ``NAME-layers``.

        Showers in it are the energies of layers, so that all measures of showers serve for these.

        >>> found = DS1_PHOTONS.whole_layers()
        >>> found.name, found.voxels, found.column_names[-1]
        ('ds1-photons-layers', 5, 'showers[4]')
        """
        layers = []
        for start, layer in enumerate(self.layers):
            radius = 2 * float(np.max(layer.r))
            layers.append(CalorimeterLayer(layer.number, (0.0, radius), angles=1, start=start))
        return Calorimeter(
            f"{self.name}-layers",
            self.particle,
            tuple(layers),
            incident_unit=self.incident_unit,
            threshold=self.threshold,
        )

    @cached_property
    def voxels(self) -> int:
        """The number of voxels of all layers."""
        rows, columns = self.layers[-1].shape
        return self.layers[-1].start + rows * columns

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of all voxels as columns of events."""
        names: list[str] = []
        for layer in self.layers:
            names += layer.column_names
        return tuple(names)

    @cached_property
    def eta(self) -> Floats:
        """Where all voxels are in the first direction, in mm, (voxels,)."""
        return np.concatenate([layer.eta for layer in self.layers])

    @cached_property
    def phi(self) -> Floats:
        """Where all voxels are in the second direction, in mm, (voxels,)."""
        return np.concatenate([layer.phi for layer in self.layers])

    def by_layer(self, showers: Array) -> list[Array]:
        """Showers (N, voxels) as one array (N, rows, columns) for each layer, of the same type.

        Rows are angles and columns rings in r for layers of rings. Raises DataError for another
        width.

        >>> [grid.shape for grid in DS1_PHOTONS.by_layer(np.zeros((2, 368)))][:3]
        [(2, 1, 8), (2, 10, 16), (2, 10, 19)]
        """
        values = np.asarray(showers)
        if values.ndim != 2 or values.shape[1] != self.voxels:
            raise DataError(
                f"showers in the calorimeter {self.name} have the shape (N, {self.voxels}), not "
                f"{values.shape}"
            )
        found = []
        for layer in self.layers:
            found.append(values[:, voxels_of(layer)].reshape(len(values), *layer.shape))
        return found

    def layer_energies(self, showers: Array) -> Floats:
        """The energies of the layers (N, layers) of showers (N, voxels), in their unit.

        Raises DataError for another width.

        >>> DS1_PHOTONS.layer_energies(np.ones((1, 368))).tolist()
        [[8.0, 160.0, 190.0, 5.0, 5.0]]
        """
        grids = self.by_layer(showers)
        return np.stack([grid.sum(axis=(1, 2), dtype=np.float64) for grid in grids], axis=1)


_CORE = (0, 5, 10, 30, 50, 100, 200, 400, 600)
_LATE = (0, 50, 100, 200, 400, 600)
_HADRONIC = (0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400)
_STEP = 4.65
_DS1_THRESHOLD = 1.0
#: The readout threshold of 0.5 keV in silicon, over the sampling fraction.
_SILICON_THRESHOLD = 0.5e-3 / 0.033

#: The voxels of the photons of data set 1 of the CaloChallenge.
DS1_PHOTONS = Calorimeter.of_rings(
    "ds1-photons",
    "photon",
    {
        0: (_CORE, 1),
        1: ((0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200), 10),
        2: (
            (0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400),
            10,
        ),
        3: (_LATE, 1),
        12: ((0, 100, 200, 400, 1000, 2000), 1),
    },
    threshold=_DS1_THRESHOLD,
)
#: The voxels of the charged pions of data set 1.
DS1_PIONS = Calorimeter.of_rings(
    "ds1-pions",
    "pion",
    {
        0: (_CORE, 1),
        1: ((0, 1, 4, 7, 10, 15, 30, 50, 90, 150, 200), 10),
        2: ((0, 5, 10, 20, 30, 50, 80, 130, 200, 300, 400), 10),
        3: (_LATE, 1),
        12: ((*_HADRONIC, 1000, 2000), 10),
        13: ((*_HADRONIC, 600, 1000, 2000), 10),
        14: ((0, 50, 100, 150, 200, 250, 300, 400, 600, 1000, 2000), 1),
    },
    threshold=_DS1_THRESHOLD,
)
#: The voxels of data set 2: 45 layers of 16 angles and 9 rings of 4.65 mm.
DS2 = Calorimeter.of_rings(
    "ds2",
    "electron",
    {number: (tuple((_STEP * np.arange(10)).tolist()), 16) for number in range(45)},
    threshold=_SILICON_THRESHOLD,
)
#: The voxels of data set 3: 45 layers of 50 angles and 18 rings of 2.325 mm.
DS3 = Calorimeter.of_rings(
    "ds3",
    "electron",
    {number: (tuple((_STEP / 2 * np.arange(19)).tolist()), 50) for number in range(45)},
    threshold=_SILICON_THRESHOLD,
)
