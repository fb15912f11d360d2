"""Writers of generated showers, in the layouts of public files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence

import numpy as np

from qgen_core.errors import DataError
from qgen_core.runs.event_formats import CsvWriter, Hdf5Writer
from qgen_core.support.files import OutputFile
from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import DS2, SHOWERS
from qgen_hep.calorimeters.grids import LAYERS, SHAPES
from qgen_hep.calorimeters.layouts import CALOCHALLENGE, LEMURS, Layout

_ELEMENT = re.compile(r"(?P<array>.+)\[(?P<number>\d+)\]")


class ShowerWriter(Hdf5Writer):
    """The base of writers of showers to compressed HDF5."""

    compressed: Mapping[str, object] = {"compression": "gzip", "shuffle": True}


class CaloChallengeWriter(ShowerWriter):
    """``showers`` (N, V) and ``incident_energies`` (N, 1) in MeV, as the official evaluation reads.

    It needs the columns ``showers[0]`` to ``showers[V - 1]`` and the condition
    ``incident_energies``. Raises DataError for others.
    """

    def arranged(
        self, columns: Mapping[str, Floats], units: Mapping[str, str]
    ) -> Mapping[str, tuple[Floats, str]]:
        """The two arrays."""
        voxels = _array(CALOCHALLENGE.name, SHOWERS, columns, units)
        (energy,) = CALOCHALLENGE.conditions
        incident = _conditions(CALOCHALLENGE, columns)[energy]
        return {SHOWERS: (voxels, "MeV"), energy: (incident[:, None], "MeV")}


class LemursWriter(ShowerWriter):
    """``showers`` (N, 9, 16, 45), energy and angles of the incident particle (N,) each.

    It needs the columns ``showers[0]`` to ``showers[6479]`` in the order of data set 2 of the
    CaloChallenge, and the three conditions of the layout. Raises DataError for others.
    """

    def arranged(
        self, columns: Mapping[str, Floats], units: Mapping[str, str]
    ) -> Mapping[str, tuple[Floats, str]]:
        """The four arrays."""
        voxels = _array(LEMURS.name, SHOWERS, columns, units, DS2.voxels)
        conditions = _conditions(LEMURS, columns)
        arrays = {SHOWERS: (LEMURS.as_stored(voxels, DS2), "MeV")}
        for name, unit in LEMURS.conditions.items():
            arrays[name] = (conditions[name], unit)
        return arrays


class CaloganWriter(ShowerWriter):
    """``layer_0`` (N, 3, 96), ``layer_1``, ``layer_2`` in MeV and ``energy`` (N, 1) in GeV.

    The public files also have ``overflow``, what lies beside the cells, which models of cells do
    not generate. Raises DataError for columns other than those of the dataset ``calogan``.
    """

    def arranged(
        self, columns: Mapping[str, Floats], units: Mapping[str, str]
    ) -> Mapping[str, tuple[Floats, str]]:
        """The four arrays."""
        arrays: dict[str, tuple[Floats, str]] = {}
        for name, (across, along) in zip(LAYERS, SHAPES, strict=True):
            cells = _array("calogan", name, columns, units, across * along)
            arrays[name] = (cells.reshape(-1, across, along), "MeV")
        if "energy" not in columns:
            raise _missing("calogan", "the condition 'energy'", columns)
        arrays["energy"] = (columns["energy"][:, None], "GeV")
        return arrays


class VoxelCsvWriter(CsvWriter):
    """A line an event and a column a voxel, in MeV, without names: a file for one energy.

    Raises DataError for other columns than ``showers[0]`` to ``showers[V - 1]``, and for conditions
    that are not the same for all events, which such a file cannot hold.
    """

    def __init__(self, file: OutputFile) -> None:
        super().__init__(file)
        #: The conditions of all events.
        self.same: dict[str, float] = {}

    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        """Add events."""
        voxels = _array("voxel-csv", SHOWERS, columns, units)
        conditions = {name for name in columns if _ELEMENT.fullmatch(name) is None}
        for name in sorted(conditions):
            values = np.unique(columns[name])
            if len(values) > 1 or values[0] != self.same.setdefault(name, float(values[0])):
                raise DataError(
                    f"a file of voxel-csv has no column for {name!r}, so all events must have the "
                    "same; write a file for each energy, or use the layout calochallenge"
                )
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(voxels.tolist())
        self.file.write(text.getvalue().encode("ascii"))


def _array(
    layout: str,
    name: str,
    columns: Mapping[str, Floats],
    units: Mapping[str, str],
    width: int | None = None,
) -> Floats:
    """The columns ``name[0]``, ``name[1]``, ... as one array (N, V). Raises DataError."""
    numbers = []
    for column in columns:
        match = _ELEMENT.fullmatch(column)
        if match is not None and match["array"] == name:
            numbers.append(int(match["number"]))
    expected = width or len(numbers)
    if not numbers or numbers != list(range(expected)):
        last = "V - 1"
        if width is not None:
            last = str(width - 1)
        raise _missing(layout, f"the columns {name}[0] to {name}[{last}] in order", columns)
    names = [f"{name}[{number}]" for number in numbers]
    for column in names:
        if units.get(column, "MeV") not in ("", "1", "MeV"):
            raise DataError(
                f"files of the layout {layout} are in MeV, {column} is in {units[column]}"
            )
    return np.stack([columns[column] for column in names], axis=1)


def _conditions(layout: Layout, columns: Mapping[str, Floats]) -> Mapping[str, Floats]:
    for name in layout.conditions:
        if name not in columns:
            raise _missing(layout.name, f"the condition {name!r}", columns)
    return {name: columns[name] for name in layout.conditions}


def _missing(layout: str, what: str, columns: Sequence[str] | Mapping[str, Floats]) -> DataError:
    there = list(columns)
    shown = ", ".join(there)
    if len(there) > 6:
        shown = f"{', '.join(there[:3])} to {there[-1]}"
    return DataError(f"files of the layout {layout} need {what}; the events have {shown}")
