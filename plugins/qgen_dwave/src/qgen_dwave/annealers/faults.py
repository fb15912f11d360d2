"""What errors of D-Wave's service mean: worth another try, carried out or not, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from qgen_core.remote import one_line

NO_ACCOUNT = (
    "no D-Wave account is configured here: `dwave setup` saves a token in the vendor's own file, "
    "or set DWAVE_API_TOKEN ('dwave-emulator' takes the same options and needs no account)"
)
REFUSED = (
    "the account was refused: its token is wrong, has expired, or may not use this solver; "
    "`dwave setup` saves a new one"
)
#: HTTP statuses of answers after which the same request may succeed later, besides 500 and above.
BUSY_STATUSES = (408, 425, 429)
#: Classes of exceptions, by name, of which the same holds.
BUSY_CLASSES = {"InternalServerError", "ResourceLimitsExceededError"}
#: Not answered: the service may have carried out what was asked.
LOST_CLASSES = {
    "ConnectionError",
    "Timeout",
    "RequestTimeout",
    "TimeoutError",
    "PollingTimeout",
    "ChunkedEncodingError",
    "RetryError",
}
#: The service ended a problem without a result.
ENDED_CLASSES = {"SolverFailureError", "CanceledFutureError"}
REFUSED_CLASSES = {"ResourceAuthenticationError", "ResourceAccessForbiddenError"}


@dataclass(frozen=True)
class Fault:
    """``transient``: may pass. ``answered``: the service refused, so nothing was carried out.

    ``ended``: the problem failed or was cancelled there.
    """

    text: str
    transient: bool = False
    answered: bool = True
    ended: bool = False


def diagnose(error: BaseException) -> Fault:
    """Classify an exception of D-Wave's client or of the network.

    >>> diagnose(TimeoutError("no answer"))
    Fault(text='no answer', transient=True, answered=False, ended=False)
    """
    classes = {one.__name__ for one in type(error).__mro__}
    text = one_line(error)
    if isinstance(error, ValueError) and "token not defined" in str(error):
        return Fault(NO_ACCOUNT)
    if classes & REFUSED_CLASSES:
        return Fault(REFUSED)
    # The client raises one class for several statuses, and names the status.
    status = getattr(error, "error_code", None)
    is_busy = isinstance(status, int) and (status in BUSY_STATUSES or status >= 500)
    if is_busy or classes & BUSY_CLASSES:
        return Fault(text, transient=True)
    if classes & LOST_CLASSES:
        return Fault(text, transient=True, answered=False)
    return Fault(text, ended=bool(classes & ENDED_CLASSES))
