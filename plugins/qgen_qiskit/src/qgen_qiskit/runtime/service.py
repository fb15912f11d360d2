"""IBM Runtime as a remote service: connecting, its device, its jobs."""

from __future__ import annotations

import os
import warnings
from typing import Any

from qgen_core.discovery.optional_import import import_optional
from qgen_core.remote import Deadline, Fault, JobState, RemoteService, one_line
from qgen_qiskit.runtime.faults import NO_ACCOUNT, diagnose

#: Arguments of ``sdk`` for the runtime: its module, who needs it, its package.
RUNTIME = ("qiskit_ibm_runtime", "backend 'ibm'", "qiskit-ibm-runtime")


class Service(RemoteService):
    """One device of one account; connects at the first call.

    >>> Service(None, "fake_fez").local
    True
    """

    def __init__(self, account: str | None, device: str) -> None:
        super().__init__(device)
        self.account = account
        self._service: Any = None
        self._device: Any = None

    @property
    def local(self) -> bool:
        """Whether the runtime's local testing mode is used: no account, jobs in this process."""
        return self.name.startswith("fake_") or self.name == "aer_simulator"

    def connect(self, deadline: Deadline) -> None:
        self.device(deadline)

    def diagnose(self, error: BaseException) -> Fault:
        return diagnose(error)

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
        device = self.device(deadline)
        properties = self.call("calibration", lambda: device.properties(refresh=True), deadline)
        date = getattr(properties, "last_update_date", None)
        return "" if date is None else str(date)

    def jobs_with_tag(self, tag: str) -> list[str]:
        jobs = self._service.jobs(job_tags=[tag], descending=False)
        return [str(job.job_id()) for job in jobs]

    def find_job(self, job_id: str) -> Any:
        return self._service.job(job_id)

    def state(self, job: Any) -> JobState:
        status = job.status()
        name = str(getattr(status, "name", status))
        failure = ""
        if name == "ERROR":
            failure = one_line(job.error_message() or "no reason is given")
        elif name == "CANCELLED":
            failure = "it was cancelled"
        return JobState(name, done=name == "DONE", failure=failure)

    def result_of(self, job: Any) -> Any:
        return job.result()


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
