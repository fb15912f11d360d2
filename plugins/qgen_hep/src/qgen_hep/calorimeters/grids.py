"""Calorimeters whose layers are grids of equal cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import Calorimeter

#: The layers of CaloGAN, and the cells of each along x and y.
LAYERS = ("layer_0", "layer_1", "layer_2")
SHAPES = ((3, 96), (12, 12), (12, 6))
#: They tile a square of this width in mm around the axis of the shower.
WINDOW = 480.0
#: Energies of particles are in GeV in CaloGAN's files, those of cells in MeV.
MEV_IN_GEV = 1000.0


@dataclass(frozen=True)
class Layer:
    """A layer of ``rows`` times ``columns`` equal cells over a square window.

    Args:
        name: the name in the files of events, whose columns are ``name[0]``, ``name[1]``, ...
        rows: the number of cells in the first direction.
        columns: the number of cells in the second direction.
        window: the side of the window in mm.
        number: the number of the layer in the detector.
        start: the number of the first cell of the layer in a shower.

    >>> strips = Layer("layer_0", 3, 96, 480.0)
    >>> strips.cells, strips.pitch
    (288, 5.0)
    """

    name: str
    rows: int
    columns: int
    window: float
    number: int = 0
    start: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return self.rows, self.columns

    @property
    def has_directions(self) -> bool:
        """A shower has a place in both directions in a grid of cells."""
        return True

    @property
    def cells(self) -> int:
        """The number of cells."""
        return self.rows * self.columns

    @property
    def pitch(self) -> float:
        """The size of a cell in the direction of the finer cells, in mm."""
        return self.window / max(self.rows, self.columns)

    @property
    def fine_axis(self) -> int:
        """The direction of the finer cells: 0 across the rows, 1 across the columns."""
        return int(self.columns >= self.rows)

    @cached_property
    def places(self) -> Floats:
        """Where the cells are in the direction of the finer cells, from the middle, in mm."""
        return _centres(max(self.rows, self.columns), self.window)

    @cached_property
    def eta(self) -> Floats:
        """Where the cells (cells,) are along a row, from the middle, in mm."""
        return np.tile(_centres(self.columns, self.window), self.rows)

    @cached_property
    def phi(self) -> Floats:
        """Where the cells (cells,) are along a column, from the middle, in mm."""
        return np.repeat(_centres(self.rows, self.window), self.columns)

    @cached_property
    def r(self) -> Floats:
        """How far the cells (cells,) are from the middle, in mm."""
        return np.hypot(self.eta, self.phi)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of the cells as columns of events."""
        return tuple(f"{self.name}[{number}]" for number in range(self.cells))


def _centres(count: int, window: float) -> Floats:
    """The middles of equal parts of a window, from its middle."""
    return np.asarray((np.arange(count) - (count - 1) / 2) * (window / count), dtype=np.float64)


@dataclass(frozen=True)
class Geometry(Calorimeter):
    """A calorimeter whose layers are grids of equal cells.

    >>> CALOGAN.voxels, [layer.name for layer in CALOGAN.layers]
    (504, ['layer_0', 'layer_1', 'layer_2'])
    >>> [grid.shape for grid in CALOGAN.by_layer(np.zeros((2, 504)))]
    [(2, 3, 96), (2, 12, 12), (2, 12, 6)]
    """

    layers: tuple[Layer, ...]


def _calogan() -> Geometry:
    layers = []
    start = 0
    for number, (name, (rows, columns)) in enumerate(zip(LAYERS, SHAPES, strict=True)):
        layer = Layer(name, rows, columns, WINDOW, number, start)
        start += layer.cells
        layers.append(layer)
    return Geometry("calogan", "", tuple(layers), incident_unit=MEV_IN_GEV)


#: The calorimeter of CaloGAN (Paganini, de Oliveira and Nachman, arXiv:1712.10321).
CALOGAN = _calogan()
#: The geometries by name.
GEOMETRIES: dict[str, Geometry] = {CALOGAN.name: CALOGAN}


def geometry_of(name: str, columns: Sequence[str]) -> Geometry:
    """The geometry of a name, if events of these columns are showers in it.

    Raises BadOption for an unknown name, DataError for other columns.

    >>> geometry_of("calogan", CALOGAN.column_names).name
    'calogan'
    """
    if name not in GEOMETRIES:
        raise BadOption(f"there is no geometry {name!r}; there are {', '.join(GEOMETRIES)}")
    found = GEOMETRIES[name]
    if tuple(columns) != found.column_names:
        raise DataError(
            f"showers in the geometry {name} have the columns {found.column_names[0]} to "
            f"{found.column_names[-1]} in order, these events have {len(columns)} columns, from "
            f"{columns[0]} to {columns[-1]}"
        )
    return found
