"""A scripted stand-in for IBM's service: it runs jobs on a simulator and fails as scripted.

The SDK's own SamplerV2 and EstimatorV2 submit to it, because its device is one of the SDK's.
``script`` sets what happens at the next calls of an operation: an exception is raised, a function
changes the answer, None does nothing. Submissions are counted, and stored in ``folder``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import requests
from qiskit.primitives import (
    BackendEstimatorV2,
    BackendSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    PubResult,
)
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import IBMBackend
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMRuntimeError, RuntimeJobNotFound

#: Looks like a token; must show nowhere.
TOKEN = "Zx81-" + "q7Kp2" * 8


#: Seconds between two executions.
REP_DELAY = 300e-6


class ScriptedDevice(IBMBackend):
    """Five qubits in a line, run without noise; gates have durations if the service takes time."""

    def __init__(self, service: ScriptedService) -> None:
        plain = GenericBackendV2(
            5,
            coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]],
            noise_info=service.takes_time,
            seed=1,
        )
        self._configuration, self._properties, self._target = (
            SimpleNamespace(simulator=False, default_rep_delay=REP_DELAY),
            None,
            plain.target,
        )
        BackendV2.__init__(self, name="ibm_scripted")
        self._service, self._instance, self._calibration_id = service, "crn:scripted", None

    @property
    def target(self) -> Any:
        self._service.played("target")
        return self._target

    def check_faulty(self, circuit: Any) -> None:
        """None of its qubits is faulty."""

    def properties(self, refresh: bool = False, datetime: Any = None) -> Any:
        self._service.played("properties")
        return SimpleNamespace(last_update_date=self._service.calibrated)


class ScriptedService:
    """What the backend and the SDK use of QiskitRuntimeService: backend, job, jobs, _run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.script = folder, {}
        self.calls: Counter[str] = Counter()
        self.calibrated = "2026-11-01 10:00"
        self.takes_time = False
        self.pubs: list[Any] = []
        self.options: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def submitted(self) -> int:
        """Jobs that this service has ever taken: what is paid for."""
        return len(list(self.folder.glob("*.json")))

    def played(self, operation: str, answer: Any = None) -> Any:
        """The answer, or what the script has instead."""
        self.calls[operation] += 1
        lines = self.script.get(operation, [])
        line = lines.pop(0) if lines else None
        if isinstance(line, BaseException):
            raise line
        return line(answer) if callable(line) else answer

    def backend(self, name: str) -> Any:
        self.played("backend")
        return ScriptedDevice(self)

    def _run(
        self, program_id: str, inputs: dict[str, Any], options: dict[str, Any], **_: Any
    ) -> Any:
        self.played("before run")
        self.options, self.pubs = {**options, **inputs}, inputs["pubs"]
        job_id = f"job-{self.submitted:03d}"
        arrays = [np.asarray(a) for a in _simulated(program_id, inputs["pubs"], self.submitted)]
        np.savez(self.folder / f"{job_id}.npz", *arrays)
        record = {
            "tags": options["job_tags"],
            "program": program_id,
            "bits": inputs["pubs"][0].circuit.num_clbits,
        }
        if self.takes_time:
            record["usage"] = _usage(inputs["pubs"], ScriptedDevice(self).target)
        (self.folder / f"{job_id}.json").write_text(json.dumps(record))
        self.played("after run")
        return ScriptedJob(self, job_id)

    def job(self, job_id: str) -> Any:
        self.played("job")
        if not (self.folder / f"{job_id}.json").exists():
            raise RuntimeJobNotFound(f"Job not found: {job_id}")
        return ScriptedJob(self, job_id)

    def jobs(self, *, job_tags: list[str], descending: bool) -> list[Any]:
        self.played("jobs")
        assert descending is False
        records = {
            path.stem: json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))
        }
        return [
            ScriptedJob(self, name)
            for name, record in records.items()
            if set(job_tags) <= set(record["tags"])
        ]


class ScriptedJob:
    """A job that is done at once, unless the script has other states for it."""

    def __init__(self, service: ScriptedService, job_id: str) -> None:
        self._service, self._id = service, job_id

    def job_id(self) -> str:
        return self._id

    def status(self) -> str:
        return str(self._service.played("status", "DONE"))

    def error_message(self) -> str:
        return f"Error code 9999; the device fell asleep, token {TOKEN}"

    def usage(self) -> float:
        """Seconds for which the device was occupied."""
        record = json.loads((self._service.folder / f"{self._id}.json").read_text())
        return float(record["usage"])

    def result(self) -> Any:
        record = json.loads((self._service.folder / f"{self._id}.json").read_text())
        with np.load(self._service.folder / f"{self._id}.npz") as saved:
            arrays = [saved[name] for name in saved.files]
        return self._service.played(
            "result", PrimitiveResult([PubResult(_bin(a, record)) for a in arrays])
        )


def _simulated(program: str, pubs: list[Any], seed: int) -> list[Any]:
    options = {"seed_simulator": seed + 1}
    if program == "sampler":
        done = BackendSamplerV2(backend=AerSimulator(), options=options).run(pubs).result()
        return [pub.data.meas.array for pub in done]
    done = BackendEstimatorV2(backend=AerSimulator(), options=options).run(pubs).result()
    return [pub.data.evs for pub in done]


def _usage(pubs: list[Any], target: Any) -> float:
    """Seconds that a device would take for a sampler's PUBs, whose circuits Qiskit schedules."""
    manager = generate_preset_pass_manager(
        target=target, optimization_level=0, scheduling_method="alap"
    )
    seconds = 2.0
    for pub in pubs:
        executions = pub.shots * int(np.prod(pub.shape, dtype=int))
        seconds += (REP_DELAY + scheduled_length(manager.run(pub.circuit), target)) * executions
    return seconds


def scheduled_length(scheduled: Any, target: Any) -> float:
    """Seconds from the start of a scheduled circuit to the end of its last instruction."""
    ends = [0.0]
    for start, item in zip(scheduled.op_start_times, scheduled.data, strict=True):
        if item.operation.name == "barrier":
            continue
        if item.operation.name == "delay":
            duration = item.operation.duration * target.dt
        else:
            qubits = tuple(scheduled.find_bit(qubit).index for qubit in item.qubits)
            duration = target[item.operation.name][qubits].duration
        ends.append(start * target.dt + duration)
    return max(ends)


def _bin(array: Any, record: dict[str, Any]) -> DataBin:
    if record["program"] == "estimator":
        return DataBin(evs=array, shape=array.shape)
    return DataBin(meas=BitArray(array, record["bits"]), shape=array.shape[:-2])


def http(status: int, **headers: str) -> Exception:
    """What the SDK raises for an answer of the server, its cause hidden as the SDK hides it."""
    response = requests.Response()
    response.status_code, response.url = (
        status,
        f"https://service.example/jobs?access_token={TOKEN}",
    )
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return _as_the_sdk(response.raise_for_status, status)


def lost() -> Exception:
    """What the SDK raises when the connection breaks."""

    def fail() -> None:
        raise requests.exceptions.ConnectionError("Connection aborted.")

    return _as_the_sdk(fail, -1)


def _as_the_sdk(fail: Callable[[], None], status: int) -> Exception:
    try:
        try:
            try:
                fail()
            except requests.exceptions.RequestException as cause:
                raise RequestsApiError(str(cause), status) from cause
        except RequestsApiError as error:
            raise IBMRuntimeError(f"Failed to run program: {error}") from None
    except IBMRuntimeError as seen:
        return seen
    raise AssertionError("it did not fail")


class ScriptedTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
