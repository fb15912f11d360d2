"""Files of generated events of muonic force carriers; the dataset ``mfc`` needs none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.support.files import write_durably
from qgen_hep.generate.cache import cache_folder, cached
from qgen_hep.generate.hdf5 import hdf5_bytes
from qgen_hep.generate.mfc.events import COLUMNS, CONDITION, ENERGIES, UNITS, events_of
from qgen_hep.generate.mfc.process import Process
from qgen_hep.generate.offer import Progress

#: Increased whenever the same seed gives different events.
VERSION = 1


def settings() -> dict[str, Any]:
    """What the content depends on, besides the number of events and the seed."""
    process = Process()
    return {
        "version": VERSION,
        "mass": process.mass,
        "spin": process.spin,
        "target": process.target,
        "energies": list(ENERGIES),
    }


def generate_mfc(events: int, *, seed: int, path: Path, progress: Progress | None = None) -> Path:
    """Write the events of the dataset ``mfc`` for this seed to an HDF5 file, in single precision.

    Raises BadOption for fewer than 1 event or a negative seed.
    """
    if events < 1 or seed < 0:
        raise BadOption(f"events must be at least 1 and seed at least 0, not {events} and {seed}")
    energy = np.resize(ENERGIES, events)
    rows = events_of(Process(), energy, seed)
    columns = dict(zip(COLUMNS, rows.T.astype(np.float32), strict=True))
    columns[CONDITION] = energy.astype(np.float32)
    fixed = settings()
    del fixed["energies"]
    attributes = {
        "title": "mu N -> mu N X, STAND-IN for simulated events of muonic force carriers",
        "generator": "improved Weizsaecker-Williams cross section",
        "stand_in": True,
        "seed": seed,
        "created_by": "qgen-hep",
        **fixed,
    }
    write_durably(path, hdf5_bytes(columns, UNITS, attributes))
    if progress is not None:
        progress(events, "")
    return path


def cached_mfc(
    events: int, *, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Path:
    """The file of :func:`generate_mfc` in the cache."""
    return cached(
        cache or cache_folder() / "mfc",
        f"mfc-{events}",
        {"events": events, "seed": seed, **settings()},
        lambda path: generate_mfc(events, seed=seed, path=path, progress=progress),
    )
