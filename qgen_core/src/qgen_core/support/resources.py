"""How much memory a process may still take, and refusing before it is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qgen_core.errors import ResourceRefused

_CGROUP_V2 = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
_CGROUP_V1 = (
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
)

#: Bytes that are taken without asking, because asking takes longer than a small circuit.
ALWAYS_THERE = 2**26


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def available_memory() -> int | None:
    """Bytes that can still be taken: the least of the machine and its cgroup; None if unknown."""
    free: list[int] = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        pass
    for limit, used in (_CGROUP_V2, _CGROUP_V1):
        most, now = _number(limit), _number(used)
        if most is not None and now is not None and most < 2**60:
            free.append(max(0, most - now))
    return min(free, default=None)


def human(size: float) -> str:
    """Bytes as people read them.

    >>> human(512 * 2**30)
    '512 GiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024 or unit == "PiB":
            return f"{size:.3g} {unit}" if size < 100 else f"{size:.0f} {unit}"
        size /= 1024
    raise AssertionError


def require_memory(needed: int, what: str, mend: str = "") -> None:
    """Raise ResourceRefused, with the numbers, if ``needed`` bytes are not there."""
    free = available_memory()
    if free is not None and needed > free:
        hint = f"; {mend}" if mend else ""
        raise ResourceRefused(f"{what} needs {human(needed)}, {human(free)} free{hint}")


def require_qubits(
    wires: int,
    needed: Callable[[int], int],
    purpose: str = "",
    available: Callable[[], int | None] | None = None,
) -> None:
    """Raise ResourceRefused, with the number that would fit, if ``needed(wires)`` bytes are not there.

    ``purpose`` goes on "34 qubits need 512 GiB", e.g. " to train". ``available`` tells what is
    free; None: of the memory of the machine.
    """
    if needed(wires) < ALWAYS_THERE:
        return
    free = (available or available_memory)()
    if free is None or needed(wires) <= free:
        return
    most = max((n for n in range(wires) if needed(n) <= free), default=0)
    raise ResourceRefused(
        f"{wires} qubits need {human(needed(wires))}{purpose}, {human(free)} free; at most {most} here"
    )
