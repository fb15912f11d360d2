"""The package from outside: its README, a missing SDK, and commands that must cost nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from qbraid_service import DEVICE, Service

from qgen_core.cli import main

RECIPE = f"""
seed = 3
[dataset]
name = "saved-events"
path = "events.h5"
columns = ["a", "b"]
[encoder]
name = "binarise"
[backend]
name = "qbraid"
device = "{DEVICE}"
[generator]
name = "qcbm"
ansatz = {{ name = "brick", layers = 1 }}
shots = 100
[loss]
name = "js"
[trainer]
name = "spsa"
steps = 2
"""
LOADS = """
import sys
for name in ("qbraid", "qbraid_core"):
    sys.modules[name] = None
import importlib.metadata as metadata
(entry,) = metadata.distribution("qgen-qbraid").entry_points.select(group="qgen.backends")
backend = entry.load()(device="any")
try:
    backend.missing_account()
except Exception as error:
    print(entry.name, error, error.exit_code)
"""


def test_the_readme_works() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})


def test_the_sdk_is_named_where_it_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("qbraid ")
    assert "backend 'qbraid' needs the package qbraid; `pip install qbraid`" in done.stdout
    assert done.stdout.strip().endswith("4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe and its events, where commands are run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    bits = np.random.default_rng(1).choice([0.0, 1.0], p=[0.8, 0.2], size=(400, 2))
    with h5py.File(tmp_path / "events.h5", "w") as file:
        file["a"] = bits[:, 0]
        file["b"] = bits[:, 1]
    return tmp_path


def ended(*words: str) -> int:
    """The exit code of a command."""
    try:
        return int(main(list(words)) or 0)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "recipe.toml"),
        ("estimate", "recipe.toml"),
        ("info", "backend", "qbraid"),
    ],
)
def test_commands_that_ask_nobody(
    service: Service, folder: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words) == 0, capsys.readouterr()
    assert not service.calls, "neither the service nor the account is asked"


def test_doctor_asks_nobody(service: Service, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qgen_core", "doctor", "--json"],
        env={**os.environ, "QGEN_PLUGINS": "qgen-qbraid"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "an account is stored; not run" in done.stdout, done.stderr
    assert not service.calls


def test_a_training_pays_for_no_circuit_twice(service: Service, folder: Path) -> None:
    """The queue is longer than the deadline at first; the run continues where it stopped."""
    train = ("train", "recipe.toml", "--run", "run", "--set", "backend.deadline=0.0")
    states = ["COMPLETED", "COMPLETED", "QUEUED", "COMPLETED", "QUEUED"]
    service.script = {"job": [with_state(state) for state in states]}
    assert ended(*train) == 75
    assert ended(*train, "--resume") == 75
    assert ended(*train, "--resume") == 0
    paid = service.submitted
    programs = [(job["program"]["data"], job["tags"]["qgen"]) for job in service.jobs.values()]
    assert len(set(programs)) == paid > 4
    assert ended("train", "recipe.toml", "--run", "again") == 0
    assert service.submitted == paid, "the same recipe and seed find the same jobs"


def with_state(state: str) -> Any:
    return lambda job: {**job, "status": state}
