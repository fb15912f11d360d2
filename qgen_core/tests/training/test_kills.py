"""F1, F2: kill -9 at any step and inside any write; the resumed training is bit-identical."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = ["adam", "adam-batches", "adam-critic", "spsa", "cobyla", "cma", "lcd"]
HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")


def run_kills(case: str, kills: int, steps: int, folder: Path) -> dict:
    if case == "cma" and importlib.util.find_spec("cma") is None:
        pytest.skip("needs the package cma")
    command = [
        sys.executable,
        str(HERE / "training_kills.py"),
        case,
        str(kills),
        str(steps),
        str(folder),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_20_kills_leave_no_trace(case: str, tmp_path: Path) -> None:
    found = run_kills(case, 20, 8, tmp_path)
    assert found["tried"] == 20
    assert found["kinds"] == ["after replace", "before replace", "fsync", "open", "step", "write"]
    assert found["wrong"] == []
