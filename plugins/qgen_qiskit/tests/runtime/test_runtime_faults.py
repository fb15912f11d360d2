"""Failures of a remote service, one a test: a result or a typed error, and never two jobs."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import numpy as np
import pytest
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, PubResult
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError
from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError
from scripted_service import TOKEN, http, lost

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots
from qgen_core.errors import (
    Busy,
    CheckpointError,
    QgenError,
    RemoteError,
    RemotePending,
    ResourceRefused,
)
from qgen_core.remote import service as calling
from qgen_core.testing import reference

CIRCUIT = Circuit(3, (Gate("ry", (0,), param(0)), Gate("cx", (0, 2)), Gate("rx", (1,), param(1))))
ANGLES = np.array([[0.9, 0.2], [1.7, -0.6], [2.5, 1.4]])
SHOTS = 1000


def ask(backend, measure=None, seed=1, shots=SHOTS):
    return backend.run(
        CIRCUIT, ANGLES, measure or Probabilities(), Shots(shots, np.random.default_rng(seed))
    )


def good(found, measure=None) -> bool:
    """Near the exact values: within six standard deviations at most."""
    return np.max(
        np.abs(found - reference.values(CIRCUIT, ANGLES, measure or Probabilities()))
    ) < 6 / np.sqrt(SHOTS)


def files(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.json")))


def fails(backend, kind: type[QgenError], match: str, code: int, **options) -> QgenError:
    with pytest.raises(kind, match=match) as caught:
        ask(backend, **options)
    assert caught.value.exit_code == code
    assert TOKEN not in str(caught.value) and TOKEN[5:20] not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("measure", [Probabilities(), Expectations(("ZII", "ZIZ", "IYI", "XIX"))])
def test_all_is_well(make, service, measure) -> None:
    """One batch is one job of one PUB; asked again, it is collected and not submitted again."""
    backend = make()
    found = ask(backend, measure)
    assert good(found, measure) and service.submitted == 1 and len(service.pubs) == 1
    np.testing.assert_array_equal(ask(backend, measure), found)
    assert service.submitted == 1
    assert not np.array_equal(ask(backend, measure, seed=2), found) and service.submitted == 2
    assert service.pubs[0].circuit.num_parameters == 2 and backend.capabilities.remote
    cotangent = np.random.default_rng(4).normal(size=found.shape)
    shots = Shots(20 * SHOTS, np.random.default_rng(3))
    _, pullback = backend.forward(CIRCUIT, ANGLES, measure, shots)
    assert service.submitted == 3, "the values are one job"
    slopes = pullback(cotangent)
    assert service.submitted == 4, "a gradient is one job, whatever the number of angles"
    expected = qgen.backend("statevector").forward(CIRCUIT, ANGLES, measure)[1](cotangent)
    spread = np.abs(cotangent).sum(axis=1, keepdims=True) * np.sqrt(0.5 / (20 * SHOTS))
    assert np.max(np.abs(slopes - expected) / spread) < 6 < np.max(np.abs(expected) / spread)


def test_bits_come_in_the_order_of_wires(make, service) -> None:
    flipped = Circuit(3, (Gate("x", (0,)),))
    bits = make().run(flipped, np.empty((2, 0)), Bits(), Shots(7, np.random.default_rng(0)))
    np.testing.assert_array_equal(bits, np.tile([1, 0, 0], (2, 7, 1)))
    assert service.submitted == 1 and len(service.pubs) == 2


def test_raw_values_are_asked_for_and_jobs_are_tagged(make, service) -> None:
    ask(make(), Expectations(("ZZZ",)))
    assert service.options["resilience_level"] == 0
    assert service.options["job_tags"][0] == "qgen" and service.options["job_tags"][1].startswith(
        "qgen-"
    )
    assert service.pubs[0].precision == pytest.approx(1 / np.sqrt(SHOTS), rel=1e-9)


def test_timeouts_pass(make, service, clock) -> None:
    service.script = {
        op: [lost(), lost()]
        for op in ("connect", "backend", "target", "properties", "job", "status", "result")
    }
    assert good(ask(make())) and service.submitted == 1
    assert clock.slept == [1, 2] * 7


@pytest.mark.parametrize("operation", ["before run", "status", "result", "job"])
def test_server_errors_pass(make, service, operation) -> None:
    service.script = {operation: [http(500), http(502), http(503), http(504)]}
    assert good(ask(make())) and service.submitted == 1


def test_too_many_requests_waits_as_told(make, service, clock) -> None:
    service.script = {
        "before run": [http(429, Retry_After="37")],
        "status": [http(429, Retry_After="90")],
    }
    assert good(ask(make())) and service.submitted == 1
    assert clock.slept == [37, 90]


def test_a_long_queue_is_waited_for(make, service, clock) -> None:
    service.script = {"status": [lambda _: "QUEUED"] * 6 + [lambda _: "RUNNING"]}
    assert good(ask(make())) and service.submitted == 1
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60]


def test_a_queue_beyond_the_deadline_is_left_and_collected_later(make, service, clock) -> None:
    service.script = {"status": [lambda _: "QUEUED"] * 8}
    fails(
        make(deadline=100.0),
        RemotePending,
        "job job-000 on ibm_scripted is queued after 100 s; .* run again",
        75,
    )
    assert clock.now <= 100 and service.submitted == 1
    assert good(ask(make())) and service.submitted == 1


def test_an_expired_token_before_submission(make, service) -> None:
    service.script = {"before run": [IBMNotAuthorizedError(f"Unauthorized: {TOKEN}")]}
    fails(make(), RemoteError, "the IBM account was refused", 5)
    assert service.submitted == 0
    assert good(ask(make())) and service.submitted == 1


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_while_waiting(make, service, status) -> None:
    service.script = {"status": [lambda _: "QUEUED", http(status)]}
    fails(make(), RemoteError, "job job-000: the IBM account was refused", 5)
    assert good(ask(make())) and service.submitted == 1


def test_a_failed_job(make, service, tmp_path) -> None:
    """Its reason is shown without anything like a token; only another run submits a second job."""
    service.script = {"status": [lambda _: "ERROR"]}
    error = fails(
        make(), RemoteError, "job job-000 .* the device fell asleep, token .hidden.; run again", 5
    )
    assert isinstance(error, RemoteError) and service.submitted == 1
    assert good(ask(make())) and service.submitted == 2
    assert good(ask(make())) and service.submitted == 2


def test_a_cancelled_job(make, service) -> None:
    service.script = {"status": [lambda _: "CANCELLED"]}
    fails(make(), RemoteError, "job job-000 .* was cancelled; run again to submit it anew", 5)
    assert service.submitted == 1
    assert good(ask(make())) and service.submitted == 2


def changed(change):
    """A function on a result that changes the bits (3, shots, bytes) of its only PUB."""

    def on(result):
        return PrimitiveResult([PubResult(change(result[0].data.meas.array))])

    return on


def bits(array, count=3):
    return DataBin(meas=BitArray(np.ascontiguousarray(array), count), shape=array.shape[:-2])


class Raw:
    """Anything in the place of an array of bits."""

    def __init__(self, array) -> None:
        self.array = array


IMPOSSIBLE = {
    "partial": (
        changed(lambda a: bits(a[:, :900])),
        r"3 rows of \[900\] shots instead of 3 rows of 1000",
    ),
    "too many": (changed(lambda a: bits(np.repeat(a, 2, axis=1))), r"3 rows of \[2000\] shots"),
    "a row less": (changed(lambda a: bits(a[:2])), "2 rows of"),
    "negative": (changed(lambda a: DataBin(meas=Raw(-a.astype(np.int16)))), "int16"),
    "key out of range": (changed(lambda a: DataBin(meas=Raw(a | 8))), "the outcome 15 on 3 wires"),
    "too wide": (
        changed(lambda a: DataBin(meas=Raw(np.repeat(a, 2, axis=2)))),
        "instead of 1 bytes a shot",
    ),
    "wrong number of PUBs": (
        lambda result: PrimitiveResult([*result, *result]),
        "2 results for 3 rows",
    ),
    "no counts": (changed(lambda a: DataBin(other=a)), "no 'meas'"),
    "nothing": (lambda result: None, "a NoneType instead of results"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_counts_that_cannot_be(make, service, tmp_path, case) -> None:
    change, match = IMPOSSIBLE[case]
    service.script = {"result": [change]}
    error = fails(
        make(), RemoteError, f"job job-000 on ibm_scripted returned .*{match}.* not used", 5
    )
    (record,) = (tmp_path / "jobs").glob("*.json")
    assert str(record) in str(error) and service.submitted == 1
    assert good(ask(make())) and service.submitted == 1, "a better answer to the same job is taken"


@pytest.mark.parametrize("value", [np.nan, 1.5, -np.inf])
def test_expectations_that_cannot_be(make, service, value) -> None:
    def spoil(result):
        evs = np.array(result[0].data.evs)
        evs[1, 0] = value
        return PrimitiveResult([PubResult(DataBin(evs=evs))])

    service.script = {"result": [spoil]}
    fails(
        make(),
        RemoteError,
        "expectation (nan|1.5|-inf), which is not between",
        5,
        measure=Expectations(("ZII",)),
    )
    service.script = {
        "result": [lambda result: PrimitiveResult([PubResult(DataBin(evs=result[0].data.evs[:2]))])]
    }
    fails(
        make(),
        RemoteError,
        "2 expectations instead of 3 rows of 1",
        5,
        measure=Expectations(("ZII",)),
    )
    assert service.submitted == 1


def test_a_calibration_between_batches_is_noticed(make, service, caplog) -> None:
    backend = make()
    ask(backend)
    service.calibrated = "2026-11-01 16:00"
    with caplog.at_level(logging.WARNING, "qgen"):
        assert good(ask(backend, seed=2))
    assert (
        "calibrated anew between batches (2026-11-01 10:00, then 2026-11-01 16:00)" in caplog.text
    )
    strict = make(recalibrated="error")
    ask(strict, seed=1)  # from the first calibration, by the journal
    fails(strict, RemoteError, 'calibrated anew .* recalibrated = "warn"', 5, seed=3)
    assert service.submitted == 2, "nothing is submitted under the other calibration"


def test_readout_is_measured_once_a_calibration(make, service) -> None:
    backend = make()
    confusion = backend.readout(CIRCUIT, 500)
    np.testing.assert_allclose(confusion, np.tile(np.eye(2), (3, 1, 1)))
    assert backend.readout(CIRCUIT, 500) is confusion and service.submitted == 1
    make().readout(CIRCUIT, 500)
    assert service.submitted == 1
    service.calibrated = "2026-11-02"
    backend.readout(CIRCUIT, 500)
    assert service.submitted == 2


@pytest.mark.parametrize("error", [lost, lambda: http(504)])
def test_submitted_but_the_answer_was_lost(make, service, clock, error) -> None:
    """The job is found by its tag before anything is submitted again."""
    service.script = {"after run": [error()]}
    assert good(ask(make())) and service.submitted == 1 and service.calls["jobs"] == 1
    assert clock.slept[0] >= (1 if error is not lost else calling.SETTLE)


def test_lost_before_it_arrived(make, service) -> None:
    """No job has the tag, so it is submitted: once."""
    service.script = {"before run": [lost()], "jobs": [lost(), None]}
    assert good(ask(make())) and service.submitted == 1 and service.calls["jobs"] == 2


def test_the_service_is_gone_before_the_lost_job_is_found(make, service) -> None:
    service.script = {"after run": [lost()], "jobs": [http(503)] * 50}
    fails(
        make(),
        RemotePending,
        "submitting to ibm_scripted: the service answered 503; given up after 600 s",
        75,
    )
    service.script = {}
    assert good(ask(make())) and service.submitted == 1


def test_a_call_that_hangs(make, service, monkeypatch) -> None:
    """A submission without an answer may be under way: the same process never repeats it."""
    monkeypatch.setattr(calling, "CALL_LIMIT", 2.0)
    freed = threading.Event()
    service.script = {"after run": [lambda _: freed.wait(30)]}
    fails(make(), RemotePending, "no answer in 2 s", 75)
    freed.set()
    assert good(ask(make())) and service.submitted == 1


def test_a_duplicate_submission_is_refused(make, service) -> None:
    """While one process submits a batch, another one cannot, and may collect it afterwards."""
    first, second = make(), make()
    refused: list[QgenError] = []

    def meanwhile(_: object) -> None:
        refused.append(fails(second, Busy, "another process is submitting batch", 75))

    service.script = {"after run": [meanwhile]}
    assert good(ask(first)) and len(refused) == 1 and service.submitted == 1
    assert good(ask(second)) and service.submitted == 1


def test_an_unknown_job_id(make, service, tmp_path) -> None:
    """Of another account, say: it is not paid for a second time unless the user says so."""
    ask(make())
    (record,) = (tmp_path / "jobs").glob("*.json")
    record.write_text(record.read_text().replace("job-000", "job-777"))
    error = fails(
        make(),
        RemoteError,
        "job job-777 on ibm_scripted is not known to this account; to submit it anew",
        5,
    )
    assert str(record) in str(error) and service.submitted == 1
    record.unlink()
    assert good(ask(make())) and service.submitted == 2


def test_a_damaged_record(make, service, tmp_path) -> None:
    ask(make())
    (record,) = (tmp_path / "jobs").glob("*.json")
    record.write_text("{")
    fails(make(), CheckpointError, "cannot be read .* may be paid for", 3)
    assert service.submitted == 1


@pytest.mark.parametrize(
    "operation",
    ["connect", "backend", "target", "properties", "before run", "job", "status", "result"],
)
def test_the_service_is_down_for_good(make, service, clock, operation) -> None:
    service.script = {operation: [http(503)] * 1000}
    fails(
        make(), RemotePending, "the service answered 503; given up after 600 s; nothing is lost", 75
    )
    assert clock.now <= 600 and service.submitted <= 1
    service.script = {}
    assert good(ask(make())) and service.submitted == 1


def test_a_deadline_of_zero_submits_and_leaves(make, service, clock) -> None:
    service.script = {"status": [lambda _: "QUEUED"]}
    fails(make(deadline=0.0), RemotePending, "is queued after 0 s", 75)
    assert service.submitted == 1 and clock.slept == []
    assert good(ask(make(deadline=0.0))) and service.submitted == 1


def test_a_missing_account(make, service) -> None:
    service.script = {"connect": [AccountNotFoundError("Unable to find account.")] * 2}
    fails(
        make(account="nobody"),
        RemoteError,
        "no such IBM account is saved here; .*save_account.*QISKIT_IBM_TOKEN",
        5,
    )
    assert service.submitted == 0


def test_a_refused_circuit_or_an_odd_error(make, service) -> None:
    """What no rule knows is shown on one line, and ends."""
    service.script = {"before run": [http(422)]}
    fails(make(), RemoteError, "submitting to ibm_scripted: .*422", 5)
    service.script = {"status": [KeyError("state")]}
    fails(make(), RemoteError, "job job-000: 'state'", 5)
    assert service.submitted == 1


def test_job_ids_have_to_be_kept(make, service, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    fails(make(jobs=str(tmp_path / "file")), ResourceRefused, "cannot keep job ids in .*/file", 6)
    assert service.submitted == 0


def test_no_token_is_written(make, service, tmp_path) -> None:
    """Whatever fails, the files hold a batch, a device, a calibration and a job."""
    for script in (
        {"status": [lambda _: "ERROR"]},
        {"status": [http(401)]},
        {"result": [lambda _: None]},
    ):
        service.script = dict(script)
        with pytest.raises(QgenError):
            ask(make(account="mine"))
    written = files(tmp_path / "jobs")
    assert TOKEN not in written and "mine" not in written
    assert {
        key for path in (tmp_path / "jobs").glob("*.json") for key in json.loads(path.read_text())
    } == {
        "key",
        "device",
        "calibration",
        "attempt",
        "job",
    }
