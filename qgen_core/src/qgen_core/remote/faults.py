"""What an error of a remote service means: worth another try, when, and what to tell the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from qgen_core.errors import RemoteError

#: HTTP statuses, besides 500 and above, after which the same call may succeed later.
TRANSIENT_STATUSES = frozenset({408, 425, 429})
#: Words long enough to be a token; they are never shown.
SECRET = re.compile(r"[A-Za-z0-9_\-+=]{28,}")
MAX_LENGTH = 300
#: Classes of exceptions, by name, of a lost connection.
LOST_CLASSES = frozenset(
    {"ConnectionError", "Timeout", "TimeoutError", "Unanswered", "ChunkedEncodingError"}
)


class Unanswered(Exception):
    """A call that was not answered in time; the service may still carry it out."""


class JobEnded(RemoteError):
    """A job failed or was cancelled, so it has no result."""


class UnknownJob(RemoteError):
    """The service does not know a job id."""


class BadResult(RemoteError):
    """A result that cannot be that of the job."""


def bad_result(what: str) -> BadResult:
    """The error for an impossible result.

    >>> raise bad_result("3 rows instead of 4")
    Traceback (most recent call last):
        ...
    qgen_core.remote.faults.BadResult: BadResult: returned 3 rows instead of 4; the result is not \
used
    """
    return BadResult(f"returned {what}; the result is not used")


@dataclass(frozen=True)
class Fault:
    """What an error means.

    ``transient``: worth another try, after ``wait`` seconds if the service asks for that.
    ``answered``: the service refused, so the request was not carried out. ``unknown``: the service
    does not know the job.

    >>> Fault("the service answered 503", transient=True).answered
    True
    """

    text: str
    transient: bool = False
    answered: bool = True
    unknown: bool = False
    wait: float = 0.0


@dataclass(frozen=True)
class Trace:
    """An error together with its causes.

    ``classes`` are the names of their classes, ``status`` the HTTP status or -1 without one, and
    ``wait`` the seconds of the Retry-After header.

    >>> trace = Trace.of(TimeoutError("no answer"))
    >>> "TimeoutError" in trace.classes, trace.status
    (True, -1)
    """

    error: BaseException
    causes: tuple[BaseException, ...]
    classes: frozenset[str]
    status: int
    wait: float

    @classmethod
    def of(cls, error: BaseException) -> Trace:
        """The trace of an error, with causes that an SDK hides (``raise ... from None``)."""
        causes = tuple(_causes(error))
        classes: set[str] = set()
        for cause in causes:
            classes |= {one.__name__ for one in type(cause).__mro__}
        status, wait = _http_status(causes)
        return cls(error, causes, frozenset(classes), status, wait)

    def fault(self) -> Fault:
        """What the error means as far as HTTP and the network tell.

        >>> Trace.of(TimeoutError("no answer")).fault()
        Fault(text='no answer', transient=True, answered=False, unknown=False, wait=0.0)
        """
        if self.status in TRANSIENT_STATUSES or self.status >= 500:
            return Fault(f"the service answered {self.status}", transient=True, wait=self.wait)
        # Some SDKs raise this class for answers with a status and for lost connections.
        without_answer = "RequestsApiError" in self.classes and self.status < 0
        if without_answer or self.classes & LOST_CLASSES:
            return Fault(one_line(self.error), transient=True, answered=False)
        return Fault(one_line(self.error))


def one_line(error: object) -> str:
    """The text of an error on one line, shortened, and without anything that could be a token.

    >>> one_line("token " + 40 * "a")
    'token [hidden]'
    """
    message = getattr(error, "message", None)
    text = message if isinstance(message, str) else str(error)
    line = SECRET.sub("[hidden]", " ".join(text.split())) or type(error).__name__
    if len(line) <= MAX_LENGTH:
        return line
    return f"{line[: MAX_LENGTH - 3]}..."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _http_status(causes: tuple[BaseException, ...]) -> tuple[int, float]:
    for cause in causes:
        response = getattr(cause, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            after = str(getattr(response, "headers", {}).get("Retry-After", ""))
            return status, float(after) if after.isdigit() else 0.0
    for cause in causes:
        status = getattr(cause, "status_code", None)
        if isinstance(status, int) and status > 0:
            return status, 0.0
    return -1, 0.0
