"""JSON files that hold a hash of their own content, so that damage is found when they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgen_core.errors import CheckpointError
from qgen_core.support.files import write_durably

#: The field that holds the hash of all other fields.
SEAL = "sha256"
#: The largest file, in bytes, that is read.
MAX_BYTES = 2**26


def hash_of(content: Any) -> str:
    """SHA-256 of plain data in hexadecimal digits; the order of the fields does not count.

    >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data as a JSON object with a field ``sha256``. Raises ResourceRefused."""
    plain = json.loads(json.dumps(dict(content)))  # as it will be read back
    sealed = {**plain, SEAL: hash_of(plain)}
    write_durably(path, json.dumps(sealed, indent=1).encode())


def read_sealed(path: Path, mend: str) -> dict[str, Any]:
    """The content of a file of :func:`write_sealed`, without the hash.

    ``mend`` ends the message of the CheckpointError that is raised for a file that is missing,
    damaged or edited; it says what the user can do.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "record.json")
    ...     write_sealed(path, {"step": 3})
    ...     print(read_sealed(path, "train again"))
    ...     _ = path.write_text(path.read_text().replace("3", "4", 1))
    ...     try:
    ...         read_sealed(path, "train again")
    ...     except CheckpointError as error:
    ...         print(str(error).endswith("does not fit its hash; train again"))
    {'step': 3}
    True
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} is larger than qgen writes it; {mend}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; {mend}") from error
    if not isinstance(content, dict) or SEAL not in content:
        raise CheckpointError(f"{path} is damaged or was edited: it has no field {SEAL!r}; {mend}")
    seal = content.pop(SEAL)
    if seal != hash_of(content):
        raise CheckpointError(
            f"{path} is damaged or was edited: the content does not fit its hash; {mend}"
        )
    return content
