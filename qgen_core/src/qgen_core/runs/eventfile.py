"""The files of ``qgen generate``: writing them in pieces, and reading HDF5 ones back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.runs.event_formats import NpzWriter, writer_for
from qgen_core.runs.run import SAMPLER_KEYS, WARNING_KEY, Run
from qgen_core.support.files import replacing, require_disk
from qgen_core.support.hdf5 import open_hdf5, require_filters
from qgen_core.support.numbers import exact_floats
from qgen_core.support.resources import require_memory
from qgen_core.typing import Floats

log = logging.getLogger("qgen")

MAX_VALUES = 2**31
#: What the provenance of events says of how they were made, which their file says, too.
NOTES = (*SAMPLER_KEYS, WARNING_KEY)


def require_room(path: Path, events: int, columns: int) -> None:
    """Raise ResourceRefused if so many events cannot be written to ``path``.

    Raises BadOption if the name of the file says no format that events are written in.

    >>> require_room(Path("events.h5"), 10**20, 2)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.ResourceRefused: ResourceRefused: 100000000000000000000 events of 2 columns...
    """
    needed = 8 * events * columns
    what = f"{events} events of {columns} columns"
    mend = "ask for fewer events"
    if writer_for(path) is NpzWriter:
        require_memory(2 * needed, f"{what} in one archive", f"{mend}, or name the file .h5")
    require_disk(path, needed, what, mend)


def write_events(
    pieces: Iterator[Events], path: str | os.PathLike[str], attributes: Mapping[str, str]
) -> int:
    """Write events piece by piece to a file of the format that its name says.

    The formats are HDF5 (``.h5``, ``.hdf5``, or no suffix), ``.npz``, ``.csv``, ``.parquet`` and
    ``.root``. The attributes of the file are ``attributes`` and what the events' provenance says of
    their sampler; npz and CSV have none. The file appears under its name only when it is complete.
    Returns the number of events.

    Raises DataError without events, BadOption for a name of another format and for what is not a
    regular file, ResourceRefused when the file cannot be written.

    >>> import tempfile
    >>> events = Events(np.array([[1.0], [2.0]]), columns=("pt",), units=("GeV",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_events(iter([events, events]), Path(folder, "events.h5"), {})
    ...     values = read_columns(Path(folder, "events.h5"), ["pt"])
    >>> written, values[:, 0].tolist()
    (4, [1.0, 2.0, 1.0, 2.0])
    """
    target = Path(path)
    writer_class = writer_for(target)
    found = dict(attributes)
    written = 0
    with replacing(target) as file, closing(writer_class(file)) as writer:
        for piece in pieces:
            writer.append(_columns(piece), dict(zip(piece.columns, piece.units, strict=True)))
            file.check()
            written += len(piece)
            for key in NOTES:  # each piece names the samplers of those before, too
                if key in piece.provenance:
                    found[key] = piece.provenance[key]
        if not written:
            raise DataError(f"there are no events to write to {path}")
        writer.finish(found)
    return written


def _columns(events: Events) -> dict[str, Floats]:
    """All columns by name, those of the condition last."""
    columns = dict(zip(events.columns, events.x.T, strict=True))
    if events.condition is not None:
        columns |= dict(zip(events.condition_columns, events.condition.T, strict=True))
    return columns


def read_columns(path: Path, names: Sequence[str]) -> Floats:
    """Columns of an event file, (N, len(names)).

    Raises DataError, saying what was expected and what was found, for a file that does not exist or
    is damaged, a column that is missing or not numeric, and columns of different lengths.
    """
    with open_hdf5(path) as file:
        columns = [_column(path, file, name) for name in names]
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{path}: columns differ in length: {lengths}")
    return np.stack(columns, axis=1)


def read_events(path: Path, run: Run) -> Events:
    """The events of a file, with the columns and conditions of a run. Raises DataError."""
    data = run.record["data"]
    names = list(data["columns"])
    conditions = list(data["condition_columns"])
    values = read_columns(path, names + conditions)
    width = len(names)
    condition = values[:, width:] if conditions else None
    provenance = {"kind": "generated", "file": path.name}
    with open_hdf5(path) as file:
        for key in NOTES:
            if key in file.attrs:
                provenance[key] = str(file.attrs[key])
    return Events(
        values[:, :width],
        condition,
        columns=tuple(names),
        units=tuple(data["units"]),
        condition_columns=tuple(conditions),
        provenance=provenance,
    )


def run_of(path: Path) -> Path:
    """The run folder that a generated file was made from. Raises DataError if it is not there."""
    with open_hdf5(path) as file:
        folder = file.attrs.get("run")
    if not isinstance(folder, str) or not Path(folder).is_dir():
        raise DataError(
            f"{path} does not name an existing run folder (attribute 'run': {folder!r})"
        )
    return Path(folder)


def check_made_by(path: Path, run: Run) -> None:
    """Raise DataError if a file was generated by another training than that of ``run``.

    Of an earlier step of the training, that is a warning.
    """
    with open_hdf5(path) as file:
        found = {name: file.attrs.get(name) for name in run.folder.state}
    now = run.folder.state
    if found["identity"] != now["identity"]:
        raise DataError(
            f"{path} was not generated by the run that is now in {run.path}: recipe, data or seed "
            f"differ; generate the events again with: qgen generate {run.path}"
        )
    if found["step"] != str(now["step"]):
        log.warning(
            "%s was generated at step %s; %s is at step %s",
            path,
            found["step"],
            run.path,
            now["step"],
        )


def _column(path: Path, file: Any, name: str) -> Floats:
    import h5py

    try:
        found = file.get(name)
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(f"{path}: {name!r} cannot be read: {error}") from error
    if not isinstance(found, h5py.Dataset) or found.ndim != 1 or found.dtype.kind not in "fiu":
        there = ", ".join(list(file)[:20]) or "nothing"
        raise DataError(f"{path}: expected a column of numbers {name!r}, found {there}")
    if found.size > MAX_VALUES:
        raise DataError(
            f"{path}: {name!r} claims {found.size} values; at most {MAX_VALUES} are read"
        )
    require_filters(path, name, found)
    try:
        stored = found[:]
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: {name!r} cannot be read: {error}") from error
    return exact_floats(stored, f"{path}: {name!r}")
