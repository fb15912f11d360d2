"""Studies whose processes are killed or interrupted end with the results of an undisturbed one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qgen_core import studies
from qgen_core.errors import Interrupted

DRIVE = """
import json, sys
from pathlib import Path
from qgen_core import studies
from qgen_core.errors import QgenError

if __name__ == "__main__":
    ref, folder, executor = json.loads(sys.argv[1])
    try:
        studies.reproduce(ref, Path(folder), executor=executor)
    except QgenError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""
TWO = {"name": "processes", "workers": 2}


def start(
    ref: dict[str, Any], folder: Path, executor: Any, tmp_path: Path
) -> subprocess.Popen[str]:
    script = tmp_path / "drive.py"
    script.write_text(DRIVE, encoding="utf-8")
    command = [sys.executable, str(script), json.dumps([ref, str(folder), executor])]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def children(pid: int) -> list[int]:
    """The processes that a process started and that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def workers(pid: int) -> list[int]:
    """Those that run cells."""
    found = []
    for child in children(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        found += [child] if b"spawn_main" in command else []
    return found


def gone(pids: list[int], within: float) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def saved(folder: Path) -> dict[str, Any]:
    return {
        path.stem: json.loads(path.read_text())["content"]["value"]
        for path in (folder / "cells").glob("*.json")
    }


def end_under_kills(
    ref: dict[str, Any], folder: Path, tmp_path: Path, seed: int, most: int
) -> tuple[int, int]:
    """Run a study to its end while workers or all of it are killed; how often each was."""
    chance = random.Random(seed)
    kills = [0, 0]
    for _ in range(most):
        process = start(ref, folder, TWO, tmp_path)
        while process.poll() is None:
            time.sleep(chance.uniform(0.3, 2.0))
            there = workers(process.pid)
            if sum(kills) >= most or not there or process.poll() is not None:
                continue
            if chance.random() < 0.7:
                os.kill(chance.choice(there), signal.SIGKILL)
                kills[0] += 1
                continue
            process.kill()
            process.wait()
            kills[1] += 1
            assert gone(there, 20), "workers outlived the process that started them"
        process.communicate()
        if process.returncode == 0:
            return kills[0], kills[1]
    raise AssertionError(f"the study did not end: {kills}")


def check_kills(
    shelf: Path, tmp_path: Path, cells: int, wait: float, seed: int, most: int
) -> tuple[int, int]:
    ref = {"name": "toy", "count": cells, "wait": wait}
    kills = end_under_kills(ref, tmp_path / "killed", tmp_path, seed, most)
    serial = studies.reproduce(ref, tmp_path / "serial")
    found = saved(tmp_path / "killed")
    assert found == {result.key: result.value for result in serial.results} and len(found) == cells
    assert (
        json.loads((tmp_path / "killed" / "result" / "results.json").read_text())["done"] == cells
    )
    return kills


def test_kill_9_now_and_then_changes_nothing(shelf: Path, tmp_path: Path) -> None:
    of_workers, of_all = check_kills(shelf, tmp_path, cells=40, wait=0.1, seed=2, most=6)
    assert of_workers >= 1 and of_all >= 1


@pytest.mark.long
def test_300_cells_under_kill_9_equal_serial(shelf: Path, tmp_path: Path) -> None:
    of_workers, of_all = check_kills(shelf, tmp_path, cells=300, wait=0.15, seed=3, most=60)
    assert of_workers >= 10 and of_all >= 5


LONG_ENOUGH = {"name": "toy", "what": "trained", "count": 2, "steps": 4000}


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """The values of the trainings below, worked out once."""
    return {}


@pytest.mark.parametrize(
    ("executor", "number", "group"),
    [
        ("serial", signal.SIGINT, False),
        ("serial", signal.SIGTERM, False),
        (TWO, signal.SIGINT, False),
        (TWO, signal.SIGTERM, False),
        (TWO, signal.SIGINT, True),  # as a terminal does
    ],
    ids=["serial-int", "serial-term", "processes-int", "processes-term", "processes-int-all"],
)
def test_an_interrupted_training_goes_on(
    shelf: Path,
    tmp_path: Path,
    undisturbed: dict[str, Any],
    executor: Any,
    number: int,
    group: bool,
) -> None:
    folder = tmp_path / "run"
    process = start(LONG_ENOUGH, folder, executor, tmp_path)
    wait_for_trainings(folder, 1 if executor == "serial" else 2)
    (os.killpg if group else os.kill)(process.pid, number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == Interrupted.exit_code, said
    assert "stopped with" in said and "run the same command again" in said
    assert "Traceback" not in said
    notes = [path.read_text().splitlines()[0] for path in folder.glob("cells/*/checkpoint-*.json")]
    assert any(0 < json.loads(note)["step"] < 4000 for note in notes)
    assert not workers(process.pid)
    resumed = studies.reproduce(LONG_ENOUGH, folder)
    if not undisturbed:
        whole = studies.reproduce(LONG_ENOUGH, tmp_path / "whole")
        undisturbed.update({result.key: result.value for result in whole.results})
    assert {result.key: result.value for result in resumed.results} == saved(folder) == undisturbed
    assert not [path for path in (folder / "cells").iterdir() if path.is_dir()]


def wait_for_trainings(folder: Path, wanted: int) -> None:
    """Until so many trainings have done their first step."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if len(list(folder.glob("cells/*.stepped"))) >= wanted:
            return
        time.sleep(0.02)
    raise AssertionError("no training began")
