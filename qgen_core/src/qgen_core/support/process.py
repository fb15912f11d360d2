"""Who wrote a lock or a temporary file, and whether that process still exists."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Process:
    """A process: its host, its number there, and when it started, if that is known.

    Numbers are used again, so a process is the same only if it started at the same time.

    >>> Process.this().is_alive(), Process("no-such-host", 1, None).is_alive()
    (True, None)
    """

    host: str
    pid: int
    start: str | None

    @classmethod
    def this(cls) -> Self:
        """The process that asks."""
        return cls(platform.node(), os.getpid(), _started(os.getpid()))

    def is_alive(self) -> bool | None:
        """Whether the process still exists; None for a process of another host."""
        if self.host != platform.node():
            return None
        started = _started(self.pid)
        return started is not None and self.start in (None, started)


def _started(pid: int) -> str | None:
    """An identifier of when a process started; None if there is none, or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in "ZX":  # ended, but its parent has not asked for its exit status
            return None
        return fields[19]
    except (OSError, IndexError):
        pass
    if pid < 1:  # to the system, these stand for groups of processes
        return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        return "unknown"
    except (OSError, OverflowError, ValueError):
        return None
    return "unknown"
