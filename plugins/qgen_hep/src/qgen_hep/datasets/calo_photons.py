"""The dataset ``calo-photons``: photon showers in voxels of the CaloChallenge, and a stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.runs.event_formats import written_by
from qgen_hep.datasets.shower_writers import CaloChallengeWriter
from qgen_hep.datasets.voxels import calochallenge
from qgen_hep.generate.offer import generated_by
from qgen_hep.generate.photons.file import ENERGIES, cached_photons

Source = Literal["gflash", "geant4"]

CONDITION = "incident_energies"
#: The shipped file: 3300 photons of 65.536 GeV, Geant4 11.4.
FILE = "calo_photons_geant4.h5"
SHA256 = "2ba1ec51cd9f6690abd5eda3e04262dfbdcf9288df83fef399e17bd879ecdc04"
#: Showers that are generated, if the option ``events`` does not say how many.
STAND_IN_EVENTS = 10_000


@generated_by(cached_photons)
@written_by(CaloChallengeWriter)
def calo_photons(
    *,
    source: Source = "gflash",
    energies: tuple[float, ...] = ENERGIES,
    condition_columns: tuple[str, ...] = (CONDITION,),
    events: int | None = None,
    path: str | None = None,
    sha256: str | None = None,
    seed: int = 0,
) -> Events:
    """Photon showers of 65.536 GeV in 368 voxels of an ATLAS-like barrel; by default a STAND-IN.

    The layout is that of the photons of data set 1 of the CaloChallenge: ``showers[0]`` to
    ``showers[367]`` in MeV, of the layers 0, 1, 2, 3 and 12, r running fastest, then alpha; the
    condition is ``incident_energies`` in MeV, or none. The detector is a planar imitation, not
    ATLAS (``qgen_hep.generate.photons.detector``).

    ``source = "gflash"`` is a STAND-IN for Geant4: as many ``events`` as asked for (by default
    10,000), generated with the seed of the run from the profiles of GFlash (hep-ex/0001020), at the
    first time in half a minute, and kept in the user's cache. It is calibrated on the showers of
    the other source; docs/data.md says how far it is from them. ``energies`` in MeV, from 256 to
    4194304, are taken in turn; other energies than 65536 are extrapolated. ``source = "geant4"``:
    3300 photons of 65.536 GeV simulated with Geant4 11.4, shipped with this package.

    ``path`` reads a file instead, e.g. one that ``qgen data calo-photons --events N`` wrote.
    ``events`` keeps the first ones of a file; ``sha256`` is compared with ``path``.

    Raises BadOption for options that make no sense, DataError for a damaged or different file.

    >>> data = calo_photons(source="geant4", events=20)
    >>> data.x.shape, data.provenance["stand_in"]
    ((20, 368), 'no')
    >>> calo_photons(events=20).provenance["stand_in"]
    'yes'
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    if condition_columns not in ((), (CONDITION,)):
        raise BadOption(
            f"the condition of calo-photons is {CONDITION}, or none, not "
            f"{', '.join(condition_columns)}"
        )
    if path is None and sha256 is not None:
        raise BadOption("sha256 needs path; the shipped file is always checked")
    if energies != ENERGIES and (path is not None or source == "geant4"):
        raise BadOption("energies are those of generated showers; leave out them, or the rest")
    if path is None and source == "geant4":
        path = str(shipped())
        sha256 = SHA256
    elif path is None:
        path = str(cached_photons(events or STAND_IN_EVENTS, seed=seed, energies=energies))
    found = calochallenge(
        path=path, condition_columns=condition_columns, events=events, sha256=sha256
    )
    stand_in = "no"
    if found.provenance["kind"] == "stand-in":
        stand_in = "yes"
    provenance = {**found.provenance, "name": "calo-photons", "stand_in": stand_in}
    return found.replace(provenance=provenance)


def shipped() -> Path:
    """The path of the file of Geant4 showers that is part of this package.

    >>> shipped().name
    'calo_photons_geant4.h5'
    """
    return Path(__file__).with_name("data") / FILE
