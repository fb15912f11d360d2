"""qBraid's runtime as a remote service: its devices, submitting, its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from qgen_core import to_qasm
from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, RemoteError, Unsupported
from qgen_core.remote import Deadline, Fault, JobState, RemoteService, UnknownJob, one_line
from qgen_core.typing import Floats
from qgen_qbraid.faults import NO_ACCOUNT, diagnose

#: Who needs the packages, for messages where one is missing, and what installs them.
QBRAID = ("backend 'qbraid'", "qbraid")
SESSIONS = ("qbraid_core.sessions", *QBRAID)
#: The name of the tag by which a job is found if its id was lost.
TAG = "qgen"
#: What devices call OpenQASM 3.
OPENQASM = "qasm3"
#: Why a job in one of these states has no result.
ENDED = {"FAILED": "no reason is given", "CANCELLED": "it was cancelled"}
#: Near names, and devices that are online, that a message shows.
MOST_NAMES = 5


@dataclass(frozen=True)
class Order:
    """What one job runs: a circuit with each of these rows of angles (B, A), with these shots each.

    ``batch``: the programs are submitted as a list, which only some devices take.
    """

    circuit: Circuit
    rows: Floats
    shots: int
    batch: bool = False

    def programs(self) -> list[str]:
        """The OpenQASM 3 program of each row.

        >>> import numpy as np
        >>> order = Order(Circuit(1, (Gate("ry", (0,), param(0)),)), np.array([[0.25]]), 100)
        >>> order.programs()[0].splitlines()[-2:]
        ['ry(0.25) q[0];', 'c = measure q;']
        """
        gates = []
        column = 0
        for gate in self.circuit.gates:
            if gate.angle is None:
                gates.append(gate)
            else:
                gates.append(Gate(gate.name, gate.wires, param(column)))
                column += 1
        numbered = Circuit(self.circuit.num_wires, tuple(gates))
        return [to_qasm(numbered, row) for row in self.rows]


class QbraidService(RemoteService):
    """One device that qBraid lists; connects at the first call.

    >>> QbraidService("qbraid:qbraid:sim:qir-sv").name
    'qbraid:qbraid:sim:qir-sv'
    """

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._client: Any = None

    def connect(self, deadline: Deadline) -> None:
        if self._client is None:
            self._client = self.call("connecting to qBraid", new_client, deadline)

    def diagnose(self, error: BaseException) -> Fault:
        return diagnose(error)

    def device(self, deadline: Deadline) -> Any:
        """What qBraid says of the device now, a ``RuntimeDevice`` of its client.

        Raises BadOption with near names if qBraid does not list the device.
        """
        self.connect(deadline)
        what = f"device {self.name!r}"
        try:
            return self.call(what, lambda: self._client.get_device(self.name), deadline)
        except UnknownJob:
            listed = self.call("listing devices", self._client.list_devices, deadline)
        raise BadOption(_unknown_device(self.name, listed))

    def prepared(self, order: Order, device: Any, deadline: Deadline) -> Any:
        """The request for a job, in a form that the device takes, as :meth:`device` describes it.

        Raises RemoteError if the device takes no jobs now, BadOption for a number of shots that it
        does not run, and Unsupported for what it cannot run.
        """
        check_order(device, order)
        job = import_optional("qbraid_core.services.runtime.schemas.job", *QBRAID)
        texts = order.programs()
        if OPENQASM in device.runInputTypes:
            programs = [job.Program(format=OPENQASM, data=text) for text in texts]
        else:
            programs = self._converted(texts, device, deadline)
            if not all(isinstance(program, job.Program) for program in programs):
                # The SDK leaves a program as it is if it does not know what the device takes.
                raise _not_converted(device, "it does not know that format")
        program = programs if order.batch else programs[0]
        return job.JobRequest(deviceQrn=self.name, program=program, shots=order.shots)

    def _converted(self, texts: list[str], device: Any, deadline: Deadline) -> list[Any]:
        """The programs in the format of a device that takes no OpenQASM 3, by qBraid's SDK."""
        # The SDK imports every quantum SDK that is installed, so it is loaded only here, and in
        # the main thread, which Qiskit needs.
        runtime = import_optional("qbraid.runtime", *QBRAID)
        provider = runtime.QbraidProvider(client=self._client)
        target = self.call(
            f"device {self.name!r}", lambda: provider.get_device(self.name), deadline
        )
        target.set_options(validate=False)  # check_order has done it, without a call for each
        try:
            return [target.apply_runtime_profile(text) for text in texts]
        except Exception as error:
            raise _not_converted(device, one_line(error)) from error

    def submit(self, request: Any, tag: str) -> str:
        """Submit a request under a tag; returns the id of the job."""
        tagged = request.model_copy(update={"tags": {TAG: tag}})
        return str(self._client.create_job(tagged).jobQrn)

    def jobs_with_tag(self, tag: str) -> list[str]:
        jobs = self._client.list_jobs(tags={TAG: tag})
        found = [str(job.jobQrn) for job in jobs if job.tags.get(TAG) == tag]
        if jobs and not found:
            # Such an answer may be the first page of all jobs, so it does not tell.
            raise RemoteError(
                f"qBraid was asked for jobs with the tag {tag} and listed others; whether the "
                f"batch was submitted to {self.name} is not known, and nothing more was submitted"
            )
        return found

    def find_job(self, job_id: str) -> Any:
        return job_id

    def state(self, job: Any) -> JobState:
        found = self._client.get_job(job)
        name = str(found.status.value)
        if name == "HOLD":
            raise RemoteError(
                f"job {job} on {self.name} is done, and qBraid withholds its result because of the "
                "state of the account; settle that at account.qbraid.com and run again to collect "
                "the job"
            )
        failure = ENDED.get(name, "")
        if failure and found.statusMsg:
            failure = one_line(found.statusMsg)
        return JobState(name, done=name == "COMPLETED", failure=failure)

    def result_of(self, job: Any) -> Any:
        return self._client.get_job_result(job)


