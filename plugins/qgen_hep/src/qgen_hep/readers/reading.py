"""The one way to read a file of events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from qgen_core.errors import BadOption, DataError
from qgen_hep.readers.columns import load_columns
from qgen_hep.readers.cuts import Cut
from qgen_hep.readers.formats import format_of, open_source
from qgen_hep.readers.policy import Invalid, Negative, without_invalid, without_negative
from qgen_hep.readers.source import failures
from qgen_hep.readers.table import Table


def read(
    path: str | PathLike[str],
    columns: Sequence[str],
    *,
    units: Mapping[str, str] | None = None,
    cuts: Sequence[Cut] = (),
    invalid: Invalid = "error",
    negative: Negative = "error",
    sha256: str | None = None,
    tree: str | None = None,
) -> Table:
    """Read columns of an HDF5, npz, CSV, parquet or ROOT file; the ending and first bytes say which.

    ``columns`` are names, for HDF5 paths of datasets; of an array with several numbers an event,
    ``name`` means all and ``name[3]`` one. ``units`` go before those the file states. Events with
    values that are not finite, then those with negative energies (units eV to TeV, names ending in
    pt, mass, energy and the like), are an error or dropped; then ``cuts`` are applied, whose
    columns need not be among ``columns``. With ``sha256`` the file is compared before it is
    parsed; ``tree`` names a TTree. Nothing in a file is ever executed.

    Raises DataError, with file, key, what was expected and what was found.
    """
    path = Path(path)
    if isinstance(columns, str) or not columns:
        raise BadOption(f"columns is a list of names, not {columns!r}")
    format_of(path)
    found = file_hash(path)
    if sha256 is not None and found != sha256.lower():
        raise DataError(
            f"{path}: expected the SHA-256 {sha256.lower()}, found {found}; get the file again"
        )
    names = list(dict.fromkeys([*columns, *(cut.column for cut in cuts)]))
    with failures(path), open_source(path, tree) as source:
        wanted, values = load_columns(path, source, names)
        attributes = dict(source.attributes())
    known = dict(units or {})
    table = Table(
        path=path,
        sha256=found,
        names=tuple(name for w in wanted for name in w.names),
        units=tuple(
            known.get(n, known.get(w.pick.name, w.declared.unit or "1"))
            for w in wanted
            for n in w.names
        ),
        values=values,
        rows=len(values),
        groups={name: w.names for name, w in zip(names, wanted, strict=True)},
        attributes=attributes,
    )
    table = without_negative(without_invalid(table, invalid), negative).passing(cuts)
    if not len(table):
        raise DataError(
            f"{path}: none of its {table.rows} events is left; dropped: {table.dropped}"
        )
    return table


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal digits. Raises DataError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
