"""Parquet: flat columns of numbers (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import BrokenPlugin
from qgen_core.typing import Array
from qgen_hep.readers.source import Declared, Pick, refuse


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

    def load(self, picks: Sequence[Pick]) -> list[Array]:
        """Read the columns in one thread; missing values (nulls) become NaN."""
        import pyarrow as pa

        table = self.file.read(columns=[pick.name for pick in picks], use_threads=False)
        table.validate(full=True)
        arrays = []
        for pick in picks:
            column = table.column(pick.name).cast(pa.float64())
            arrays.append(np.asarray(column.to_numpy()))
        return arrays

    def attributes(self) -> Mapping[str, str]:
        """None: the metadata of parquet files is written by tools and holds no physics."""
        return {}
