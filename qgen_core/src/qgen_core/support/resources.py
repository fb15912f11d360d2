"""Memory and cores that this process may use, and the check before large allocations."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from qgen_core.errors import ResourceRefused

#: Files with the memory limit of a control group and its use, for versions 2 and 1.
_CGROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)
#: A control group with a larger limit has no limit.
_NO_LIMIT = 2**60
#: From this number of bytes on figures say nothing.
_MOST_READABLE = 2**70

#: The most wires of a circuit that is built. Devices have up to about a thousand.
MAX_WIRES = 2**11
#: The most of layers times wires; the gates of such a circuit take about a hundred megabytes.
MAX_LAYERED_WIRES = 2**16

#: The most sets of parameters whose losses a step of a training asks for.
MAX_EVALUATIONS = 2**20
#: The most bins of a column; more have fewer than one event each of most samples.
MAX_BINS = 2**16

#: Below this number of bytes the memory check is skipped: it takes longer than a small circuit.
UNCHECKED_MEMORY = 2**26


def cores() -> int:
    """How many processors this process may use.

    >>> cores() >= 1
    True
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def usable_threads() -> int:
    """How many threads compiled code uses unless it is told.

    As many as there are processors for this process, or fewer where the variables OMP_NUM_THREADS
    or NUMBA_NUM_THREADS say so, as they do for other libraries.

    >>> 1 <= usable_threads() <= cores()
    True
    """
    most = cores()
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        number = os.environ.get(name, "").partition(",")[0].strip()  # OpenMP: one for each level
        if number.isdecimal() and int(number) > 0:
            most = min(most, int(number))
    return most


def available_memory() -> int | None:
    """Bytes that this process can still allocate; None if unknown.

    The smaller of what the machine and the process's control group (its container) have left.

    >>> free = available_memory()
    >>> free is None or free > 0
    True
    """
    free = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    for limit_file, used_file in _CGROUP_FILES:
        limit = _number_in(limit_file)
        used = _number_in(used_file)
        if limit is not None and used is not None and limit < _NO_LIMIT:
            free.append(max(0, limit - used))
    return min(free, default=None)


def _number_in(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def readable_size(size: float) -> str:
    """A number of bytes with its unit.

    >>> readable_size(512 * 2**30)
    '512 GiB'
    >>> readable_size(2**2000)
    'more than a million PiB'
    """
    if size >= _MOST_READABLE:
        return "more than a million PiB"
    unit = "B"
    for larger_unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024:
            break
        size /= 1024
        unit = larger_unit
    if size < 100:
        return f"{size:.3g} {unit}"
    return f"{size:.0f} {unit}"


def require_memory(needed: int, what: str, mend: str = "") -> None:
    """Raise ResourceRefused if ``needed`` bytes are not available.

    Args:
        needed: bytes.
        what: what needs them, as the message names it, e.g. ``"a table of probabilities"``.
        mend: how to need less, for the end of the message.

    >>> require_memory(2**70, "a table", "take fewer bits")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.ResourceRefused: ResourceRefused: a table needs ...
    """
    free = available_memory()
    if free is None or needed <= free:
        return
    message = f"{what} needs {readable_size(needed)}, {readable_size(free)} free"
    if mend:
        message += f"; {mend}"
    raise ResourceRefused(message)


def require_at_most(number: int, most: int, what: str) -> None:
    """Raise ResourceRefused for an option that asks for more than is sensible to build.

    >>> require_at_most(10**9, MAX_EVALUATIONS, "losses a step of spsa")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.ResourceRefused: ResourceRefused: 1000000000 losses a step of spsa are too ...
    """
    if number > most:
        raise ResourceRefused(f"{number} {what} are too many: at most {most}")


def require_circuit_size(wires: int, layers: int = 1) -> None:
    """Raise ResourceRefused for a circuit that is too large to be built, before it is.

    >>> require_circuit_size(8, layers=100000)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.ResourceRefused: ResourceRefused: 100000 layers on 8 wires are too many...
    """
    if wires > MAX_WIRES:
        raise ResourceRefused(f"{wires} wires are too many for a circuit: at most {MAX_WIRES}")
    if layers * wires > MAX_LAYERED_WIRES:
        raise ResourceRefused(
            f"{layers} layers on {wires} wires are too many for a circuit: at most "
            f"{MAX_LAYERED_WIRES // wires} layers on so many wires"
        )


def require_qubits(
    wires: int,
    needed: Callable[[int], int],
    purpose: str = "",
    available: Callable[[], int | None] | None = None,
) -> None:
    """Raise ResourceRefused, with the number of qubits that fit, if memory does not suffice.

    Args:
        wires: the number of qubits of the circuit.
        needed: bytes as a function of the number of qubits.
        purpose: what follows "34 qubits need 512 GiB" in the message, e.g. ``" to train"``.
        available: returns the bytes that are free, e.g. on a GPU; None: :func:`available_memory`.

    >>> bytes_of_state = lambda wires: 16 * 2**wires
    >>> free = lambda: 21 * 2**30
    >>> require_qubits(34, bytes_of_state, available=free)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.ResourceRefused: ResourceRefused: 34 qubits need 256 GiB, 21 GiB free; ...
    """
    if needed(wires) < UNCHECKED_MEMORY:
        return
    if available is None:
        available = available_memory
    free = available()
    if free is None or needed(wires) <= free:
        return
    most = max((number for number in range(wires) if needed(number) <= free), default=0)
    raise ResourceRefused(
        f"{wires} qubits need {readable_size(needed(wires))}{purpose}, {readable_size(free)} free; "
        f"at most {most} here"
    )
