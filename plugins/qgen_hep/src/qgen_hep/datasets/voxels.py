"""Datasets of showers in voxels: the CaloChallenge, LEMURS, and CSV files of voxels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.runs.event_formats import written_by
from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import DS1_PHOTONS, DS1_PIONS, DS2, DS3, SHOWERS, Calorimeter
from qgen_hep.calorimeters.layouts import (
    CALOCHALLENGE,
    LEMURS,
    VOXEL_CSV,
    Layout,
    read_showers,
)
from qgen_hep.calorimeters.showers import Choice, calorimeter_of
from qgen_hep.datasets.shower_writers import CaloChallengeWriter, LemursWriter, VoxelCsvWriter
from qgen_hep.published import Record, fetched_from, require_fetched
from qgen_hep.published.records import (
    ATLAS_VOXELS,
    CALOCHALLENGE_1_PHOTONS,
    CALOCHALLENGE_1_PIONS,
    CALOCHALLENGE_2,
    CALOCHALLENGE_3,
)

ENERGY = "incident_energies"
LEMURS_CONDITIONS = ("incident_energy", "incident_theta", "incident_phi")


@fetched_from(CALOCHALLENGE_1_PHOTONS)
@written_by(CaloChallengeWriter)
def calochallenge_1_photons(
    *,
    path: str | None = None,
    part: int = 1,
    condition_columns: tuple[str, ...] = (ENERGY,),
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    """Photons of data set 1 of the CaloChallenge: 368 voxels in 5 layers, 15 incident energies.

    The columns are ``showers[0]`` to ``showers[367]`` in MeV, layer by layer, r running fastest,
    then alpha; the condition is ``incident_energies`` in MeV, or none. ``part`` 1 is meant for
    training and 2 for evaluation; they are those of ``qgen data calochallenge-1-photons --fetch``
    (Zenodo 8099322, in the folder ``$QGEN_DATA``). ``path`` reads another file of this layout,
    ``events`` keeps the first ones, ``sha256`` is compared with the file.

    Raises BadOption for options that make no sense, and DataError for a file that is not there,
    damaged, or of another layout or width, and for energies below 0 or not finite.
    """
    chosen = _Chosen("calochallenge-1-photons", condition_columns, events, sha256)
    file = _downloaded(chosen, CALOCHALLENGE_1_PHOTONS, "dataset_1_photons", part, path)
    return _events(chosen, file, CALOCHALLENGE, DS1_PHOTONS)


@fetched_from(CALOCHALLENGE_1_PIONS)
@written_by(CaloChallengeWriter)
def calochallenge_1_pions(
    *,
    path: str | None = None,
    part: int = 1,
    condition_columns: tuple[str, ...] = (ENERGY,),
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    """Charged pions of data set 1 of the CaloChallenge: 533 voxels in 7 layers.

    Otherwise as ``calochallenge-1-photons`` (Zenodo 8099322).
    """
    chosen = _Chosen("calochallenge-1-pions", condition_columns, events, sha256)
    file = _downloaded(chosen, CALOCHALLENGE_1_PIONS, "dataset_1_pions", part, path)
    return _events(chosen, file, CALOCHALLENGE, DS1_PIONS)


@fetched_from(CALOCHALLENGE_2)
@written_by(CaloChallengeWriter)
def calochallenge_2(
    *,
    path: str | None = None,
    part: int = 1,
    condition_columns: tuple[str, ...] = (ENERGY,),
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    """Electrons of data set 2 of the CaloChallenge: 6480 voxels in 45 layers of 16 x 9.

    Parts 1 and 2, otherwise as ``calochallenge-1-photons`` (Zenodo 6366271).
    """
    chosen = _Chosen("calochallenge-2", condition_columns, events, sha256)
    file = _downloaded(chosen, CALOCHALLENGE_2, "dataset_2", part, path)
    return _events(chosen, file, CALOCHALLENGE, DS2)


@fetched_from(CALOCHALLENGE_3)
@written_by(CaloChallengeWriter)
def calochallenge_3(
    *,
    path: str | None = None,
    part: int = 1,
    condition_columns: tuple[str, ...] = (ENERGY,),
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    """Electrons of data set 3 of the CaloChallenge: 40500 voxels in 45 layers of 50 x 18.

    Parts 1 to 4, otherwise as ``calochallenge-1-photons`` (Zenodo 6366324). All showers of a part
    take 16 GB in memory: choose ``events``.
    """
    chosen = _Chosen("calochallenge-3", condition_columns, events, sha256)
    file = _downloaded(chosen, CALOCHALLENGE_3, "dataset_3", part, path)
    return _events(chosen, file, CALOCHALLENGE, DS3)


@written_by(CaloChallengeWriter)
def calochallenge(
    *,
    path: str,
    calorimeter: Choice = DS1_PHOTONS.name,
    condition_columns: tuple[str, ...] = (ENERGY,),
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    """Showers of a file in the layout of the CaloChallenge: ``showers``, ``incident_energies``.

    ``calorimeter`` is ds1-photons, ds1-pions, ds2, ds3, or ``{xml = PATH, particle = "photon"}``
    for a binning file; showers of another number of voxels are refused. The columns are
    ``showers[0]``, ``showers[1]``, ... in MeV, the condition is ``incident_energies`` in MeV, or
    none. ``events`` keeps the first ones, ``sha256`` is compared with the file.

    Raises BadOption for options that make no sense, and DataError for a file that is damaged or of
    another layout or width, and for energies below 0 or not finite.

    >>> import tempfile
    >>> import h5py
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "showers.hdf5")
    ...     with h5py.File(path, "w") as file:
    ...         file["showers"] = np.ones((3, 368))
    ...         file["incident_energies"] = np.full((3, 1), 65536.0)
    ...     data = calochallenge(path=str(path), events=2)
    >>> data.x.shape, data.columns[-1], data.units[0], data.condition_columns
    ((2, 368), 'showers[367]', 'MeV', ('incident_energies',))
    """
    chosen = _Chosen("calochallenge", condition_columns, events, sha256)
    return _events(chosen, Path(path), CALOCHALLENGE, calorimeter_of(calorimeter))


@written_by(LemursWriter)
def lemurs(
    *,
    path: str,
    condition_columns: tuple[str, ...] = LEMURS_CONDITIONS,
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    """Showers of a file of LEMURS or Geant4's Par04: ``showers`` (N, 9, 16, 45) by r, alpha, layer.

    The columns are ``showers[0]`` to ``showers[6479]`` in MeV in the order of ``calochallenge-2``:
    layer by layer, r running fastest. Conditions are ``incident_energy`` in MeV, ``incident_theta``
    and ``incident_phi`` in rad, or some of them. ``events`` keeps the first ones.

    Raises what ``calochallenge`` raises. Source: arXiv:2509.05108, Zenodo 17045562.
    """
    chosen = _Chosen("lemurs", condition_columns, events, sha256)
    return _events(chosen, Path(path), LEMURS, DS2)


@fetched_from(ATLAS_VOXELS)
@written_by(VoxelCsvWriter)
def voxel_csv(
    *,
    path: str,
    energy: float,
    calorimeter: Choice = DS1_PHOTONS.name,
    condition_columns: tuple[str, ...] = (ENERGY,),
    events: int | None = None,
    sha256: str | None = None,
) -> Events:
    r"""Showers of a CSV file: a line an event, a column a voxel, all of one ``energy`` in MeV.

    ATLAS made such files public for FastCaloGAN, one for each energy (CERN Open Data 15012;
    ``--fetch`` downloads archives and unpacks them). ``calorimeter`` is that of ``calochallenge``,
    and so are the columns and the condition.

    Raises what ``calochallenge`` raises, and BadOption for an energy that is not above 0.

    >>> import tempfile
    >>> line = ",".join(["0.5"] * 368)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pid22_E256_eta_20_25_voxalisation.csv")
    ...     written = path.write_text(f"{line}\n{line}\n")
    ...     data = voxel_csv(path=str(path), energy=256.0)
    >>> data.x.shape, data.condition.tolist()
    ((2, 368), [[256.0], [256.0]])
    """
    if not (np.isfinite(energy) and energy > 0):
        raise BadOption(f"energy of voxel-csv is that of the particles, above 0 MeV, not {energy}")
    chosen = _Chosen("voxel-csv", condition_columns, events, sha256)
    return _events(chosen, Path(path), VOXEL_CSV, calorimeter_of(calorimeter), energy)


@dataclass(frozen=True)
class _Chosen:
    """The options that all of these datasets have, and the name of the dataset."""

    dataset: str
    condition_columns: tuple[str, ...]
    events: int | None
    sha256: str | None

    def check(self, offered: tuple[str, ...]) -> None:
        """Raise BadOption for options that make no sense."""
        if self.events is not None and self.events < 1:
            raise BadOption(f"events must be at least 1, not {self.events}")
        others = [name for name in self.condition_columns if name not in offered]
        if others:
            raise BadOption(
                f"conditions of {self.dataset} are {', '.join(offered)}, or none, not "
                f"{', '.join(others)}"
            )


def _downloaded(chosen: _Chosen, record: Record, stem: str, part: int, path: str | None) -> Path:
    """The file of the option ``path``, or the downloaded one of a part."""
    if part < 1:
        raise BadOption(f"part is the number of a file of the data set, from 1 on, not {part}")
    if path is not None:
        return Path(path)
    return require_fetched(record, f"{stem}_{part}.hdf5", chosen.dataset)


def _events(
    chosen: _Chosen,
    path: Path,
    layout: Layout,
    calorimeter: Calorimeter,
    energy: float | None = None,
) -> Events:
    """The showers of a file; ``energy`` is that of all particles of a layout that has none."""
    offered = tuple(layout.conditions) or (ENERGY,)
    chosen.check(offered)
    found = read_showers(path, layout, calorimeter, sha256=chosen.sha256, events=chosen.events)
    incident = found.incident
    if energy is not None:
        incident = np.full((len(found.voxels), 1), energy)
    condition: Floats | None = None
    if chosen.condition_columns:
        condition = incident[:, [offered.index(name) for name in chosen.condition_columns]]
    table = found.table
    kind = table.attributes.get("kind", "simulated")
    if table.attributes.get("stand_in") == "True":
        kind = "stand-in"
    provenance = {
        **table.attributes,
        "name": chosen.dataset,
        "kind": kind,
        "calorimeter": calorimeter.name,
        "file": table.path.name,
        "sha256": table.sha256,
    }
    if not table.complete:
        provenance["read"] = f"the first {table.read} events"
    return Events(
        found.voxels,
        condition,
        columns=tuple(f"{SHOWERS}[{number}]" for number in range(calorimeter.voxels)),
        units=("MeV",) * calorimeter.voxels,
        condition_columns=chosen.condition_columns,
        provenance=provenance,
    )
