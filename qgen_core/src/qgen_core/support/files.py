"""Writing files: each appears whole or not at all, and only regular files are ever replaced."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qgen_core.errors import BadOption, ResourceRefused
from qgen_core.support.process import Process
from qgen_core.support.resources import readable_size

#: How to mend a failed write, by the number of its error.
MENDS = {
    errno.ENOSPC: "make room on the disk and try again",
    errno.EDQUOT: "make room within your quota and try again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or write fewer events",
    errno.EACCES: "get the permission to write there, or choose another place",
    errno.EPERM: "get the permission to write there, or choose another place",
    errno.EROFS: "that disk can only be read; choose another place",
    errno.EEXIST: "a file is where a folder has to be; move it, or choose another place",
    errno.ENOTDIR: "a file is where a folder has to be; move it, or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle; choose another name",
    errno.EIO: "the disk fails; choose another one",
}
#: Errors for which the free space is part of the message.
FULL = (errno.ENOSPC, errno.EDQUOT)
#: Errors of file systems that cannot sync a folder, or do not let this user do so.
NO_SYNC = (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM)
#: What is no regular file, by its type.
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
#: Temporary files of other hosts, whose processes cannot be asked for, are removed at this age.
OLD = 24 * 3600.0
_TEMPORARY = re.compile(r"qgen-(?P<host>.*)-(?P<pid>\d{1,10})-(?P<start>\w+)-\w+\.tmp")


def not_written(path: Path, error: OSError) -> ResourceRefused:
    """The error to raise for a file or folder that could not be written.

    >>> print(not_written(Path("run.json"), PermissionError(errno.EACCES, "Permission denied")))
    ... # doctest: +ELLIPSIS
    ResourceRefused: could not write run.json (Permission denied); ... get the permission to ...
    """
    free = ""
    if error.errno in FULL:
        with suppress(OSError):
            size = readable_size(shutil.disk_usage(_existing(path)).free)
            free = f"{size} free there; "
    mend = MENDS.get(error.errno or 0, "choose another place")
    return ResourceRefused(
        f"could not write {path} ({error.strerror or error}); "
        f"{free}what was saved before is intact: {mend}"
    )


def make_folder(path: Path) -> None:
    """Create a folder, and those above it, unless it is there. Raises ResourceRefused.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder, "runs", "first"))
    ...     Path(folder, "runs", "first").is_dir()
    True
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def require_disk(path: Path, needed: int, what: str, mend: str) -> None:
    """Raise ResourceRefused if ``needed`` bytes are more than is free where ``path`` will be.

    Args:
        path: the file to be written; neither it nor its folder has to exist.
        needed: bytes.
        what: what needs them, as the message names it.
        mend: how to need less, for the end of the message.

    >>> require_disk(Path("events.h5"), 2**70, "events", "ask for fewer")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.ResourceRefused: ResourceRefused: events need ... free there; ask for fewer
    """
    try:
        free = shutil.disk_usage(_existing(path)).free
    except OSError:
        return  # what cannot be asked for is found out by writing
    if needed > free:
        raise ResourceRefused(
            f"{what} need {readable_size(needed)} in {path}, {readable_size(free)} free there; "
            f"{mend}"
        )


