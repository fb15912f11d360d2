"""Studies on Dask equal serial ones while workers and drivers are killed; skew is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numberstudy
import pytest

from qgen_core.errors import BadOption, BrokenPlugin, Interrupted, RemoteError, ResourceRefused
from qgen_core.studies import package_versions
from qgen_dask.executor import DaskExecutor, _Running
from qgen_dask.preflight import check, refuse_skew

DRIVE = """
import json, sys
from pathlib import Path
from qgen_core import studies
from qgen_core.errors import QgenError

if __name__ == "__main__":
    ref, folder, executor = json.loads(sys.argv[1])
    try:
        studies.reproduce(ref, Path(folder), executor=executor)
    except QgenError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""
CLUSTER = """
import sys, time
from distributed import LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""
LOCAL = {"name": "dask", "workers": 2}


@pytest.fixture
def path(tmp_path: Path) -> dict[str, str]:
    """The environment of processes that find the study."""
    return environment(numberstudy.install(tmp_path / "shelf"))


def environment(shelf: Path) -> dict[str, str]:
    parts = [str(shelf), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(parts), "OMP_NUM_THREADS": "1"}


def start(
    ref: dict[str, Any], folder: Path, executor: Any, path: dict[str, str]
) -> subprocess.Popen[str]:
    script = folder.parent / "drive.py"
    script.write_text(DRIVE, encoding="utf-8")
    command = [sys.executable, str(script), json.dumps([ref, str(folder), executor])]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=path
    )


def finish(
    ref: dict[str, Any], folder: Path, executor: Any, path: dict[str, str], code: int = 0
) -> str:
    """Run a study to its end and return what it says."""
    process = start(ref, folder, executor, path)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == code, said
    return said


def table(folder: Path) -> Any:
    """The tables and the values of all cells, but for times."""
    data = json.loads((folder / "result" / "results.json").read_text(encoding="utf-8"))
    return data["tables"], [(cell["key"], cell["value"]) for cell in data["cells"]]


def workers(pid: int) -> list[int]:
    """The processes of a driver that run cells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == pid and state != "Z" and b"dask_worker" in command:
            found.append(int(stat.parent.name))
    return found


def done(folder: Path) -> int:
    return len(list(folder.glob("cells/*.json")))


def check_kills(
    tmp_path: Path, path: dict[str, str], count: int, wait: float, every: int, drivers: int
) -> list[int]:
    """Kill a worker after every few cells, and drivers; how often each was killed.

    Kills follow results and not the clock, so that the study gets on however slowly workers start.
    """
    ref = {"name": "numbers", "count": count, "wait": wait}
    killed = tmp_path / "killed"
    chance = random.Random(3)
    kills = [0, 0]
    due = 1
    while True:
        process = start(ref, killed, LOCAL, path)
        at = (kills[1] + 1) * count // (drivers + 1)
        while process.poll() is None:
            time.sleep(0.05)
            there = workers(process.pid)
            if kills[1] < drivers and done(killed) >= at:
                process.kill()
                process.wait()
                kills[1] += 1
            elif there and due <= done(killed) < count:
                os.kill(chance.choice(there), signal.SIGKILL)
                kills[0] += 1
                due = done(killed) + every
        said = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
    finish(ref, tmp_path / "serial", "serial", path)
    assert done(killed) == count
    assert table(killed) == table(tmp_path / "serial")
    return kills


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="workers to kill are found in /proc"
)


@needs_proc
def test_killed_workers_and_drivers_change_nothing(tmp_path: Path, path: dict[str, str]) -> None:
    of_workers, of_drivers = check_kills(tmp_path, path, count=12, wait=0.1, every=6, drivers=1)
    assert of_workers >= 1 and of_drivers == 1


@needs_proc
@pytest.mark.long
def test_300_cells_under_kills_equal_serial(tmp_path: Path, path: dict[str, str]) -> None:
    of_workers, of_drivers = check_kills(tmp_path, path, count=300, wait=0.2, every=15, drivers=3)
    print(f"{of_workers} workers and {of_drivers} drivers killed")
    assert of_workers >= 10 and of_drivers == 3


