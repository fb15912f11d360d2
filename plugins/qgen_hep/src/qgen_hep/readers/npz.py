"""npz: numpy arrays in a zip archive, whose checksums are verified; pickles are not loaded."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from qgen_core.errors import DataError
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, element, plain_numbers, refuse

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
        if name not in self.members:
            return None
        size = self.archive.getinfo(self.members[name]).file_size
        with self.archive.open(self.members[name]) as member:
            version = np.lib.format.read_magic(member)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(member)
            start = member.tell()
        plain_numbers(self.path, name, dtype)
        if not shape:
            raise refuse(self.path, name, "an array with an event axis", "a single number")
        needed = math.prod(shape) * dtype.itemsize
        if size - start != needed:
            raise refuse(
                self.path, name, f"{needed} bytes for the shape {shape}", f"{size - start} bytes"
            )
        return Declared(shape[0], tuple(shape[1:]), dtype)

    def load(self, picks: Sequence[Pick]) -> list[Array]:
        """Read whole arrays, so that their checksums are verified."""
        return [element(self._array(p.name), p.index) for p in picks]

    def attributes(self) -> Mapping[str, str]:
        """None: an archive has no attributes."""
        return {}

    def _array(self, name: str) -> Array:
        member = self.members[name]
        require_memory(2 * self.archive.getinfo(member).file_size, f"{name!r} of {self.path}")
        found: Array = np.load(io.BytesIO(self.archive.read(member)), allow_pickle=False)
        return found
