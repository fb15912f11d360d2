"""Reads mutated files in a process of its own, so that a crash of a C library is seen.

``python hep_fuzz.py KIND FOLDER START STOP`` writes one line a mutation to stdout: its number
before the reading, what came of it after.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hep_files import physics, write

from qgen_core.errors import QgenError
from qgen_hep.readers import read

COLUMNS = ("pt", "mass", "njet")
MEMORY = 8 * 2**30
SECONDS_A_FILE = 1.0
SECONDS_TO_START = 60.0


def mutate(good: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, bytes overwritten, parts cut off, taken out, repeated or put in."""
    data = bytearray(good)
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 64))
    match int(rng.integers(7)):
        case 0:
            for place in rng.integers(len(data), size=rng.integers(1, 9)):
                data[place] ^= 1 << int(rng.integers(8))
        case 1:
            del data[at:]
        case 2:
            data[at : at + 8] = bytes([int(rng.choice([0x00, 0x7F, 0x80, 0xFF]))]) * 8
        case 3:
            del data[at : at + length]
        case 4:
            data[at:at] = data[at : at + length]
        case 5:
            data[at : at + length] = rng.bytes(length)
        case _:
            # headers lie at the two ends
            near = min(at, 200) if rng.random() < 0.5 else len(data) - 1 - min(at, 200)
            data[near] = int(rng.integers(256))
    return bytes(data)


def outcome(path: Path, sha256: str) -> str:
    """``refused`` or ``read``; anything else is a defect."""
    try:
        read(path, COLUMNS, sha256=sha256)
        return "SILENT with a known SHA-256"
    except QgenError:
        pass
    try:
        table = read(path, COLUMNS, invalid="drop", negative="drop")
    except QgenError as error:
        return (
            "refused" if "\n" not in str(error) and path.name in str(error) else f"MESSAGE {error}"
        )
    return "read" if len(table) and np.isfinite(table.values).all() else "NOT FINITE"


def main(kind: str, folder: Path, start: int, stop: int) -> None:
    """Mutate, read and report; what a mutation is depends on its number only."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    base = write(kind, folder, physics(60), name=f"good-{kind}-{start}")
    good = base.read_bytes()
    sha256 = hashlib.sha256(good).hexdigest()
    path = folder / f"bad-{kind}-{start}{base.suffix}"
    for number in range(start, stop):
        bad = mutate(good, np.random.default_rng([20, number]))
        if bad == good:
            continue
        print(number, end=" ", flush=True)
        path.write_bytes(bad)
        print(outcome(path, sha256), flush=True)


def fuzz(kinds: list[str], count: int, folder: Path, batch: int = 500) -> Counter[str]:
    """Read ``count`` mutated files of each kind, two processes at a time; what came of them."""
    jobs = [
        (kind, start, min(start + batch, count))
        for kind in kinds
        for start in range(0, count, batch)
    ]

    def run(job: tuple[str, int, int]) -> Counter[str]:
        kind, start, stop = job
        command = [sys.executable, __file__, kind, str(folder), str(start), str(stop)]
        limit = SECONDS_TO_START + SECONDS_A_FILE * (stop - start)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired as error:
            said = error.stdout.decode() if isinstance(error.stdout, bytes) else str(error.stdout)
            return Counter({f"HANG {kind} {said.splitlines()[-1:]}": 1})
        lines = done.stdout.splitlines()
        found = Counter(line.partition(" ")[2] for line in lines)
        if done.returncode:
            found[f"CRASH {kind} {done.returncode} {lines[-1:]} {done.stderr[-600:]}"] += 1
        return found

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(run, jobs), Counter())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
