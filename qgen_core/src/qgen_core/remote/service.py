"""Calls to a remote service: each ends, within a deadline, with an answer or a QgenError."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from qgen_core.errors import QgenError, RemoteError, RemotePending
from qgen_core.remote.faults import Fault, JobEnded, Unanswered, UnknownJob

T = TypeVar("T")

#: Seconds after which a call counts as unanswered; an SDK itself may wait forever.
CALL_LIMIT = 120.0
#: Seconds before a lost submission is looked up: a new job may take a moment to be listed.
SETTLE = 5.0
#: The pauses between tries grow from the first to the second of these, in seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


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


@dataclass(frozen=True)
class JobState:
    """The vendor's word for the state of a job, and what it means.

    ``done``: there is a result. ``failure``: why there will be none; empty otherwise.

    >>> JobState("CANCELLED", failure="it was cancelled").done
    False
    """

    name: str
    done: bool = False
    failure: str = ""


class RemoteService(ABC):
    """One device of a vendor's service.

    A subclass says how its SDK connects, submits and collects. Its methods may raise anything that
    :meth:`diagnose` can tell apart; this class tries again, waits and gives up in time.

    ``name`` is the device's name, as messages show it.

    >>> from qgen_core.remote.faults import Trace
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
    >>> Toy("toy").result("job-7", Deadline(0.0))
    'result of job-7'
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def connect(self, deadline: Deadline) -> None:
        """Connect, unless that was done before."""

    @abstractmethod
    def diagnose(self, error: BaseException) -> Fault:
        """What an exception of the SDK or of the network means."""

    @abstractmethod
    def jobs_with_tag(self, tag: str) -> list[str]:
        """The ids of the jobs that were submitted under a tag."""

    @abstractmethod
    def find_job(self, job_id: str) -> Any:
        """The SDK's object for a job."""

    @abstractmethod
    def state(self, job: Any) -> JobState:
        """The state of a job now."""

    @abstractmethod
    def result_of(self, job: Any) -> Any:
        """The result of a job that is done."""

    def calibration(self, deadline: Deadline) -> str:
        """The date of the device's last calibration as text; empty if unknown."""
        return ""

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
                fault = self.diagnose(error)
            if fault.unknown:
                raise UnknownJob("is not known to this account")
            if not fault.transient:
                raise RemoteError(f"{what}: {fault.text}")
            if not deadline.pause(max(next(pauses), fault.wait)):
                raise deadline_error(what, fault, deadline)

    def submit_once(
        self, tag: str, submit: Callable[[], str], deadline: Deadline, *, maybe_submitted: bool
    ) -> str:
        """The id of the one job with this tag; submitted unless the service has it already.

        ``submit`` returns the new id. ``maybe_submitted``: an earlier try may have reached the
        service. Before every further try the tag is looked up, so that a lost answer never leads to
        a second job.
        """
        self.connect(deadline)
        what = f"submitting to {self.name}"
        pauses = retry_pauses()
        while True:
            submitting = False
            unanswered = False
            try:
                if maybe_submitted:
                    found = call_with_limit(lambda: self.jobs_with_tag(tag))
                    if found:
                        return found[0]
                submitting = True
                return call_with_limit(submit)
            except QgenError:
                raise
            except Exception as error:
                fault = self.diagnose(error)
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

    def result(self, job_id: str, deadline: Deadline) -> Any:
        """Wait for the result of a job.

        Raises JobEnded, UnknownJob, RemoteError, or RemotePending at the deadline.
        """
        self.connect(deadline)
        what = f"job {job_id}"
        job = self.call(what, lambda: self.find_job(job_id), deadline)
        pauses = retry_pauses()
        while True:
            state = self.call(what, lambda: self.state(job), deadline)
            if state.done:
                return self.call(f"result of {what}", lambda: self.result_of(job), deadline)
            if state.failure:
                raise JobEnded(
                    f"job {job_id} on {self.name} gave no result: {state.failure}; "
                    "run again to submit it anew"
                )
            if not deadline.pause(next(pauses)):
                raise RemotePending(
                    f"{what} on {self.name} is {state.name.lower()} after {deadline.seconds:g} s; "
                    "its id is stored: run again to collect it, or set a longer deadline"
                )


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

    thread = threading.Thread(target=work, daemon=True, name="call to a remote service")
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
