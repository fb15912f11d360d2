"""Readers: columns of events from HDF5, npz, CSV, parquet and ROOT files, executing nothing."""

from __future__ import annotations

from qgen_core.support.cuts import Cut
from qgen_hep.readers.reading import read, read_slices
from qgen_hep.readers.table import Table

__all__ = ["Cut", "Table", "read", "read_slices"]
