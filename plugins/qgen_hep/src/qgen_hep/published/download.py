"""Downloading published files over HTTPS: resumed where they were interrupted, and checked.

A file appears under its name only when it is complete and its checksum is right. Until then it is
``NAME.part``, which the next attempt continues if the server has not changed the file. Beside each
file, ``NAME.sha256`` holds its SHA-256, as ``sha256sum --check`` reads it.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qgen_core.errors import DataError, RemoteError
from qgen_core.runs.lock import RunLock
from qgen_core.support.files import not_written, require_disk, write_durably
from qgen_core.support.resources import readable_size
from qgen_hep.published.archives import Advance, Counter, unpacked
from qgen_hep.published.places import ENVIRONMENT, place_of
from qgen_hep.published.records import Record, RemoteFile
from qgen_hep.readers.reading import file_hash

log = logging.getLogger("qgen")

#: A connection that says nothing for so many seconds is given up.
TIMEOUT = 60.0
#: Bytes that are read at once.
PIECE = 2**20
#: The largest list of files that is read, in bytes.
LARGEST_LISTING = 2**24


def fetch(record: Record, counter: Counter | None = None) -> list[Path]:
    """Download the files of a record that are not there yet; the paths of all of them.

    An archive is unpacked into a folder beside it, whose path follows. ``counter`` shows the
    progress: it gives a context with a function of what is done so far, for (total, text).

    Raises RemoteError when the server cannot be reached, has no such file, or the connection
    breaks; DataError for a wrong checksum or size, which removes the download, for a file that was
    changed since it was downloaded, and for an archive that is damaged or would write elsewhere;
    ResourceRefused when it cannot be written; Busy while another process downloads the record.
    """
    folder = place_of(record)
    shown = counter or _silent
    paths = []
    with RunLock(folder):
        for file in record.files or _list_of(record, folder):
            path = folder / file.name
            if not _is_complete(path, file):
                _Download(file, path, shown).run()
            paths.append(path)
            of_archive = unpacked(path, shown)
            if of_archive is not None:
                paths.append(of_archive)
    return paths


def _silent(total: int, what: str) -> AbstractContextManager[Advance]:
    return nullcontext(lambda done, note="": None)


def _list_of(record: Record, folder: Path) -> tuple[RemoteFile, ...]:
    """The files that the archive lists."""
    assert record.parsed is not None
    with _reached(record.listing, folder), _open(record.listing, {}) as answer:
        text = answer.read(LARGEST_LISTING + 1)
    if len(text) > LARGEST_LISTING:
        raise DataError(f"{record.listing} is no list of files: it has more than 16 MB")
    return tuple(record.parsed(text))


def _is_complete(path: Path, file: RemoteFile) -> bool:
    """Whether the file was downloaded before. Raises DataError if it was changed since."""
    if not path.is_file():
        return False
    record = _hash_file(path)
    expected = ""
    if record.is_file():
        expected = record.read_text(encoding="utf-8").partition(" ")[0].strip()
    found = file_hash(path)
    if not expected:
        _check(path, file, "remove it, and download it again")
        _note_hash(path, file, found)
    elif found != expected:
        raise DataError(
            f"{path} was changed since it was downloaded: its SHA-256 is {found}, {record.name} "
            f"says {expected}; remove both to download it again"
        )
    return True


@dataclass
class _Download:
    """One file, and where it goes."""

    file: RemoteFile
    path: Path
    counter: Counter

    @property
    def part(self) -> Path:
        """What there is of the file so far."""
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def tag(self) -> Path:
        """Which version of the remote file ``part`` is of."""
        return self.path.with_name(f"{self.path.name}.part.tag")

    def run(self) -> None:
        """Get the rest of the file, check it and give it its name."""
        with _reached(self.file.url, self.path.parent):
            self._receive()
        try:
            _check(self.part, self.file, "the download was removed: try again")
        except DataError:
            self._forget()
            raise
        found = file_hash(self.part)
        try:
            os.replace(self.part, self.path)
            self.tag.unlink(missing_ok=True)
        except OSError as error:
            raise not_written(self.path, error) from error
        _note_hash(self.path, self.file, found)

    def _receive(self) -> None:
        have = 0
        if self.part.is_file():
            have = self.part.stat().st_size
        headers = {}
        if self.tag.is_file():
            headers["If-Range"] = self.tag.read_text(encoding="latin-1").strip()
        if not headers and not self.file.checksum:
            have = 0  # the parts might be of different files, and nothing would tell
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            answer = _open(self.file.url, headers)
        except urllib.error.HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
                raise
            if _total_of(error.headers) == have:
                return  # all of it is there already
            self._forget()
            return self._receive()
        with answer:
            if answer.status != http.client.PARTIAL_CONTENT:
                if have:
                    log.warning(
                        "%s is downloaded from its beginning: the server does not continue, or has "
                        "changed the file",
                        self.file.name,
                    )
                have = 0
            elif _start_of(answer.headers) != have:
                raise RemoteError(
                    f"{self.file.url}: asked for the bytes from {have} on, the server sends others"
                )
            self._write(answer, have)

    def _write(self, answer: Any, have: int) -> None:
        """Append what the server sends to the first ``have`` bytes."""
        length = answer.headers.get("Content-Length", "")
        total = None
        if length.isdecimal():
            total = have + int(length)
            what = f"the {readable_size(total - have)} of {self.file.name} that are missing"
            require_disk(
                self.path, total - have, what, f"make room, or set {ENVIRONMENT} to another folder"
            )
        text = f"downloading {self.file.name} (MB)"
        progress = self.counter(_megabytes(total or 0), text)
        with self._opened(answer, have) as append, progress as advance:
            while piece := answer.read(PIECE):
                append(piece)
                have += len(piece)
                advance(_megabytes(have))
        if total is not None and have < total:
            raise RemoteError(
                f"{self.file.url}: the connection broke after {have} of {total} bytes; what there "
                "is was kept: run the same command again to continue"
            )

    @contextmanager
    def _opened(self, answer: Any, have: int) -> Iterator[Callable[[bytes], None]]:
        """A function that appends bytes to the part. Raises ResourceRefused where it cannot."""
        try:
            tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            if tag and not tag.startswith("W/"):
                self.tag.write_text(tag, encoding="latin-1")
            else:
                self.tag.unlink(missing_ok=True)
            output = open(self.part, "r+b" if have else "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise not_written(self.part, error) from error

        def append(piece: bytes) -> None:
            try:
                rest = memoryview(piece)
                while len(rest):
                    rest = rest[output.write(rest) :]
            except OSError as error:
                raise not_written(self.part, error) from error

        with output:
            output.seek(have)
            yield append

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _check(path: Path, file: RemoteFile, mend: str) -> None:
    """Raise DataError unless size and checksum are those that are published."""
    size = path.stat().st_size
    found = f"{size} bytes"
    expected = f"{file.size} bytes"
    right = file.size is None or size == file.size
    if right and file.checksum:
        kind, _, digest = file.checksum.partition(":")
        expected = f"the {kind.upper()} {digest}"
        with open(path, "rb") as content:
            hashed = hashlib.file_digest(content, kind).hexdigest()
        found = f"{hashed}"
        right = hashed == digest.lower()
    if right:
        return
    raise DataError(f"{path}: expected {expected} as published, found {found}; {mend}")


def _hash_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _note_hash(path: Path, file: RemoteFile, sha256: str) -> None:
    """Write the SHA-256 beside a file; say so where no published checksum was there to compare."""
    write_durably(_hash_file(path), f"{sha256}  {path.name}\n".encode())
    if not file.checksum:
        log.warning(
            "no checksum of %s is published that we know of; the SHA-256 of this download, %s, is "
            "recorded in %s, and later uses are compared with it",
            path.name,
            sha256,
            _hash_file(path),
        )


class _SameSafety(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never from https to http."""

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any
    ) -> Any:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise RemoteError(
                f"{req.full_url} redirects to {newurl}, which is not encrypted; nothing was "
                "downloaded"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "qgen-hep", **headers})
    return urllib.request.build_opener(_SameSafety).open(request, timeout=TIMEOUT)


