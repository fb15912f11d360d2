"""Reading back the HDF5 files that ``qgen generate`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.runs.run import Run
from qgen_core.typing import Floats

MAX_VALUES = 2**31


def read_columns(path: Path, names: Sequence[str]) -> Floats:
    """Columns of an event file, (N, len(names)). Raises DataError with file, key, expected and found."""
    with _open(path) as file:
        columns = [_column(path, file, name) for name in names]
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{path}: columns differ in length: {lengths}")
    return np.stack(columns, axis=1)


def read_events(path: Path, run: Run) -> Events:
    """Events with the columns and conditions of a run."""
    data = run.record["data"]
    names, conditions = list(data["columns"]), list(data["condition_columns"])
    values = read_columns(path, names + conditions)
    width = len(names)
    return Events(
        values[:, :width],
        values[:, width:] if conditions else None,
        columns=tuple(names),
        units=tuple(data["units"]),
        condition_columns=tuple(conditions),
        provenance={"kind": "generated", "file": path.name},
    )


def run_of(path: Path) -> Path:
    """The run folder that a generated file names."""
    with _open(path) as file:
        folder = file.attrs.get("run")
    if not isinstance(folder, str) or not Path(folder).is_dir():
        raise DataError(f"{path} names no run folder that is there (attribute 'run': {folder!r})")
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
