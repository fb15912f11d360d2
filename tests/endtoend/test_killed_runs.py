"""kill -9 of a run, then ``--resume``: state, history and generated events are bit-identical.

The trainers of the core are killed at many more places by the tests of training.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import filter as matching
from pathlib import Path
from typing import Any

import pytest

for package in ("h5py", "torch", "qgen_torch"):
    pytest.importorskip(package)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")

#: Each kind of state, and an array that a checkpoint has to hold of it.
STATES = {
    "chains": "generator/chains",
    "sampler": "sampler/draws",
    "batch-norm": "generator/*.running_mean",
    "critic": "loss/critic/*._u",
    "selection": "fit/best",
    "torch": "trainer/average/mean/*",
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script found, for all cases."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "OMP_NUM_THREADS": "1",
    }
    script = str(Path(__file__).with_name("killed_runs.py"))
    done = subprocess.run(
        [sys.executable, script, str(tmp_path_factory.mktemp("killed")), *STATES],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("state", STATES)
def test_a_killed_run_is_resumed_bit_for_bit(state: str, killed: dict[str, Any]) -> None:
    found = killed[state]
    assert found["killed"]
    assert matching(found["holds"], STATES[state])
    assert matching(found["holds"], "encoder/*")
    assert matching(found["holds"], "events: *")
    assert found["differing"] == []
