"""One job for each batch: collected if it was submitted before, else submitted and waited for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import RemoteError, RemotePending
from qgen_core.remote.faults import BadResult, JobEnded, UnknownJob
from qgen_core.remote.job_records import JobRecord, JobRecords
from qgen_core.remote.service import SETTLE, Deadline, RemoteService

T = TypeVar("T")
log = logging.getLogger("qgen")


class Jobs:
    """Runs batches on one device and submits none of them twice.

    Batches are identified by their content and recorded on disk: after a crash the same run asks
    for the same batches and collects the jobs that it had submitted.

    Args:
        service: the device.
        records: the job ids on disk.
        recalibrated: whether a new calibration of the device between two batches is a warning or
            an error.

    >>> import tempfile
    >>> from qgen_core.remote import JobState, Trace
    >>> from pathlib import Path
    >>> class Toy(RemoteService):
    ...     def connect(self, deadline):
    ...         pass
    ...     def diagnose(self, error):
    ...         return Trace.of(error).fault()
    ...     def jobs_with_tag(self, tag):
    ...         return []
    ...     def find_job(self, job_id):
    ...         return job_id
    ...     def state(self, job):
    ...         return JobState("DONE", done=True)
    ...     def result_of(self, job):
    ...         return f"result of {job}"
    >>> jobs = Jobs(Toy("toy"), JobRecords(Path(tempfile.mkdtemp())))
    >>> def prepare():
    ...     print("submitted")
    ...     return lambda tag: "job-7"
    >>> record = jobs.submitted("a1", prepare, Deadline(10.0))
    submitted
    >>> record = jobs.submitted("a1", prepare, Deadline(10.0))
    >>> jobs.collected(record, str.upper, Deadline(10.0))
    'RESULT OF JOB-7'
    """

    def __init__(
        self,
        service: RemoteService,
        records: JobRecords,
        recalibrated: Literal["warn", "error"] = "warn",
    ) -> None:
        self.service = service
        self.records = records
        self.recalibrated = recalibrated
        self.calibration = ""

    def submitted(
        self, key: str, prepare: Callable[[], Callable[[str], str]], deadline: Deadline
    ) -> JobRecord:
        """The record of a batch with the id of its job, which is submitted now unless it was.

        ``prepare`` is called only for a batch without a job. It returns the function that submits
        the batch under a tag and returns the new id.

        Raises RemoteError, RemotePending (run again to continue), or Busy.
        """
        with self.records.claim(key):
            record = self.records.find(key)
            if record is not None and record.job is not None:
                self._compare(record.calibration)
                return record
            maybe_submitted = record is not None
            if maybe_submitted:
                self._settle(key, deadline)
            submit = prepare()
            calibration = self.service.calibration(deadline)
            self._compare(calibration)
            if record is None:
                record = JobRecord(key, self.service.name)
            record = replace(record, calibration=calibration)
            self.records.write(record)
            tag = record.tag
            job = self.service.submit_once(
                tag, lambda: submit(tag), deadline, maybe_submitted=maybe_submitted
            )
            record = replace(record, job=job)
            self.records.write(record)
            return record

    def collected(self, record: JobRecord, read: Callable[[Any], T], deadline: Deadline) -> T:
        """The value of ``read`` for the result of a batch that was submitted.

        A job that failed is forgotten, so that another run submits the batch anew.

        Raises RemoteError, or RemotePending (run again to continue).
        """
        assert record.job is not None
        try:
            return read(self.service.result(record.job, deadline))
        except JobEnded:
            self.records.write(replace(record, job=None, attempt=record.attempt + 1))
            raise
        except (BadResult, UnknownJob) as error:
            raise RemoteError(
                f"job {record.job} on {record.device} {error.args[0]}; "
                f"to submit it anew, remove {self.records.path(record.key)}"
            ) from None

    def _settle(self, key: str, deadline: Deadline) -> None:
        """Wait while the request of a process that has died may still be under way."""
        left = SETTLE - self.records.age(key)
        if left > 0 and not deadline.pause(left):
            raise RemotePending(
                f"batch {key[:8]} may have been submitted less than {SETTLE:g} s ago, which the "
                f"deadline of {deadline.seconds:g} s does not allow to find out; run again"
            )

    def _compare(self, calibration: str) -> None:
        """Warn or raise if the calibration changed since the last batch."""
        before = self.calibration
        self.calibration = calibration or before
        if not before or self.calibration == before:
            return
        text = (
            f"{self.service.name} was calibrated anew between batches "
            f"({before}, then {calibration})"
        )
        if self.recalibrated == "error":
            raise RemoteError(
                f"{text}; run again to continue with the new calibration, "
                'or set recalibrated = "warn"'
            )
        log.warning("%s; its errors differ from now on", text)


def batch_key(circuit: Circuit, rows: NDArray[Any], *facts: object) -> str:
    """A name made from the content of a batch.

    Args:
        circuit: its gates and constant angles enter.
        rows: free angles (B, A).
        facts: whatever else the result depends on.

    >>> empty = Circuit(1, ())
    >>> first = batch_key(empty, np.empty((1, 0)), "bits", 100)
    >>> first == batch_key(empty, np.empty((1, 0)), "bits", 200)
    False
    """
    gates = []
    for gate in circuit.gates:
        constant = 0.0
        if gate.angle and gate.angle.source == "const":
            constant = gate.angle.offset
        gates.append((gate.name, gate.wires, constant))
    head = repr((1, circuit.num_wires, gates, rows.shape, facts)).encode()
    return hashlib.sha256(head + np.ascontiguousarray(rows, dtype="<f8").tobytes()).hexdigest()
