"""HDF5: datasets by path. Links are not followed, and sizes are checked before reading."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.support import hdf5
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, element, listed, plain_numbers, refuse

MAX_TEXT = 4096
#: Of an array with this many times the elements that are wanted, each element is read alone.
SPARSE = 16


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5Source]:
    """The HDF5 file, open within the block."""
    with hdf5.open_hdf5(path) as file:
        yield Hdf5Source(path, file)


class Hdf5Source:
    """Datasets of an open file."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self.file = file

    def names(self) -> Sequence[str]:
        """Names at the top level of the file, without the content of groups."""
        return list(self.file)

    def declared(self, name: str) -> Declared | None:
        """Shape and dtype of a dataset.

        Raises DataError for links, for data in other files, and for missing chunks.
        """
        dataset, field = self._column(name)
        if dataset is None:
            return None
        if not dataset.shape:
            raise refuse(
                self.path, name, "an array with an event axis", f"the shape {dataset.shape}"
            )
        dtype = _field_type(dataset.dtype, field)
        if _is_of_varying_length(dtype):
            raise refuse(
                self.path,
                name,
                "as many numbers in each event",
                "vectors of varying length; write them as a two-dimensional array",
            )
        plain_numbers(self.path, name, dtype.base)
        self._stored_here(name, dataset)
        hdf5.require_filters(self.path, name, dataset)
        unit = _text(dataset.attrs.get("unit", dataset.attrs.get("units", "")))
        inner = (*dataset.shape[1:], *dtype.shape)
        together = 1
        if dataset.chunks is not None:
            together = dataset.chunks[0]
        return Declared(dataset.shape[0], inner, dtype.base, unit, together)

    def load(self, picks: Sequence[Pick], rows: slice) -> Iterator[Array]:
        """Read the datasets one after the other; those of many elements as a whole, once."""
        elements = Counter(pick.name for pick in picks if pick.index)
        whole: dict[str, Array] = {}
        for pick in picks:
            dataset, field = self._column(pick.name)
            if field:  # read as a whole: an element of a field is no selection of HDF5
                found = dataset.fields(field)[rows]
                yield element(found, pick.index, slice(None))
            elif elements[pick.name] * SPARSE >= math.prod(dataset.shape[1:]):
                if pick.name not in whole:
                    whole[pick.name] = dataset[rows]
                yield element(whole[pick.name], pick.index, slice(None))
            else:
                yield element(dataset, pick.index, rows)

    def attributes(self) -> Mapping[str, str]:
        """Short text and numbers among the attributes of the file."""
        found = {}
        for key, value in self.file.attrs.items():
            text = _text(value)
            if text:
                found[str(key)] = text
        return found

    def _column(self, name: str) -> tuple[Any, str]:
        """The dataset of a name and "", or that of a table of records and the field in it."""
        table, _, field = name.rpartition("/")
        if table:
            records = self._dataset(table, or_group=True)
            if records is not None and field in (records.dtype.names or ()):
                return records, field
        return self._dataset(name), ""

    def _dataset(self, name: str, *, or_group: bool = False) -> Any:
        """The dataset, found by following hard links only; None if there is none."""
        import h5py

        node: Any = self.file
        for part in name.strip("/").split("/"):
            if not isinstance(node, h5py.Group) or part in ("", ".", ".."):
                return None
            link = node.get(part, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                kind = "another name"
                if isinstance(link, h5py.ExternalLink):
                    kind = "another file"
                raise refuse(
                    self.path, name, "a dataset", f"a link to {kind} (links are not followed)"
                )
            node = node[part]
        if or_group and isinstance(node, h5py.Group):
            return None
        if not isinstance(node, h5py.Dataset):
            what = type(node).__name__
            if isinstance(node, h5py.Group):
                what = f"a group of {listed(list(node))}"
            raise refuse(self.path, name, "a dataset", what)
        return node

    def _stored_here(self, name: str, dataset: Any) -> None:
        """Raise DataError for data in other files, or of another size than the shape needs."""
        if dataset.is_virtual or dataset.external:
            raise refuse(
                self.path, name, "data inside this file", "a view of other files (not followed)"
            )
        if dataset.chunks is None:
            stored = dataset.id.get_storage_size()
            needed = dataset.size * dataset.dtype.itemsize
            if stored != needed:
                raise refuse(
                    self.path,
                    name,
                    f"{needed} bytes for the shape {dataset.shape}",
                    f"{stored} bytes",
                )
            return
        require_memory(
            math.prod(dataset.chunks) * dataset.dtype.itemsize,
            f"a chunk of {name!r} in {self.path}",
        )
        needed = 1
        for size, part in zip(dataset.shape, dataset.chunks, strict=True):
            needed *= -(-size // part)
        stored = dataset.id.get_num_chunks()
        if stored != needed:
            raise refuse(
                self.path,
                name,
                f"{needed} chunks for the shape {dataset.shape}",
                f"{stored} chunks",
            )


def _field_type(dtype: np.dtype[Any], field: str) -> np.dtype[Any]:
    if field:
        return dtype[field]
    return dtype


def _is_of_varying_length(dtype: np.dtype[Any]) -> bool:
    import h5py

    return isinstance(h5py.check_vlen_dtype(dtype), np.dtype)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str | bool | int | float | np.bool_ | np.number):
        return str(value)[:MAX_TEXT]
    return ""


def is_hdf5(path: Path) -> bool:
    """Whether the file has the signature of HDF5, at its start or after a user block."""
    import h5py

    try:
        return bool(h5py.is_hdf5(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