@pytest.mark.long
def test_two_workers_are_faster_than_one_process(tmp_path: Path, path: dict[str, str]) -> None:
    """Cells of 1 s of processor time, from the first result to the last: without the start."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two workers need two processors")
    ref = {"name": "numbers", "count": 40, "work": 1.0}
    spans = []
    for name, executor in (("serial", "serial"), ("dask", LOCAL)):
        began = time.monotonic()
        finish(ref, tmp_path / name, executor, path)
        whole = time.monotonic() - began
        times = sorted(file.stat().st_mtime for file in (tmp_path / name).glob("cells/*.json"))
        spans.append(times[-1] - times[0])
        print(f"{name}: {spans[-1]:.1f} s between results, {whole:.1f} s in all")
    assert spans[0] > 1.6 * spans[1]


@needs_proc
@pytest.mark.long
def test_the_noise_scan_of_the_page_loses_nothing_with_a_worker(tmp_path: Path) -> None:
    """The commands of docs/farms.md: a worker is killed while two of them train under noise."""
    study = Path(__file__).parents[3] / "recipes" / "studies" / "qag-noise-quick.toml"
    command = [sys.executable, "-m", "qgen_core", "scan", str(study), "--run"]
    on_dask = [*command, str(tmp_path / "dask"), "--executor", "dask", "--workers", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(on_dask, stderr=subprocess.PIPE, text=True, env=environment)
    killed = 0
    while process.poll() is None:
        time.sleep(0.05)
        there = workers(process.pid)
        if there and not killed and done(tmp_path / "dask") >= 1:
            os.kill(there[0], signal.SIGKILL)
            killed += 1
    assert process.stderr is not None
    assert process.returncode == 0, process.stderr.read()
    process.stderr.close()
    assert killed == 1
    subprocess.run([*command, str(tmp_path / "serial")], check=True, env=environment)
    assert done(tmp_path / "dask") == done(tmp_path / "serial") > 4
    assert table(tmp_path / "dask") == table(tmp_path / "serial")


@pytest.mark.parametrize("error", [OSError("stream closed"), TimeoutError()])
def test_a_worker_that_dies_while_it_is_asked_is_no_skew(error: Exception) -> None:
    class Asked:
        def run(self, function: Any, on_error: str) -> dict[str, Any]:
            return {"tcp://192.0.2.7:1": error, "tcp://192.0.2.8:1": package_versions()}

    check(Asked())
    error = ImportError("no qgen")
    with pytest.raises(BrokenPlugin, match="no qgen"):
        check(Asked())


def test_a_cell_that_kills_its_workers_fails_and_no_other(
    tmp_path: Path, path: dict[str, str]
) -> None:
    ref = {"name": "numbers", "count": 4, "deadly": [2]}
    said = finish(ref, tmp_path / "run", LOCAL, path, ResourceRefused.exit_code)
    assert "1 of 4 cells failed, the first: 3 workers died on this cell" in said
    assert "(seed = 2)" in said.splitlines()[-1]
    assert done(tmp_path / "run") == 3


class EndedTask:
    """A client and the future of its only task, which has ended, and the workers."""

    def __init__(self, status: str, result: Callable[[int], str]) -> None:
        self.status = status
        self.looks = 0
        self._result = result

    def submit(self, *arguments: Any, **options: Any) -> EndedTask:
        return self

    def add_done_callback(self, callback: Callable[[EndedTask], None]) -> None:
        callback(self)

    def cancelled(self) -> bool:
        return False

    def result(self, timeout: float) -> str:
        return self._result(self.looks)

    def look(self) -> None:
        self.looks += 1


def test_workers_are_started_while_an_answer_that_died_with_its_worker_is_found_again() -> None:
    def result(looks: int) -> str:
        if looks < 3:
            raise TimeoutError
        return "answer"

    task = EndedTask("finished", result)
    running = _Running(task, str, ["task"])
    running.submit(0)
    assert running.next(task) == (0, "answer")


def test_a_task_may_raise_a_timeout_of_its_own() -> None:
    def result(looks: int) -> str:
        raise TimeoutError("a disk did not answer")

    task = EndedTask("error", result)
    running = _Running(task, str, ["task"])
    running.submit(0)
    with pytest.raises(RemoteError, match="a disk did not answer"):
        running.next(task)


def test_after_ctrl_c_trainings_are_told_to_save(tmp_path: Path, path: dict[str, str]) -> None:
    ref = {"name": "numbers", "count": 3, "patient": True}
    process = start(ref, tmp_path / "run", LOCAL, path)
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("run/cells/*/started"))) < 2:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == Interrupted.exit_code, said
    assert "stopped with 0 of 3 cells done" in said and "Traceback" not in said
    saved = [file.read_text() for file in tmp_path.glob("run/cells/*/saved")]
    assert saved == ["the process that asked for it"] * 2, "the third never began"
    assert len(list(tmp_path.glob("run/cells/*/started"))) == 2


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A cluster whose workers have another version of the study's package."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER, encoding="utf-8")
    shelf = numberstudy.install(tmp_path / "other", "0.2.0")
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(shelf),
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.communicate(timeout=60)


def test_workers_with_other_packages_are_refused(
    tmp_path: Path, path: dict[str, str], address: str
) -> None:
    executor = {"name": "dask", "address": address}
    said = finish({"name": "numbers"}, tmp_path / "run", executor, path, BrokenPlugin.exit_code)
    lines = [line.split() for line in said.splitlines()]
    assert ["package", "here", "there", "hosts"] in lines
    assert ["qgen-numberstudy", "0.1.0", "0.2.0", "127.0.0.1"] in lines
    assert done(tmp_path / "run") == 0
    same = environment(tmp_path / "other")
    finish({"name": "numbers"}, tmp_path / "run", executor, same)
    assert done(tmp_path / "run") == 6


SBATCH = """#!/bin/sh
setsid sh "$1" >/dev/null 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -- -"$1" 2>/dev/null
exit 0
"""


@pytest.mark.long
def test_jobs_of_a_batch_system_run_cells(tmp_path: Path, path: dict[str, str]) -> None:
    """Commands that run the job here stand in for those of SLURM."""
    pytest.importorskip("dask_jobqueue")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    path = path | {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    job = {"memory": "1 GiB", "shared_temp_directory": str(tmp_path)}
    executor = {"name": "dask", "cluster": "slurm", "workers": 2, "job": job}
    ref = {"name": "numbers", "count": 6, "wait": 0.2}
    said = finish(ref, tmp_path / "run", executor, path)
    assert "Traceback" not in said
    finish(ref, tmp_path / "serial", "serial", path)
    assert table(tmp_path / "run") == table(tmp_path / "serial")


def test_a_table_names_packages_and_hosts() -> None:
    here = {"python": "3.12.1", "numpy": "2.4.6", "platform": "linux x86_64"}
    there = {"python": "3.11.9", "numpy": "2.4.6", "platform": "linux aarch64", "qgen-new": "0.1"}
    refuse_skew(here, {"tcp://192.0.2.7:40001": {**here, "platform": "linux aarch64"}})
    with pytest.raises(BrokenPlugin) as caught:
        answers = {
            "tcp://192.0.2.7:1": there,
            "tls://192.0.2.8:1": there,
            "tcp://192.0.2.9:1": here,
        }
        refuse_skew(here, answers)
    rows = [line.split() for line in str(caught.value).splitlines()[1:]]
    assert rows == [
        ["package", "here", "there", "hosts"],
        ["python", "3.12.1", "3.11.9", "192.0.2.7,", "192.0.2.8"],
        ["qgen-new", *["not", "installed"], "0.1", "192.0.2.7,", "192.0.2.8"],
    ]
    with pytest.raises(BrokenPlugin, match="cannot be imported: no qgen"):
        refuse_skew(package_versions(), {"tcp://192.0.2.7:1": ImportError("no qgen")})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": "tcp://192.0.2.7:8786"}, "not encrypted"),
        ({"address": "192.0.2.7:8786"}, "an address of Dask is tls://HOST:PORT"),
        ({"address": "tcp://192.0.2.7"}, "an address of Dask is tls://HOST:PORT"),
        ({"address": "tcp://[::1]:8786", "workers": 2}, "takes no workers"),
        ({"address": "tcp://[::1]:8786", "tls_ca": "ca.pem"}, "are for an address tls"),
        ({"workers": 0}, "at least 1"),
        ({"wait": -1.0}, "above 0"),
        ({"cluster": "pbs"}, "'htcondor'"),
        ({"job": {"queue": "short"}}, "job is for cluster"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], words: str) -> None:
    import qgen_core as qgen

    with pytest.raises(BadOption, match=words):
        qgen.build("executor", {"name": "dask", **options})


def test_addresses_that_are_taken() -> None:
    for address in ("tcp://[::1]:8786", "tls://192.0.2.7:8786"):
        assert DaskExecutor(address=address).farm.address == address
    assert DaskExecutor(address="tcp://192.0.2.7:8786", insecure=True).farm.address


def test_certificates_have_to_be_there(tmp_path: Path) -> None:
    options = {"address": "tls://192.0.2.7:8786", "tls_ca": str(tmp_path / "ca.pem")}
    with pytest.raises(BadOption, match="needs tls_cert and tls_key"):
        list(DaskExecutor(**options)(str.upper, ["a"]))
    options |= {"tls_cert": str(tmp_path / "c.pem"), "tls_key": str(tmp_path / "k.pem")}
    with pytest.raises(BadOption, match="tls_ca is no file"):
        list(DaskExecutor(**options)(str.upper, ["a"]))


def test_no_scheduler_is_a_remote_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qgen_dask.clusters.CONNECT_SECONDS", 0.5)
    script = (
        "import qgen_dask.clusters as c; c.CONNECT_SECONDS = 0.5\n"
        "from qgen_dask.executor import DaskExecutor\n"
        "list(DaskExecutor(address='tcp://[::1]:9')(str.upper, ['a']))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert RemoteError.__name__ in found.stderr and "no scheduler of Dask answers" in found.stderr


def test_readme_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(compile(code, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert said.startswith("local 2") and "not encrypted" in said


def test_listing_imports_no_dask() -> None:
    code = "import sys, qgen_dask.executor; print('distributed' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
