"""Trackers follow a training; one that fails is left out, and the training goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import qgen_core as qgen
from qgen_core.cli import main
from qgen_core.errors import BadOption, Interrupted, QgenError, UnknownName
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.tracking import Ending, Followed, Record, Tracker


class Noted(Tracker):
    """Notes its calls; fails where it is told to."""

    def __init__(self, *, fail_in: str = "", at: int = 0) -> None:
        self.fail_in = fail_in
        self.at = at
        self.calls: list[Any] = []
        made.append(self)

    def begin(self, run: Followed, records: Sequence[Record]) -> None:
        self.calls.append((run.name, run.data, [record["step"] for record in records]))
        self._fail("begin", 0)

    def record(self, record: Record) -> None:
        self.calls.append(record["step"])
        self._fail("record", record["step"])

    def end(self, ending: Ending) -> None:
        self.calls.append((ending.how, ending.reason))
        self._fail("end", 0)

    def _fail(self, where: str, step: int) -> None:
        if where == self.fail_in and step == self.at:
            raise OSError("no space left on device")


#: The trackers of a test in the order in which they were built.
made: list[Noted] = []
BEGIN = ("run", "toy (stand-in)", [])
END = ("finished", "all 3 steps done")


@pytest.fixture(autouse=True)
def _tracker_offered() -> None:
    made.clear()
    qgen.register("tracker", "noted", Noted)


def train(recipe: Recipe, folder: Path, log: Any, **more: Any) -> qgen.TrainedRun:
    more = {"run": folder / "run", "progress": False, "log": log, **more}
    return qgen.train(recipe.changed(["trainer.steps=3"]), **more)


@pytest.mark.parametrize(
    "log", ["noted", {"name": "noted", "at": 5}, Noted(), ["noted"], [Noted()]], ids=str
)
def test_a_tracker_sees_all_steps(recipe: Recipe, log: Any, tmp_path: Path) -> None:
    train(recipe, tmp_path, log)
    tracker = log[0] if isinstance(log, list) else log
    if not isinstance(tracker, Noted):
        (tracker,) = made
    assert tracker.calls == [BEGIN, 0, 1, 2, END]


def test_several_trackers_and_options(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path, [{"name": "noted", "at": 4}, "noted"])
    assert [tracker.at for tracker in made] == [4, 0]
    assert made[0].calls == made[1].calls == [BEGIN, 0, 1, 2, END]


def test_a_training_that_goes_on_hands_over_what_is_done(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path, "noted")
    longer = recipe.changed(["trainer.steps=5"])
    qgen.train(longer, run=tmp_path / "run", resume=True, progress=False, log="noted")
    assert made[1].calls[0] == ("run", "toy (stand-in)", [0, 1, 2])
    assert made[1].calls[1:] == [3, 4, ("finished", "all 5 steps done")]


@pytest.mark.parametrize(
    ("where", "at", "calls"),
    [
        ("begin", 0, [BEGIN]),
        ("record", 1, [BEGIN, 0, 1]),
        ("end", 0, [BEGIN, 0, 1, 2, END]),
    ],
)
def test_a_tracker_that_fails_stops_nothing(
    recipe: Recipe,
    where: str,
    at: int,
    calls: list[Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = {"name": "noted", "fail_in": where, "at": at}
    with caplog.at_level(logging.WARNING, logger="qgen"):
        run = train(recipe, tmp_path, [failing, "noted"])
    assert len(run.history.records) == 3
    assert made[0].calls == calls, "it is not called again"
    assert made[1].calls == [BEGIN, 0, 1, 2, END], "others go on"
    told = [one.getMessage() for one in caplog.records if "tracker" in one.getMessage()]
    assert told == [
        "tracker 'noted' failed, and the training goes on without it: "
        "OSError: no space left on device"
    ]


@pytest.mark.parametrize(
    ("error", "how"), [(Interrupted("by hand"), "interrupted"), (ArithmeticError("x"), "failed")]
)
def test_a_training_that_breaks_off_ends_its_trackers(
    recipe: Recipe, error: Exception, how: str, tmp_path: Path
) -> None:
    class Breaking:
        @qgen.hookimpl
        def on_step(self, record: Record) -> None:
            raise error

    with pytest.raises(type(error)):
        train(recipe, tmp_path, "noted", hooks=[Breaking()])
    assert made[0].calls[-1][0] == how
    assert sum(isinstance(call, tuple) for call in made[0].calls) == 2, "ended once"


def test_what_cannot_follow_is_refused_before_the_training(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no tracker 'nobody'"):
        train(recipe, tmp_path, "nobody")
    with pytest.raises(BadOption, match="'rate'"):
        train(recipe, tmp_path, {"name": "noted", "rate": 3})
    qgen.register("tracker", "no-tracker", dict)
    with pytest.raises(QgenError, match="tracker"):
        train(recipe, tmp_path, "no-tracker")
    assert not (tmp_path / "run").exists()


def test_only_the_first_process_is_followed(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qgen_core.runs.tracking.first_process", lambda: False)
    train(recipe, tmp_path, "noted")
    assert made == []


def test_trackers_on_the_command_line(recipe_file: Path, tmp_path: Path) -> None:
    def run(*options: str) -> int:
        with pytest.raises(SystemExit) as ended:
            folder = str(tmp_path / "run")
            main(["train", str(recipe_file), "--run", folder, "--set", "trainer.steps=3", *options])
        return int(ended.value.code or 0)

    assert run("--log", "nobody") == 4
    assert run("--log", "noted=3") == 2
    assert run("--log", "noted", "--log", "noted.at=7") == 0
    (tracker,) = made
    assert tracker.at == 7
    assert tracker.calls == [BEGIN, 0, 1, 2, END]
