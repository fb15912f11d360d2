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
from qgen_core.errors import RemoteError
from qgen_qiskit.runtime.job_records import JobRecord, JobRecords
from qgen_qiskit.runtime.results import BadResult
from qgen_qiskit.runtime.service import Deadline, JobEnded, Service, UnknownJob

T = TypeVar("T")
log = logging.getLogger("qgen")


class Jobs:
    """Runs batches on one device and submits none of them twice.

    Batches are identified by their content and recorded on disk: after a crash the same run asks
    for the same batches and collects the jobs that it had submitted.

    Args:
        service: the device.
        records: the job ids on disk.
        deadline: seconds to wait for a batch.
        recalibrated: whether a new calibration of the device between two batches is a warning or
            an error.
    """

    def __init__(
        self,
        service: Service,
        records: JobRecords,
        deadline: float,
        recalibrated: Literal["warn", "error"],
    ) -> None:
        self.service = service
        self.records = records
        self.deadline = deadline
        self.recalibrated = recalibrated
        self.calibration = ""

    def run(self, key: str, submit: Callable[[str], Any], read: Callable[[Any], T]) -> T:
        """The value of ``read`` for the result of a batch; ``submit`` is given the job's tag.

        Raises RemoteError, RemotePending (run again to continue), or Busy.
        """
        deadline = Deadline(self.deadline)
        with self.records.claim(key):
            record = self._submitted(key, submit, deadline)
        assert record.job is not None
        try:
            return read(self.service.result(record.job, deadline))
        except JobEnded:
            self.records.write(replace(record, job=None, attempt=record.attempt + 1))
            raise
        except (BadResult, UnknownJob) as error:
            raise RemoteError(
                f"job {record.job} on {record.device} {error.args[0]}; "
                f"to submit it anew, remove {self.records.path(key)}"
            ) from None

    def _submitted(self, key: str, submit: Callable[[str], Any], deadline: Deadline) -> JobRecord:
        record = self.records.find(key)
        if record is not None and record.job is not None:
            self._compare(record.calibration)
            return record
        calibration = self.service.calibration(deadline)
        self._compare(calibration)
        maybe_submitted = record is not None
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
