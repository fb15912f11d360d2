"""A process or training that stops around a submission continues and pays for no job twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scripted_service import ScriptedService

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Probabilities, Shots
from qgen_core.errors import RemotePending
from qgen_core.testing import reference
from qgen_qiskit.runtime import service as talking
from qgen_qiskit.runtime.backend import RuntimeBackend

CIRCUIT = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))

VICTIM = """
import os, sys
sys.path.insert(0, {tests!r})
import test_runtime_killed as this
this.talking.connect = lambda *_: service
service = this.ScriptedService(this.Path({folder!r}) / "service")
service.script = {{{operation!r}: [lambda _: os._exit(9)]}}
this.ask({folder!r})
"""


def ask(folder: str):
    backend = RuntimeBackend(device="ibm_scripted", jobs=str(Path(folder) / "jobs"))
    return backend.run(
        CIRCUIT, np.array([[0.8]]), Probabilities(), Shots(2000, np.random.default_rng(4))
    )


@pytest.mark.parametrize("operation", ["before run", "after run", "status", "result"])
def test_killed(operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before submission, before the id is stored, while waiting, and while collecting."""
    text = VICTIM.format(
        tests=str(Path(__file__).parent), folder=str(tmp_path), operation=operation
    )
    died = subprocess.run(
        [sys.executable, "-c", text], env=dict(os.environ), capture_output=True, timeout=120
    )
    assert died.returncode == 9, died.stderr.decode()
    service = ScriptedService(tmp_path / "service")
    assert service.submitted == (0 if operation == "before run" else 1)
    monkeypatch.setattr(talking, "connect", lambda *_: service)
    found = ask(str(tmp_path))
    true = reference.values(CIRCUIT, np.array([[0.8]]), Probabilities())
    assert service.submitted == 1 and np.max(np.abs(found - true)) < 6 / np.sqrt(2000)
    assert service.calls["jobs"] == (1 if operation in ("before run", "after run") else 0)


def trained(service: ScriptedService, folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The parameters after a short training into a folder, by a new model and a new backend."""
    monkeypatch.setattr(talking, "connect", lambda *_: service)
    backend = RuntimeBackend(device="ibm_scripted", jobs=str(folder / "jobs"), deadline=0.0)
    space, rng = qgen.Space("bits", 2), np.random.default_rng(5)
    ansatz = qgen.ansatz("hardware-efficient", layers=1)
    model = qgen.generator("qcbm", backend=backend, space=space, ansatz=ansatz, shots=200, seed=1)
    events = qgen.Events(rng.choice([0.0, 1.0], p=[0.8, 0.2], size=(300, 2)), columns=("a", "b"))
    qgen.trainer("adam", steps=4).fit(model, events, qgen.loss("js"), seed=2, run=folder / "run")
    return model.parameters()["theta"].copy()


def test_a_training_that_was_stopped_pays_for_no_batch_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue exceeds the deadline three times; the result equals that of an undisturbed run."""
    calm = ScriptedService(tmp_path / "calm")
    expected = trained(calm, tmp_path / "a", monkeypatch)
    assert calm.submitted == 8, "a job for the values and one for the gradient of each step"
    service = ScriptedService(tmp_path / "service")
    for attempt in (2, 1, 3):
        service.script = {"status": [None] * attempt + [lambda _: "QUEUED"]}
        with pytest.raises(RemotePending):
            trained(service, tmp_path / "b", monkeypatch)
    np.testing.assert_array_equal(trained(service, tmp_path / "b", monkeypatch), expected)
    assert service.submitted == 8
