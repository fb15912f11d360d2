"""The layouts of files of showers: which arrays hold the voxels and the incident particle.

Sources: the files of the CaloChallenge (Krause et al., arXiv:2410.21611), of LEMURS (McKeown,
Raikwar and Zaborowska, arXiv:2509.05108), of CaloGAN (Paganini, de Oliveira and Nachman,
arXiv:1712.10321), and the CSV files of voxels that ATLAS made public for FastCaloGAN.

Whatever the layout, showers are rows of voxels in the order of a
:class:`~qgen_hep.calorimeters.geometry.Calorimeter`: layer by layer, r running fastest, then alpha.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import Calorimeter
from qgen_hep.readers import Table, read, read_slices
from qgen_hep.readers.columns import resolve
from qgen_hep.readers.formats import open_source
from qgen_hep.readers.source import failures, refuse


@dataclass(frozen=True)
class Layout:
    """Which arrays of a file hold showers of a calorimeter and their incident particles.

    Args:
        name: the name, for messages.
        voxels: the array of the voxels' energies in MeV; empty: all columns of a table without
            names.
        conditions: the units of the arrays of the incident particle, by name; the first is its
            energy.
        transposed: whether an event is stored as (r, alpha, layer), for layers that are all alike,
            and not as a row or as (layer, alpha, r).

    >>> CALOCHALLENGE.voxels, dict(CALOCHALLENGE.conditions)
    ('showers', {'incident_energies': 'MeV'})
    """

    name: str
    voxels: str
    conditions: Mapping[str, str]
    transposed: bool = False

    def inner(self, calorimeter: Calorimeter) -> tuple[int, ...]:
        """The shape in which the file stores an event; (V,) is accepted as well if not transposed.

        Raises DataError for a calorimeter whose layers differ, if they have to be alike.

        >>> from qgen_hep.calorimeters import DS2
        >>> LEMURS.inner(DS2), CALOCHALLENGE.inner(DS2)
        ((9, 16, 45), (6480,))
        """
        if not self.transposed:
            return (calorimeter.voxels,)
        shapes = {layer.shape for layer in calorimeter.layers}
        if len(shapes) > 1:
            raise DataError(
                f"files of the layout {self.name} hold layers that are alike; those of the "
                f"calorimeter {calorimeter.name} have {len(shapes)} different shapes"
            )
        angles, rings = shapes.pop()
        return rings, angles, len(calorimeter.layers)

    def in_order(self, values: Floats, calorimeter: Calorimeter) -> Floats:
        """Events (N, V) as the file stores them, in the order of the calorimeter.

        >>> from qgen_hep.calorimeters import Calorimeter
        >>> two = Calorimeter.of_rings("two", "", {0: ((0, 1, 2), 1), 1: ((0, 1, 2), 1)})
        >>> LEMURS.in_order(np.array([[0.0, 1.0, 2.0, 3.0]]), two).tolist()
        [[0.0, 2.0, 1.0, 3.0]]
        """
        if not self.transposed:
            return values
        grid = values.reshape(len(values), *self.inner(calorimeter))
        return np.ascontiguousarray(grid.transpose(0, 3, 2, 1).reshape(values.shape))

    def as_stored(self, showers: Floats, calorimeter: Calorimeter) -> Floats:
        """Showers (N, V) in the shape (N, ...) of the file: the inverse of :meth:`in_order`.

        >>> from qgen_hep.calorimeters import DS2
        >>> LEMURS.as_stored(np.zeros((2, 6480)), DS2).shape
        (2, 9, 16, 45)
        """
        if not self.transposed:
            return showers
        rings, angles, layers = self.inner(calorimeter)
        return showers.reshape(len(showers), layers, angles, rings).transpose(0, 3, 2, 1)


#: Data sets 1 to 3 of the CaloChallenge, and the samples that were submitted to it.
CALOCHALLENGE = Layout("calochallenge", "showers", {"incident_energies": "MeV"})
#: LEMURS and the files of Geant4's example Par04.
LEMURS = Layout(
    "lemurs",
    "showers",
    {"incident_energy": "MeV", "incident_theta": "rad", "incident_phi": "rad"},
    transposed=True,
)
#: A line an event and a column a voxel, without names, in MeV; a file for each energy.
VOXEL_CSV = Layout("voxel-csv", "", {})


@dataclass(frozen=True)
class StoredShowers:
    """Showers (N, V) in MeV, and the incident particles (N, K) in the columns of the layout.

    ``first`` is the number of the first of them in the file, ``table`` what else is known of it.
    """

    voxels: Floats
    incident: Floats
    table: Table

    @property
    def first(self) -> int:
        """The number in the file of the first of these showers."""
        return self.table.first


def read_showers(
    path: str | PathLike[str],
    layout: Layout,
    calorimeter: Calorimeter,
    *,
    sha256: str | None = None,
    events: int | None = None,
) -> StoredShowers:
    """The showers of a file, all or the first ``events``.

    Raises DataError for a file that cannot be read, that lacks an array of the layout, whose
    showers have another width than the calorimeter, or with values that are not finite or below 0,
    and for incident energies that are 0 or less.

    >>> import tempfile
    >>> import h5py
    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "showers.hdf5")
    ...     with h5py.File(path, "w") as file:
    ...         file["showers"] = np.ones((3, 368))
    ...         file["incident_energies"] = np.full((3, 1), 400.0)
    ...     found = read_showers(path, CALOCHALLENGE, DS1_PHOTONS, events=2)
    >>> found.voxels.shape, found.incident.tolist()
    ((2, 368), [[400.0], [400.0]])
    """
    path = Path(path)
    columns = _checked_columns(path, layout, calorimeter)
    units = _units(columns, layout)
    table = read(path, [*columns, *layout.conditions], units=units, sha256=sha256, events=events)
    return _showers_of(table, layout, calorimeter)


def shower_slices(
    path: str | PathLike[str],
    layout: Layout,
    calorimeter: Calorimeter,
    *,
    rows: int | None = None,
) -> Iterator[StoredShowers]:
    """The showers of a file in slices, in some hundred MB for a file of any size.

    ``rows`` is the number of showers of a slice, by default as many as take about 32 MB, or what
    the file stores together. Raises what :func:`read_showers` raises.

    >>> import tempfile
    >>> import h5py
    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "showers.hdf5")
    ...     with h5py.File(path, "w") as file:
    ...         file["showers"] = np.ones((5, 368))
    ...         file["incident_energies"] = np.full((5, 1), 400.0)
    ...     found = [
    ...         (slice.first, len(slice.voxels))
    ...         for slice in shower_slices(path, CALOCHALLENGE, DS1_PHOTONS, rows=2)
    ...     ]
    >>> found
    [(0, 2), (2, 2), (4, 1)]
    """
    path = Path(path)
    columns = _checked_columns(path, layout, calorimeter)
    units = _units(columns, layout)
    for table in read_slices(path, [*columns, *layout.conditions], rows=rows, units=units):
        yield _showers_of(table, layout, calorimeter)


def _units(columns: list[str], layout: Layout) -> dict[str, str]:
    return {**dict.fromkeys(columns, "MeV"), **layout.conditions}


def _checked_columns(path: Path, layout: Layout, calorimeter: Calorimeter) -> list[str]:
    """The columns of the voxels. Raises DataError for another layout than that."""
    inner = layout.inner(calorimeter)
    with failures(path), open_source(path, None) as source:
        if not layout.voxels:
            names = list(source.names())
            if len(names) != calorimeter.voxels:
                raise DataError(
                    f"{path}: expected a column for each of the {calorimeter.voxels} voxels of the "
                    f"calorimeter {calorimeter.name}, found {len(names)} columns"
                )
            return names
        units = _units([layout.voxels], layout)
        for name, unit in units.items():
            declared = source.declared(name)
            if declared is None:
                raise DataError(
                    f"{path}: no array {name!r}; files of the layout {layout.name} have "
                    f"{', '.join(units)}"
                )
            if declared.unit not in ("", "1", unit):
                raise refuse(path, name, f"values in {unit}", f"the unit {declared.unit}")
        found = resolve(path, source, [layout.voxels])[0].declared.inner
        grid = inner
        if not layout.transposed:
            grid = (len(calorimeter.layers), *calorimeter.layers[0].shape)
        if found not in (inner, grid) or np.prod(found) != calorimeter.voxels:
            raise refuse(
                path,
                layout.voxels,
                f"{calorimeter.voxels} voxels of the calorimeter {calorimeter.name} an event, in "
                f"the shape {inner}",
                f"{found}",
            )
        for name in layout.conditions:
            width = resolve(path, source, [name])[0].names
            if len(width) != 1:
                raise refuse(path, name, "one number an event", f"{len(width)}")
    return [layout.voxels]


def _showers_of(table: Table, layout: Layout, calorimeter: Calorimeter) -> StoredShowers:
    """The showers of a table whose first columns are the voxels, followed by the conditions."""
    width = calorimeter.voxels
    voxels = table.values[:, :width]
    incident = table.values[:, width:]
    if layout.conditions:
        bad = np.flatnonzero(incident[:, 0] <= 0)
        if len(bad):
            raise refuse(
                table.path,
                table.names[width],
                "energies above 0",
                f"{incident[bad[0], 0]:g} in event {table.first + int(bad[0])}",
            )
    return StoredShowers(layout.in_order(voxels, calorimeter), incident, table)
