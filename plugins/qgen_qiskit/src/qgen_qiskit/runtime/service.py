"""Calls to IBM Runtime: each ends, within a deadline, with an answer or a QgenError."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import QgenError, RemoteError, RemotePending
from qgen_qiskit.runtime.faults import NO_ACCOUNT, Fault, Unanswered, diagnose, one_line

T = TypeVar("T")

#: Arguments of ``sdk`` for the runtime: its module, who needs it, its package.
RUNTIME = ("qiskit_ibm_runtime", "backend 'ibm'", "qiskit-ibm-runtime")
#: Seconds after which a call counts as unanswered; the SDK itself may wait forever.
CALL_LIMIT = 120.0
#: Seconds before a lost submission is looked up: a new job may take a moment to be listed.
SETTLE = 5.0
#: The pauses between tries grow from the first to the second of these, in seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


class JobEnded(RemoteError):
    """A job failed or was cancelled, so it has no result."""


class UnknownJob(RemoteError):
    """The service does not know a job id."""


class Deadline:
    """A point in time, ``seconds`` after it was made.

    >>> Deadline(0.0).pause(1.0)
    False
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._end - time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Wait and return True, or return False at once if the deadline is earlier."""
        if self.left() < seconds:
            return False
        time.sleep(seconds)
        return True


class Service:
    """One device of one account; connects at the first call.

    >>> Service(None, "fake_fez").local
    True
    """

    def __init__(self, account: str | None, device: str) -> None:
        self.account = account
        self.name = device
        self._service: Any = None
        self._device: Any = None

    @property
    def local(self) -> bool:
        """Whether the runtime's local testing mode is used: no account, jobs in this process."""
        return self.name.startswith("fake_") or self.name == "aer_simulator"

    def device(self, deadline: Deadline) -> Any:
        """The device as a Qiskit backend."""
        if self._device is not None:
            return self._device
        # Imported here: Qiskit crashes later if its first import was in a thread that has ended.
        runtime = import_optional(*RUNTIME)
        if self._service is None:
            self._service = self.call(
                "connecting", lambda: connect(runtime, self.account, self.local), deadline
            )
        with warnings.catch_warnings():
            # The SDK warns of fake devices other than the requested one.
            warnings.simplefilter("ignore", UserWarning)
            self._device = self.call(
                f"device {self.name!r}", lambda: self._service.backend(self.name), deadline
            )
        return self._device

    def target(self, deadline: Deadline) -> Any:
        """The device's gates and errors, for transpiling.

        The device itself is not suited for that, since it may call the service at any time.
        """
        device = self.device(deadline)
        return self.call(f"device {self.name!r}", lambda: device.target, deadline)

    def calibration(self, deadline: Deadline) -> str:
        """The date of the device's last calibration as text; empty if unknown."""
        device = self.device(deadline)
        properties = self.call("calibration", lambda: device.properties(refresh=True), deadline)
        date = getattr(properties, "last_update_date", None)
        return "" if date is None else str(date)

    def call(self, what: str, function: Callable[[], T], deadline: Deadline) -> T:
        """The answer of a function, which is called again until the deadline if a fault may pass.

        ``what`` names the call in error messages. Raises RemoteError or RemotePending.
        """
        pauses = retry_pauses()
        while True:
            try:
                return call_with_limit(function)
            except QgenError:
                raise
            except Exception as error:
                fault = diagnose(error)
            if fault.unknown:
                raise UnknownJob("is not known to this account")
            if not fault.transient:
                raise RemoteError(f"{what}: {fault.text}")
            if not deadline.pause(max(next(pauses), fault.wait)):
                raise deadline_error(what, fault, deadline)

    def submit_once(
        self, tag: str, submit: Callable[[], Any], deadline: Deadline, *, maybe_submitted: bool
    ) -> str:
        """The id of the one job with this tag; submitted unless the service has it already.

        ``maybe_submitted``: an earlier try may have reached the service. Before every further try
        the tag is looked up, so that a lost answer never leads to a second job.
        """
        what = f"submitting to {self.name}"
        pauses = retry_pauses()
        while True:
            submitting = False
            unanswered = False
            try:
                if maybe_submitted:
                    found = call_with_limit(lambda: self._jobs_with_tag(tag))
                    if found:
                        return str(found[0].job_id())
                submitting = True
                job = call_with_limit(submit)
                return str(job.job_id())
            except QgenError:
                raise
            except Exception as error:
                fault = diagnose(error)
                unanswered = submitting and isinstance(error, Unanswered)
            if not fault.transient:
                raise RemoteError(f"{what}: {fault.text}")
            maybe_submitted = True
            if unanswered:
                # The call may still be under way: another try now could make two jobs.
                raise deadline_error(what, fault, deadline)
            settle = 0.0 if fault.answered else SETTLE
            if not deadline.pause(max(next(pauses), fault.wait, settle)):
                raise deadline_error(what, fault, deadline)

    def _jobs_with_tag(self, tag: str) -> list[Any]:
        return list(self._service.jobs(job_tags=[tag], descending=False))

    def result(self, job_id: str, deadline: Deadline) -> Any:
        """Wait for the result of a job.

        Raises JobEnded, RemoteError, or RemotePending at the deadline.
        """
        self.device(deadline)
        what = f"job {job_id}"
        job = self.call(what, lambda: self._service.job(job_id), deadline)
        pauses = retry_pauses()
        while True:
            status = self.call(what, job.status, deadline)
            state = str(getattr(status, "name", status))
            if state == "DONE":
                return self.call(f"result of {what}", job.result, deadline)
            if state == "ERROR":
                reason = self.call(what, job.error_message, deadline)
                raise self._job_ended(job_id, one_line(reason or "no reason is given"))
            if state == "CANCELLED":
                raise self._job_ended(job_id, "it was cancelled")
            if not deadline.pause(next(pauses)):
                raise RemotePending(
                    f"{what} on {self.name} is {state.lower()} after {deadline.seconds:g} s; "
                    "its id is stored: run again to collect it, or set a longer deadline"
                )

    def _job_ended(self, job_id: str, reason: str) -> JobEnded:
        return JobEnded(
            f"job {job_id} on {self.name} gave no result: {reason}; run again to submit it anew"
        )


