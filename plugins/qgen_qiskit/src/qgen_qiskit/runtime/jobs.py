"""A batch is one job: found if it was submitted before, submitted if not, waited for, read."""

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
from qgen_qiskit.runtime.job_records import Entry, Journal
from qgen_qiskit.runtime.results import BadResult
from qgen_qiskit.runtime.service import JobEnded, Patience, Service, UnknownJob

T = TypeVar("T")
log = logging.getLogger("qgen")


class Jobs:
    """Runs batches on one device; none is submitted twice.

    A batch is known by its content, and the journal by the batch: after a crash the same run asks for
    the same batches and collects the jobs that it had submitted.
    """

    def __init__(
        self,
        service: Service,
        journal: Journal,
        deadline: float,
        recalibrated: Literal["warn", "error"],
    ) -> None:
        self.service, self.journal = service, journal
        self.deadline, self.recalibrated = deadline, recalibrated
        self.calibration = ""

    def run(self, key: str, submit: Callable[[str], Any], read: Callable[[Any], T]) -> T:
        """What ``read`` makes of the result; ``submit`` takes the tag of the job.

        Raises RemoteError, RemotePending (run again: it goes on), or Busy.
        """
        patience = Patience(self.deadline)
        with self.journal.claim(key):
            entry = self._submitted(key, submit, patience)
        assert entry.job is not None
        try:
            return read(self.service.finished(entry.job, patience))
        except JobEnded:
            self.journal.write(replace(entry, job=None, attempt=entry.attempt + 1))
            raise
        except (BadResult, UnknownJob) as error:
            raise RemoteError(
                f"job {entry.job} on {entry.device} {error.args[0]}; to submit it anew, remove {self.journal.path(key)}"
            ) from None

    def _submitted(self, key: str, submit: Callable[[str], Any], patience: Patience) -> Entry:
        entry = self.journal.find(key)
        if entry is not None and entry.job is not None:
            self._compare(entry.calibration)
            return entry
        calibration = self.service.calibration(patience)
        self._compare(calibration)
        perhaps = entry is not None
        opened = replace(entry or Entry(key, self.service.name), calibration=calibration)
        self.journal.write(opened)
        job = self.service.submitted(
            opened.tag, lambda: submit(opened.tag), patience, perhaps=perhaps
        )
        done = replace(opened, job=job)
        self.journal.write(done)
        return done

    def _compare(self, calibration: str) -> None:
        before, self.calibration = self.calibration, calibration or self.calibration
        if not before or self.calibration == before:
            return
        text = f"{self.service.name} was calibrated anew between batches ({before}, then {calibration})"
        if self.recalibrated == "error":
            raise RemoteError(
                f'{text}; run again to go on with the new calibration, or set recalibrated = "warn"'
            )
        log.warning("%s; its errors differ from now on", text)


def batch_key(circuit: Circuit, rows: NDArray[Any], *facts: object) -> str:
    """A name made of the content: gates, free angles (B, A), and whatever else decides about the result."""
    gates = [
        (g.name, g.wires, g.angle.offset if g.angle and g.angle.source == "const" else 0.0)
        for g in circuit.gates
    ]
    head = repr((1, circuit.num_wires, gates, rows.shape, facts)).encode()
    return hashlib.sha256(head + np.ascontiguousarray(rows, dtype="<f8").tobytes()).hexdigest()
