"""npz: numpy arrays in a zip archive, whose checksums are verified; pickles are not loaded."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, element, plain_numbers, refuse

#: How many bytes are read at a time where they are not kept.
PIECE = 2**18
#: The bit that marks a member of an archive as encrypted.
ENCRYPTED = 1


@contextmanager
def open_npz(path: Path) -> Iterator[NpzSource]:
    """The archive, open within the block."""
    with zipfile.ZipFile(path) as archive:
        yield NpzSource(path, archive)


class NpzSource:
    """Arrays of an open archive."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive
        self.members: dict[str, str] = {}
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            if name in self.members:
                raise DataError(f"{path}: two arrays have the same name, {name!r}")
            if member.flag_bits & ENCRYPTED:
                raise DataError(f"{path}: {name!r} is encrypted; write it anew without a password")
            self.members[name] = member.filename

    def names(self) -> Sequence[str]:
        """Names of the arrays."""
        return list(self.members)

    def declared(self, name: str) -> Declared | None:
        """Shape and dtype from the header of an array, checked against its size in the archive."""
        name, field = self._column(name)
        if name not in self.members:
            return None
        size = self.archive.getinfo(self.members[name]).file_size
        with self.archive.open(self.members[name]) as member:
            shape, _, dtype = _header(member)
            start = member.tell()
        kept = dtype[field] if field else dtype
        plain_numbers(self.path, name, kept.base)
        if not shape:
            raise refuse(self.path, name, "an array with an event axis", "a single number")
        needed = math.prod(shape) * dtype.itemsize
        if size - start != needed:
            raise refuse(
                self.path, name, f"{needed} bytes for the shape {shape}", f"{size - start} bytes"
            )
        return Declared(shape[0], (*shape[1:], *kept.shape), kept.base)

    def load(self, picks: Sequence[Pick], rows: slice) -> Iterator[Array]:
        """Read each array to its end, so that its checksum is verified, but keep the rows only."""
        for pick in picks:
            name, field = self._column(pick.name)
            found = self._rows(name, rows)
            if field:
                found = found[field]
            yield element(found, pick.index, slice(None))

    def _column(self, name: str) -> tuple[str, str]:
        """The array of a name and "", or that of a table of records and the field in it."""
        table, _, field = name.rpartition("/")
        if name in self.members or table not in self.members:
            return name, ""
        with self.archive.open(self.members[table]) as member:
            _, _, dtype = _header(member)
        if field not in (dtype.names or ()):
            return name, ""
        return table, field

    def attributes(self) -> Mapping[str, str]:
        """None: an archive has no attributes."""
        return {}

    def _rows(self, name: str, rows: slice) -> Array:
        with self.archive.open(self.members[name]) as member:
            shape, in_columns, dtype = _header(member)
            if in_columns:  # the rows lie apart
                return self._whole(name)[rows]
            row_bytes = math.prod(shape[1:]) * dtype.itemsize
            start, stop, _ = rows.indices(shape[0])
            _skip(member, start * row_bytes)
            count = max(stop - start, 0)
            require_memory(count * row_bytes, f"{name!r} of {self.path}")
            data = member.read(count * row_bytes)
            _skip(member, self.archive.getinfo(self.members[name]).file_size)
        return np.frombuffer(data, dtype).reshape(count, *shape[1:])

    def _whole(self, name: str) -> Array:
        member = self.members[name]
        require_memory(2 * self.archive.getinfo(member).file_size, f"{name!r} of {self.path}")
        found: Array = np.load(io.BytesIO(self.archive.read(member)), allow_pickle=False)
        return found


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns (not rows) lie together, and dtype, from the header of an array."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


def _skip(member: IO[bytes], size: int) -> None:
    """Read on by ``size`` bytes, or to the end, which verifies the checksum there."""
    while size > 0 and (piece := member.read(min(size, PIECE))):
        size -= len(piece)