class OutputFile(io.RawIOBase):
    """A binary file to write and read back, whose failures wait until :meth:`check` raises them.

    HDF5 ends the process when it closes a file that it could not write, and other libraries raise
    errors of their own. So they are never told: after a failure nothing more is written, and
    whoever has given the file to a library calls ``check`` afterwards. Interruptions that arrive
    while a library writes wait in the same way.

    >>> import tempfile
    >>> with tempfile.TemporaryFile(buffering=0) as raw:
    ...     file = OutputFile(raw, Path("events.h5"))
    ...     written = file.write(b"abc")
    ...     file.check()
    >>> written, file.write(b"into a closed file")
    (3, 18)
    """

    def __init__(self, file: Any, path: Path) -> None:
        """``file`` is empty and unbuffered; ``path`` is what messages name."""
        self._file = file
        self._position = 0
        self._size = 0
        self._path = path
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise what has failed since the file was opened; ResourceRefused for a failed write."""
        if isinstance(self._failure, OSError):
            raise not_written(self._path, self._failure) from self._failure
        if self._failure is not None:
            raise self._failure

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        """Write all of the data, or, after a failure, pretend to; its length."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest) and self._failure is None:
            written = self._attempt(self._write_here, rest) or 0
            self._position += written
            rest = rest[written:]
        self._position += len(rest)
        self._size = max(self._size, self._position)
        return size

    def readinto(self, buffer: Any, /) -> int:
        """Read what is at the position; the number of bytes."""
        read = self._attempt(self._read_here, buffer)
        if read is None:  # after a failure: what is not there counts as zeros
            read = len(buffer)
        self._position += read
        return int(read)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = starts[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None, /) -> int:
        if size is None:
            size = self._position
        self._attempt(self._file.truncate, size)
        self._size = size
        return size

    def _write_here(self, data: Any) -> int:
        self._file.seek(self._position)
        return int(self._file.write(data))

    def _read_here(self, buffer: Any) -> int:
        self._file.seek(self._position)
        return int(self._file.readinto(buffer))

    def _attempt(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """What ``act`` returns; None where it fails, and without calling it after a failure."""
        if self._failure is not None:
            return None
        try:
            return act(*arguments)
        except BaseException as error:  # also an interruption, which must not leave through HDF5
            self._failure = error
            return None


@contextmanager
def replacing(path: Path) -> Iterator[OutputFile]:
    """Write a file under a temporary name; at the end of the block it replaces ``path``.

    A crash leaves the old file or the new one, never a mixture, and processes that write the same
    file do not disturb each other: the last one stands. Links are followed. After an error or an
    interruption the temporary file is removed; those that killed processes left in the folder are
    removed here, too.

    Raises BadOption when ``path`` is a folder, a device, a pipe or a link to nothing,
    ResourceRefused when it cannot be written. Folders above it are created.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "new", "events.csv")
    ...     with replacing(path) as file:
    ...         written = file.write(b"pt")
    ...         before = path.exists()
    ...     before, path.read_bytes()
    (False, b'pt')
    """
    target = _regular(path)
    make_folder(target.parent)
    _remove_leftovers(target.parent)
    temporary = target.parent / temporary_name()
    try:
        raw: Any = open(temporary, "x+b", buffering=0)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise not_written(path, error) from error
    try:
        with raw:
            output = OutputFile(raw, path)
            try:
                yield output
            except Exception:
                output.check()  # the cause of whatever a library made of it
                raise
            output.check()
            _replace(raw, temporary, target, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent, path)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file so that a crash leaves the old or the new one, never a mixture.

    Raises what :func:`replacing` raises.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "record.json"
    ...     write_durably(path, b"{}")
    ...     path.read_bytes()
    b'{}'
    """
    with replacing(path) as file:
        file.write(data)


def temporary_name() -> str:
    """A name for a file that no other process or thread writes, and which says whose it is.

    Writing into the folder removes such files when their process has ended.

    >>> temporary_name() == temporary_name(), temporary_name().endswith(".tmp")
    (False, True)
    """
    process = Process.this()
    host = _plain(process.host)
    return f"qgen-{host}-{process.pid}-{process.start}-{secrets.token_hex(4)}.tmp"


def _replace(raw: Any, temporary: Path, target: Path, path: Path) -> None:
    try:
        os.fsync(raw.fileno())
        raw.close()
        os.replace(temporary, target)
    except OSError as error:
        raise not_written(path, error) from error


def _sync_folder(folder: Path, path: Path) -> None:
    """Make the new name durable, where the file system can do that for a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise not_written(path, error) from error


def _regular(path: Path) -> Path:
    """The file that ``path`` names, links followed. Raises BadOption if it must not be replaced."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise BadOption(
                f"{path} is a link to {path.readlink()}, which does not exist; "
                "remove the link, or choose another name"
            ) from None
        return path
    except OSError as error:
        raise not_written(path, error) from error
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise BadOption(f"{path} is {kind}; only a file can be written: choose another name")
    if not mode & 0o222:
        raise BadOption(f"{path} is write-protected; choose another name, or lift the protection")
    return path.resolve()


def _existing(path: Path) -> Path:
    """The nearest folder above a path that exists."""
    for folder in path.absolute().parents:
        if folder.is_dir():
            return folder
    return path.absolute()


def _plain(host: str) -> str:
    """The name of a host as a part of a file's name."""
    return re.sub(r"[^\w.]", "_", host)[:64]


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that no longer exist."""
    this = Process.this()
    with suppress(OSError):
        for leftover in folder.glob("qgen-*.tmp"):
            found = _TEMPORARY.fullmatch(leftover.name)
            if found is None:
                continue
            if found["host"] == _plain(this.host):
                unused = not Process(this.host, int(found["pid"]), found["start"]).is_alive()
            else:
                unused = time.time() - leftover.stat().st_mtime > OLD
            if unused:
                leftover.unlink(missing_ok=True)
