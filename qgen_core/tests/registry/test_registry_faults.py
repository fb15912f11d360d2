"""Code of packages that fails, hangs or prints: the package is named, stdout keeps our results."""

from __future__ import annotations

import builtins
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import cli
from qgen_core.discovery import entry_points
from qgen_core.errors import BrokenPlugin, DataError

SOURCE = """
import signal
import qgen_core as qgen
from qgen_core.errors import DataError
def number(reference, generated): return 0.5
def words(reference, generated): return {"distance": "far"}
def fails(reference, generated): raise KeyError("pt")
def refuses(reference, generated): raise DataError("too few events")
def fine(reference, generated): return {"a": 1, "b": qgen.interfaces.Estimate(2.0)}
def gates(wires): return [wires]
def exits(): raise SystemExit("no licence")
def stopped(): signal.raise_signal(signal.SIGTERM)
class File:
    @staticmethod
    def generate(events, seed, progress): return {}["seed"]
"""
POINTS = """
[qgen.metrics]
number = qgen_odd:number
words = qgen_odd:words
fails = qgen_odd:fails
refuses = qgen_odd:refuses
fine = qgen_odd:fine
[qgen.ansatze]
gates = qgen_odd:gates
[qgen.datasets]
exits = qgen_odd:exits
stopped = qgen_odd:stopped
file = qgen_odd:File
"""
EVENTS = qgen.Events(np.zeros((3, 1)))


@pytest.fixture
def odd(only_shelf: Any) -> Any:
    only_shelf.install("qgen-odd", SOURCE, POINTS)
    return only_shelf


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "said"),
    [
        ("metric", "number", (EVENTS, EVENTS), "returned a float instead of a Mapping"),
        (
            "metric",
            "words",
            (EVENTS, EVENTS),
            "returned 'far' for 'distance' instead of a number or an Estimate",
        ),
        ("metric", "fails", (EVENTS, EVENTS), "failed when it was called: KeyError: 'pt'"),
        ("ansatz", "gates", (2,), "returned a list instead of a Circuit"),
        ("dataset", "exits", (), "failed when it was called: SystemExit: no licence"),
    ],
)
def test_a_function_that_fails_names_its_package(
    odd: Any, kind: str, name: str, arguments: tuple[Any, ...], said: str
) -> None:
    function = qgen.build(kind, name)
    with pytest.raises(BrokenPlugin) as caught:
        function(*arguments)
    assert str(caught.value) == (
        f"BrokenPlugin: {kind} {name!r} comes from qgen-odd 0.1.0, and {said}"
    )


def test_what_is_right_passes(odd: Any) -> None:
    assert qgen.metric("fine")(EVENTS, EVENTS)["a"] == 1
    with pytest.raises(DataError, match="too few events"):
        qgen.metric("refuses")(EVENTS, EVENTS)
    qgen.register("metric", "mine", lambda reference, generated: 3)
    with pytest.raises(BrokenPlugin, match="comes from this process, and returned a int"):
        qgen.metric("mine")(EVENTS, EVENTS)


def ends(arguments: list[str]) -> Any:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    return end.value.code


def test_the_command_line_names_the_package_of_any_exception(
    odd: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(["data", "file", "--events", "5"]) == 4
    said = capsys.readouterr().err
    assert "BrokenPlugin: qgen-odd 0.1.0 failed in qgen_odd, line 15: KeyError: 'seed'" in said


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_command_as_promised(
    odd: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    number = signal.Signals[name]
    before = signal.getsignal(number)
    sent = lambda: signal.raise_signal(number)  # noqa: E731
    qgen.register("dataset", "signalled", sent)
    assert ends(["data", "signalled"]) == 75
    assert f"Interrupted: stopped by {name}; " in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_a_slow_import_is_named_and_goes_on(
    only_shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = threading.Event()
    messages = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())
            said.set()

    listener = Listener()
    monkeypatch.setattr(builtins, "wait_until_said", lambda: said.wait(60), raising=False)
    monkeypatch.setattr(entry_points, "PATIENCE", 0.01)
    only_shelf.install(
        "qgen-slow",
        f"assert wait_until_said()\n{SOURCE}",
        "[qgen.metrics]\nslow = qgen_slow:fine\n",
    )
    entry_points.log.addHandler(listener)
    try:
        assert qgen.metric("slow")(EVENTS, EVENTS)["a"] == 1
    finally:
        entry_points.log.removeHandler(listener)
    assert messages == [
        "waiting for metric 'slow' of qgen-slow 0.1.0 to be imported (0.01 s so far); Ctrl-C stops"
    ]


@pytest.mark.parametrize("where", ["import", "factory"])
def test_ctrl_c_names_what_was_waited_for(
    only_shelf: Any, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = "raise KeyboardInterrupt\n"
    if where == "factory":
        source = (
            "import qgen_core as qgen\nclass Part(qgen.Trainer):\n"
            "    def __init__(self): raise KeyboardInterrupt\n"
            "    def step(self, problem): return 0.0\n"
        )
    only_shelf.install("qgen-stuck", source, "[qgen.trainers]\nstuck = qgen_stuck:Part\n")
    with pytest.raises(KeyboardInterrupt):
        qgen.trainer("stuck")
    assert "stopped while waiting for trainer 'stuck' of qgen-stuck" in caplog.messages[0]


PRINTS = """
import os
print("a banner")
os.write(1, b"of compiled code\\n")
def prints(reference, generated):
    'A metric.'
"""


def test_stdout_holds_results_only(shelf: Any) -> None:
    shelf.install("qgen-prints", PRINTS, "[qgen.metrics]\nprints = qgen_prints:prints\n")
    path = os.pathsep.join([str(shelf.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "qgen_core.cli", "info", "metric", "prints", "--json"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["doc"] == "A metric."
    assert "a banner" in done.stderr and "of compiled code" in done.stderr


EARLY = """
import signal, sys
import qgen_start

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "qgen_core":
            signal.raise_signal(signal.Signals[sys.argv[1]])
            raise SystemExit(9)

if sys.argv[2] == "ignored":
    signal.signal(signal.Signals[sys.argv[1]], signal.SIG_IGN)
sys.meta_path.insert(0, Slow())
qgen_start.main()
"""


@pytest.mark.parametrize(
    ("name", "before", "code"),
    [("SIGTERM", "default", 75), ("SIGHUP", "default", 75), ("SIGHUP", "ignored", 9)],
)
def test_a_signal_during_the_imports_ends_as_promised(name: str, before: str, code: int) -> None:
    source = Path(cli.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-S", "-c", EARLY, name, before],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert (f"Interrupted: stopped by {name}" in done.stderr) == (code == 75)
