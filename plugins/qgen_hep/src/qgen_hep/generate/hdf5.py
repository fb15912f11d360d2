"""Generated HDF5 files as bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.typing import Array

#: Of the 23 stored bits of a mantissa, :func:`rounded` sets these many to 0.
DROPPED_BITS = 8


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


def rounded(values: Array) -> Array:
    """The nearest numbers of single precision whose last bits are 0, by which files compress.

    >>> rounded(np.array([0.1, 1000.0])).tolist()
    [0.10000038146972656, 1000.0]
    """
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    half = np.uint32(1 << (DROPPED_BITS - 1))
    mask = np.uint32(0xFFFFFFFF << DROPPED_BITS & 0xFFFFFFFF)
    return ((bits + half) & mask).view(np.float32)


def plain_attributes(file: Any) -> dict[str, Any]:
    """The attributes of an open HDF5 file, numbers as those of Python, arrays as text."""
    found = {}
    for name, value in file.attrs.items():
        plain = value
        if np.size(value) > 1:
            plain = ", ".join(f"{number:g}" for number in np.ravel(value))
        elif hasattr(value, "item"):
            plain = value.item()
        found[name] = plain
    return found
