"""Talking to IBM Runtime: every call ends, within a deadline, in an answer or in a QgenError."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import QgenError, RemoteError, RemotePending
from qgen_qiskit.runtime.faults import NO_ACCOUNT, Fault, Unanswered, diagnose, shown

T = TypeVar("T")

#: The SDK, for whom it is imported, and its package.
RUNTIME = ("qiskit_ibm_runtime", "backend 'ibm'", "qiskit-ibm-runtime")
#: Seconds after which a call is given up; the SDK itself may wait for ever.
CALL_LIMIT = 120.0
#: Seconds before a lost submission is looked up: a job may take a moment to show.
SETTLE = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
LATER = "nothing is lost: run again to go on"


class JobEnded(RemoteError):
    """A job that the service failed or cancelled; it gives no result."""


class UnknownJob(RemoteError):
    """A job id that the service does not know."""


class Patience:
    """What is left of a deadline."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._end - time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Wait, or return False at once if the deadline comes first."""
        if self.left() < seconds:
            return False
        time.sleep(seconds)
        return True


class Service:
    """One device of one account; connects at the first call."""

    def __init__(self, account: str | None, device: str) -> None:
        self.account, self.name = account, device
        self._service: Any = None
        self._device: Any = None

    @property
    def local(self) -> bool:
        """The runtime's local testing mode: no account, and jobs live in this process."""
        return self.name.startswith("fake_") or self.name == "aer_simulator"

    def device(self, patience: Patience) -> Any:
        """The device as Qiskit knows it."""
        if self._device is None:
            # imported here: Qiskit crashes later when its first import was in a thread that has ended
            runtime = import_optional(*RUNTIME)
            if self._service is None:
                self._service = self.call(
                    "connecting", lambda: connect(runtime, self.account, self.local), patience
                )
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", UserWarning
                )  # on fake devices that were not asked for
                self._device = self.call(
                    f"device {self.name!r}", lambda: self._service.backend(self.name), patience
                )
        return self._device

    def target(self, patience: Patience) -> Any:
        """The device's gates and errors. Transpile with it: the device itself calls the service at any time."""
        device = self.device(patience)
        return self.call(f"device {self.name!r}", lambda: device.target, patience)

    def calibration(self, patience: Patience) -> str:
        """When the device was last calibrated, as text; empty if it does not say."""
        device = self.device(patience)
        properties = self.call("calibration", lambda: device.properties(refresh=True), patience)
        date = getattr(properties, "last_update_date", None)
        return "" if date is None else str(date)

    def call(self, what: str, function: Callable[[], T], patience: Patience) -> T:
        """The answer, after as many tries as the deadline allows. Raises RemoteError or RemotePending."""
        pauses = growing()
        while True:
            try:
                return answered(function)
            except QgenError:
                raise
            except Exception as error:
                fault = diagnose(error)
            if fault.unknown:
                raise UnknownJob("is not known to this account")
            if not fault.passing:
                raise RemoteError(f"{what}: {fault.text}")
            if not patience.pause(max(next(pauses), fault.wait)):
                raise given_up(what, fault, patience)

    def submitted(
        self, tag: str, submit: Callable[[], Any], patience: Patience, *, perhaps: bool
    ) -> str:
        """The id of the one job with this tag, submitted unless the service has it already.

        ``perhaps``: an earlier try may have reached the service. Before each further try the tag is
        looked up, so that a lost answer never makes a second job.
        """
        pauses = growing()
        while True:
            submitting = hung = False
            try:
                found = answered(lambda: self._tagged(tag)) if perhaps else []
                submitting = not found
                job = found[0] if found else answered(submit)
                return str(job.job_id())
            except QgenError:
                raise
            except Exception as error:
                fault = diagnose(error)
                hung = submitting and isinstance(error, Unanswered)
            if not fault.passing:
                raise RemoteError(f"submitting to {self.name}: {fault.text}")
            perhaps = True
            # a call that hangs may still be under way: to try again now could make two jobs
            if hung or not patience.pause(
                max(next(pauses), fault.wait, 0.0 if fault.answered else SETTLE)
            ):
                raise given_up(f"submitting to {self.name}", fault, patience)

    def _tagged(self, tag: str) -> list[Any]:
        return list(self._service.jobs(job_tags=[tag], descending=False))

    def finished(self, job_id: str, patience: Patience) -> Any:
        """The result of a job. Raises JobEnded, RemoteError, or RemotePending at the deadline."""
        self.device(patience)
        job = self.call(f"job {job_id}", lambda: self._service.job(job_id), patience)
        pauses = growing()
        while True:
            status = self.call(f"job {job_id}", job.status, patience)
            state = str(getattr(status, "name", status))
            if state == "DONE":
                return self.call(f"result of job {job_id}", job.result, patience)
            if state in ("ERROR", "CANCELLED"):
                failed = state == "ERROR"
                why = (
                    self.call(f"job {job_id}", job.error_message, patience)
                    if failed
                    else "it was cancelled"
                )
                why = shown(why or "no reason is given")
                raise JobEnded(
                    f"job {job_id} on {self.name} gave no result: {why}; run again to submit it anew"
                )
            if not patience.pause(next(pauses)):
                raise RemotePending(
                    f"job {job_id} on {self.name} is {state.lower()} after {patience.seconds:g} s; its id is kept: run "
                    "again to collect it, or with a longer deadline"
                )


def connect(runtime: Any, account: str | None, local: bool) -> Any:
    """The SDK's service. Tokens stay in its own store (qiskit-ibm.json, QISKIT_IBM_*)."""
    return (
        runtime.QiskitRuntimeService(channel="local")
        if local
        else runtime.QiskitRuntimeService(name=account)
    )


def missing_account() -> str:
    """Why there can be no account: none is saved and none is in the environment; empty if there is one."""
    runtime = import_optional(*RUNTIME)
    if os.environ.get("QISKIT_IBM_TOKEN"):
        return ""
    try:
        return "" if runtime.QiskitRuntimeService.saved_accounts() else NO_ACCOUNT
    except Exception as error:  # a store that the SDK cannot read
        return shown(error)


def growing() -> Iterator[float]:
    """Seconds between tries: 1, 2, 4, ... 60, 60, ..."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


def answered(function: Callable[[], T]) -> T:
    """The answer of a call. Raises what it raises, or Unanswered if it hangs."""
    values: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            values.append(function())
        except BaseException as error:  # brought over to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="ibm-runtime call")
    thread.start()
    thread.join(CALL_LIMIT)
    if errors:
        raise errors[0]
    if not values:
        raise Unanswered(f"no answer in {CALL_LIMIT:g} s")
    return values[0]


def given_up(what: str, fault: Fault, patience: Patience) -> RemotePending:
    """The error at the deadline."""
    return RemotePending(f"{what}: {fault.text}; given up after {patience.seconds:g} s; {LATER}")
