"""The format of a file, determined by its suffix and its first bytes, which have to agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from qgen_core.errors import DataError
from qgen_hep.readers.hdf5 import is_hdf5, open_hdf5
from qgen_hep.readers.npz import open_npz
from qgen_hep.readers.parquet import open_parquet
from qgen_hep.readers.root import open_root
from qgen_hep.readers.source import Source
from qgen_hep.readers.text import open_text

#: Formats by file suffix.
ENDINGS = {
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".npz": "npz",
    ".csv": "text",
    ".txt": "text",
    ".tsv": "text",
    ".parquet": "parquet",
    ".root": "ROOT",
}
#: Formats by first bytes. The last three are not readable, but named in the error message.
SIGNATURES = {
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"PK\x03\x04": "npz",
    b"PAR1": "parquet",
    b"root": "ROOT",
    b"\x93NUMPY": "npy",
    b"\x80": "pickle",
    b"\x1f\x8b": "gzip",
}
OPENERS: dict[str, Callable[[Path], AbstractContextManager[Source]]] = {
    "HDF5": open_hdf5,
    "npz": open_npz,
    "text": open_text,
    "parquet": open_parquet,
}
READABLE = "HDF5 (.h5, .hdf5), npz, text (.csv, .txt, .tsv), parquet or ROOT"


def format_of(path: Path) -> str:
    r"""HDF5, npz, text, parquet or ROOT.

    Raises DataError if suffix and content contradict each other, or if the file cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "jets.csv")
    ...     written = path.write_text("pt\n300\n")
    ...     format_of(path)
    'text'
    """
    start = _first_bytes(path)
    named = ENDINGS.get(path.suffix.lower())
    found = _signed_as(start)
    if found is None and named == "HDF5" and is_hdf5(path):
        found = "HDF5"
    if named == "text" and found is None:
        found = "text"
    if found not in ENDINGS.values() or found != (named or found):
        held = found or "no format that is known"
        raise DataError(f"{path}: expected {named or READABLE}, its first bytes say {held}")
    return str(found)


def _signed_as(start: bytes) -> str | None:
    """The format that the first bytes belong to."""
    for signature, kind in SIGNATURES.items():
        if start.startswith(signature):
            return kind
    return None


def _first_bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise DataError(f"{path} does not exist")
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not start:
        raise DataError(f"{path} is empty (0 bytes)")
    return start


def open_source(path: Path, tree: str | None) -> AbstractContextManager[Source]:
    """Open a file as a :class:`Source`. ``tree`` names the TTree of a ROOT file."""
    found = format_of(path)
    if found == "ROOT":
        return open_root(path, tree)
    if tree is not None:
        raise DataError(f"{path} is a file of the format {found}, which has no tree {tree!r}")
    return OPENERS[found](path)
