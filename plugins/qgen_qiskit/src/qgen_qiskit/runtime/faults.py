"""Classification of errors from IBM Runtime: worth a retry, when, and what to tell the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: HTTP statuses after which the same call may succeed later.
TRANSIENT_STATUSES = frozenset({408, 425, 429})
#: Words long enough to be a token; they are never shown.
SECRET = re.compile(r"[A-Za-z0-9_\-+=]{28,}")
MAX_LENGTH = 300

NO_ACCOUNT = (
    "no such IBM account is saved here; save one once with qiskit_ibm_runtime's "
    "QiskitRuntimeService.save_account, or set QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE "
    '(without an account, device = "fake_guadalupe" runs locally)'
)
REFUSED = (
    "the IBM account was refused: its key is wrong or has expired; save a new one with save_account"
)
#: Classes of exceptions, by name, of an account that the service refuses.
REFUSED_CLASSES = {"IBMNotAuthorizedError", "InvalidAccountError"}
#: Classes of exceptions, by name, of a lost connection.
LOST_CLASSES = {
    "ConnectionError",
    "Timeout",
    "TimeoutError",
    "Unanswered",
    "ChunkedEncodingError",
}


class Unanswered(Exception):
    """A call that was not answered in time; the service may still carry it out."""


@dataclass(frozen=True)
class Fault:
    """What an error means.

    ``transient``: worth another try, after ``wait`` seconds if the service asks for that.
    ``answered``: the service refused, so the request was not carried out. ``unknown``: the service
    does not know the job.
    """

    text: str
    transient: bool = False
    answered: bool = True
    unknown: bool = False
    wait: float = 0.0


def diagnose(error: BaseException) -> Fault:
    """Classify an exception of the SDK, of its HTTP library or of the network.

    >>> diagnose(TimeoutError("no answer"))
    Fault(text='no answer', transient=True, answered=False, unknown=False, wait=0.0)
    """
    causes = list(_causes(error))
    classes: set[str] = set()
    for cause in causes:
        classes |= {one.__name__ for one in type(cause).__mro__}
    status, wait = _http_status(causes)
    if "AccountNotFoundError" in classes:
        return Fault(NO_ACCOUNT)
    # IBM Cloud answers 400 to a key that it does not know.
    unknown_key = status == 400 and "ApiException" in classes
    if status in (401, 403) or unknown_key or classes & REFUSED_CLASSES:
        return Fault(REFUSED)
    if "RuntimeJobNotFound" in classes:
        return Fault(one_line(error), unknown=True)
    if status in TRANSIENT_STATUSES or status >= 500:
        return Fault(f"the service answered {status}", transient=True, wait=wait)
    if classes & LOST_CLASSES or ("RequestsApiError" in classes and status < 0):
        return Fault(one_line(error), transient=True, answered=False)
    return Fault(one_line(error))


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
    """The error and its causes, also where the SDK hides them (``raise ... from None``)."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _http_status(causes: list[BaseException]) -> tuple[int, float]:
    """The HTTP status, -1 if there is none, and the seconds of the Retry-After header."""
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
