"""Files of generated showers, in the layout of the public CaloGAN files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.support.files import write_durably
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Floats, Rng
from qgen_hep.calorimeters.grids import LAYERS, SHAPES
from qgen_hep.generate.cache import cache_folder, cached
from qgen_hep.generate.calogan.detector import BESIDE, CELLS, FIRST, SIZES
from qgen_hep.generate.calogan.electromagnetic import conversions, electromagnetic
from qgen_hep.generate.calogan.hadronic import hadronic
from qgen_hep.generate.calogan.spots import Spots
from qgen_hep.generate.hdf5 import hdf5_bytes
from qgen_hep.generate.offer import Progress

Species = Literal["e+", "gamma", "pi+"]

#: Increased whenever the same seed gives different showers.
VERSION = 2
#: Energies in GeV are uniform in this window.
ENERGIES = (1.0, 100.0)
#: Showers that are generated at once: their spots fit into the cache of a processor.
AT_ONCE = 32
UNITS = {**dict.fromkeys(LAYERS, "MeV"), "energy": "GeV", "overflow": "MeV"}
#: What the showers of each species are, for the attributes of the file.
GENERATORS = {
    "e+": "GFlash, hep-ex/0001020, calibrated on Geant4 (qgen_hep.generate.calogan)",
    "gamma": "GFlash, hep-ex/0001020, with a conversion depth (qgen_hep.generate.calogan)",
    "pi+": "hadronic parametrisation of our own (qgen_hep.generate.calogan.hadronic)",
}


def settings(species: Species) -> dict[str, Any]:
    """What the content depends on, besides the number of events and the seed."""
    return {"version": VERSION, "species": species, "energies": list(ENERGIES)}


def showers(species: Species, energy: Floats, rng: Rng) -> Floats:
    """Energies (N, 507) in MeV of showers of energies (N,) in GeV: cells, then overflow by layer.

    >>> rng = np.random.default_rng(0)
    >>> found = showers("e+", np.full(5, 20.0), rng)
    >>> found.shape, bool(np.all(found.sum(axis=1) <= 20_000.001))
    ((5, 507), True)
    """
    make = _MAKERS[species]
    parts = []
    for start in range(0, len(energy), AT_ONCE):
        part = energy[start : start + AT_ONCE]
        parts.append(make(part, rng).deposits(len(part)))
    return np.concatenate(parts)


def generate_calogan(
    events: int, *, species: Species, seed: int, path: Path, progress: Progress | None = None
) -> Path:
    """Write stand-in showers to an HDF5 file, in single precision.

    ``energy`` (N, 1) in GeV; ``layer_0`` (N, 3, 96), ``layer_1`` (N, 12, 12), ``layer_2`` (N, 12,
    6) and ``overflow`` (N, 3) in MeV. Raises BadOption for fewer than 1 event or a negative seed.
    """
    if events < 1 or seed < 0:
        raise BadOption(f"events must be at least 1 and seed at least 0, not {events} and {seed}")
    require_memory(24 * CELLS * events, f"generating {events} showers")
    rng = stream(seed, f"calogan-{species}")
    energy = rng.uniform(*ENERGIES, events).astype(np.float32).astype(np.float64)
    deposits = np.empty((events, CELLS + len(SHAPES)), dtype=np.float32)
    done = 0
    while done < events:
        part = slice(done, done + 16 * AT_ONCE)
        deposits[part] = showers(species, energy[part], rng)
        done = min(part.stop, events)
        if progress is not None:
            progress(done, "")
    columns = {"energy": energy.astype(np.float32)[:, None], "overflow": deposits[:, BESIDE:]}
    for layer, first, size, shape in zip(LAYERS, FIRST, SIZES, SHAPES, strict=True):
        columns[layer] = deposits[:, first : first + size].reshape(events, *shape)
    fixed = settings(species)
    del fixed["energies"]
    attributes = {
        "title": f"STAND-IN for simulated showers of {species} in the calorimeter of CaloGAN",
        "generator": GENERATORS[species],
        "stand_in": True,
        "seed": seed,
        "created_by": "qgen-hep",
        **fixed,
    }
    write_durably(path, hdf5_bytes(columns, UNITS, attributes))
    return path


def cached_calogan(
    events: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cache: Path | None = None,
    species: Species = "e+",
) -> Path:
    """The file of :func:`generate_calogan` in the cache."""
    return cached(
        cache or cache_folder() / "calogan",
        f"calogan-{species.replace('+', 'plus')}-{events}",
        {"events": events, "seed": seed, **settings(species)},
        lambda path: generate_calogan(
            events, species=species, seed=seed, path=path, progress=progress
        ),
    )


def _positrons(energy: Floats, rng: Rng) -> Spots:
    return electromagnetic(energy, np.zeros(len(energy)), rng)


def _photons(energy: Floats, rng: Rng) -> Spots:
    return electromagnetic(energy, conversions(len(energy), rng), rng)


_MAKERS: dict[str, Callable[[Floats, Rng], Spots]] = {
    "e+": _positrons,
    "gamma": _photons,
    "pi+": hadronic,
}
