"""The layers of a calorimeter and their grids of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Array, Floats
from qgen_hep.generate.calogan.detector import LAYERS, SHAPES, WINDOW


@dataclass(frozen=True)
class Layer:
    """A layer of ``rows`` times ``columns`` equal cells over a square window.

    Args:
        name: the name in the files of events, whose columns are ``name[0]``, ``name[1]``, ...
        rows: the number of cells in the first direction.
        columns: the number of cells in the second direction.
        window: the side of the window in mm.

    >>> strips = Layer("layer_0", 3, 96, 480.0)
    >>> strips.cells, strips.pitch
    (288, 5.0)
    """

    name: str
    rows: int
    columns: int
    window: float

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
        count = max(self.rows, self.columns)
        return np.asarray((np.arange(count) - (count - 1) / 2) * self.pitch, dtype=np.float64)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of the cells as columns of events."""
        return tuple(f"{self.name}[{number}]" for number in range(self.cells))


@dataclass(frozen=True)
class Geometry:
    """The layers of a calorimeter, in the order in which a shower crosses them.

    >>> CALOGAN.width, [layer.name for layer in CALOGAN.layers]
    (504, ['layer_0', 'layer_1', 'layer_2'])
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def width(self) -> int:
        """The number of cells of all layers."""
        return sum(layer.cells for layer in self.layers)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of all cells as columns of events."""
        names: list[str] = []
        for layer in self.layers:
            names += layer.column_names
        return tuple(names)

    def by_layer(self, showers: Array) -> list[Floats]:
        """Showers (N, width) as one array (N, rows, columns) for each layer.

        Raises DataError for another width.

        >>> [grid.shape for grid in CALOGAN.by_layer(np.zeros((2, 504)))]
        [(2, 3, 96), (2, 12, 12), (2, 12, 6)]
        """
        values = np.asarray(showers, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.width:
            raise DataError(
                f"showers in the geometry {self.name} have the shape (N, {self.width}), not "
                f"{values.shape}"
            )
        found = []
        start = 0
        for layer in self.layers:
            cells = values[:, start : start + layer.cells]
            found.append(cells.reshape(len(values), layer.rows, layer.columns))
            start += layer.cells
        return found


def _calogan() -> Geometry:
    layers = []
    for name, (rows, columns) in zip(LAYERS, SHAPES, strict=True):
        layers.append(Layer(name, rows, columns, WINDOW))
    return Geometry("calogan", tuple(layers))


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
