"""The lock of a run folder: one process at a time, with host, process number and heartbeat."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qgen_core.errors import Busy

BEAT = 10.0
STALE = 60.0


class RunLock:
    """Locks a folder for the duration of a ``with`` block. Raises Busy if it is already locked.

    A stale lock is taken over: one whose process no longer exists (on this host), or whose
    heartbeat, the modification time of the file, is older than a minute (on another host). If
    several processes try at once, exactly one succeeds in renaming the stale file.

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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._create():
            self._remove_if_stale()
            if not self._create():
                raise Busy(
                    f"{self.path.parent} is in use by another process that has just started; "
                    "try again"
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
        self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        # Written under another name and linked: other processes never read a partial file.
        body = json.dumps(
            {"host": platform.node(), "pid": os.getpid(), "start": _started(os.getpid())}
        )
        mine = self.path.with_name(f"lock-{os.getpid()}-{threading.get_ident()}.tmp")
        mine.write_text(body, encoding="utf-8")
        try:
            os.link(mine, self.path)
            return True
        except FileExistsError:
            return False
        finally:
            mine.unlink(missing_ok=True)

    def _remove_if_stale(self) -> None:
        try:
            age = time.time() - self.path.stat().st_mtime
            holder: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            host = str(holder["host"])
            pid = int(holder["pid"])
            start = holder.get("start")
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, OSError):
            host = "unknown"
            pid = 0
            start = None
        if host == platform.node():
            alive = _started(pid) is not None and (start is None or start == _started(pid))
        else:
            alive = age < STALE
        if alive:
            raise Busy(
                f"{self.path.parent} is in use by process {pid} on {host} "
                f"(last heartbeat {age:.0f} s ago); wait for it, or choose another folder"
            )
        grave = self.path.with_name(f"lock-stale-{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            self.path.rename(grave)
        except FileNotFoundError:
            return
        grave.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                return


def _started(pid: int) -> str | None:
    """An identifier of when a process started; None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except PermissionError:
        return "unknown"
    except (OSError, OverflowError, ValueError):
        return None
    return "unknown"
