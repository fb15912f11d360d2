"""``full_disk.py FAULT SUFFIX FOLDER``: writes events to a file that fails at many places in turn.

FAULT is ``limit`` (the system refuses to let the file grow) or ``interrupt`` (a signal arrives in a
write). In a process of its own, because a library that cannot write may end the process.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from qgen_core.errors import ResourceRefused
from qgen_core.events import Events
from qgen_core.runs.eventfile import write_events
from qgen_core.support import files

LIMITS = 60


def pieces() -> Iterator[Events]:
    rng = np.random.default_rng(1)
    for _ in range(3):
        yield Events(rng.normal(size=(3000, 2)), columns=("pt", "mass"), units=("GeV", "GeV"))


def limited(target: Path) -> None:
    """Limits of the size from nothing to enough."""
    write_events(pieces(), target, {"run": "x"})
    size = target.stat().st_size
    for limit in [*range(0, 2048, 128), *np.linspace(2048, size - 1, LIMITS).astype(int).tolist()]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            write_events(pieces(), target, {"run": "x"})
        except ResourceRefused as error:
            assert "File too large" in str(error)
        else:
            raise AssertionError(f"{size} bytes were written within {limit}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert [file.name for file in target.parent.iterdir()] == [target.name]
        assert target.stat().st_size == size  # the earlier file is as it was


def interrupted(target: Path) -> None:
    """KeyboardInterrupt in each write of the file in turn."""
    calls = 0
    stop_at = -1
    attempt = files.OutputFile._attempt

    def counted(self, act, *arguments):
        def one_more(*given):
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise KeyboardInterrupt
            return act(*given)

        return attempt(self, one_more, *arguments)

    files.OutputFile._attempt = counted
    write_events(pieces(), target, {"run": "x"})
    target.unlink()
    whole = calls
    assert whole >= 3
    for place in np.unique(np.linspace(1, whole, LIMITS).astype(int)).tolist():
        calls = 0
        stop_at = place
        try:
            write_events(pieces(), target, {"run": "x"})
        except KeyboardInterrupt:
            assert not list(target.parent.iterdir())
        else:
            raise AssertionError(f"the interruption in call {place} was lost")


if __name__ == "__main__":
    {"limit": limited, "interrupt": interrupted}[sys.argv[1]](
        Path(sys.argv[3], f"events{sys.argv[2]}")
    )
    print("survived")
