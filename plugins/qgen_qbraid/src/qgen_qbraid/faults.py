"""What errors of qBraid's service mean, and what to tell the user."""

from __future__ import annotations

from qgen_core.remote import Fault, Trace, one_line

NO_ACCOUNT = (
    "no qBraid API key is stored here: set QBRAID_API_KEY to a key of account.qbraid.com, or save "
    "it once with QbraidProvider(api_key=...).save_config()"
)
REFUSED = (
    "qBraid refused the account: its API key is wrong, has expired or may not use this device; "
    "set QBRAID_API_KEY to a new one"
)
#: The service's word for an account that cannot pay for a job.
TOO_FEW_CREDITS = "INSUFFICIENT_CREDITS"


def diagnose(error: BaseException) -> Fault:
    """Classify an exception of qBraid's client, of its HTTP library or of the network.

    >>> diagnose(TimeoutError("no answer"))
    Fault(text='no answer', transient=True, answered=False, unknown=False, wait=0.0)
    """
    trace = Trace.of(error)
    codes = {getattr(cause, "code", None) for cause in trace.causes}
    if trace.status == 402 or TOO_FEW_CREDITS in codes:
        return Fault(
            f"the account has too few credits for the job ({one_line(error)}); nothing was "
            "submitted: buy credits at account.qbraid.com, or ask for fewer shots"
        )
    if trace.status in (401, 403):
        return Fault(REFUSED)
    if trace.status == 404:
        return Fault(one_line(error), unknown=True)
    return trace.fault()
