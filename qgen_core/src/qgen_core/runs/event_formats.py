"""The formats that events are written in, piece by piece; the name of the file says which."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_core.support.files import OutputFile
from qgen_core.support.signals import interruptions_wait
from qgen_core.typing import Floats

#: What plugins use. The other writers are found by the endings of names.
__all__ = ["CsvWriter", "Hdf5Writer", "Writer", "writer_for", "written_by"]

Factory = TypeVar("Factory", bound=Callable[..., object])

#: Numbers in a chunk of HDF5.
CHUNK = 2**16


class Writer(ABC):
    """Writes columns of events to a file that :func:`~qgen_core.support.files.replacing` opened.

    ``endings`` are the endings of the names that its files may have.

    >>> Hdf5Writer.endings, CsvWriter.endings
    (('', '.h5', '.hdf5'), ('.csv',))
    """

    endings: tuple[str, ...]

    @abstractmethod
    def __init__(self, file: OutputFile) -> None:
        """Begin to write to a file."""

    @abstractmethod
    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        """Add events: the same columns at each call, (N,) each; some have units."""

    def finish(self, attributes: Mapping[str, str]) -> None:
        """Write the attributes, where the format has any, and what else is left to write."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


class Hdf5Writer(Writer):
    """One dataset per column, with its unit; attributes are those of the file.

    A subclass that overrides :meth:`arranged` writes other arrays instead. HDF5 may end the process
    if an exception leaves it half way, so signals wait.

    >>> import tempfile
    >>> import h5py
    >>> from qgen_core.support.files import replacing
    >>> class Points(Hdf5Writer):
    ...     def arranged(self, columns, units):
    ...         return {"points": (np.stack([columns["x"], columns["y"]], axis=1), "mm")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "points.h5")
    ...     with replacing(path) as file:
    ...         writer = Points(file)
    ...         writer.append({"x": np.zeros(3), "y": np.ones(3)}, {})
    ...         writer.close()
    ...     h5py.File(path)["points"].shape
    (3, 2)
    """

    endings = ("", ".h5", ".hdf5")
    #: How arrays are compressed, as h5py's ``create_dataset`` takes it.
    compressed: Mapping[str, Any] = {}

    @interruptions_wait()
    def __init__(self, file: OutputFile) -> None:
        import h5py

        self.file = h5py.File(file, "w")
        self.written = 0

    def arranged(
        self, columns: Mapping[str, Floats], units: Mapping[str, str]
    ) -> Mapping[str, tuple[Floats, str]]:
        """The arrays (N, ...) to write, each with its unit, by name: by default the columns."""
        return {name: (values, units.get(name, "")) for name, values in columns.items()}

    @interruptions_wait()
    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        total = self.written
        for name, (values, unit) in self.arranged(columns, units).items():
            if name not in self.file:
                inner = values.shape[1:]
                rows = max(CHUNK // max(math.prod(inner), 1), 1)
                created = self.file.create_dataset(
                    name,
                    (0, *inner),
                    "f8",
                    maxshape=(None, *inner),
                    chunks=(rows, *inner),
                    **self.compressed,
                )
                created.attrs["unit"] = unit
            total = self.written + len(values)
            dataset = self.file[name]
            dataset.resize(total, axis=0)
            dataset[self.written :] = values
        self.written = total

    @interruptions_wait()
    def finish(self, attributes: Mapping[str, str]) -> None:
        self.file.attrs.update(attributes)

    @interruptions_wait()
    def close(self) -> None:
        self.file.close()


class CsvWriter(Writer):
    """A line of names, then a line per event with digits that give the same numbers back.

    >>> import tempfile
    >>> from qgen_core.support.files import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "points.csv")
    ...     with replacing(path) as file:
    ...         CsvWriter(file).append({"x": np.array([0.1]), "y": np.array([2.0])}, {})
    ...     path.read_text().splitlines()
    ['x,y', '0.1,2.0']
    """

    endings = (".csv",)

    def __init__(self, file: OutputFile) -> None:
        self.file = file
        self.has_header = False

    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self.has_header:
            writer.writerow(columns)
            self.has_header = True
        writer.writerows(np.stack(list(columns.values()), axis=1).tolist())
        self.file.write(text.getvalue().encode("utf-8"))


class NpzWriter(Writer):
    """One array per column; they are held in memory until the end."""

    endings = (".npz",)

    def __init__(self, file: OutputFile) -> None:
        self.file = file
        self.pieces: dict[str, list[Floats]] = {}

    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        for name, values in columns.items():
            self.pieces.setdefault(name, []).append(values)

    def finish(self, attributes: Mapping[str, str]) -> None:
        with zipfile.ZipFile(self.file, "w") as archive:
            for name, pieces in self.pieces.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.concatenate(pieces), allow_pickle=False)


