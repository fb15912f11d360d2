"""Parquet: columns of numbers, and of lists of as many numbers each (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BrokenPlugin
from qgen_core.support.numbers import exact_floats
from qgen_core.typing import Array
from qgen_hep.readers.source import (
    Declared,
    Pick,
    common_length,
    element,
    refuse,
    require_length,
)

MAX_TEXT = 4096
#: Metadata that pyarrow and pandas write to describe their own types.
OF_TOOLS = ("ARROW:schema", "pandas")


@contextmanager
def open_parquet(path: Path) -> Iterator[ParquetSource]:
    """The file, open within the block."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise BrokenPlugin(
            f"{path} is a parquet file; reading it needs `pip install 'qgen-hep[parquet]'`"
        ) from error
    with parquet.ParquetFile(path, page_checksum_verification=True) as file:
        yield ParquetSource(path, file)


class ParquetSource:
    """Columns of an open file."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self.file = file
        self.schema = file.schema_arrow

    def names(self) -> Sequence[str]:
        """The column names."""
        return list(self.schema.names)

    def declared(self, name: str) -> Declared | None:
        """Length and inner shape of a column.

        Raises DataError unless it is one column of numbers, or of lists of them.
        """
        several = self.schema.get_all_field_indices(name)
        if not several:
            return None
        if len(several) > 1:
            raise refuse(self.path, name, "one column", f"{len(several)} of this name")
        kind = self.schema.field(several[0]).type
        of_lists = _is_list(kind)
        if not _is_number(kind.value_type if of_lists else kind):
            raise refuse(self.path, name, "a column of numbers, or of lists of them", f"{kind}")
        rows = self.file.metadata.num_rows
        if not of_lists:
            return Declared(rows)

        def lengths(rows: slice) -> NDArray[np.int64]:
            return _lengths(self._table([name], rows).column(name))

        return Declared(rows, (common_length(self.path, name, rows, lengths),))

    def load(self, picks: Sequence[Pick], rows: slice) -> list[Array]:
        """Read the columns in one thread; missing values (nulls) become NaN."""
        names = [pick.name for pick in picks]
        table = self._table(names, rows)
        table.validate(full=True)
        arrays = []
        for pick in picks:
            column = table.column(pick.name)
            if _is_list(column.type):
                found = self._vectors(column, pick.name, rows.start)
            else:
                found = self._column(column, pick.name, rows.start, (len(column),))
            arrays.append(element(found, pick.index, slice(None)))
        return arrays

    def _vectors(self, column: Any, name: str, first: int) -> Array:
        """Lists of one length as an array (N, length)."""
        lengths = _lengths(column)
        declared = self.declared(name)
        assert declared is not None
        (length,) = declared.inner
        require_length(self.path, name, lengths, length, first)
        import pyarrow.compute as compute

        values = compute.list_flatten(column)
        return self._column(values, name, first, (len(lengths), length))

    def _table(self, names: Sequence[str], rows: slice) -> Any:
        """The rows of some columns as a pyarrow Table."""
        import pyarrow as pa

        total = self.file.metadata.num_rows
        start, stop, _ = rows.indices(total)
        columns = list(dict.fromkeys(names))
        if (start, stop) == (0, total):
            return self.file.read(columns=columns, use_threads=False)
        pieces = [self.schema.empty_table().select(columns)]
        before = 0
        for batch in self.file.iter_batches(max(stop - start, 1), columns=columns):
            if before >= stop:
                break
            first = max(start - before, 0)
            piece = pa.Table.from_batches([batch]).slice(first, stop - max(before, start))
            before += len(batch)
            pieces.append(piece.select(columns))
        return pa.concat_tables(pieces)

    def _column(self, column: Any, name: str, first: int, shape: tuple[int, ...]) -> Array:
        """Numbers in the given shape; ``first`` is the number of the first event."""
        import pyarrow as pa

        if not pa.types.is_integer(column.type):
            return np.asarray(column.cast(pa.float64()).to_numpy()).reshape(shape)
        stored = np.asarray(column.fill_null(0).to_numpy()).reshape(shape)
        values = exact_floats(stored, f"{self.path}: {name!r}", first)
        values[np.asarray(column.is_null().to_numpy()).reshape(shape)] = np.nan
        return values

    def attributes(self) -> Mapping[str, str]:
        """Short text among the metadata of the schema, without what tools write for themselves."""
        found = {}
        for key, value in (self.file.metadata.metadata or {}).items():
            name = key.decode("utf-8", "replace")
            if name not in OF_TOOLS:
                found[name] = value.decode("utf-8", "replace")[:MAX_TEXT]
        return found


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _lengths(column: Any) -> NDArray[np.int64]:
    """The lengths of lists (N,), -1 where there is none."""
    import pyarrow.compute as compute

    found = compute.list_value_length(column).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int64)
