"""The dataset ``layer-energies``: the energies of the layers of the showers of another dataset."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.interfaces import Dataset
from qgen_core.typing import Array
from qgen_hep.calorimeters.showers import Choice, calorimeter_of, incident_energies, voxels_in

#: Incident energies of files are rounded; those of data set 1 differ by a factor of 2.
ROUNDING = 1e-3


def layer_energies(
    *,
    of: Dataset,
    calorimeter: Choice = "ds1-photons",
    incident: float | None = None,
    events: int | None = None,
    only: tuple[int, ...] | None = None,
) -> Events:
    """The sum of the voxels of each layer of showers, in MeV.

    The columns are ``showers[0]``, ``showers[1]``, ..., those of the calorimeter with one voxel
    for each layer, which the measures of showers know as ``NAME-layers``; conditions and provenance
    are those of the showers.

    ``of`` is the dataset of the showers, ``calorimeter`` where their voxels are: a name, or
    ``{xml = "binning.xml", particle = "photon"}``. ``incident`` keeps the showers of one incident
    energy, in the unit that they have it in, and ``events`` the first ones of these.

    With ``only`` there are only these layers, counted from 0, as columns, and no conditions: a
    small example, which the measures of showers do not know.

    Raises BadOption for an unknown calorimeter, layers that it lacks and ``events`` below 1,
    DataError for events that are not showers in it, and for fewer showers than are asked for.

    >>> of = {"name": "calo-photons", "source": "geant4", "events": 20}
    >>> import qgen_core as qgen
    >>> data = qgen.dataset("layer-energies", of=of)()
    >>> data.x.shape, data.columns[-1], data.condition_columns
    ((20, 5), 'showers[4]', ('incident_energies',))
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    showers = of()
    if incident is not None:
        near = np.isclose(incident_energies(showers), incident, rtol=ROUNDING)
        showers = showers.take(np.flatnonzero(near))
        if not len(showers):
            raise DataError(f"none of the showers has the incident energy {incident:g}")
    if events is not None:
        if len(showers) < events:
            raise DataError(f"there are {len(showers)} such showers, not {events}")
        showers = showers.take(np.arange(events))
    place = calorimeter_of(calorimeter)
    layers = place.whole_layers()
    energies = place.layer_energies(voxels_in(showers, place))
    if only is not None:
        return _chosen(showers, energies, layers.column_names, only)
    return Events(
        energies,
        showers.condition,
        weight=showers.weight,
        columns=layers.column_names,
        units=("MeV",) * layers.voxels,
        condition_columns=showers.condition_columns,
        provenance={**showers.provenance, "calorimeter": layers.name},
    )


def _chosen(
    showers: Events, energies: Array, names: tuple[str, ...], only: tuple[int, ...]
) -> Events:
    """Some of the layers, without conditions."""
    layers = energies.shape[1]
    if not only or len(set(only)) < len(only) or min(only) < 0 or max(only) >= layers:
        raise BadOption(
            f"only lists different layers of 0 to {layers - 1}, at least one, not {list(only)}"
        )
    return Events(
        energies[:, list(only)],
        weight=showers.weight,
        columns=tuple(names[layer] for layer in only),
        units=("MeV",) * len(only),
        provenance=dict(showers.provenance),
    )
