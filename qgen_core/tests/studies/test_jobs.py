"""Job arrays: their scripts, run here in place of a batch system, give the results of one run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import toystudy

from qgen_core import cli, studies
from qgen_core.discovery import entry_points as plugins
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, Busy, DataError, Diverged, UnknownName
from qgen_core.runs.lock import RunLock

REF = {"name": "toy", "count": 7, "wait": 0.1}


def values(outcome: studies.Outcome) -> dict[str, Any]:
    return {result.key: result.value for result in outcome.results}


def times(folder: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "cells").glob("*.json")}


def lines_of(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def shares_of(file: Path) -> list[str]:
    """The numbers that a batch system would give to its jobs."""
    if file.suffix == ".sub":
        (queue,) = [line for line in lines_of(file) if line.startswith("queue")]
        name = queue.removeprefix("queue share from ")
        return lines_of(file.parent / name)
    (array,) = [line for line in lines_of(file) if line.startswith("#SBATCH --array")]
    first, last = array.partition("=")[2].split("-")
    return [str(number) for number in range(int(first), int(last) + 1)]


def submit(file: Path, number: str) -> subprocess.Popen[bytes]:
    """Start one job as the batch system would."""
    if file.suffix == ".sub":
        (executable,) = re.findall(r"^executable = (.*)$", file.read_text(), re.MULTILINE)
        return subprocess.Popen([executable, number], stderr=subprocess.PIPE)
    return subprocess.Popen(
        ["bash", str(file)],
        cwd=file.parent,
        env=os.environ | {"SLURM_ARRAY_TASK_ID": number},
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("system", ["htcondor", "slurm"])
def test_jobs_give_the_results_of_one_run(shelf: Path, tmp_path: Path, system: str) -> None:
    folder = tmp_path / "run"
    file, command = studies.emit(REF, folder, system=system, jobs=3)
    assert command == {"htcondor": "condor_submit", "slurm": "sbatch"}[system]
    for script in file.parent.glob("*.sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)
    first, second, third = shares_of(file)
    both = [submit(file, first), submit(file, second)]  # at the same time
    end = time.monotonic() + 60
    while not times(folder):
        assert time.monotonic() < end
        time.sleep(0.02)
    both[0].kill()
    both[0].wait()
    assert both[1].wait() == 0
    before = times(folder)
    again = [submit(file, first), submit(file, third)]
    for job in again:
        assert job.wait() == 0, job.communicate()[1]
    after = times(folder)
    assert {key: after[key] for key in before} == before, "written once"
    assert len(after) == 7
    collected = studies.reproduce(REF, folder)
    assert times(folder) == after
    assert values(collected) == values(studies.reproduce(REF, tmp_path / "serial"))
    for process in (*both, *again):
        process.communicate()


def test_a_job_that_is_told_to_stop_saves_its_training(shelf: Path, tmp_path: Path) -> None:
    ref = {"name": "toy", "what": "trained", "count": 1, "steps": 8000}
    folder = tmp_path / "run"
    file, _ = studies.emit(ref, folder, system="slurm")
    job = submit(file, "1")
    end = time.monotonic() + 60
    while not list(folder.glob("cells/*/checkpoint-a.json")):
        assert time.monotonic() < end
        time.sleep(0.002)
    job.send_signal(signal.SIGTERM)  # as --signal=B:TERM does
    assert job.wait() == 75, job.communicate()[1]
    job.communicate()
    assert studies.run_share(file.parent, 1, 1) == (1, 1)
    whole = studies.reproduce(ref, tmp_path / "whole")
    assert values(studies.reproduce(ref, folder, show=True)) == values(whole)


def test_an_array_has_the_missing_cells_only(shelf: Path, tmp_path: Path) -> None:
    studies.reproduce({**REF, "count": 3}, tmp_path)
    done = set(times(tmp_path))
    first, _ = studies.emit(REF, tmp_path, system="slurm")
    second, _ = studies.emit(REF, tmp_path, system="slurm")
    assert (first.parent.name, second.parent.name) == ("1", "2")
    keys = set(lines_of(first.parent / "cells.txt"))
    assert len(keys) == 4 and not keys & done
    assert {path.stem for path in (first.parent / "cells").iterdir()} == keys
    assert len(shares_of(first)) == 4
    assert studies.run_share(first.parent, 1, 2) == (2, 2)
    assert studies.run_share(first.parent, 1, 2) == (2, 0)
    assert studies.run_share(first.parent, 1, 1) == (4, 2)
    with pytest.raises(BadOption, match="all 7 cells .* have results"):
        studies.emit(REF, tmp_path, system="slurm")


def test_a_search_writes_one_round_after_the_other(tmp_path: Path) -> None:
    registry.register("study", "rounds", Rounds)
    registry.register("dataset", "any", list)
    counts = []
    for _ in range(3):
        file, _ = studies.emit("rounds", tmp_path, system="htcondor")
        counts.append(len(lines_of(file.parent / "cells.txt")))
        studies.run_share(file.parent, 1, 1)
    assert counts == [1, 2, 3]


class Rounds(studies.Study):
    """Three rounds of one, two and three cells."""

    measurements = {"seed": lambda trial: trial.recipe.seed}

    def cells(self, *, quick: bool) -> list[studies.Cell]:
        return [self.cell(0)]

    def more_cells(self, results: studies.Results, *, quick: bool) -> list[studies.Cell]:
        count = len(results)
        if results.missing or count == 6:
            return []
        size = {1: 2, 3: 3}[count]
        return [self.cell(seed) for seed in range(count, count + size)]

    def tables(self, results: studies.Results) -> list[studies.Table]:
        return []

    @staticmethod
    def cell(seed: int) -> studies.Cell:
        names = {"dataset": "any", "encoder": "binning", "generator": "qcbm", "loss": "js"}
        return studies.Cell({**names, "trainer": "adam", "seed": seed}, {"seed": {}})


def test_a_cell_that_fails_is_named_and_costs_no_other(shelf: Path, tmp_path: Path) -> None:
    ref = {"name": "toy", "what": "broken", "how": "diverged", "count": 3}
    file, _ = studies.emit(ref, tmp_path, system="slurm", jobs=1)
    with pytest.raises(Diverged, match=r"1 of 3 cells failed.*seed = 1"):
        studies.run_share(file.parent, 1, 1)
    assert len(times(tmp_path)) == 2


def test_what_is_refused(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no batch system 'pbs'; there are htcondor, slurm"):
        studies.emit(REF, tmp_path, system="pbs")
    for jobs in (0, 1001):
        with pytest.raises(BadOption, match=f"jobs are 1 to 1000, not {jobs}"):
            studies.emit(REF, tmp_path, system="slurm", jobs=jobs)
    with pytest.raises(BadOption, match="path without blanks"):
        studies.emit(REF, tmp_path / "a b", system="slurm")
    file, _ = studies.emit(REF, tmp_path, system="slurm")
    array = file.parent
    for number in (0, 3):
        with pytest.raises(BadOption, match="K from 1 to N"):
            studies.run_share(array, number, 2)
    with pytest.raises(DataError, match="give the folder that --emit has written"):
        studies.run_share(tmp_path, 1, 1)
    damaged = array / "cells" / f"{lines_of(array / 'cells.txt')[0]}.json"
    whole = damaged.read_text()
    damaged.write_text(whole[:-9])
    with pytest.raises(DataError, match="is damaged"):
        studies.run_share(array, 1, 1)
    damaged.write_text(whole.replace('"steps":30', '"steps":31'))
    with pytest.raises(DataError, match="other versions of the packages"):
        studies.run_share(array, 1, 1)
    damaged.write_text(whole)
    for info in shelf.glob("*.dist-info"):
        info.rename(shelf / "old")
    toystudy.install(shelf, "0.2.0")
    for cached in (registry._installed, plugins.all_entries, plugins.packages):
        cached.cache_clear()
    with pytest.raises(DataError, match="other versions of the packages"):
        studies.run_share(array, 1, 1)


def test_a_running_share_keeps_others_away(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = studies.emit(REF, tmp_path, system="slurm")
    monkeypatch.setattr("qgen_core.studies.trial.PATIENCE", 0.0)
    with RunLock(file.parent / "shares" / "1-of-2"):
        with pytest.raises(Busy, match="jobs run cells"):
            studies.reproduce(REF, tmp_path)
        with pytest.raises(Busy):
            studies.run_share(file.parent, 1, 2)
        assert studies.run_share(file.parent, 2, 2) == (3, 3)
        assert studies.reproduce(REF, tmp_path, show=True).done == 3


def test_the_command_line(
    shelf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def qgen(*words: str, code: int = 0) -> str:
        found: Any = 0
        try:
            cli.main(list(words))
        except SystemExit as end:
            found = end.code
        said = "".join(capfd.readouterr())
        assert (found or 0) == code, said
        return said

    study = ["reproduce", "toy", "--run", "run", "--set", "count=3"]
    said = qgen(*study, "--emit", "slurm", "--emit", "jobs=2")
    assert "sbatch array.sh" in said and "1-2" in (tmp_path / "run/jobs/1/array.sh").read_text()
    assert "2 of 2 cells run" in qgen("cells", "run/jobs/1", "--share", "1/2")
    assert "1 of 1 cells run" in qgen("cells", "run/jobs/1", "--share", "2/2")
    assert "3 of 3 cells" in qgen(*study, "--show")
    for wrong in (["slurm", "jobs=two"], ["slurm", "time=3"], ["slurm", "htcondor"]):
        flags = [word for value in wrong for word in ("--emit", value)]
        assert "--emit takes" in qgen(*study, *flags, code=2)
    assert "--share takes K/N" in qgen("cells", "run/jobs/1", "--share", "one", code=2)
    assert "no executor 'dusk'" in qgen(*study, "--executor", "dusk", code=4)
    several = ["--executor", "serial", "--executor", "processes"]
    assert "--executor takes one name" in qgen(*study, *several, code=2)
