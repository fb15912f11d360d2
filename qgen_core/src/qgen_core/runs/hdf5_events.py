"""Reading events from HDF5 files by their columns, without the readers of a plugin."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.support.cuts import Cut
from qgen_core.support.hdf5 import open_hdf5, require_filters
from qgen_core.support.numbers import exact_floats
from qgen_core.typing import Floats

log = logging.getLogger("qgen")

MAX_VALUES = 2**31
#: Endings of the names of HDF5 files.
SUFFIXES = ("", ".h5", ".hdf5")


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


def contents(path: Path, wanted: Sequence[str] = ()) -> tuple[tuple[str, ...], dict[str, str]]:
    """The columns of an HDF5 file, or those ``wanted`` that it has, and its attributes.

    Raises DataError.
    """
    with open_hdf5(path) as file:
        names = list(file)
        if wanted:
            names = [name for name in wanted if name in file]
        attributes = {str(key): str(value) for key, value in file.attrs.items()}
    return tuple(names), attributes


def read_events(
    path: Path,
    columns: Sequence[str],
    condition_columns: Sequence[str] = (),
    weight: str | None = None,
    cuts: Sequence[Cut] = (),
) -> Events:
    """The events of an HDF5 file that pass the cuts. Raises DataError."""
    names = list(dict.fromkeys([*columns, *condition_columns, *(cut.column for cut in cuts)]))
    if weight is not None:
        names.append(weight)
    values = dict(zip(names, read_columns(path, names).T, strict=True))
    keep = np.ones(len(values[names[0]]), dtype=np.bool_)
    dropped = []
    for cut in cuts:
        passes = cut.keeps(values[cut.column])
        if not np.all(passes[keep]):
            dropped.append(f"not {cut}: {int(np.sum(keep & ~passes))}")
        keep &= passes
    kept = {name: column[keep] for name, column in values.items()}
    condition: Floats | None = None
    if condition_columns:
        condition = np.stack([kept[name] for name in condition_columns], axis=1)
    weights: Floats | None = None
    if weight is not None:
        weights = kept[weight]
    _, attributes = contents(path)
    provenance = {"kind": "unknown", **attributes, "file": path.name}
    return Events(
        np.stack([kept[name] for name in columns], axis=1),
        condition,
        weights,
        columns=tuple(columns),
        condition_columns=tuple(condition_columns),
        provenance=provenance | {"dropped": "; ".join(dropped) or "none"},
        cuts=tuple(cuts),
    )


def saved_events(
    *,
    path: str,
    columns: tuple[str, ...],
    condition_columns: tuple[str, ...] = (),
    weight: str | None = None,
    units: dict[str, str] | None = None,
    run_folder: Path | None = None,
) -> Events:
    """The dataset ``saved-events``: events of an HDF5 file whose columns are arrays by name.

    :func:`qgen_core.fit` and ``qgen generate`` write such files. ``weight`` names the column of
    weights, ``units`` gives units by name. If there is no such file, a file of the same name in
    ``run_folder`` is read, because a run folder may have been moved together with its events; a run
    compares the events with those of its training. Other formats, cuts and the treatment of invalid
    values are what the dataset ``file`` of qgen-hep is for.

    Raises DataError for a file that is damaged or lacks a column.

    >>> import tempfile
    >>> from qgen_core.runs.eventfile import write_events
    >>> events = Events(np.array([[1.0], [2.0]]), columns=("pt",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/events.h5"
    ...     written = write_events(iter([events]), path, {"kind": "measured"})
    ...     saved = saved_events(path=path, columns=("pt",), units={"pt": "GeV"})
    >>> saved, saved.provenance["kind"]
    (Events(2 of pt [GeV]), 'measured')
    """
    place = Path(path)
    # unlike Path.exists this is False, too, below a folder of another user
    if run_folder is not None and not os.path.exists(place):  # noqa: PTH110
        moved = run_folder / place.name
        if moved.exists():
            log.warning("%s is not there any more; the events are read from %s", place, moved)
            place = moved
    found = read_events(place, columns, condition_columns, weight)
    by_name = units or {}
    return found.replace(units=tuple(by_name.get(name, "1") for name in columns))


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
