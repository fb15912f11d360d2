"""Resolving requested names to columns of numbers.

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
from qgen_core.support.resources import require_memory
from qgen_core.typing import Floats
from qgen_hep.readers.source import Declared, Pick, Source, listed, refuse

_ELEMENT = re.compile(r"(?P<name>.+)\[(?P<index>\d{1,9}(,\d{1,9})*)\]")
#: Every value is held twice as float64: in its array and in the table.
BYTES_A_VALUE = 16


@dataclass(frozen=True)
class Wanted:
    """A requested name resolved: an array or an element of it, and the names of its columns."""

    pick: Pick
    declared: Declared
    names: tuple[str, ...]


def load_columns(path: Path, source: Source, names: Sequence[str]) -> tuple[list[Wanted], Floats]:
    """The columns (N, F) of the requested names, in this order.

    Raises DataError for names that do not exist, arrays of different lengths and numbers of events
    that contradict the file's own declaration; ResourceRefused when memory does not suffice.
    """
    wanted = [_resolve(path, source, name) for name in names]
    _same_length(path, [(w.pick.name, w.declared.rows) for w in wanted])
    values = sum((w.declared.rows or 0) * len(w.names) for w in wanted)
    require_memory(
        BYTES_A_VALUE * values, f"reading {values} values of {path}", "choose fewer columns"
    )
    arrays = source.load([w.pick for w in wanted])
    _same_length(path, [(w.pick.name, len(a)) for w, a in zip(wanted, arrays, strict=True)])
    for want, array in zip(wanted, arrays, strict=True):
        inner = () if want.pick.index else want.declared.inner
        expected = (len(array) if want.declared.rows is None else want.declared.rows, *inner)
        if array.shape != expected:
            raise refuse(path, want.pick.name, f"the shape {expected}", f"{array.shape}")
    if not len(arrays[0]):
        raise DataError(f"{path} holds no events")
    flat = [array.reshape(len(array), -1).astype(np.float64) for array in arrays]
    return wanted, np.concatenate(flat, axis=1)


def _resolve(path: Path, source: Source, name: str) -> Wanted:
    """Find a name; an array of this very name takes precedence over an element of an array."""
    declared = source.declared(name)
    if declared is not None:
        return Wanted(Pick(name), declared, _column_names(name, declared.inner))
    element = _ELEMENT.fullmatch(name)
    declared = None if element is None else source.declared(element["name"])
    if element is None or declared is None:
        raise DataError(f"{path}: no column {name!r}; there are {listed(source.names())}")
    index = tuple(int(part) for part in element["index"].split(","))
    inner = declared.inner
    if len(index) != len(inner) or any(i >= size for i, size in zip(index, inner, strict=True)):
        raise refuse(path, name, f"an index within the shape {inner} of an event", f"{list(index)}")
    return Wanted(Pick(element["name"], index), declared, (name,))


def _column_names(name: str, inner: tuple[int, ...]) -> tuple[str, ...]:
    if all(size == 1 for size in inner):
        return (name,)
    return tuple(f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*inner))


def _same_length(path: Path, lengths: Sequence[tuple[str, int | None]]) -> None:
    first_name, first = lengths[0]
    for name, length in lengths:
        if length != first:
            raise refuse(path, name, f"{first} events as in {first_name!r}", f"{length}")
