"""The function that reads a file of events of any supported format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.support.cuts import Cut
from qgen_hep.readers.columns import BYTES_A_VALUE, Wanted, load_rows, resolve
from qgen_hep.readers.formats import format_of, open_source
from qgen_hep.readers.policy import Invalid, Negative, without_invalid, without_negative
from qgen_hep.readers.source import Source, failures
from qgen_hep.readers.table import Table, joined

#: What a slice of a file takes in memory, and what it takes at most.
SLICE_BYTES = 2**25
LARGEST_SLICE_BYTES = 2**28


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
    events: int | None = None,
) -> Table:
    r"""Read columns of an HDF5, npz, CSV, parquet or ROOT file; suffix and first bytes tell which.

    ``columns`` are names, in HDF5 paths of datasets; of an array with several numbers per event,
    ``name`` means all and ``name[3]`` one. ``units`` take precedence over those stated in the file.
    Events with values that are not finite, then those with negative energies (units eV to TeV,
    names ending in pt, mass, energy and the like), are an error or dropped. Then ``cuts`` are
    applied; their columns need not be among ``columns``. ``sha256`` is compared before the file is
    parsed; ``tree`` names a TTree. ``events`` keeps at most the first so many events, and no more
    of the file is read than that takes. Nothing in a file is ever executed.

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
    names = _names(columns, cuts)
    policies = _Policies(invalid, negative, cuts)
    format_of(path)
    found = _checked_hash(path, sha256)
    with failures(path), open_source(path, tree) as source:
        wanted = resolve(path, source, names)
        empty = _table_of(wanted, names, units or {}, path, found, dict(source.attributes()))
        table = _selected(source, wanted, empty, policies, events)
    if not table.rows:
        raise DataError(f"{path} holds no events")
    if not len(table):
        raise DataError(
            f"{path}: none of its {table.rows} events is left; dropped: {table.dropped}"
        )
    return table


def read_slices(
    path: str | PathLike[str],
    columns: Sequence[str],
    *,
    rows: int | None = None,
    units: Mapping[str, str] | None = None,
    cuts: Sequence[Cut] = (),
    invalid: Invalid = "error",
    negative: Negative = "error",
    sha256: str | None = None,
    tree: str | None = None,
) -> Iterator[Table]:
    r"""Read a file as :func:`read` does, but in slices, for files that are larger than memory.

    Each table holds the events that are kept of the next ``rows`` events of the file, and may be
    empty. By default a slice takes about 32 MB, and at most 256 MB where a file stores more events
    together. The SHA-256 of the file, for which all of it has to be read, is found only where
    ``sha256`` is given; otherwise that of the tables is empty.

    Raises what :func:`read` raises, BadOption for ``rows`` below 1, and DataError for a file
    without events.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "jets.csv")
    ...     written = path.write_text("pt,eta\n300,0.5\n200,1.5\n400,-0.5\n")
    ...     tables = list(read_slices(path, ["pt"], rows=2))
    >>> [table.values.tolist() for table in tables], [table.first for table in tables]
    ([[[300.0], [200.0]], [[400.0]]], [0, 2])
    """
    path = Path(path)
    names = _names(columns, cuts)
    policies = _Policies(invalid, negative, cuts)
    if rows is not None and rows < 1:
        raise BadOption(f"a slice has at least 1 row, not {rows}")
    format_of(path)
    found = ""
    if sha256 is not None:
        found = _checked_hash(path, sha256)
    with failures(path), open_source(path, tree) as source:
        wanted = resolve(path, source, names)
        empty = _table_of(wanted, names, units or {}, path, found, dict(source.attributes()))
        step = rows or _rows_at_once(wanted)
        start = 0
        while True:
            values = load_rows(path, source, wanted, slice(start, start + step))
            if len(values):
                yield policies.kept(replace(empty, values=values, rows=len(values), first=start))
            start += len(values)
            if len(values) < step:
                break
    if not start:
        raise DataError(f"{path} holds no events")


def _rows_at_once(wanted: Sequence[Wanted]) -> int:
    """As many events as a slice holds: whole chunks of the file, where they are not too large."""
    width = sum(len(array.names) for array in wanted)
    together = max(array.declared.together for array in wanted)
    usual = SLICE_BYTES // (BYTES_A_VALUE * width)
    most = LARGEST_SLICE_BYTES // (BYTES_A_VALUE * width)
    whole_chunks = max(usual // together, 1) * together
    return max(min(whole_chunks, most), 1)


def _names(columns: Sequence[str], cuts: Sequence[Cut]) -> list[str]:
    """The names of all columns to read, those of cuts last. Raises BadOption."""
    if isinstance(columns, str) or not columns:
        raise BadOption(f"columns is a list of names, not {columns!r}")
    return list(dict.fromkeys([*columns, *(cut.column for cut in cuts)]))


def _checked_hash(path: Path, sha256: str | None) -> str:
    """The SHA-256 of a file. Raises DataError if another one is expected."""
    found = file_hash(path)
    if sha256 is not None and found != sha256.lower():
        raise DataError(
            f"{path}: expected the SHA-256 {sha256.lower()}, found {found}; get the file again"
        )
    return found


@dataclass(frozen=True)
class _Policies:
    """Which events are kept."""

    invalid: Invalid
    negative: Negative
    cuts: Sequence[Cut]

    def kept(self, table: Table) -> Table:
        finite = without_invalid(table, self.invalid)
        return without_negative(finite, self.negative).passing(self.cuts)


def _table_of(
    wanted: Sequence[Wanted],
    names: Sequence[str],
    given_units: Mapping[str, str],
    path: Path,
    sha256: str,
    attributes: Mapping[str, str],
) -> Table:
    """A table of the requested columns without any event."""
    column_names: list[str] = []
    column_units: list[str] = []
    groups: dict[str, tuple[str, ...]] = {}
    for requested, array in zip(names, wanted, strict=True):
        unit = given_units.get(array.pick.name, array.declared.unit or "1")
        for column_name in array.names:
            column_names.append(column_name)
            column_units.append(given_units.get(column_name, unit))
        groups[requested] = array.names
    return Table(
        path=path,
        sha256=sha256,
        names=tuple(column_names),
        units=tuple(column_units),
        values=np.empty((0, len(column_names))),
        rows=0,
        groups=groups,
        attributes=attributes,
    )


def _selected(
    source: Source,
    wanted: Sequence[Wanted],
    empty: Table,
    policies: _Policies,
    events: int | None,
) -> Table:
    """The events that are kept: all, or the first ``events``, reading no more than it takes.

    The slices grow, because a cut may leave few events of each.
    """
    pieces = []
    found = 0
    rows = slice(0, events)
    while True:
        values = load_rows(empty.path, source, wanted, rows)
        piece = policies.kept(replace(empty, values=values, rows=len(values), first=rows.start))
        pieces.append(piece)
        found += len(piece)
        ended = rows.stop is None or len(values) < rows.stop - rows.start
        if ended or (events is not None and found >= events):
            break
        rows = slice(rows.stop, 3 * rows.stop)
    table = joined(pieces)
    if events is not None and len(table) > events:
        table = replace(table, values=table.values[:events])
    in_file = wanted[0].declared.rows
    complete = ended or table.rows == in_file
    return replace(table, rows=in_file or table.rows, read=table.rows, complete=complete)


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
