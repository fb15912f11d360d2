"""Generated files are kept in the user's cache and found again by what they are made of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qgen_core.support.checkpoint import write_durably
from qgen_hep.generate.jets import SETTINGS, generate_jets, versions
from qgen_hep.generate.mfc.file import generate_mfc, settings
from qgen_hep.generate.offer import Progress
from qgen_hep.readers.reading import file_hash


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/qgen``, by default ``~/.cache/qgen``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qgen"


def cached_jets(
    events: int, *, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Path:
    """The file of :func:`generate_jets`, generated unless the cache has it undamaged.

    Its name has a hash of all it depends on (events, seed, settings, versions); beside it lies
    its SHA-256, for ``[dataset] sha256``. Raises what generate_jets raises.
    """
    made_of = {"events": events, "seed": seed, "settings": SETTINGS, "versions": versions()}
    return _cached(
        cache or cache_folder() / "jets",
        f"jets-{events}",
        made_of,
        lambda path: generate_jets(events, seed=seed, path=path, progress=progress),
    )


def cached_mfc(
    events: int, *, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Path:
    """The file of :func:`generate_mfc`, kept as that of :func:`cached_jets`."""
    return _cached(
        cache or cache_folder() / "mfc",
        f"mfc-{events}",
        {"events": events, "seed": seed, **settings()},
        lambda path: generate_mfc(events, seed=seed, path=path, progress=progress),
    )


def _cached(
    folder: Path, stem: str, made_of: Mapping[str, Any], make: Callable[[Path], object]
) -> Path:
    """The file ``make`` writes, with a hash of what it is made of in its name."""
    key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{stem}-{key}.h5"
    beside = path.with_suffix(".sha256")
    if (
        path.is_file()
        and beside.is_file()
        and beside.read_text(encoding="ascii").strip() == file_hash(path)
    ):
        return path
    make(path)
    write_durably(beside, f"{file_hash(path)}\n".encode("ascii"))
    return path