def connect(runtime: Any, account: str | None, local: bool) -> Any:
    """The SDK's service. Tokens stay in the SDK's own store (qiskit-ibm.json, QISKIT_IBM_*)."""
    if local:
        return runtime.QiskitRuntimeService(channel="local")
    return runtime.QiskitRuntimeService(name=account)


def missing_account() -> str:
    """Why no account can be used: none is stored or in the environment; empty if there is one."""
    runtime = import_optional(*RUNTIME)
    if os.environ.get("QISKIT_IBM_TOKEN"):
        return ""
    try:
        accounts = runtime.QiskitRuntimeService.saved_accounts()
    except Exception as error:  # a store that the SDK cannot read
        return one_line(error)
    return "" if accounts else NO_ACCOUNT


def retry_pauses() -> Iterator[float]:
    """Seconds between tries: 1, 2, 4, ..., 32, 60, 60, ...

    >>> pauses = retry_pauses()
    >>> [next(pauses) for _ in range(8)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    """
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


def call_with_limit(function: Callable[[], T]) -> T:
    """Call a function in a thread.

    Returns its value or raises its exception; raises Unanswered after ``CALL_LIMIT`` seconds.

    >>> call_with_limit(lambda: 3)
    3
    """
    values: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            values.append(function())
        except BaseException as error:  # raised in the waiting thread below
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="ibm-runtime call")
    thread.start()
    thread.join(CALL_LIMIT)
    if errors:
        raise errors[0]
    if not values:
        raise Unanswered(f"no answer in {CALL_LIMIT:g} s")
    return values[0]


def deadline_error(what: str, fault: Fault, deadline: Deadline) -> RemotePending:
    """The error when the deadline does not allow another try."""
    return RemotePending(
        f"{what}: {fault.text}; given up after {deadline.seconds:g} s; "
        "nothing is lost: run again to continue"
    )
