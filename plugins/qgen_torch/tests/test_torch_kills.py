"""kill -9 at any step or write of a GAN training: resumed, it is bit-identical, with its critic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")


def run_kills(case: str, kills: int, steps: int, folder: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        str(HERE / "torch_kills.py"),
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
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_5_kills_leave_no_trace(tmp_path: Path) -> None:
    found = run_kills("gan", 5, 5, tmp_path)
    assert found["tried"] == 5
    assert found["wrong"] == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("case", "kills"), [("gan", 200), ("style", 40)]
)  # every restart of style loads its simulator again
def test_many_kills_leave_no_trace(case: str, kills: int, tmp_path: Path) -> None:
    found = run_kills(case, kills, 24, tmp_path)
    assert found["tried"] == kills
    assert found["wrong"] == []
