"""Unpacking downloaded archives, which come from elsewhere: nothing is written outside a folder."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from qgen_core.errors import DataError
from qgen_core.support.files import make_folder, not_written, require_disk

#: The ends of names of archives, which their folders do not have.
ENDS = (".tgz", ".tar.gz")
#: Bytes that are read at once.
PIECE = 2**20
Advance = Callable[..., None]
#: Gives a context with a function of what is done so far (megabytes or files), for (total, text).
Counter = Callable[[int, str], AbstractContextManager[Advance]]


def unpacked(archive: Path, counter: Counter) -> Path | None:
    """The folder beside an archive that holds its files, unpacked if it is not there yet.

    None for a file that is no archive by its name. The folder appears when it is complete, under
    the name of the archive without its end.

    Raises DataError for an archive that is damaged, has files outside of its folder, or links that
    lead there; ResourceRefused where there is no room or no permission.
    """
    stem = _stem(archive.name)
    if stem is None:
        return None
    folder = archive.with_name(stem)
    if folder.is_dir():
        return folder
    if not hasattr(tarfile, "data_filter"):
        raise DataError(
            f"this Python cannot unpack {archive} without the risk that files are written "
            "elsewhere; use version 3.11.4 or a later one, or unpack it yourself"
        )
    part = folder.with_name(f"{stem}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
    make_folder(part)
    try:
        _unpack(archive, part, counter)
        os.replace(part, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive} cannot be unpacked: {error}; remove it, and download it again"
        ) from error
    except OSError as error:
        raise not_written(part, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _stem(name: str) -> str | None:
    """The name of an archive without its end; None if it is no archive."""
    for end in ENDS:
        if name.endswith(end):
            return name.removesuffix(end)
    return None


def _unpack(archive: Path, folder: Path, counter: Counter) -> None:
    with gzip.open(archive) as raw, tarfile.open(fileobj=raw) as content:
        members = content.getmembers()
        while raw.read(PIECE):  # to the end, where the checksum of all of it is compared
            pass
        size = sum(member.size for member in members)
        require_disk(folder, size, f"the files of {archive.name}", "make room")
        with counter(len(members), f"unpacking {archive.name}") as advance:
            for number, member in enumerate(members, start=1):
                content.extract(member, folder, filter="data")
                advance(number)
