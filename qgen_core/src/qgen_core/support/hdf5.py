"""Opening HDF5 files to read: whatever prevents it is named, with how to mend it."""

from __future__ import annotations

import errno
from importlib import import_module
from pathlib import Path
from typing import Any

from qgen_core.errors import BrokenPlugin, DataError

#: Errors of file systems that have no locks; there files are read without one.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
#: The filters that HDF5 itself brings: deflate, shuffle, Fletcher32, szip, n-bit, scale-offset.
OWN_FILTERS = range(1, 7)


def open_hdf5(path: Path) -> Any:
    """The h5py File, open to read.

    Raises DataError for what is no regular file, no HDF5 file, damaged, or still being written.

    >>> open_hdf5(Path("no-such-file.h5"))
    Traceback (most recent call last):
    qgen_core.errors.DataError: DataError: no-such-file.h5 does not exist
    """
    import h5py

    if not path.exists():
        raise DataError(f"{path} does not exist")
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise _not_opened(path, error) from error
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise _not_opened(path, error) from error


def _not_opened(path: Path, error: OSError) -> DataError:
    """The error for a file that could not be opened."""
    import h5py

    if error.errno in (errno.EAGAIN, errno.EACCES) and "lock" in str(error):
        return DataError(f"{path} is being written by another process; try again when it has ended")
    if error.errno in NO_LOCKS:
        return DataError(
            f"{path} is on a file system without locks, which HDF5_USE_FILE_LOCKING demands; "
            "unset that variable"
        )
    if error.errno is not None:
        return DataError(f"{path} cannot be read: {error.strerror}")
    if "already open for write" in str(error):
        return DataError(
            f"{path} is being written, or its writer ended before closing it; "
            f"if no process writes it: `h5clear -s {path}`"
        )
    if not h5py.is_hdf5(path):
        return DataError(f"{path} is not an HDF5 file: {error}")
    return DataError(f"{path} cannot be read, it is damaged: {error}")


def require_filters(path: Path, name: str, dataset: Any) -> None:
    """Raise BrokenPlugin, naming it, if a filter that a dataset was compressed with is missing.

    Filters of the package hdf5plugin are there once it is installed.

    >>> import h5py, io
    >>> with h5py.File(io.BytesIO(), "w") as file:
    ...     dataset = file.create_dataset("pt", data=[1.0], compression="gzip")
    ...     require_filters(Path("events.h5"), "pt", dataset)
    """
    properties = dataset.id.get_create_plist()
    for position in range(properties.get_nfilters()):
        code, _, _, label = properties.get_filter(position)
        if not _has_filter(code):
            raise BrokenPlugin(
                f"{path}: {name!r} is compressed with filter {code} "
                f"({label.decode('utf-8', 'replace') or 'without a name'}), which is missing; "
                "`pip install hdf5plugin` brings the usual ones, "
                "or `h5repack -f GZIP=4` where the file was made rewrites it without"
            )


def _has_filter(code: int) -> bool:
    import h5py

    if code in OWN_FILTERS:
        return True
    if h5py.h5z.filter_avail(code):
        return True
    try:
        import_module("hdf5plugin")  # adds its filters to the HDF5 library
    except ImportError:
        return False
    return bool(h5py.h5z.filter_avail(code))
