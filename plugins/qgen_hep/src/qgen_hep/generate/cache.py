"""Generated files in the user's cache, found by the hash of all they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgen_core.support.files import write_durably
from qgen_hep.generate.calogan.file import Species, generate_calogan
from qgen_hep.generate.calogan.file import settings as settings_of_calogan
from qgen_hep.generate.jets import SETTINGS, generate_jets, versions
from qgen_hep.generate.mfc.file import generate_mfc, settings
from qgen_hep.generate.offer import Progress
from qgen_hep.generate.photons.file import ENERGIES, generate_photons
from qgen_hep.generate.photons.file import settings as settings_of_photons
from qgen_hep.readers.reading import file_hash


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/qgen``, by default ``~/.cache/qgen``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qgen"


def cached_jets(
    events: int, *, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Path:
    """The file of :func:`generate_jets`, generated unless the cache has it undamaged.

    Its name contains a hash of all it depends on (events, seed, settings, versions). A file beside
    it has its SHA-256, for ``[dataset] sha256``. Raises the errors of generate_jets.
    """
    depends_on = {"events": events, "seed": seed, "settings": SETTINGS, "versions": versions()}
    return _cached(
        cache or cache_folder() / "jets",
        f"jets-{events}",
        depends_on,
        lambda path: generate_jets(events, seed=seed, path=path, progress=progress),
    )


def cached_mfc(
    events: int, *, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Path:
    """The file of :func:`generate_mfc`, cached like that of :func:`cached_jets`."""
    return _cached(
        cache or cache_folder() / "mfc",
        f"mfc-{events}",
        {"events": events, "seed": seed, **settings()},
        lambda path: generate_mfc(events, seed=seed, path=path, progress=progress),
    )


def cached_calogan(
    events: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cache: Path | None = None,
    species: Species = "e+",
) -> Path:
    """The file of :func:`generate_calogan`, cached like that of :func:`cached_jets`."""
    return _cached(
        cache or cache_folder() / "calogan",
        f"calogan-{species.replace('+', 'plus')}-{events}",
        {"events": events, "seed": seed, **settings_of_calogan(species)},
        lambda path: generate_calogan(
            events, species=species, seed=seed, path=path, progress=progress
        ),
    )


def cached_photons(
    events: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cache: Path | None = None,
    energies: Sequence[float] = ENERGIES,
) -> Path:
    """The file of :func:`generate_photons`, cached like that of :func:`cached_jets`."""
    return _cached(
        cache or cache_folder() / "calo-photons",
        f"calo-photons-{events}",
        {"events": events, "seed": seed, **settings_of_photons(energies)},
        lambda path: generate_photons(
            events, energies=energies, seed=seed, path=path, progress=progress
        ),
    )


def _cached(
    folder: Path, stem: str, depends_on: Mapping[str, Any], make: Callable[[Path], object]
) -> Path:
    """The file that ``make`` writes, with a hash of what it depends on in its name."""
    text = json.dumps(depends_on, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder / f"{stem}-{key}.h5"
    hash_file = path.with_suffix(".sha256")
    if path.is_file() and hash_file.is_file():
        stored = hash_file.read_text(encoding="ascii").strip()
        if stored == file_hash(path):
            return path
    make(path)
    write_durably(hash_file, f"{file_hash(path)}\n".encode("ascii"))
    return path
