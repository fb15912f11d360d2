"""The function that reads a file of events of any supported format."""

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
    r"""Read columns of an HDF5, npz, CSV, parquet or ROOT file; suffix and first bytes tell which.

    ``columns`` are names, in HDF5 paths of datasets; of an array with several numbers per event,
    ``name`` means all and ``name[3]`` one. ``units`` take precedence over those stated in the file.
    Events with values that are not finite, then those with negative energies (units eV to TeV,
    names ending in pt, mass, energy and the like), are an error or dropped. Then ``cuts`` are
    applied; their columns need not be among ``columns``. ``sha256`` is compared before the file is
    parsed; ``tree`` names a TTree. Nothing in a file is ever executed.

    Raises BadOption when ``columns`` is not a list of names, and DataError, saying what was
    expected and what was found, for the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "jets.csv")
    ...     written = path.write_text("pt,eta\n300,0.5\n200,1.5\n400,-0.5\n")
    ...     table = read(path, ["eta"], cuts=[Cut("pt", min=250.0)])
    >>> table.column("eta").tolist(), table.dropped
    ([0.5, -0.5], {'not pt >= 250': 1})
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
    given_units = dict(units or {})
    column_names: list[str] = []
    column_units: list[str] = []
    groups: dict[str, tuple[str, ...]] = {}
    for requested, array in zip(names, wanted, strict=True):
        unit = given_units.get(array.pick.name, array.declared.unit or "1")
        for column_name in array.names:
            column_names.append(column_name)
            column_units.append(given_units.get(column_name, unit))
        groups[requested] = array.names
    table = Table(
        path=path,
        sha256=found,
        names=tuple(column_names),
        units=tuple(column_units),
        values=values,
        rows=len(values),
        groups=groups,
        attributes=attributes,
    )
    table = without_negative(without_invalid(table, invalid), negative).passing(cuts)
    if not len(table):
        raise DataError(
            f"{path}: none of its {table.rows} events is left; dropped: {table.dropped}"
        )
    return table


def file_hash(path: Path) -> str:
    """The SHA-256 of the content of a file, in hexadecimal. Raises DataError if it cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "empty")
    ...     path.touch()
    ...     file_hash(path)[:8]
    'e3b0c442'
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
