"""The backend ``ibm`` on a scripted service, with a clock of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted_service import ScriptedService, ScriptedTime  # noqa: E402

from qgen_core.remote import service as calling  # noqa: E402
from qgen_qiskit.runtime import service as talking  # noqa: E402
from qgen_qiskit.runtime.backend import RuntimeBackend  # noqa: E402


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedService:
    scripted = ScriptedService(tmp_path / "service")

    def connect(runtime: object, account: str | None, local: bool) -> ScriptedService:
        assert not local
        scripted.played("connect")
        return scripted

    monkeypatch.setattr(talking, "connect", connect)
    return scripted


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ScriptedTime:
    time = ScriptedTime()
    monkeypatch.setattr(calling, "time", time)
    return time


@pytest.fixture
def make(service: ScriptedService, clock: ScriptedTime, tmp_path: Path):
    """A new backend over the same service and folder of job ids, as in a new process."""

    def new(**options) -> RuntimeBackend:
        return RuntimeBackend(
            **{
                "device": "ibm_scripted",
                "jobs": str(tmp_path / "jobs"),
                "deadline": 600.0,
                **options,
            }
        )

    return new
