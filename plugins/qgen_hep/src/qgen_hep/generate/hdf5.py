"""Generated HDF5 files as bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from qgen_core.typing import Array


def hdf5_bytes(
    columns: Mapping[str, Array],
    units: Mapping[str, str],
    attributes: Mapping[str, str | int | float | bool],
) -> bytes:
    """The bytes of an HDF5 file with one dataset per column and its unit, by default "1"."""
    import h5py

    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for name, values in columns.items():
            dataset = file.create_dataset(name, data=values, compression="gzip", shuffle=True)
            dataset.attrs["unit"] = units.get(name, "1")
        file.attrs.update(attributes)
    return memory.getvalue()


def plain_attributes(file: Any) -> dict[str, Any]:
    """The attributes of an open HDF5 file, numbers as those of Python."""
    found = {}
    for name, value in file.attrs.items():
        plain = value
        if hasattr(value, "item"):
            plain = value.item()
        found[name] = plain
    return found
