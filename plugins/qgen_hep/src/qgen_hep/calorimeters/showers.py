"""Showers in a calorimeter with the energies of their incident particles, from events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.typing import Array, Floats, Ints
from qgen_hep.calorimeters.geometry import (
    DS1_PHOTONS,
    DS1_PIONS,
    DS2,
    DS3,
    SHOWERS,
    Calorimeter,
)
from qgen_hep.calorimeters.grids import CALOGAN

_BUILT_IN = (DS1_PHOTONS, DS1_PIONS, DS2, DS3, CALOGAN)
#: The calorimeters that are built in, by name, and each with one voxel for each layer.
CALORIMETERS: dict[str, Calorimeter] = {
    found.name: found for found in (*_BUILT_IN, *[one.whole_layers() for one in _BUILT_IN])
}
#: The names that the energy of the incident particle has in files.
INCIDENT_NAMES = ("energy", "incident_energies", "incident_energy")
#: Features are computed for so many voxels at a time, to bound their memory.
VOXELS_AT_A_TIME = 2**22

#: The option ``calorimeter`` of a metric: a name, or ``{xml = PATH, particle = "photon"}``.
Choice = str | dict[str, str]


def calorimeter_of(choice: Choice) -> Calorimeter:
    """The calorimeter of a name, or of a binning file with its particle.

    Raises BadOption for an unknown name and for a table with other keys, DataError for a binning
    file that cannot be read.

    >>> calorimeter_of("ds1-photons").voxels, calorimeter_of("calogan").voxels
    (368, 504)
    """
    if isinstance(choice, str):
        if choice not in CALORIMETERS:
            raise BadOption(
                f"there is no calorimeter {choice!r}; there are {', '.join(CALORIMETERS)}, and "
                '{xml = "binning.xml", particle = "photon"} reads a binning file'
            )
        return CALORIMETERS[choice]
    if set(choice) != {"xml", "particle"}:
        raise BadOption(
            "a calorimeter of a binning file has the keys xml and particle, not "
            f"{', '.join(choice) or 'none'}"
        )
    return Calorimeter.from_xml(Path(choice["xml"]), choice["particle"])


@dataclass(frozen=True, eq=False)
class Showers:
    """Showers in a calorimeter.

    Args:
        voxels: their energies in MeV, (N, voxels); those below the threshold are 0.
        incident: the energies of the incident particles in MeV, (N,).
        calorimeter: where the voxels are.

    Raises DataError for shapes that do not fit, and for incident energies that are not positive.

    >>> Showers(np.ones((2, 368)), np.array([400.0, 500.0]), DS1_PHOTONS).total.tolist()
    [368.0, 368.0]
    """

    voxels: Array
    incident: Floats
    calorimeter: Calorimeter

    def __post_init__(self) -> None:
        shape = (len(self.incident), self.calorimeter.voxels)
        if self.voxels.shape != shape:
            raise DataError(
                f"{len(self.incident)} showers in the calorimeter {self.calorimeter.name} have the "
                f"shape {shape}, not {self.voxels.shape}"
            )
        if np.any(self.incident <= 0):
            number = int(np.argmax(self.incident <= 0))
            raise DataError(f"incident energies are positive, that of shower {number} is not")

    def __len__(self) -> int:
        return len(self.incident)

    @property
    def total(self) -> Floats:
        """The sum over the voxels of each shower in MeV, (N,)."""
        return np.asarray(self.voxels.sum(axis=1, dtype=np.float64))

    def take(self, index: Ints) -> Showers:
        """The showers at some positions."""
        return Showers(self.voxels[index], self.incident[index], self.calorimeter)

    def pieces(self) -> Iterator[Floats]:
        """The voxels of a part of the showers after the other, (n, voxels)."""
        size = max(1, VOXELS_AT_A_TIME // self.calorimeter.voxels)
        for start in range(0, len(self), size):
            yield self.voxels[start : start + size].astype(np.float64)


def showers_of(
    events: Events, calorimeter: Calorimeter, *, threshold: float | None = None
) -> Showers:
    """The showers of events; energies below ``threshold`` in MeV become 0.

    The voxels are the columns of the calorimeter's ``column_names``, which other columns may
    accompany, in MeV. The threshold is that of the calorimeter by default.

    Raises DataError for events that lack voxels or incident energies, have another unit, or have
    weights; BadOption for a threshold below 0.

    >>> cells = np.full((1, 368), 2.0)
    >>> cells[0, 0] = 0.5
    >>> events = Events(cells, np.array([[1000.0]]), columns=DS1_PHOTONS.column_names)
    >>> showers_of(events, DS1_PHOTONS).total.tolist()  # the threshold is 1 MeV
    [734.0]
    """
    if threshold is None:
        threshold = calorimeter.threshold
    if not threshold >= 0:
        raise BadOption(f"threshold is an energy of 0 or more, not {threshold}")
    if events.weight is not None:
        raise DataError(
            f"the measures of calorimeter showers count every event once; {events.described} have "
            "weights"
        )
    voxels = voxels_in(events, calorimeter)
    below = voxels < threshold
    if np.any(below):
        voxels = np.where(below, voxels.dtype.type(0), voxels)
    return Showers(voxels, incident_energies(events) * calorimeter.incident_unit, calorimeter)


def voxels_in(events: Events, calorimeter: Calorimeter) -> Array:
    """The columns (N, voxels) of a calorimeter in MeV, as the events have them.

    Other columns may accompany them. Raises DataError for events that lack some, or have another
    unit.

    >>> events = Events(np.ones((2, 368)), columns=DS1_PHOTONS.column_names)
    >>> voxels_in(events, DS1_PHOTONS).shape
    (2, 368)
    """
    names = calorimeter.column_names
    places = {name: place for place, name in enumerate(events.columns)}
    missing = [name for name in names if name not in places]
    if missing:
        raise DataError(
            f"showers in the calorimeter {calorimeter.name} have the {len(names)} columns "
            f"{names[0]} to {names[-1]}; {events.described} have {len(events.columns)}, and lack "
            f"{missing[0]}"
        )
    # CaloChallenge files have one array of all voxels, and its width names the calorimeter.
    beyond = f"{SHOWERS}[{calorimeter.voxels}]"
    if names[0].startswith(SHOWERS) and beyond in places:
        raise DataError(
            f"{events.described} have more than the {len(names)} voxels of the calorimeter "
            f"{calorimeter.name}; choose theirs by the option calorimeter"
        )
    index = [places[name] for name in names]
    units = {events.units[place] for place in index} - {"1", "MeV"}
    if units:
        raise DataError(f"energies of voxels are in MeV, not in {', '.join(sorted(units))}")
    if index == list(range(len(events.columns))):
        return events.x
    return np.asarray(events.x[:, index])


def incident_energies(events: Events) -> Floats:
    """The incident energies (N,) of showers, as the events have them.

    They are the condition or column of one of ``INCIDENT_NAMES``, or the only condition.
    Raises DataError if the events have none of these.

    >>> incident_energies(Events(np.zeros((2, 1)), np.array([[5.0], [7.0]]))).tolist()
    [5.0, 7.0]
    """
    conditions = events.condition_columns
    for name in INCIDENT_NAMES:
        for one in (name, f"{name}[0]"):
            found = events.column(one)
            if found is not None:
                return np.asarray(found, dtype=np.float64)
    if events.condition is not None and len(conditions) == 1:
        return np.asarray(events.condition[:, 0], dtype=np.float64)
    raise DataError(
        "showers need their incident energy as the condition 'energy' or 'incident_energies'; "
        f"these events have {', '.join(conditions) or 'none'}"
    )
