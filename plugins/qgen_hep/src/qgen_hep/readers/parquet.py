"""Parquet: flat columns of numbers (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import BrokenPlugin
from qgen_core.support.numbers import exact_floats
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, refuse

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
        """Length and type of a column. Raises DataError unless it is one column of numbers."""
        import pyarrow as pa

        several = self.schema.get_all_field_indices(name)
        if not several:
            return None
        if len(several) > 1:
            raise refuse(self.path, name, "one column", f"{len(several)} of this name")
        kind = self.schema.field(several[0]).type
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        ):
            raise refuse(self.path, name, "a column of numbers", f"{kind}")
        return Declared(self.file.metadata.num_rows)

    def load(self, picks: Sequence[Pick], rows: slice) -> list[Array]:
        """Read the columns in one thread; missing values (nulls) become NaN."""
        names = [pick.name for pick in picks]
        table = self._table(names, rows)
        table.validate(full=True)
        return [self._column(table.column(name), name, rows.start) for name in names]

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

    def _column(self, column: Any, name: str, first: int) -> Array:
        import pyarrow as pa

        if not pa.types.is_integer(column.type):
            return np.asarray(column.cast(pa.float64()).to_numpy())
        values = exact_floats(
            np.asarray(column.fill_null(0).to_numpy()), f"{self.path}: {name!r}", first
        )
        values[np.asarray(column.is_null().to_numpy())] = np.nan
        return values

    def attributes(self) -> Mapping[str, str]:
        """Short text among the metadata of the schema, without what tools write for themselves."""
        found = {}
        for key, value in (self.file.metadata.metadata or {}).items():
            name = key.decode("utf-8", "replace")
            if name not in OF_TOOLS:
                found[name] = value.decode("utf-8", "replace")[:MAX_TEXT]
        return found
