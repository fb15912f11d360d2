"""The lock of a run folder on disks that are full, read-only, or without hard links."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from qgen_core.errors import Busy, ResourceRefused
from qgen_core.runs.lock import RunLock
from qgen_core.support.process import Process


def refuse(number: int):
    def act(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return act


@pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT and some network mounts."""
    monkeypatch.setattr(os, "link", refuse(request.param))


@pytest.mark.usefixtures("without_links")
def test_it_locks_without_hard_links(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()
        with pytest.raises(Busy, match=f"process {os.getpid()}"):
            RunLock(tmp_path).__enter__()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, False])
def test_one_of_many_gets_a_stale_lock(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the others found it stale before the first one has put its own in its place."""
    if not links:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    lock = tmp_path / "lock.json"
    lock.write_text('{"host": "elsewhere", "pid": 1}')
    os.utime(lock, (0, 0))
    late = RunLock(tmp_path)
    is_alive = Process.is_alive
    winners = []

    def another_one_is_faster(holder: Process) -> bool | None:
        monkeypatch.setattr(Process, "is_alive", is_alive)
        winners.append(RunLock(tmp_path).__enter__())
        return is_alive(holder)

    monkeypatch.setattr(Process, "is_alive", another_one_is_faster)
    with pytest.raises(Busy):
        late.__enter__()
    assert len(winners) == 1
    assert json.loads(lock.read_text())["pid"] == os.getpid()
    winners[0].__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_the_claim_of_a_killed_process_ages(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.write_text('{"host": "elsewhere", "pid": 1}')
    os.utime(lock, (0, 0))
    claim = tmp_path / f"lock-{RunLock(tmp_path)._mark()}.tmp"
    claim.touch()
    with pytest.raises(Busy, match="try again"):
        RunLock(tmp_path).__enter__()
    os.utime(claim, (0, 0))
    with pytest.raises(Busy, match="try again"):
        RunLock(tmp_path).__enter__()
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_what_the_disk_refuses_is_named(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner, name in ((Path, "write_text"), (Path, "mkdir")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refuse(number))
            with pytest.raises(ResourceRefused, match=os.strerror(number)) as caught:
                RunLock(tmp_path / "run").__enter__()
        assert ("make room" in str(caught.value)) == (number == errno.ENOSPC)
        assert not list(tmp_path.glob("run/*"))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    for folder in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(ResourceRefused, match="a file is where a folder has to be"):
            RunLock(folder).__enter__()
    assert (tmp_path / "run").read_text() == "mine"


def test_a_link_that_was_made_but_denied_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network mount repeats a request whose answer was lost, and then finds its own link."""
    link = os.link

    def denied(source, target):
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", denied)
    with RunLock(tmp_path), pytest.raises(Busy):
        RunLock(tmp_path).__enter__()


@pytest.mark.parametrize("body", ["", "{", "[]", '{"host": 1}', '{"host": "x", "pid": "y"}'])
def test_a_lock_that_cannot_be_read_holds_until_it_is_old(body: str, tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.write_text(body)
    with pytest.raises(Busy):
        RunLock(tmp_path).__enter__()
    os.utime(lock, (0, 0))
    with RunLock(tmp_path):
        pass


def test_a_folder_removed_meanwhile_ends_the_lock(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with RunLock(folder):
        (folder / "lock.json").unlink()
        folder.rmdir()


def test_a_process_that_ended_is_not_alive_even_before_it_is_asked_for() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert not Process(Process.this().host, child, None).is_alive()
    os.waitpid(child, 0)
    assert not Process(Process.this().host, child, None).is_alive()
    assert not Process(Process.this().host, 0, None).is_alive()
    assert not Process(Process.this().host, os.getpid(), "another start").is_alive()