def new_client() -> Any:
    """A client of the account that is stored here. Raises RemoteError if there is none."""
    session = import_optional(*SESSIONS).QbraidSessionV1()
    if not (session.api_key or session.access_token):
        raise RemoteError(NO_ACCOUNT)
    # The client repeats submissions that were answered with an error, and each may be a paid job.
    session.initialize_retry(total=0, connect=0)
    # The client accepts any certificate, and so would give the key to anyone in between.
    session.verify = True
    runtime = import_optional("qbraid_core.services.runtime", *QBRAID)
    return runtime.QuantumRuntimeClient(session=session)


def missing_account() -> str:
    """Why no account can be used: no key is stored here; empty if there is one. Asks nobody."""
    sessions = import_optional(*SESSIONS)
    try:
        session = sessions.QbraidSessionV1()
    except Exception as error:  # a file that the client cannot read
        return one_line(error)
    return "" if session.api_key or session.access_token else NO_ACCOUNT


def check_order(device: Any, order: Order) -> None:
    """Raise unless the device takes such a job now."""
    name = device.qrn
    if device.paradigm.value != "gate_model" or not device.directAccess:
        raise Unsupported(
            f"{name} runs no circuits through qBraid: it is a device of the kind "
            f"{device.paradigm.value}, direct access: {device.directAccess}"
        )
    if device.status.value != "ONLINE":
        reason = f" ({one_line(device.statusMsg)})" if device.statusMsg else ""
        until = f", until {device.nextAvailable:%Y-%m-%d %H:%M %Z}" if device.nextAvailable else ""
        raise RemoteError(
            f"{name} is {device.status.value.lower()}{reason}{until}; nothing was submitted: run "
            "again later, or choose another device"
        )
    wires = order.circuit.num_wires
    if wires > (device.numberQubits or wires):
        raise Unsupported(f"{name} has {device.numberQubits} qubits, the circuit has {wires} wires")
    fewest = device.minShots or 1
    most = device.maxShots or order.shots
    if not fewest <= order.shots <= most:
        limit = f"{fewest} to {most}" if device.maxShots else f"at least {fewest}"
        raise BadOption(f"{name} runs {limit} shots of a circuit, not {order.shots}")
    if order.batch and not device.batchJobSupport:
        raise BadOption(f"{name} takes no batch of circuits as one job; set batch_jobs = false")


def _not_converted(device: Any, reason: str) -> Unsupported:
    types = ", ".join(device.runInputTypes) or "nothing"
    return Unsupported(
        f"{device.qrn} takes {types} and no OpenQASM 3, and qBraid's SDK did not convert a program "
        f"({reason}); an extra of the package qbraid may be missing"
    )


def _unknown_device(name: str, listed: list[Any]) -> str:
    names = sorted(device.qrn for device in listed)
    near = get_close_matches(name, names, n=MOST_NAMES, cutoff=0.5)
    online = sorted(device.qrn for device in listed if device.status.value == "ONLINE")
    said = f"qBraid lists no device {name!r} for this account"
    if near:
        return f"{said}; near names: {', '.join(near)}"
    shown = ", ".join(online[:MOST_NAMES]) or "none"
    return f"{said}; of those that it lists, these are online: {shown}"
