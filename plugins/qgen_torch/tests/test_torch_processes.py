"""Two processes under torchrun end where one does; only the first writes the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
import torch_processes

from qgen_core.errors import BadOption
from qgen_core.losses.mean import Mean
from qgen_core.testing.quadratic import Quadratic, events
from qgen_torch.trainer import TorchTrainer

SCRIPT = str(Path(__file__).parent / "torch_processes.py")


def torchrun(folder: Path, steps: int) -> None:
    words = (
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        SCRIPT,
        str(folder),
        str(steps),
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def compare(alone: Path, together: Path, steps: int) -> None:
    """The final state of both processes and the first one's history equal those of one process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch_processes.main(alone, steps)
    torch.set_num_threads(threads)
    expected = np.load(alone / "rank-0.npz")
    for rank in range(2):
        found = np.load(together / f"rank-{rank}.npz")
        for name in expected:
            if rank == 0 or not name.endswith("-losses"):
                assert np.array_equal(found[name], expected[name]), (name, rank)
    for case in torch_processes.CASES:
        texts = [(folder / case / "history.jsonl").read_text() for folder in (alone, together)]
        assert texts[0] == texts[1] and len(texts[0].splitlines()) == steps


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    if not torch.distributed.is_gloo_available():
        pytest.skip("needs gloo")
    both = tmp_path / "alone", tmp_path / "together"
    for folder in both:
        folder.mkdir()
    return both


def test_two_processes_are_one(folders: tuple[Path, Path]) -> None:
    torchrun(folders[1], 8)
    compare(*folders, 8)


@pytest.mark.long
def test_two_processes_take_up_what_the_first_wrote(folders: tuple[Path, Path]) -> None:
    torchrun(folders[1], 5)
    torchrun(folders[1], 9)
    compare(*folders, 9)


def test_shares_have_to_fit_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadOption, match="a multiple of 2, not 3"):
        TorchTrainer(shares=3, steps=1).fit(Quadratic(), events(), Mean(), seed=1)
