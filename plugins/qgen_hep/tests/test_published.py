"""Downloads: resumed, checked and refused, from a server in this process."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import socket
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from qgen_core import cli
from qgen_core.errors import Busy, DataError, RemoteError, ResourceRefused
from qgen_core.runs.lock import RunLock
from qgen_hep.datasets import voxels
from qgen_hep.published import Record, RemoteFile, data_folder, download
from qgen_hep.published.download import fetch
from qgen_hep.published.records import (
    ATLAS_VOXELS,
    CALOCHALLENGE_1_PHOTONS,
    CALOCHALLENGE_1_PIONS,
    CALOCHALLENGE_2,
    CALOCHALLENGE_3,
    CALOGAN,
    CLIC,
    DIJETGAN,
    mendeley_files,
    zenodo_files,
)

CONTENT = np.random.default_rng(1).bytes(3_500_000)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A web server with one file, its faults, and what it was asked."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.tag: str | None = '"first"'
        self.ranges = True
        self.breaks_after: int | None = None
        self.lies_about_ranges = False
        self.asked: list[dict[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(dict(self.headers))
                owner.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        serve = partial(self.server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        moves = {
            "/moved": "/file",
            "/unsafe": "ftp://example.org/file",
            "/circle": "/circle",
        }
        if request.path in moves:
            request.send_response(302)
            request.send_header("Location", moves[request.path])
            request.end_headers()
        elif request.path == "/listing":
            self.send(request, 200, self.listing(), 0)
        elif request.path == "/busy":
            request.send_error(503)
        elif request.path == "/file":
            self.send_file(request)
        else:
            request.send_error(404)

    def send_file(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        same = request.headers.get("If-Range") in (None, self.tag)
        if wanted is None or not self.ranges or not same:
            self.send(request, 200, self.content, 0)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(self.content)}")
            request.end_headers()
            return
        self.send(request, 206, self.content[start:], start)

    def send(self, request: BaseHTTPRequestHandler, code: int, content: bytes, start: int) -> None:
        request.send_response(code)
        request.send_header("Content-Length", str(len(content)))
        if self.tag is not None:
            request.send_header("ETag", self.tag)
        if code == 206:
            first = start + 7 * self.lies_about_ranges
            last = start + len(content) - 1
            request.send_header("Content-Range", f"bytes {first}-{last}/{len(self.content)}")
        request.end_headers()
        request.wfile.write(content[: self.breaks_after])

    def listing(self) -> bytes:
        url = f"{self.root}/file"
        size = len(self.content)
        entry = {"key": "a.hdf5", "size": size, "checksum": MD5, "links": {"self": url}}
        return json.dumps({"files": [entry]}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the record ``test`` is downloaded to; no proxy is asked."""
    monkeypatch.setenv("QGEN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "data" / "test"


def record(server: Server, path: str = "/file", checksum: str = MD5) -> Record:
    file = RemoteFile("a.hdf5", f"{server.root}{path}", checksum)
    return Record("test", "10.1/test", "a test", (file,))


def test_a_file_is_downloaded_once_and_its_hash_recorded(server: Server, folder: Path) -> None:
    seen: list[int] = []

    class Counting:
        def __init__(self, total: int, what: str) -> None:
            assert (total, what) == (4, "downloading a.hdf5 (MB)")

        def __enter__(self) -> Any:
            return lambda done, note="": seen.append(done)

        def __exit__(self, *error: object) -> None:
            pass

    assert fetch(record(server), counter=Counting) == [folder / "a.hdf5"]
    assert (folder / "a.hdf5").read_bytes() == CONTENT and seen[-1] == 4
    assert (folder / "a.hdf5.sha256").read_text() == f"{SHA256}  a.hdf5\n"
    assert sorted(path.name for path in folder.iterdir()) == ["a.hdf5", "a.hdf5.sha256"]
    fetch(record(server))
    assert len(server.asked) == 1 and "Range" not in server.asked[0]


def test_two_processes_do_not_write_one_file(server: Server, folder: Path) -> None:
    with RunLock(folder), pytest.raises(Busy, match="is in use by process"):
        fetch(record(server))
    assert not server.asked
    (path,) = fetch(record(server))
    assert path.read_bytes() == CONTENT


def test_an_interrupted_download_is_continued(server: Server, folder: Path) -> None:
    server.breaks_after = 1_500_000
    with pytest.raises(RemoteError, match="1500000 of 3500000 bytes.*run the same command again"):
        fetch(record(server))
    assert (folder / "a.hdf5.part").stat().st_size == 1_500_000
    assert not (folder / "a.hdf5").exists()
    server.breaks_after = None
    fetch(record(server))
    assert server.asked[1]["Range"] == "bytes=1500000-"
    assert server.asked[1]["If-Range"] == '"first"'
    assert (folder / "a.hdf5").read_bytes() == CONTENT


def test_ctrl_c_keeps_what_was_received(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PIECE", 500_000)
    pieces = iter([None, None, KeyboardInterrupt()])

    class Interrupted:
        def __init__(self, *arguments: Any) -> None:
            pass

        def __enter__(self) -> Any:
            def advance(done: int, note: str = "") -> None:
                error = next(pieces)
                if error is not None:
                    raise error

            return advance

        def __exit__(self, *error: object) -> None:
            pass

    with pytest.raises(KeyboardInterrupt):
        fetch(record(server), counter=Interrupted)
    assert (folder / "a.hdf5.part").stat().st_size == 1_500_000
    fetch(record(server))
    assert server.asked[1]["Range"] == "bytes=1500000-"
    assert (folder / "a.hdf5").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["no ranges", "a changed file", "no tag and no checksum"])
def test_a_download_that_cannot_be_continued_begins_anew(
    fault: str, server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = MD5
    server.breaks_after = 1_000_000
    if fault == "no tag and no checksum":
        server.tag = None
        known = ""
    with pytest.raises(RemoteError):
        fetch(record(server, checksum=known))
    server.breaks_after = None
    if fault == "no ranges":
        server.ranges = False
    if fault == "a changed file":
        server.tag = '"second"'
        server.content = CONTENT[::-1]
        known = f"md5:{hashlib.md5(server.content).hexdigest()}"
    fetch(record(server, checksum=known))
    assert (folder / "a.hdf5").read_bytes() == server.content
    if fault == "no tag and no checksum":
        assert "Range" not in server.asked[1]
    else:
        assert "downloaded from its beginning" in caplog.text


def test_a_part_that_is_complete_is_taken(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "a.hdf5.part").write_bytes(CONTENT)
    fetch(record(server))
    assert (folder / "a.hdf5").read_bytes() == CONTENT
    (folder / "a.hdf5").unlink()
    (folder / "a.hdf5.sha256").unlink()
    (folder / "a.hdf5.part").write_bytes(CONTENT + b"too long")
    fetch(record(server))
    assert (folder / "a.hdf5").read_bytes() == CONTENT


def test_other_bytes_than_those_asked_for_are_refused(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "a.hdf5.part").write_bytes(CONTENT[:1000])
    server.lies_about_ranges = True
    with pytest.raises(RemoteError, match="the bytes from 1000 on"):
        fetch(record(server))


def test_a_wrong_checksum_removes_the_download(server: Server, folder: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(DataError, match=f"expected the MD5 {MD5[4:]}.*try again"):
        fetch(record(server))
    assert not list(folder.iterdir())
    sized = RemoteFile("a.hdf5", f"{server.root}/file", "", 17)
    with pytest.raises(DataError, match="expected 17 bytes as published, found 3500000 bytes"):
        fetch(Record("test", "", "", (sized,)))


def test_without_a_published_checksum_the_first_download_is_recorded(
    server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetch(record(server, checksum=""))
    assert f"the SHA-256 of this download, {SHA256}, is recorded in" in caplog.text
    fetch(record(server, checksum=""))
    (folder / "a.hdf5").write_bytes(b"changed")
    with pytest.raises(DataError, match="was changed since it was downloaded"):
        fetch(record(server, checksum=""))


def test_files_that_were_copied_by_hand_are_compared(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "a.hdf5").write_bytes(b"something else")
    with pytest.raises(DataError, match="expected the MD5.*remove it, and download it again"):
        fetch(record(server))
    assert (folder / "a.hdf5").read_bytes() == b"something else"
    (folder / "a.hdf5").write_bytes(CONTENT)
    fetch(record(server))
    assert not server.asked and (folder / "a.hdf5.sha256").is_file()


def test_redirections_are_followed_but_only_to_the_web(server: Server, folder: Path) -> None:
    fetch(record(server, "/moved"))
    assert (folder / "a.hdf5").read_bytes() == CONTENT
    (folder / "a.hdf5").unlink()
    with pytest.raises(RemoteError):
        fetch(record(server, "/circle"))
    with pytest.raises(RemoteError):
        fetch(record(server, "/unsafe"))
    safety = download._SameSafety()
    request = urllib.request.Request("https://example.org/file")
    with pytest.raises(RemoteError, match="not encrypted"):
        safety.redirect_request(request, None, 302, "", {}, f"{server.root}/file")


def test_refusals_of_a_server_say_how_to_go_on(server: Server) -> None:
    with pytest.raises(RemoteError, match=r"404.*find it by its DOI.*option path"):
        fetch(record(server, "/nothing"))
    with pytest.raises(RemoteError, match="503.*try again later"):
        fetch(record(server, "/busy"))


def test_offline_the_message_is_clear(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    gone = RemoteFile("a.hdf5", f"http://127.0.0.1:{port}/file")
    with pytest.raises(RemoteError) as caught:
        fetch(Record("test", "", "", (gone,)))
    said = str(caught.value)
    for part in ("cannot reach 127.0.0.1", "is this machine offline?", str(folder), "option path"):
        assert part in said

    def no_name(*arguments: Any, **options: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", no_name)
    with pytest.raises(RemoteError, match="cannot reach zenodo.org .*Name or service not known"):
        fetch(CALOCHALLENGE_1_PHOTONS)
    with pytest.raises(RemoteError, match=r"cannot reach data\.mendeley\.com"):
        fetch(CALOGAN)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        quiet = RemoteFile("a.hdf5", f"http://127.0.0.1:{silent.getsockname()[1]}/file")
        with pytest.raises(RemoteError, match="timed out|timeout"):
            fetch(Record("test", "", "", (quiet,)))


def test_a_full_disk_keeps_what_was_received(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(download, "require_disk", lambda *arguments: None)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def refuse(piece: bytes) -> Any:
            raise full

        patch.setattr(download, "memoryview", refuse, raising=False)
        with pytest.raises(ResourceRefused, match="make room on the disk"):
            fetch(record(server))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(ResourceRefused, match="QGEN_DATA"):
        fetch(record(server))


def test_lists_of_archives_are_read(server: Server, folder: Path) -> None:
    listed = Record("test", "", "", (), f"{server.root}/listing", zenodo_files)
    assert fetch(listed) == [folder / "a.hdf5"]
    details = {"sha256_hash": SHA256, "download_url": "https://data.mendeley.com/public/x"}
    entry = {"filename": "eplus.hdf5", "size": 5, "content_details": details}
    (found,) = mendeley_files(json.dumps([entry]).encode())
    expected = RemoteFile("eplus.hdf5", details["download_url"], f"sha256:{SHA256}", 5)
    assert found == expected
    for bad in (b"", b"{}", b"[]", b'{"files": []}', b'{"files": [{"key": "a"}]}', b"\xff"):
        with pytest.raises(DataError, match="list of files"):
            zenodo_files(bad)


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A compressed archive of these files and links."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def archive_of(server: Server, *members: tuple[tarfile.TarInfo, bytes]) -> Record:
    server.content = packed(*members)
    return Record("test", "", "", (RemoteFile("showers.tgz", f"{server.root}/file"),))


def test_an_archive_is_unpacked_once(server: Server, folder: Path) -> None:
    line = ",".join(["0.5"] * 368)
    name = "photons/pid22_E256_eta_20_25_voxalisation.csv"
    found = archive_of(server, (tarfile.TarInfo(name), f"{line}\n{line}\n".encode()))
    seen: list[tuple[int, str]] = []

    class Counting:
        def __init__(self, total: int, what: str) -> None:
            seen.append((total, what))

        def __enter__(self) -> Any:
            return lambda done, note="": None

        def __exit__(self, *error: object) -> None:
            pass

    paths = [folder / "showers.tgz", folder / "showers"]
    assert fetch(found, counter=Counting) == paths
    assert seen == [(1, "downloading showers.tgz (MB)"), (1, "unpacking showers.tgz")]
    data = voxels.voxel_csv(path=str(folder / "showers" / name), energy=256.0)
    assert data.x.shape == (2, 368)
    (folder / "showers" / name).write_text("mine")
    assert fetch(found) == paths and len(server.asked) == 1
    assert (folder / "showers" / name).read_text() == "mine"


def test_an_interrupted_unpacking_begins_anew(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = archive_of(server, (tarfile.TarInfo("a"), b"first"), (tarfile.TarInfo("b"), b"second"))
    extract = tarfile.TarFile.extract

    def interrupted(archive: Any, member: Any, *rest: Any, **options: Any) -> None:
        if member.name == "b":
            raise KeyboardInterrupt
        extract(archive, member, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(found)
    assert not (folder / "showers").exists()
    (folder / "showers.part").mkdir()
    (folder / "showers.part" / "c").write_text("of a process that was killed")
    fetch(found)
    assert sorted(path.name for path in (folder / "showers").iterdir()) == ["a", "b"]
    assert not (folder / "showers.part").exists()


@pytest.mark.parametrize("fault", ["a path", "a link", "a device", "cut", "no archive", "changed"])
def test_archives_that_are_damaged_or_lead_elsewhere_are_refused(
    fault: str, server: Server, folder: Path
) -> None:
    member = tarfile.TarInfo("a")
    content = CONTENT[:100_000]
    if fault == "a path":
        member.name = "../../outside"
    if fault in ("a link", "a device"):
        content = b""
        member.type = tarfile.CHRTYPE
    if fault == "a link":
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
    found = archive_of(server, (member, content))
    if fault == "cut":
        server.content = server.content[:50_000]
    if fault == "no archive":
        server.content = CONTENT
    if fault == "changed":
        server.content = server.content[:-8] + bytes(8)
    with pytest.raises(DataError, match=r"showers\.tgz cannot be unpacked.*download it again"):
        fetch(found)
    assert not (folder / "showers").exists() and not (folder / "showers.part").exists()
    assert not (folder.parent.parent / "outside").exists()


def test_an_archive_that_has_no_room_is_refused(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = archive_of(server, (tarfile.TarInfo("zeros"), bytes(10**7)))
    usage = type("Usage", (), {"free": 10**6})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(ResourceRefused, match=r"the files of showers\.tgz need 9\.54 MiB"):
        fetch(found)
    assert not [path for path in folder.glob("showers*") if path.is_dir()]


def test_a_python_that_cannot_unpack_safely_says_so(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = archive_of(server, (tarfile.TarInfo("a"), b"first"))
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"use version 3\.11\.4 or a later one"):
        fetch(found)


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a\nb", "c:\\d"])
def test_names_from_a_list_stay_in_the_folder(name: str) -> None:
    with pytest.raises(DataError, match="no name for a file"):
        RemoteFile(name, "https://example.org/a")


@pytest.mark.parametrize(
    ("url", "checksum"), [("file:///a", ""), ("https://a.org", "md5:12"), ("https://a", "crc:1")]
)
def test_other_addresses_and_checksums_are_refused(url: str, checksum: str) -> None:
    with pytest.raises(DataError):
        RemoteFile("a", url, checksum)


def test_the_records_are_those_of_the_data_sets() -> None:
    """Numbers and checksums as public repositories quote them."""
    records = {
        "10.5281/zenodo.8099322": CALOCHALLENGE_1_PHOTONS,
        "10.5281/zenodo.6366271": CALOCHALLENGE_2,
        "10.5281/zenodo.6366324": CALOCHALLENGE_3,
        "10.5281/zenodo.3603086": CLIC,
        "10.5281/zenodo.14983912": DIJETGAN,
        "10.17632/pvn3xc3wy5.1": CALOGAN,
        "10.7483/OPENDATA.ATLAS.UXKX.TXBN": ATLAS_VOXELS,
    }
    for doi, found in records.items():
        assert found.doi == doi
        urls = [found.listing, *(file.url for file in found.files)]
        assert all(url.startswith("https://") for url in filter(None, urls))
        assert found.files or found.listing
    second = CALOCHALLENGE_1_PIONS.files[1]
    assert second.name == "dataset_1_pions_2.hdf5"
    assert second.checksum == "md5:fee7457b40127bc23c8ab909e2638ca0"


def test_the_folder_is_chosen_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("QGEN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "qgen" / "published"


def test_the_command_fetches_what_the_dataset_reads(
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder.parent / "made.hdf5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["showers"] = np.ones((3, 368))
        file["incident_energies"] = np.full((3, 1), 256.0)
    server.content = path.read_bytes()
    name = "dataset_1_photons_1.hdf5"
    digest = hashlib.md5(server.content).hexdigest()
    files = (RemoteFile(name, f"{server.root}/file", f"md5:{digest}"),)
    local = Record("zenodo-8099322", "10.5281/zenodo.8099322", "photons", files)
    monkeypatch.setitem(
        vars(voxels.calochallenge_1_photons),
        "fetch",
        lambda counter=None: fetch(local, counter),
    )

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["data", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    code, _, said = run("calochallenge-1-photons")
    assert code == 3 and "qgen data calochallenge-1-photons --fetch" in said
    code, out, _ = run("calochallenge-1-photons", "--fetch")
    assert code == 0 and Path(out.strip()) == folder.parent / "zenodo-8099322" / name
    code, out, _ = run("calochallenge-1-photons")
    assert code == 0 and "3 events of showers[0]" in out
    code, _, said = run("mfc", "--fetch")
    assert code == 3 and "cannot be fetched" in said