@contextmanager
def _reached(url: str, folder: Path) -> Iterator[None]:
    """Turn what the network raises into RemoteErrors that say how to go on."""
    host = urllib.parse.urlsplit(url).hostname
    by_hand = (
        f"download {url} with another machine and copy it into {folder}, or give its path as the "
        "option path"
    )
    again = "what was received is kept: run the same command again to continue"
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"{error.code} {error.reason}"
        if error.code in (http.client.NOT_FOUND, http.client.GONE):
            raise RemoteError(
                f"{host} has no {url} ({reason}): the file was moved or renamed; find it by its "
                "DOI, and give its path as the option path"
            ) from error
        raise RemoteError(
            f"{host} refused {url} ({reason}); try again later, or {by_hand}"
        ) from error
    except urllib.error.URLError as error:
        raise RemoteError(
            f"cannot reach {host} ({error.reason}): is this machine offline? {again}, or {by_hand}"
        ) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise RemoteError(f"the connection to {host} broke ({error!r}); {again}") from error


def _megabytes(size: int) -> int:
    """Rounded up."""
    return -(-size // 10**6)


def _total_of(headers: Any) -> int | None:
    """The size of the whole file that the answer to a range states."""
    match = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", headers.get("Content-Range", ""))
    if match is None:
        return None
    return int(match[1])


def _start_of(headers: Any) -> int | None:
    """The first byte of a range that the server sends."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", headers.get("Content-Range", ""))
    if match is None:
        return None
    return int(match[1])
