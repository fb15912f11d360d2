"""Failures of the service, one a test: a result or a typed error, and never a job paid twice."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qbraid_service import DEVICE, KEY, device

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State
from qgen_core.errors import (
    BadOption,
    Busy,
    QgenError,
    RemoteError,
    RemotePending,
    ResourceRefused,
    Unsupported,
)
from qgen_core.remote import service as calling
from qgen_core.testing import reference
from qgen_qbraid.backend import QbraidBackend
from qgen_qbraid.service import new_client

CIRCUIT = Circuit(3, (Gate("ry", (0,), param(0)), Gate("cx", (0, 2)), Gate("rx", (1,), param(1))))
ANGLES = np.array([[0.9, 0.2], [1.7, -0.6]])
SHOTS = 1000
FIRST = f"{DEVICE}-qjob-000"


def ask(backend, seed=1, shots=SHOTS):
    return backend.run(CIRCUIT, ANGLES, Probabilities(), Shots(shots, np.random.default_rng(seed)))


def good(found) -> bool:
    """Near the exact values: within six standard deviations at most."""
    exact = reference.values(CIRCUIT, ANGLES, Probabilities())
    return bool(np.max(np.abs(found - exact)) < 6 / np.sqrt(SHOTS))


def fails(backend, kind: type[QgenError], match: str, code: int, **options: Any) -> QgenError:
    with pytest.raises(kind, match=match) as caught:
        ask(backend, **options)
    assert caught.value.exit_code == code
    assert KEY not in str(caught.value) and "\n" not in str(caught.value)
    return caught.value


def test_all_is_well(make, service) -> None:
    """Each circuit is a job; asked again, jobs are collected and not submitted again."""
    found = ask(make())
    assert good(found) and service.submitted == 2
    np.testing.assert_array_equal(ask(make()), found)
    assert service.submitted == 2 and service.calls["device"] == 1, "nothing is asked of it again"
    assert not np.array_equal(ask(make(), seed=2), found) and service.submitted == 4
    tags = [job["tags"]["qgen"] for job in service.jobs.values()]
    assert len(set(tags)) == 4 and all(tag.startswith("qgen-") for tag in tags)


def test_equal_circuits_of_a_batch_are_jobs_of_their_own(make, service) -> None:
    """Their shots are independent."""
    twice = make().run(
        CIRCUIT, ANGLES[[0, 0]], Probabilities(), Shots(SHOTS, np.random.default_rng(3))
    )
    assert service.submitted == 2 and not np.array_equal(twice[0], twice[1])


def test_programs_are_openqasm_with_all_digits(make, service) -> None:
    ask(make())
    program = service.jobs[FIRST]["program"]
    assert program["format"] == "qasm3" and "ry(0.9) q[0];" in program["data"]
    assert service.jobs[FIRST]["shots"] == SHOTS


def test_what_was_submitted_is_collected_from_a_device_that_is_offline_now(make, service) -> None:
    service.devices[DEVICE] = device()
    found = ask(make())
    service.devices[DEVICE] = device(status="OFFLINE")
    np.testing.assert_array_equal(ask(make()), found)


@pytest.mark.parametrize("operation", ["verify", "device", "submit", "job", "result"])
@pytest.mark.parametrize("fault", [500, 503, 429, "lost before", "lost after"])
def test_faults_pass(make, service, operation, fault) -> None:
    """Each is tried again, a submission only after its tag was looked up."""
    service.script = {operation: [fault, fault]}
    assert good(ask(make())) and service.submitted == 2
    # With "lost after" the lost job is found, so the second fault meets the second circuit.
    lookups = {"submit": 2}.get(operation, 0)
    assert service.calls["jobs"] == lookups


def test_the_client_itself_repeats_no_request(service) -> None:
    """Its own retries would repeat a submission that the service may have taken."""
    client = new_client()
    service.script = {"submit": [503]}
    with pytest.raises(Exception, match="out of order"):
        client.session.post("/jobs", json={})
    assert service.calls["submit"] == 1 and client.session.verify is True


def test_a_queue_beyond_the_deadline_is_left_and_collected_later(make, service, clock) -> None:
    service.script = {"job": [queued] * 8}
    fails(make(deadline=100.0), RemotePending, f"job {FIRST} on .* is queued .*run again", 75)
    assert clock.now <= 100 and service.submitted == 2, "both were submitted before the wait"
    assert good(ask(make())) and service.submitted == 2


def queued(job):
    return {**job, "status": "QUEUED"}


@pytest.mark.parametrize(
    "state", ["INITIALIZING", "VALIDATING", "RUNNING", "CANCELLING", "UNKNOWN"]
)
def test_states_that_are_waited_for(make, service, clock, state) -> None:
    service.script = {"job": [lambda job: {**job, "status": state}]}
    assert good(ask(make())) and service.submitted == 2 and clock.slept == [1.0]


@pytest.mark.parametrize(
    ("state", "message", "said"),
    [
        ("FAILED", f"the device fell asleep, key {KEY}", r"the device fell asleep, key \[hidden\]"),
        ("FAILED", None, "no reason is given"),
        ("CANCELLED", None, "it was cancelled"),
    ],
)
def test_a_job_without_a_result(make, service, state, message, said) -> None:
    """It is named, and only another run submits a second one."""
    service.script = {"job": [lambda job: {**job, "status": state, "statusMsg": message}]}
    match = f"job {FIRST} on {DEVICE} gave no result: {said}; run again to submit it anew"
    fails(make(), RemoteError, match, 5)
    assert service.submitted == 2
    assert good(ask(make())) and service.submitted == 3, "the other circuit is not run again"
    assert good(ask(make())) and service.submitted == 3


def test_a_withheld_result_is_not_paid_for_again(make, service) -> None:
    service.script = {"job": [lambda job: {**job, "status": "HOLD"}]}
    fails(make(), RemoteError, f"job {FIRST} .* withholds its result .* run again to collect", 5)
    assert good(ask(make())) and service.submitted == 2


def test_no_account(make, service, monkeypatch) -> None:
    monkeypatch.delenv("QBRAID_API_KEY")
    monkeypatch.delenv("QBRAID_ACCESS_TOKEN", raising=False)
    fails(make(), RemoteError, "no qBraid API key is stored here: set QBRAID_API_KEY", 5)
    assert "QBRAID_API_KEY" in QbraidBackend.missing_account() and not service.calls
    monkeypatch.setenv("QBRAID_API_KEY", KEY)
    assert QbraidBackend.missing_account() == "" and not service.calls, "it asks nobody"


@pytest.mark.parametrize("operation", ["verify", "device", "submit", "job", "result"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_account(make, service, operation, status) -> None:
    service.script = {operation: [status]}
    fails(make(), RemoteError, "qBraid refused the account: its API key is wrong", 5)
    assert good(ask(make())) and service.submitted == 2


@pytest.mark.parametrize("status", [402, 403, 400])
def test_too_few_credits(make, service, status) -> None:
    service.error = {"message": "needs 120 credits, balance 3", "code": "INSUFFICIENT_CREDITS"}
    service.script = {"submit": [None, status]}
    match = r"too few credits for the job \(.*balance 3.*\); nothing was submitted"
    fails(make(), RemoteError, match, 5)
    assert service.submitted == 1, "the first circuit could be paid for"
    assert good(ask(make())) and service.submitted == 2


def test_an_unknown_device(make, service) -> None:
    names = ("aws:iqm:qpu:garnet", "aws:iqm:qpu:emerald", "qbraid:qbraid:sim:qir-sv")
    service.devices = {name: device(name) for name in names}
    service.devices["ionq:ionq:qpu:forte-1"] = device("ionq:ionq:qpu:forte-1", status="OFFLINE")
    match = "lists no device 'aws:iqm:qpu:granet' for this account; near names: aws:iqm:qpu:garnet"
    fails(make(device="aws:iqm:qpu:granet"), BadOption, match, 2)
    error = fails(make(device="x"), BadOption, "these are online: aws:iqm:qpu:emerald, aws", 2)
    assert "forte" not in str(error) and service.submitted == 0


UNFIT = {
    "offline": (
        {"status": "OFFLINE", "statusMsg": "a new fridge", "nextAvailable": "2026-12-01T08:00:00Z"},
        (RemoteError, r"is offline \(a new fridge\), until 2026-12-01 08:00 UTC; nothing was", 5),
    ),
    "busy": ({"status": "UNAVAILABLE"}, (RemoteError, "is unavailable; nothing was submitted", 5)),
    "retired": ({"status": "RETIRED"}, (RemoteError, "is retired; nothing was submitted", 5)),
    "small": ({"numberQubits": 2}, (Unsupported, "has 2 qubits, the circuit has 3 wires", 4)),
    "few shots": ({"maxShots": 500}, (BadOption, "runs 1 to 500 shots of a circuit, not 1000", 2)),
    "many shots": (
        {"minShots": 5000, "maxShots": None},
        (BadOption, "runs at least 5000 shots of a circuit, not 1000", 2),
    ),
    "analog": ({"paradigm": "analog"}, (Unsupported, "runs no circuits through qBraid", 4)),
    "not for us": ({"directAccess": False}, (Unsupported, "direct access: False", 4)),
    "no batches": (
        {"batchJobSupport": False},
        (BadOption, "takes no batch of circuits as one job; set batch_jobs = false", 2),
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_device_that_cannot_run_it(make, service, case) -> None:
    changes, (kind, match, code) = UNFIT[case]
    service.devices[DEVICE] = device(**changes)
    fails(make(batch_jobs=True), kind, match, code)
    assert service.submitted == 0 and service.calls["submit"] == 0
    service.devices[DEVICE] = device()
    assert good(ask(make(batch_jobs=True))) and service.submitted == 1


def test_what_it_does_not_measure(make, service) -> None:
    backend = make()
    shots = Shots(10, np.random.default_rng(0))
    with pytest.raises(Unsupported, match="qbraid has no states"):
        backend.run(CIRCUIT, ANGLES, State(), shots)
    confusion = np.tile(np.eye(2), (3, 1, 1))
    with pytest.raises(Unsupported, match="takes no readout confusion"):
        backend.run(CIRCUIT, ANGLES, Bits(confusion=confusion), shots)
    with pytest.raises(BadOption, match="shots"):
        backend.run(CIRCUIT, ANGLES, Expectations(("ZII",)))
    with pytest.raises(BadOption, match="deadline must be at least 0"):
        make(deadline=float("nan"))
    assert not service.calls


def counted(change):
    """A change of the counts of a result."""

    def on(result):
        counts = dict(result["resultData"]["measurementCounts"])
        return {**result, "resultData": {"measurementCounts": change(counts)}}

    return on


IMPOSSIBLE = {
    "partial": (counted(lambda counts: {"000": 900}), "900 shots instead of 1000"),
    "too wide": (counted(lambda counts: {"0000": 1000}), "the outcome '0000' on 3 wires"),
    "two registers": (counted(lambda counts: {"0 0": 1000}), "the outcome '0 0' on 3 wires"),
    "negative": (counted(lambda counts: {"000": 1001, "001": -1}), "the count -1 of the outcome"),
    "shares": (counted(lambda counts: {"000": 0.5, "001": 0.5}), "the count 0.5 of the outcome"),
    "no counts": (lambda result: {**result, "resultData": {}}, "NoneType instead of counts"),
    "a batch": (lambda result: {**result, "results": [result] * 2}, "2 results for 1 circuits"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_counts_that_cannot_be(make, service, tmp_path, case) -> None:
    """They are not used; a better answer to the same job is."""
    change, match = IMPOSSIBLE[case]
    service.script = {"result": [change]}
    error = fails(make(), RemoteError, f"job {FIRST} on {DEVICE} returned {match}.* not used", 5)
    named = Path(re.search(r"remove (\S+)$", str(error))[1])
    assert json.loads(named.read_text())["job"] == FIRST
    assert good(ask(make())) and service.submitted == 2


def test_a_call_that_hangs(make, service, monkeypatch) -> None:
    """A submission without an answer may be under way: the same process never repeats it."""
    monkeypatch.setattr(calling, "CALL_LIMIT", 1.0)
    freed = threading.Event()
    service.script = {"submit": [lambda data: freed.wait(30) and data]}
    fails(make(), RemotePending, "no answer in 1 s", 75)
    freed.set()
    assert good(ask(make())) and service.submitted == 2


def test_another_process_submits_the_same(make, service) -> None:
    refused: list[QgenError] = []

    def meanwhile(data):
        refused.append(fails(make(), Busy, "another process is submitting batch", 75))
        return data

    service.script = {"submit": [meanwhile]}
    assert good(ask(make())) and len(refused) == 1 and service.submitted == 2


def test_an_unknown_job(make, service, tmp_path) -> None:
    """Of another account, say: it is not paid for a second time unless the user says so."""
    ask(make())
    del service.jobs[FIRST]
    fails(make(), RemoteError, f"job {FIRST} on .* is not known to this account; to submit", 5)
    assert service.calls["submit"] == 2


def test_the_service_is_down_for_good(make, service, clock) -> None:
    service.script = {"submit": ["lost after"] * 1000, "jobs": [503] * 1000}
    fails(make(), RemotePending, "the service answered 503; given up after 600 s; nothing is", 75)
    assert clock.now <= 600 and service.submitted == 1
    service.script = {}
    assert good(ask(make())) and service.submitted == 2


def test_a_list_of_other_jobs_does_not_tell(make, service) -> None:
    """If the service lists jobs whatever the tag, the lost one may be on another page."""
    ask(make(), seed=2)
    other = service.jobs[FIRST]
    service.script = {"submit": ["lost after"], "jobs": [lambda _: [other]]}
    fails(make(), RemoteError, "listed others; whether the batch was submitted .* is not known", 5)
    assert service.submitted == 3
    assert good(ask(make())) and service.submitted == 4


def test_job_ids_have_to_be_kept(make, service, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    fails(make(jobs=str(tmp_path / "file")), ResourceRefused, "cannot keep job ids in .*/file", 6)
    assert service.submitted == 0


def test_no_key_is_written(make, service, tmp_path) -> None:
    for state in ("FAILED", "HOLD"):
        service.script = {"job": [lambda job, s=state: {**job, "status": s}]}
        with pytest.raises(QgenError):
            ask(make())
    written = "".join(path.read_text() for path in (tmp_path / "jobs").glob("*.json"))
    assert FIRST.replace("000", "001") in written and KEY not in written


def test_a_device_of_another_format_is_served_by_the_sdk(make, service) -> None:
    """OpenQASM 2 of the same circuit, which the SDK writes if Qiskit is installed."""
    pytest.importorskip("qiskit")
    service.devices[DEVICE] = device(runInputTypes=["qasm2"])
    assert good(ask(make()))
    program = service.jobs[FIRST]["program"]
    assert program["format"] == "qasm2" and "OPENQASM 2.0" in program["data"]


def test_a_format_that_the_sdk_cannot_write_is_refused(make, service) -> None:
    service.devices["toy:toy:sim:six"] = device("toy:toy:sim:six", runInputTypes=["analog"])
    other = make(device="toy:toy:sim:six")
    fails(other, Unsupported, "takes analog and no OpenQASM 3, and qBraid's SDK did not convert", 4)
    assert service.submitted == 0
