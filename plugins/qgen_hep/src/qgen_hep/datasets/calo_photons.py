"""The dataset ``calo-photons``: a stand-in for photon showers in voxels of the CaloChallenge."""

from __future__ import annotations

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.runs.event_formats import written_by
from qgen_hep.calorimeters.writers import CaloChallengeWriter
from qgen_hep.datasets.voxels import calochallenge
from qgen_hep.generate.cache import cached_photons
from qgen_hep.generate.offer import generated_by
from qgen_hep.generate.photons.file import ENERGIES

CONDITION = "incident_energies"
#: Showers that are generated, if the option ``events`` does not say how many.
STAND_IN_EVENTS = 10_000


@generated_by(cached_photons)
@written_by(CaloChallengeWriter)
def calo_photons(
    *,
    energies: tuple[float, ...] = ENERGIES,
    condition_columns: tuple[str, ...] = (CONDITION,),
    events: int | None = None,
    path: str | None = None,
    sha256: str | None = None,
    seed: int = 0,
) -> Events:
    """STAND-IN for Geant4 photon showers: 368 voxels of an ATLAS-like barrel, at 65.536 GeV.

    The layout is that of the photons of data set 1 of the CaloChallenge: ``showers[0]`` to
    ``showers[367]`` in MeV, of the layers 0, 1, 2, 3 and 12, r running fastest, then alpha; the
    condition is ``incident_energies`` in MeV, or none. The detector is a planar imitation, not
    ATLAS (``qgen_hep.generate.photons.detector``).

    As many ``events`` as asked for (by default 10,000) are generated with the seed of the run from
    the profiles of GFlash (hep-ex/0001020), at the first time in half a minute, and kept in the
    user's cache.
    They are calibrated on Geant4 showers of 65.536 GeV; docs/data.md says how far they are from
    these. ``energies`` in MeV, 256 to 4194304, are taken in turn; the others are extrapolated.

    ``path`` reads a file instead, e.g. one that ``qgen data calo-photons --events N`` wrote, or
    simulated showers in the same voxels, of which ``events`` keeps the first ones; ``sha256`` is
    compared with it.

    Raises BadOption for options that make no sense, DataError for a damaged or different file.

    >>> calo_photons(events=20).provenance["stand_in"]
    'yes'
    """
    if path is None:
        if sha256 is not None:
            raise BadOption("sha256 needs path; generated showers have no hash to compare with")
        if events is not None and events < 1:
            raise BadOption(f"events must be at least 1, not {events}")
        generated = cached_photons(events or STAND_IN_EVENTS, seed=seed, energies=energies)
        path = str(generated)
    elif energies != ENERGIES:
        raise BadOption("energies are those of generated showers; leave them out, or path")
    found = calochallenge(
        path=path, condition_columns=condition_columns, events=events, sha256=sha256
    )
    stand_in = "no"
    if found.provenance["kind"] == "stand-in":
        stand_in = "yes"
    provenance = {**found.provenance, "name": "calo-photons", "stand_in": stand_in}
    return found.replace(provenance=provenance)
