"""The HDF5 files of ``qgen generate``: writing them in pieces, and reading them back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import DataError, QgenError
from qgen_core.events import Events
from qgen_core.runs.run import SAMPLER_KEYS, WARNING_KEY, Run
from qgen_core.support.checkpoint import refused
from qgen_core.typing import Floats

MAX_VALUES = 2**31


def write_events(
    pieces: Iterator[Events], path: str | os.PathLike[str], attributes: Mapping[str, str]
) -> int:
    """Write events piece by piece to an HDF5 file with one dataset per column.

    The attributes of the file are ``attributes`` and what the events' provenance says of their
    sampler. The file appears under its name only when it is complete. Returns the number of events.
    Raises ResourceRefused when the disk is full.

    >>> import tempfile
    >>> events = Events(np.array([[1.0], [2.0]]), columns=("pt",), units=("GeV",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_events(iter([events, events]), Path(folder, "events.h5"), {})
    ...     values = read_columns(Path(folder, "events.h5"), ["pt"])
    >>> written, values[:, 0].tolist()
    (4, [1.0, 2.0, 1.0, 2.0])
    """
    import h5py

    target = Path(path)
    temporary = target.with_name(target.name + ".tmp")
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(temporary, "w") as file:
            for key, value in attributes.items():
                file.attrs[key] = value
            for piece in pieces:
                written = _append(file, piece, written)
                for key in (
                    *SAMPLER_KEYS,
                    WARNING_KEY,
                ):  # a piece names the samplers of those before
                    if key in piece.provenance:
                        file.attrs[key] = piece.provenance[key]
        os.replace(temporary, target)
    except QgenError:
        temporary.unlink(missing_ok=True)
        raise
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        cause = error
        if not isinstance(cause, OSError):  # h5py raises RuntimeError for some failed writes
            cause = OSError(str(error))
        raise refused(target, 0, cause) from error
    return written


def _append(file: Any, piece: Events, written: int) -> int:
    """Append a piece to the datasets; the number of events then in the file."""
    columns = dict(zip(piece.columns, piece.x.T, strict=True))
    if piece.condition is not None:
        columns |= dict(zip(piece.condition_columns, piece.condition.T, strict=True))
    units = dict(zip(piece.columns, piece.units, strict=True))
    for name, values in columns.items():
        if name not in file:
            dataset = file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(2**16,))
            dataset.attrs["unit"] = units.get(name, "")
        file[name].resize((written + len(piece),))
        file[name][written:] = values
    return written + len(piece)


def read_columns(path: Path, names: Sequence[str]) -> Floats:
    """Columns of an event file, (N, len(names)).

    Raises DataError, saying what was expected and what was found, for a file that does not exist or
    is damaged, a column that is missing or not numeric, and columns of different lengths.
    """
    with _open(path) as file:
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
    with _open(path) as file:
        for key in (*SAMPLER_KEYS, WARNING_KEY):
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
    with _open(path) as file:
        folder = file.attrs.get("run")
    if not isinstance(folder, str) or not Path(folder).is_dir():
        raise DataError(
            f"{path} does not name an existing run folder (attribute 'run': {folder!r})"
        )
    return Path(folder)


def _open(path: Path) -> Any:
    import h5py

    if not path.exists():
        raise DataError(f"{path} does not exist")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is not an HDF5 file: {error}") from error


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
    try:
        values: Floats = found[:].astype(np.float64)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: {name!r} cannot be read: {error}") from error
    return values
