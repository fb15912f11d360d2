"""Two processes under torchrun end where one does; only the first writes the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
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

HERE = Path(__file__).parent
SCRIPT = str(HERE / "torch_processes.py")


def python(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
    )


def torchrun(
    folder: Path, steps: int, *cases: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return python(*launcher, SCRIPT, str(folder), str(steps), *cases, **variables)


def run_alone(folder: Path, steps: int, cases: Iterable[str]) -> None:
    """Train in this process, on one thread as the others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch_processes.main(folder, steps, cases)
    torch.set_num_threads(threads)


def compare(
    alone: Path, together: Path, steps: int, cases: Iterable[str] = torch_processes.CASES
) -> None:
    """The final state of both processes and the first one's history equal those of one process."""
    expected = np.load(alone / "rank-0.npz")
    for rank in range(2):
        found = np.load(together / f"rank-{rank}.npz")
        for name in found:
            assert np.array_equal(found[name], expected[name]), (name, rank)
    for case in cases:
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
    done = torchrun(folders[1], 8)
    assert done.returncode == 0, done.stderr
    run_alone(folders[0], 8, torch_processes.CASES)
    compare(*folders, 8)


@pytest.mark.long
def test_two_processes_take_up_what_the_first_wrote(folders: tuple[Path, Path]) -> None:
    for steps in (5, 9):
        done = torchrun(folders[1], steps)
        assert done.returncode == 0, done.stderr
    run_alone(folders[0], 9, torch_processes.CASES)
    compare(*folders, 9)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
def test_either_of_two_processes_may_be_killed(folders: tuple[Path, Path]) -> None:
    """Both are resumed: chains and running averages are those of an uninterrupted training."""
    alone, together = folders
    done = python(str(HERE / "torch_process_kills.py"), str(together), "6")
    assert done.returncode == 0, done.stderr
    run_alone(alone, 6, ("averages", "chains"))
    lives = json.loads(done.stdout)
    assert len(lives) == 4
    for name, codes in lives.items():
        case, _, rank = name.partition("-")
        assert codes["first"][int(rank)] == -signal.SIGKILL
        assert codes["second"] == [0, 0], done.stderr
        compare(alone, together / name, 6, [case])


@pytest.mark.long
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("case", ["averages", "chains"])
def test_torchrun_may_lose_a_process(case: str, rank: int, folders: tuple[Path, Path]) -> None:
    alone, together = folders
    done = torchrun(together, 8, case, KILL_RANK=str(rank), KILL_STEP="3")
    assert done.returncode != 0
    assert "Signal 9 (SIGKILL)" in done.stderr
    done = torchrun(together, 8, case)
    assert done.returncode == 0, done.stderr
    run_alone(alone, 8, [case])
    compare(alone, together, 8, [case])


def test_shares_have_to_fit_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadOption, match="a multiple of 2, not 3"):
        TorchTrainer(shares=3, steps=1).fit(Quadratic(), events(), Mean(), seed=1)
