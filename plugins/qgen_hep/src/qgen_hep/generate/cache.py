"""Generated files in the user's cache, found by the hash of all they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qgen_core.support.files import write_durably
from qgen_hep.readers.reading import file_hash


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/qgen``, by default ``~/.cache/qgen``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qgen"


def cached(
    folder: Path, stem: str, depends_on: Mapping[str, Any], make: Callable[[Path], object]
) -> Path:
    """The file in a folder that ``make`` writes, unless it is there undamaged.

    Its name is ``stem`` and a hash of what it depends on. A file beside it has its SHA-256, for
    ``[dataset] sha256``. Raises the errors of ``make``.
    """
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