class ParquetWriter(Writer):
    """One column per column, a row group per piece; attributes are metadata of the schema."""

    endings = (".parquet",)

    def __init__(self, file: OutputFile) -> None:
        self.arrow = import_optional("pyarrow", "writing parquet", "qgen-hep[parquet]")
        self.parquet = import_optional("pyarrow.parquet", "writing parquet", "qgen-hep[parquet]")
        self.file = file
        self.writer: Any = None

    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        table = self.arrow.table({name: np.array(column) for name, column in columns.items()})
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.file, table.schema)
        self.writer.write_table(table)

    def finish(self, attributes: Mapping[str, str]) -> None:
        self.writer.add_key_value_metadata(dict(attributes))
        self.writer.close()


class RootWriter(Writer):
    """A TTree ``events`` with one branch per column; each attribute is a text of its name."""

    endings = (".root",)

    def __init__(self, file: OutputFile) -> None:
        uproot = import_optional("uproot", "writing ROOT", "qgen-hep[root]")
        self.file = uproot.recreate(file)
        self.tree: Any = None

    def append(self, columns: Mapping[str, Floats], units: Mapping[str, str]) -> None:
        branches = {name: np.array(column) for name, column in columns.items()}
        if self.tree is None:
            self.tree = self.file.mktree("events", dict.fromkeys(branches, np.float64))
        self.tree.extend(branches)

    def finish(self, attributes: Mapping[str, str]) -> None:
        for key, text in attributes.items():
            self.file[key] = text
        self.file.close()


#: Writers by the suffix of the file's name.
WRITERS: dict[str, type[Writer]] = {
    ending: writer
    for writer in (Hdf5Writer, NpzWriter, CsvWriter, ParquetWriter, RootWriter)
    for ending in writer.endings
}


def written_by(writer: type[Writer]) -> Callable[[Factory], Factory]:
    """Give a dataset factory the attribute ``writer``, which writes files that it reads.

    >>> @written_by(CsvWriter)
    ... def dataset():
    ...     pass
    >>> dataset.writer.__name__
    'CsvWriter'
    """

    def mark(factory: Factory) -> Factory:
        vars(factory)["writer"] = writer
        return factory

    return mark


def writer_for(path: Path, given: type[Writer] | None = None) -> type[Writer]:
    """The writer of the format that the name of a file says, or the one that is given.

    Raises BadOption for a name that the format does not have.

    >>> writer_for(Path("events.csv")).__name__, writer_for(Path("events")).__name__
    ('CsvWriter', 'Hdf5Writer')
    """
    if given is not None:
        if path.suffix.lower() in given.endings:
            return given
        endings = ", ".join(filter(None, given.endings))
        raise BadOption(f"{path}: files of this layout are named {endings}")
    try:
        return WRITERS[path.suffix.lower()]
    except KeyError:
        endings = ", ".join(suffix for suffix in WRITERS if suffix)
        raise BadOption(
            f"{path}: events are not written in a format {path.suffix!r}; name it {endings}"
        ) from None
