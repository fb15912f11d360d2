"""The lock of a run folder: one process at a time, with host, process number and heartbeat."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qgen_core.errors import Busy
from qgen_core.support.files import make_folder, not_written, temporary_name
from qgen_core.support.process import Process

#: Seconds between two heartbeats.
BEAT = 10.0
#: Seconds after which the lock of another host without a heartbeat is taken over.
STALE = 60.0


class RunLock:
    """Locks a folder for the duration of a ``with`` block. Raises Busy if it is already locked.

    A stale lock is taken over: one whose process no longer exists (on this host), or whose
    heartbeat, the modification time of the file, is older than a minute (on another host). If
    several processes try at once, exactly one succeeds.

    On entering, ResourceRefused is raised when the folder cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with RunLock(Path(folder)) as lock:
    ...         held = lock.path.exists()
    ...     held, lock.path.exists()
    (True, False)
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock.json"
        self._stop = threading.Event()
        self._beater: threading.Thread | None = None

    def __enter__(self) -> Self:
        make_folder(self.path.parent)
        try:
            held = self._create()
            if not held:
                self._remove_if_stale()
                held = self._create()
        except OSError as error:
            raise not_written(self.path, error) from error
        if not held:
            raise Busy(
                f"{self.path.parent} is in use by another process that has just started; try again"
            )
        self._beater = threading.Thread(target=self._beat, daemon=True)
        self._beater.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        with suppress(OSError):  # a lock that stays is taken over: its process has ended
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        """Whether the lock file could be created; False if there is one."""
        # Written under another name and linked: other processes never read a partial file.
        body = json.dumps(asdict(Process.this()))
        mine = self.path.with_name(temporary_name())
        try:
            mine.write_text(body, encoding="utf-8")
            try:
                os.link(mine, self.path)
            except FileExistsError:
                return mine.stat().st_nlink == 2  # network mounts may deny a link that they made
            except OSError:  # no hard links here
                return self._create_without_links(body)
            return True
        finally:
            with suppress(OSError):
                mine.unlink(missing_ok=True)

    def _create_without_links(self, body: str) -> bool:
        """As _create; a process that reads before the body is there finds a young lock, so busy."""
        try:
            with open(self.path, "x", encoding="utf-8") as file:
                file.write(body)
        except FileExistsError:
            return False
        except OSError:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            raise
        return True

    def _remove_if_stale(self) -> None:
        """Remove a lock whose process has ended. Raises Busy if it has not."""
        try:
            age = time.time() - self.path.stat().st_mtime
            mark = self._mark()
            holder = self._holder()
        except FileNotFoundError:
            return
        alive = holder.is_alive()
        if alive is None:
            alive = age < STALE
        if alive:
            raise Busy(
                f"{self.path.parent} is in use by process {holder.pid} on {holder.host} "
                f"(last heartbeat {age:.0f} s ago); wait for it, or choose another folder"
            )
        # Of those who found this very lock stale one may remove it: the others would remove the
        # lock that the first one has put in its place.
        claim = self.path.with_name(f"lock-{mark}.tmp")
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            self._remove_old(claim)
            return
        try:
            if self._mark() == mark:
                self.path.unlink()
        except FileNotFoundError:
            return
        finally:
            claim.unlink(missing_ok=True)

    def _mark(self) -> str:
        """What tells the lock file from those before and after it."""
        found = self.path.stat()
        return f"{found.st_ino}-{found.st_mtime_ns}"

    def _remove_old(self, claim: Path) -> None:
        """Remove the claim of a process that was killed before it removed the stale lock."""
        with suppress(FileNotFoundError):
            if time.time() - claim.stat().st_mtime > STALE:
                claim.unlink()

    def _holder(self) -> Process:
        """The process that the lock names; that of an unknown host if it cannot be read."""
        try:
            body: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            return Process(str(body["host"]), int(body["pid"]), body.get("start"))
        except (ValueError, KeyError, TypeError):
            return Process("an unknown host", 0, None)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                return
