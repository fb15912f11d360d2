"""The journal of remote jobs on a toy service: a job is paid for once, whatever is lost.

The plugins test it with their vendors' clients, and with processes that are killed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qgen_core.circuits.circuit import Circuit, Gate, const
from qgen_core.circuits.measures import Bits, Probabilities
from qgen_core.errors import Busy, CheckpointError, RemoteError, RemotePending
from qgen_core.remote import (
    Deadline,
    Fault,
    JobEnded,
    JobRecord,
    JobRecords,
    Jobs,
    JobState,
    RemoteService,
    Trace,
    as_measured,
    batch_key,
    one_line,
)
from qgen_core.remote import service as calling

DONE = JobState("DONE", done=True)


class Toy(RemoteService):
    """Takes a job for each submission, and loses answers as told."""

    def __init__(self) -> None:
        super().__init__("toy")
        self.tags: dict[str, str] = {}
        self.lost_before = 0
        self.lost_after = 0
        self.states: list[JobState] = []
        self.date = ""

    def submit(self, tag: str) -> str:
        if self.lost_before:
            self.lost_before -= 1
            raise TimeoutError("no answer")
        job = f"job-{len(self.tags)}"
        self.tags[job] = tag
        if self.lost_after:
            self.lost_after -= 1
            raise TimeoutError("no answer")
        return job

    def connect(self, deadline: Deadline) -> None:
        """It is always there."""

    def diagnose(self, error: BaseException) -> Fault:
        return Trace.of(error).fault()

    def calibration(self, deadline: Deadline) -> str:
        return self.date

    def jobs_with_tag(self, tag: str) -> list[str]:
        return [job for job, known in self.tags.items() if known == tag]

    def find_job(self, job_id: str) -> str:
        return job_id

    def state(self, job: str) -> JobState:
        return self.states.pop(0) if self.states else DONE

    def result_of(self, job: str) -> str:
        return f"result of {job}"


class Clock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(calling, "time", found)
    return found


@pytest.fixture
def toy() -> Toy:
    return Toy()


def run(toy: Toy, folder: Path, seconds: float = 100.0, **options: Any) -> str:
    """The result of one batch, as a new process asks for it."""
    jobs = Jobs(toy, JobRecords(folder), **options)
    deadline = Deadline(seconds)
    record = jobs.submitted("a1", lambda: toy.submit, deadline)
    return jobs.collected(record, str.upper, deadline)


def test_a_batch_is_one_job(toy: Toy, clock: Clock, tmp_path: Path) -> None:
    for _ in range(3):
        assert run(toy, tmp_path) == "RESULT OF JOB-0"
    assert toy.tags == {"job-0": "qgen-a1-0"} and clock.slept == []


@pytest.mark.parametrize("where", ["lost_before", "lost_after"])
def test_a_lost_answer_is_looked_up(toy: Toy, clock: Clock, tmp_path: Path, where: str) -> None:
    setattr(toy, where, 1)
    assert run(toy, tmp_path) == "RESULT OF JOB-0"
    assert len(toy.tags) == 1 and clock.slept == [calling.SETTLE]


def test_a_process_that_died_is_given_time(toy: Toy, clock: Clock, tmp_path: Path) -> None:
    """Its request may arrive after it has died, so the tag is looked up after a while."""
    JobRecords(tmp_path).write(JobRecord("a1", "toy"))
    with pytest.raises(RemotePending, match="may have been submitted less than 5 s ago"):
        run(toy, tmp_path, seconds=1.0)
    assert not toy.tags
    toy.submit("qgen-a1-0")  # it arrives
    assert run(toy, tmp_path) == "RESULT OF JOB-0"
    assert len(toy.tags) == 1 and 4 < clock.slept[0] <= 5


def test_a_failed_job_is_submitted_anew_by_another_run(
    toy: Toy, clock: Clock, tmp_path: Path
) -> None:
    toy.states = [JobState("RUNNING"), JobState("ERROR", failure="it fell asleep")]
    with pytest.raises(JobEnded, match="job job-0 on toy gave no result: it fell asleep; run agai"):
        run(toy, tmp_path)
    assert len(toy.tags) == 1
    assert run(toy, tmp_path) == "RESULT OF JOB-1"
    assert list(toy.tags.values()) == ["qgen-a1-0", "qgen-a1-1"]


def test_nothing_is_prepared_for_a_batch_that_has_a_job(
    toy: Toy, clock: Clock, tmp_path: Path
) -> None:
    run(toy, tmp_path)
    jobs = Jobs(toy, JobRecords(tmp_path))
    record = jobs.submitted("a1", lambda: pytest.fail("prepared again"), Deadline(1.0))
    assert record.job == "job-0"


def test_two_processes(toy: Toy, clock: Clock, tmp_path: Path) -> None:
    with JobRecords(tmp_path).claim("a1"), pytest.raises(Busy, match="another process"):
        run(toy, tmp_path)
    assert run(toy, tmp_path) == "RESULT OF JOB-0"


def test_a_damaged_record(toy: Toy, clock: Clock, tmp_path: Path) -> None:
    run(toy, tmp_path)
    (path,) = tmp_path.glob("*.json")
    path.write_text("{")
    with pytest.raises(CheckpointError, match="may be paid for"):
        run(toy, tmp_path)


def test_a_calibration_between_batches(toy: Toy, clock: Clock, tmp_path: Path) -> None:
    jobs = Jobs(toy, JobRecords(tmp_path), recalibrated="error")
    toy.date = "monday"
    jobs.submitted("a1", lambda: toy.submit, Deadline(1.0))
    toy.date = "tuesday"
    with pytest.raises(RemoteError, match=r"calibrated anew .* \(monday, then tuesday\)"):
        jobs.submitted("b2", lambda: toy.submit, Deadline(1.0))
    assert len(toy.tags) == 1


def test_keys_tell_batches_apart() -> None:
    def key(value: float, *facts: object) -> str:
        circuit = Circuit(2, (Gate("ry", (0,), const(value)), Gate("cx", (0, 1))))
        return batch_key(circuit, np.zeros((1, 1)), *facts)

    assert key(0.5, "bits", 100) == key(0.5, "bits", 100)
    assert len({key(0.5, 100), key(0.5, 101), key(0.6, 100), key(0.5, "100")}) == 4


def test_outcomes_in_the_order_of_wires() -> None:
    outcomes = np.array([[4, 4, 1, 4]])
    np.testing.assert_array_equal(
        as_measured(outcomes, 3, Bits())[0], [[1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
    )
    expected = [[0, 0.25, 0, 0, 0.75, 0, 0, 0]]
    np.testing.assert_array_equal(as_measured(outcomes, 3, Probabilities()), expected)


def test_no_key_is_shown() -> None:
    assert one_line(f"bad key\n {40 * 'x'}") == "bad key [hidden]"
