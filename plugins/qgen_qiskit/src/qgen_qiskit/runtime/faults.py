"""What errors of IBM Runtime mean, and what to tell the user."""

from __future__ import annotations

from qgen_core.remote import Fault, Trace, one_line

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


def diagnose(error: BaseException) -> Fault:
    """Classify an exception of the SDK, of its HTTP library or of the network.

    >>> diagnose(TimeoutError("no answer"))
    Fault(text='no answer', transient=True, answered=False, unknown=False, wait=0.0)
    """
    trace = Trace.of(error)
    if "AccountNotFoundError" in trace.classes:
        return Fault(NO_ACCOUNT)
    # IBM Cloud answers 400 to a key that it does not know.
    unknown_key = trace.status == 400 and "ApiException" in trace.classes
    if trace.status in (401, 403) or unknown_key or trace.classes & REFUSED_CLASSES:
        return Fault(REFUSED)
    if "RuntimeJobNotFound" in trace.classes:
        return Fault(one_line(error), unknown=True)
    return trace.fault()
