"""Processes that are killed around submissions: every job is collected, and none is paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qbraid_service import DEVICE, Service

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Probabilities, Shots
from qgen_core.remote import jobs as journal
from qgen_qbraid.backend import QbraidBackend

CIRCUIT = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))
ANGLES = np.array([[0.8], [2.1]])
SHOTS = 500
#: Seconds that the service takes before and after it has a job, so that kills hit there.
SLOW = 0.02
#: The longest life of a process that is killed, in seconds; a batch takes about half of that.
LIFE = 0.4


def ask(folder: Path, batch: int) -> list[list[float]]:
    """The frequencies of a batch of two circuits."""
    backend = QbraidBackend(device=DEVICE, jobs=str(folder / "jobs"), deadline=60.0)
    shots = Shots(SHOTS, np.random.default_rng(batch))
    return backend.run(CIRCUIT, ANGLES, Probabilities(), shots).tolist()


def lives(folder: Path, batch: int, life: float) -> bool:
    """Ask in a fork of this process, which has all modules; False if it was killed.

    The kernel ends the process after ``life`` seconds; 0 for no end.
    """
    process = os.fork()
    if process == 0:
        (folder / "process").write_text(str(os.getpid()))
        signal.setitimer(signal.ITIMER_REAL, life)
        ask(folder, batch)
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0
    return status == 0


def main(folder: Path, kills: int, life: float) -> None:
    """Batch after batch is asked for until a process survives it, until there were enough kills.

    Prints the answers.
    """
    import qbraid_core.services.runtime  # noqa: F401

    # A request of a process that was killed arrives within milliseconds here.
    journal.SETTLE = 4 * SLOW
    rng = np.random.default_rng(kills)
    killed = 0
    answers = []
    while killed < kills:
        longest = life
        while not lives(folder, len(answers), rng.uniform(0.001, 1) * longest):
            killed += 1
            longest *= 1.1  # a slow machine gets on as well
        answers.append(ask(folder, len(answers)))
    print(json.dumps(answers))


def check(service: Service, folder: Path, kills: int, life: float) -> None:
    """Kill processes, and compare their answers with the jobs that were paid for."""
    service.slow = SLOW
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "import test_qbraid_killed as this; "
        "this.main(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))"
    )
    tests = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, tests, str(folder), str(kills), str(life)],
        env={**os.environ, "QBRAID_CONFIG_FILE": str(folder / "none")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = np.array(json.loads(done.stdout))
    assert service.submitted == 2 * len(answers), "a job for each circuit, whatever was killed"
    paid = []
    for job in service.jobs.values():
        counts = job["counted"][0]
        paid.append([counts.get(key, 0) / SHOTS for key in ("00", "10", "01", "11")])
    np.testing.assert_array_equal(np.reshape(paid, answers.shape), answers)


def test_killed_at_any_time(service: Service, tmp_path: Path) -> None:
    check(service, tmp_path, kills=20, life=LIFE)


@pytest.mark.long
def test_killed_two_hundred_times(service: Service, tmp_path: Path) -> None:
    """Some kills hit between a job and its id on disk, which only the tag can tell."""
    check(service, tmp_path, kills=200, life=LIFE)
    assert service.found > 5


def test_killed_at_each_step(service: Service, tmp_path: Path) -> None:
    """Twice after a job was taken and before its id is stored, while waiting, while collecting."""

    def kill(data: Any) -> Any:
        os.kill(int((tmp_path / "process").read_text()), signal.SIGKILL)
        time.sleep(SLOW)
        return data

    service.script = {"submit": [kill, kill], "job": [kill], "result": [kill]}
    check(service, tmp_path, kills=4, life=0.0)
    assert service.submitted == 2 and service.found == 2
