"""What went wrong in a call to IBM Runtime: will it pass, how long to wait, and what to say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: HTTP answers after which the same call may succeed later.
PASSING = frozenset({408, 425, 429})
#: Runs of characters long enough to be a token; never shown.
SECRET = re.compile(r"[A-Za-z0-9_\-+=]{28,}")
LONGEST = 300

NO_ACCOUNT = (
    "no such IBM account is saved here; save one once with qiskit_ibm_runtime's QiskitRuntimeService.save_account, or "
    'set QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE (without an account, device = "fake_guadalupe" runs locally)'
)
REFUSED = (
    "the IBM account was refused: its key is wrong or has expired; save a new one with save_account"
)


class Unanswered(Exception):
    """A call that gave no answer in time, and may still come to pass."""


@dataclass(frozen=True)
class Fault:
    """``passing``: worth another try, after ``wait`` seconds if the service says so.

    ``answered``: the service said no, so what was asked was not done. ``unknown``: it knows no such job.
    """

    text: str
    passing: bool = False
    answered: bool = True
    unknown: bool = False
    wait: float = 0.0


def diagnose(error: BaseException) -> Fault:
    """What an exception of the SDK, of its HTTP library or of the network means."""
    causes = list(_chain(error))
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    status, wait = _http(causes)
    if "AccountNotFoundError" in kinds:
        return Fault(NO_ACCOUNT)
    keyless = (
        status == 400 and "ApiException" in kinds
    )  # so IBM Cloud answers for a key that it does not know
    if status in (401, 403) or keyless or kinds & {"IBMNotAuthorizedError", "InvalidAccountError"}:
        return Fault(REFUSED)
    if "RuntimeJobNotFound" in kinds:
        return Fault(shown(error), unknown=True)
    if status in PASSING or status >= 500:
        return Fault(f"the service answered {status}", passing=True, wait=wait)
    lost = kinds & {
        "ConnectionError",
        "Timeout",
        "TimeoutError",
        "Unanswered",
        "ChunkedEncodingError",
    }
    if lost or ("RequestsApiError" in kinds and status < 0):
        return Fault(shown(error), passing=True, answered=False)
    return Fault(shown(error))


def shown(error: object) -> str:
    """An error, or what a job says of its failure, on one line and without anything that could be a token."""
    text = error.message if isinstance(getattr(error, "message", None), str) else str(error)  # type: ignore[attr-defined]
    line = SECRET.sub("[hidden]", " ".join(text.split())) or type(error).__name__
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, also where the SDK hides that (``raise ... from None``)."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _http(causes: list[BaseException]) -> tuple[int, float]:
    """The HTTP status, -1 for none, and the seconds of its Retry-After header."""
    for cause in causes:
        response = getattr(cause, "response", None)
        if isinstance(getattr(response, "status_code", None), int):
            after = str(getattr(response, "headers", {}).get("Retry-After", ""))
            return response.status_code, float(after) if after.isdigit() else 0.0  # type: ignore[union-attr]
    codes = [
        code
        for c in causes
        if isinstance(code := getattr(c, "status_code", None), int) and code > 0
    ]
    return (codes[0] if codes else -1), 0.0
