"""Files of generated photon showers, in the layout of the CaloChallenge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.support.files import write_durably
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats
from qgen_hep.generate.cache import cache_folder, cached
from qgen_hep.generate.hdf5 import hdf5_bytes
from qgen_hep.generate.offer import Progress
from qgen_hep.generate.photons.detector import VOXELS
from qgen_hep.generate.photons.showers import REFERENCE_ENERGY, photon_showers

#: Increased whenever the same seed gives different showers.
VERSION = 1
#: The energy in MeV of the photons, if no others are asked for: 2^16.
ENERGIES = (1000 * REFERENCE_ENERGY,)
#: The energies in MeV that showers are generated for: those of data set 1 of the CaloChallenge.
LEAST, MOST = 2.0**8, 2.0**22
#: Energies that are generated at once, in MeV: their spots fit into the cache of a processor.
AT_ONCE = 2e6
TITLE = "STAND-IN for simulated photon showers in an ATLAS-like barrel, voxels of the CaloChallenge"
GENERATOR = "GFlash, hep-ex/0001020, calibrated on Geant4 at 65.536 GeV (qgen_hep.generate.photons)"


def settings(energies: Sequence[float]) -> dict[str, Any]:
    """What the content depends on, besides the number of events and the seed."""
    return {"version": VERSION, "energies": [float(energy) for energy in energies]}


def generate_photons(
    events: int,
    *,
    energies: Sequence[float] = ENERGIES,
    seed: int,
    path: Path,
    progress: Progress | None = None,
) -> Path:
    """Write stand-in showers to an HDF5 file, in single precision.

    ``incident_energies`` (N, 1) are ``energies`` in MeV in turn, ``showers`` (N, 368) are in MeV.
    Raises BadOption for fewer than 1 event, a negative seed, and energies outside 2^8 to 2^22 MeV.
    """
    if events < 1 or seed < 0:
        raise BadOption(f"events must be at least 1 and seed at least 0, not {events} and {seed}")
    if not energies or not all(LEAST <= energy <= MOST for energy in energies):
        raise BadOption(
            f"energies of calo-photons are some of {LEAST:g} to {MOST:g} MeV, not "
            f"{', '.join(map(str, energies)) or 'none'}"
        )
    require_memory(16 * VOXELS * events, f"generating {events} showers")
    rng = stream(seed, "calo-photons")
    incident = np.resize(np.asarray(energies, dtype=np.float64), events)
    showers = np.empty((events, VOXELS), dtype=np.float32)
    for part in _parts(incident):
        showers[part] = photon_showers(incident[part] / 1000, rng)
        if progress is not None:
            progress(part.stop, "")
    columns: dict[str, Array] = {"incident_energies": incident[:, None], "showers": showers}
    attributes: dict[str, str | int | float | bool] = {
        "title": TITLE,
        "generator": GENERATOR,
        "stand_in": True,
        "stands in for": "Geant4 showers",
        "seed": seed,
        "version": VERSION,
        "created_by": "qgen-hep",
    }
    write_durably(path, hdf5_bytes(columns, dict.fromkeys(columns, "MeV"), attributes))
    return path


def cached_photons(
    events: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cache: Path | None = None,
    energies: Sequence[float] = ENERGIES,
) -> Path:
    """The file of :func:`generate_photons` in the cache."""
    return cached(
        cache or cache_folder() / "calo-photons",
        f"calo-photons-{events}",
        {"events": events, "seed": seed, **settings(energies)},
        lambda path: generate_photons(
            events, energies=energies, seed=seed, path=path, progress=progress
        ),
    )


def _parts(incident: Floats) -> list[slice]:
    """Consecutive events of about ``AT_ONCE`` together, at least one each."""
    before = np.concatenate([[0.0], np.cumsum(incident)[:-1]])
    groups = np.floor(before / AT_ONCE)
    starts = np.flatnonzero(np.diff(groups, prepend=-1.0))
    return [
        slice(int(start), int(stop))
        for start, stop in zip(starts, [*starts[1:], len(incident)], strict=True)
    ]
