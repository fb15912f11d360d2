"""The backend ``qbraid`` on a service on this machine, with a clock of its own."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import qbraid_core.sessions  # noqa: E402
from qbraid_service import DEVICE, KEY, ScriptedTime, Service  # noqa: E402

from qgen_core.remote import service as calling  # noqa: E402
from qgen_qbraid.backend import QbraidBackend  # noqa: E402


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    server = Service()
    monkeypatch.setenv("QBRAID_API_URL", server.url)
    monkeypatch.setenv("QBRAID_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # A key that is stored on this machine comes before that of the environment.
    monkeypatch.setattr(qbraid_core.sessions, "load_config", configparser.ConfigParser)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ScriptedTime:
    time = ScriptedTime()
    monkeypatch.setattr(calling, "time", time)
    return time


@pytest.fixture
def make(service: Service, clock: ScriptedTime, tmp_path: Path):
    """A new backend over the same service and folder of job ids, as in a new process."""

    def new(**options: Any) -> QbraidBackend:
        always = {"device": DEVICE, "jobs": str(tmp_path / "jobs"), "deadline": 600.0}
        return QbraidBackend(**{**always, **options})

    return new
