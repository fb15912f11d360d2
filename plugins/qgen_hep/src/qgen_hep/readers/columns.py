"""Resolve requested names to columns of numbers.

``pt`` is an array with one number per event; of an array with more, ``showers`` means all its
columns and ``showers[3]`` or ``layer_0[1,5]`` one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qgen_core.errors import DataError
from qgen_core.support.numbers import exact_floats
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats
from qgen_hep.readers.source import Declared, Pick, Source, listed, refuse

_ELEMENT = re.compile(r"(?P<name>.+)\[(?P<index>\d{1,9}(,\d{1,9})*)\]")
#: Each value is stored twice as float64: in its array and in the table.
BYTES_A_VALUE = 16


@dataclass(frozen=True)
class Wanted:
    """A requested name resolved: an array or an element of it, and the names of its columns."""

    pick: Pick
    declared: Declared
    names: tuple[str, ...]


def resolve(path: Path, source: Source, names: Sequence[str]) -> list[Wanted]:
    """The arrays of the requested names, in this order.

    Raises DataError for names that do not exist and arrays that declare different lengths.
    """
    wanted = [_resolve(path, source, name) for name in names]
    array_names = [want.pick.name for want in wanted]
    _same_length(path, array_names, [want.declared.rows for want in wanted])
    return wanted


def load_rows(path: Path, source: Source, wanted: Sequence[Wanted], rows: slice) -> Floats:
    """The columns (N, F) of some rows; fewer than asked for, or none, where the file ends.

    Raises DataError for arrays that contradict the file's own declaration and for integers that
    float64 cannot hold; ResourceRefused if there is too little memory.
    """
    total = wanted[0].declared.rows
    count = total
    if total is not None and rows.stop is not None:
        count = max(min(rows.stop, total) - rows.start, 0)
    width = sum(len(want.names) for want in wanted)
    values = (count or 0) * width
    require_memory(
        BYTES_A_VALUE * values,
        f"reading {values} values of {path}",
        "choose fewer columns or events",
    )
    arrays = iter(source.load([want.pick for want in wanted], rows))
    table = np.empty((0, width))
    place = 0
    for want in wanted:
        # the array of one column is gone before the next is read
        columns = _columns(path, want, next(arrays), count, rows.start)
        if place == 0:
            table = np.empty((len(columns), width))
        _same_length(path, [wanted[0].pick.name, want.pick.name], [len(table), len(columns)])
        table[:, place : place + len(want.names)] = columns
        place += len(want.names)
        del columns
    return table


def _columns(path: Path, want: Wanted, array: Array, rows: int | None, first: int) -> Floats:
    """The columns (N, F) of one array of ``rows`` events, from event ``first`` on."""
    _check_shape(path, want, array, rows)
    what = f"{path}: {want.pick.name!r}"
    return exact_floats(array.reshape(len(array), len(want.names)), what, first)


def _check_shape(path: Path, want: Wanted, array: Array, rows: int | None) -> None:
    """Raise DataError for an array of another shape than the file declared."""
    if rows is None:
        rows = len(array)
    inner = want.declared.inner
    if want.pick.index:
        inner = ()
    expected = (rows, *inner)
    if array.shape != expected:
        raise refuse(path, want.pick.name, f"the shape {expected}", f"{array.shape}")


def _resolve(path: Path, source: Source, name: str) -> Wanted:
    """Resolve a name; an array with exactly this name takes precedence over an array element."""
    declared = source.declared(name)
    if declared is not None:
        return Wanted(Pick(name), declared, _column_names(name, declared.inner))
    element = _ELEMENT.fullmatch(name)
    if element is not None:
        declared = source.declared(element["name"])
    if element is None or declared is None:
        raise DataError(f"{path}: no column {name!r}; there are {listed(source.names())}")
    index = tuple(int(part) for part in element["index"].split(","))
    inner = declared.inner
    if len(index) != len(inner) or not _is_within(index, inner):
        raise refuse(path, name, f"an index within the shape {inner} of an event", f"{list(index)}")
    return Wanted(Pick(element["name"], index), declared, (name,))


def has_column(source: Source, name: str) -> bool:
    """Whether a file has an array, or an element of an array, of a name, readable or not."""
    element = _ELEMENT.fullmatch(name)
    for candidate in (name, element and element["name"]):
        try:
            if candidate and source.declared(candidate) is not None:
                return True
        except DataError:
            return True
    return False


def _is_within(index: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(i < size for i, size in zip(index, shape, strict=True))


def _column_names(name: str, inner: tuple[int, ...]) -> tuple[str, ...]:
    if all(size == 1 for size in inner):
        return (name,)
    names = []
    for index in np.ndindex(*inner):
        numbers = ",".join(map(str, index))
        names.append(f"{name}[{numbers}]")
    return tuple(names)


def _same_length(path: Path, names: Sequence[str], lengths: Sequence[int | None]) -> None:
    """Raise DataError unless all arrays have the length of the first one."""
    for name, length in zip(names, lengths, strict=True):
        if length != lengths[0]:
            expected = f"{lengths[0]} events as in {names[0]!r}"
            raise refuse(path, name, expected, f"{length}")
