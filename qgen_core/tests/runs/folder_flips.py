"""Flips bits of the files of a run folder, one at a time, and asks every command what it finds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.errors import QgenError
from qgen_core.runs import compare, evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.report import material


def generated(folder: Path, n: int = 200, **options: Any) -> qgen.Events:
    (events,) = runs.Run(folder, **options).generate(n, seed=5)
    return events


def all_readers(folder: Path) -> dict[str, Callable[[], Any]]:
    """What commands do with a run folder; a report is drawn from its material."""
    return {
        "generate": lambda: generated(folder),
        "evaluate": lambda: evaluation.evaluate(runs.Run(folder)),
        "report": lambda: json.dumps(material(folder)),
        "compare": lambda: compare.compare([folder]),
    }


def _found(folder: Path, command: str) -> str:
    """What a command finds, as text."""
    found = all_readers(folder)[command]()
    if command == "generate":
        return found.x.tobytes().hex() + found.provenance.get("warning", "")
    if command == "compare":
        return compare.as_text(found)
    return str(found)


def flip(folder: Path, *, tries: int, seed: int) -> Counter[str]:
    """How commands end after a flipped bit: right, refused (with a QgenError or a warning that a
    checkpoint is damaged), crashed, or silent: wrong without a word."""
    (folder / "lock.json").unlink(missing_ok=True)
    commands = ("generate", "report", "compare")
    right = {command: _found(folder, command) for command in commands}
    rng = np.random.default_rng(seed)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    ends: Counter[str] = Counter()
    for _ in range(tries):
        file = files[int(rng.integers(len(files)))]
        whole = file.read_bytes()
        data = bytearray(whole)
        place = int(rng.integers(8 * len(data)))
        data[place // 8] ^= 1 << place % 8
        file.write_bytes(bytes(data))
        for command in commands:
            ends[_end(folder, command, right[command])] += 1
        file.write_bytes(whole)
    return ends


def _end(folder: Path, command: str, right: str) -> str:
    try:
        found = _found(folder, command)
    except QgenError:
        return "refused"
    except Exception as error:
        return f"crashed: {command}: {type(error).__name__}: {error}"
    if found == right:
        return "right"
    if "is damaged" in found:
        return "refused"
    return f"silent: {command}"
