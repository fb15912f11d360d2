"""``qgen doctor``: what works, what does not and why, whatever the packages do to their process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import doctor_shelf
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import cli
from qgen_core.discovery import registry
from qgen_core.discovery.contract import CONTRACT
from qgen_core.discovery.install_hints import source_of
from qgen_core.doctor import benchmark, probe
from qgen_core.doctor import checkup as doctor
from qgen_core.doctor.checkup import Checkup, Finding
from qgen_core.doctor.child_process import ChildLost, ChildProcess
from qgen_core.errors import BrokenPlugin

BROKEN_BACKENDS = ("raises", "lacks", "crashes", "reversed", "slopes", "newer")
CHECK = """
import json, sys
from qgen_core.doctor import checkup as doctor
checkup = doctor.check()
modules = sorted({name.partition('.')[0] for name in sys.modules})
print(json.dumps([checkup.data(), doctor.as_text(checkup), modules]))
"""


def environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "QGEN_PLUGINS": ",".join(doctor_shelf.PACKAGES)}


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("shelf")
    doctor_shelf.install(folder, *doctor_shelf.PACKAGES)
    done = python(folder, "-c", CHECK)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def findings(looked: Any) -> dict[str, dict[str, Any]]:
    return {f"{found['kind']} {found['name']}": found for found in looked[0]["findings"]}


def test_everything_of_the_core_works(findings: dict[str, dict[str, Any]]) -> None:
    core = [found for found in findings.values() if found["distribution"] == "qgen-core"]
    assert {found["state"] for found in core} == {"works"}
    installed = {f"{kind} {name}" for kind in registry.KINDS for name in registry.names(kind)}
    assert {f"{f['kind']} {f['name']}" for f in core} <= installed and len(core) > 40
    assert (
        findings["backend statevector"]["gradients"] == "adjoint"
        and not findings["backend statevector"]["wraps"]
    )
    assert findings["backend density"]["noise"] and findings["backend zero-noise"]["wraps"]


@pytest.mark.parametrize(
    ("name", "state", "why", "mend"),
    [
        ("fine", "works", "", ""),
        (
            "raises",
            "broken",
            "RuntimeError: made for another numpy",
            "pip install --force-reinstall qgen-raises",
        ),
        ("lacks", "broken", "needs the package no-such-sdk>=3", "pip install no-such-sdk>=3"),
        (
            "crashes",
            "broken",
            "its process died (SIGABRT): bus error ahead",
            "--force-reinstall qgen-crashes",
        ),
        (
            "reversed",
            "broken",
            "ran a Bell pair and was wrong by 0.4",
            "--force-reinstall qgen-reversed",
        ),
        (
            "slopes",
            "broken",
            "ran the gradient of a Bell pair and was wrong by",
            "--force-reinstall qgen-slopes",
        ),
        (
            "newer",
            "broken",
            "is written for contract 99, newer than contract",
            "pip install --upgrade qgen-core",
        ),
        ("far", "remote", "no account of the vendor is saved", ""),
        ("asks", "needs options", "it has no default for device", ""),
    ],
)
def test_each_backend_is_tried_and_the_right_one_blamed(
    findings: dict[str, dict[str, Any]], name: str, state: str, why: str, mend: str
) -> None:
    found = findings[f"backend {name}"]
    assert found["state"] == state and why in found["why"] and mend in found["mend"]
    assert bool(found["why"]) == (state != "works") and bool(found["mend"]) == (state == "broken")


def test_what_comes_behind_a_crash_is_still_looked_at(findings: dict[str, dict[str, Any]]) -> None:
    assert "SIGABRT" in findings["loss crashing-loss"]["why"]
    assert "ZeroDivisionError" in findings["hook hooked"]["why"]


def test_the_looking_process_imports_nothing_of_what_it_looks_at(looked: Any) -> None:
    modules = set(looked[2])
    assert not modules & {
        name.replace("-", "_") for name in doctor_shelf.PACKAGES if name != "qgen-hooked"
    }
    assert not modules & {"torch", "pennylane", "qiskit", "cirq", "numba", "matplotlib"}


def test_the_text_says_all_of_it(looked: Any) -> None:
    data, text, _ = looked
    assert set(data["broken"]) == {
        *(f"backend {name}" for name in BROKEN_BACKENDS),
        "loss crashing-loss",
        "hook hooked",
    }
    for piece in (
        "backend lacks: backend 'lacks' needs the package",
        "try: pip install no-such-sdk>=3",
        "no account of the vendor is saved",
        "numpy " + np.__version__,
        f"qgen-core {qgen.__version__} (contract {CONTRACT}) with ",
        "qgen-newer 0.1.0 (contract 99)",
        "qgen-fine 0.1.0 (contract none declared)",
    ):
        assert piece in text
    for package in data["not_installed"]:
        assert f"{package} is not installed; {source_of(package)} provides" in text
    compiled = data["system"]["compiled_code"]
    assert compiled["folders"] and compiled["state"] in text and data["system"]["cores"] >= 1
    assert data["packages"]["qgen-core"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("source", "limit", "why"),
    [
        ("import time\ntime.sleep(3600)\n", 0.5, "stopped after 0.5 s without an answer"),
        ("import os\nos._exit(0)\n", 60.0, "its process died (exit code 0): hello"),
    ],
    ids=["hangs", "exits"],
)
def test_an_import_that_does_not_return_is_tried_once(
    source: str,
    limit: float,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "qgen_lost.py").write_text(f"print('hello')\n{source}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "IMPORT_TIMEOUT", limit)
    components = []
    for kind in ("backend", "loss", "hook"):
        components.append(doctor.Component(kind, "lost", "qgen-lost", "0.1.0", "qgen_lost"))
    tried = []
    real = doctor._import

    def noted(child: ChildProcess, module: str) -> str:
        tried.append(module)
        return real(child, module)

    monkeypatch.setattr(doctor, "_import", noted)
    found = list(doctor._examine(components))
    assert [(each.kind, each.state) for each in found] == [
        (kind, "broken") for kind in ("backend", "loss", "hook")
    ]
    assert {each.why for each in found} == {f"importing qgen_lost: {why}"}, "as in the first try"
    assert found[0].mend == "pip install --force-reinstall qgen-lost"
    assert tried == ["qgen_lost"] and capfd.readouterr().out == ""


def test_the_command_imports_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*extra: object) -> None:
        raise AssertionError("hooks were imported where the doctor looks for broken ones")

    monkeypatch.setattr(cli, "manager", refuse)
    monkeypatch.setattr(doctor, "check", lambda: Checkup(SYSTEM, {}, [FINE], {}, 1.0))
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor"])
    assert not end.value.code


SYSTEM = {
    "python": "3.11",
    "platform": "linux",
    "cores": 2,
    "memory_free": None,
    "compiled_code": {"state": "none yet"},
}
FINE = Finding("backend", "fine", "qgen-fine", "0.1.0", "works", gradients="adjoint", noise=True)
FAR = Finding("backend", "far", "qgen-far", "0.1.0", "remote", "no account")
BROKEN = Finding("loss", "odd", "qgen-odd", "0.1.0", "broken", "it fell over", "pip install odd")
RIGHT, WRONG = (
    benchmark.Timing("small", "forward", "fine", [0.1], 0.0, agrees) for agrees in (True, False)
)


@pytest.mark.parametrize(
    ("findings", "line", "code", "said"),
    [
        ([FINE, FAR], None, 0, ""),
        ([FINE, FAR], RIGHT, 0, ""),
        ([FINE, BROKEN], None, 4, "installed, but broken: loss odd"),
        ([FINE, BROKEN], WRONG, 4, "installed, but broken: loss odd, backend fine (wrong numbers)"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_codes_and_json(
    findings: list[Finding],
    line: benchmark.Timing | None,
    code: int,
    said: str,
    as_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Any] = []

    def measure(
        names: list[str], *, noise: list[str], remote: list[str], spent: float
    ) -> benchmark.Benchmark:
        assert spent == 7.0
        asked.append((names, noise, remote))
        return benchmark.Benchmark(
            {
                case.name: [line] if line and case.name == line.case else []
                for case in benchmark.CASES
            }
        )

    checkup = Checkup(SYSTEM, {"qgen-core": {"qgen-core": "0.1.0"}}, findings, {}, 7.0)
    monkeypatch.setattr(doctor, "check", lambda: checkup)
    monkeypatch.setattr(benchmark, "measure", measure)
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor", *(["--bench"] if line else []), *(["--json"] if as_json else [])])
    out, err = capsys.readouterr()
    assert (end.value.code or 0) == code and said in err
    assert asked == ([(["fine"], ["fine"], ["far"] if FAR in findings else [])] if line else [])
    if as_json:
        data = json.loads(out)
        assert [f["name"] for f in data["findings"]] == [f.name for f in findings] and (
            "bench" in data
        ) == bool(line)
        assert data["broken"] == (["loss odd"] if code else [])
    else:
        assert ("try: pip install odd" in out) == bool(code) and ("1 row" in out) == bool(line)


def test_a_backend_of_shots_is_judged_by_its_statistics() -> None:
    class Dice(qgen.Simulator):
        capabilities = qgen.Capabilities(exact=False)
        tilt = 0.0

        def exact(self, circuit: Any, angles: Any, measure: Any) -> Any:
            found = qgen.backend("statevector").probabilities(circuit, angles)
            return (1 - self.tilt) * found + self.tilt / found.shape[1]

    probe.check_backend(Dice(), "dice")
    Dice.tilt = 0.2
    with pytest.raises(BrokenPlugin, match="20000 shots of a Bell pair and was wrong"):
        probe.check_backend(Dice(), "dice")


def test_a_child_that_hangs_prints_or_leaves_is_an_answer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with ChildProcess() as child:
        assert child.call("math", "hypot", 3, 4, timeout=30) == 5.0
        assert child.call("builtins", "print", "hello", timeout=30) is None
        with pytest.raises(ChildLost, match=r"stopped after 0\.5 s"):
            child.call("time", "sleep", 60, timeout=0.5)
        assert child.call("math", "hypot", 6, 8, timeout=30) == 10.0, "a new child answers"
        with pytest.raises(ChildLost, match=r"its process died \(exit code 3\)"):
            child.call("os", "_exit", 3, timeout=30)
        with pytest.raises(ChildLost, match="ZeroDivisionError"):
            child.call("operator", "truediv", 1, 0, timeout=30)
    assert capfd.readouterr().out == ""
