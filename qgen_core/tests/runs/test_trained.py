"""Trainings from Python: the same recipes and folders as those of the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError, DataError, RecipeError
from qgen_core.runs import run as runs
from qgen_core.runs.progress import counter
from qgen_core.runs.recipes import Recipe

QUIET: dict[str, Any] = {"progress": False}


def correlated(events: int = 600) -> np.ndarray:
    rng = np.random.default_rng(5)
    first = rng.normal(size=events)
    return np.column_stack([100 + 20 * first, first + 0.5 * rng.normal(size=events)])


def test_train_makes_what_the_command_makes(recipe_file: Path, tmp_path: Path) -> None:
    runs.train(Recipe.read(recipe_file), tmp_path / "command")
    made = qgen.train(recipe_file, run=tmp_path / "python", **QUIET)
    for file in ("recipe.toml", "history.jsonl"):
        assert (made.path / file).read_bytes() == (tmp_path / "command" / file).read_bytes()
    expected = runs.Run(tmp_path / "command").generate(50, seed=3)
    assert np.array_equal(made.sample(50, seed=3).x, next(expected).x)
    assert made.history.losses.tolist() == [
        json.loads(line)["loss"] for line in (made.path / "history.jsonl").read_text().splitlines()
    ]


def test_a_recipe_as_tables_and_as_an_object(recipe: Recipe, tmp_path: Path) -> None:
    short = recipe.with_values({"trainer.steps": 2})
    one = qgen.train(short, run=tmp_path / "object", **QUIET)
    other = qgen.train(short.to_dict(), run=tmp_path / "tables", **QUIET)
    assert one.recipe == other.recipe == short
    assert np.array_equal(one.history.losses, other.history.losses)


def test_resume_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    qgen.train(recipe.with_values({"trainer.steps": 3}), run=folder, **QUIET)
    with pytest.raises(RecipeError, match="already holds a run"):
        qgen.train(recipe, run=folder, **QUIET)
    resumed = qgen.train(recipe, run=folder, resume=True, **QUIET)
    whole = qgen.train(recipe, run=tmp_path / "whole", **QUIET)
    assert np.array_equal(resumed.history.losses, whole.history.losses)


def test_folders_of_their_own_by_default(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short = recipe.with_values({"trainer.steps": 1})
    folders = [qgen.train(short, **QUIET).path.as_posix() for _ in range(3)]
    assert folders == ["runs/qcbm", "runs/qcbm-2", "runs/qcbm-3"]


def test_fit_keeps_the_data_and_a_recipe_that_reads_them(tmp_path: Path) -> None:
    x = correlated()
    run = qgen.fit(x, bits=3, steps=30, seed=4, run=tmp_path / "run", **QUIET)
    assert run.recipe.tables["encoder"] == {"name": "binning", "bits": 3}
    assert run.recipe.tables["trainer"]["steps"] == 30
    assert run.history.losses[-1] < 0.9 * run.history.losses[0]
    again = qgen.train(run.recipe, run=tmp_path / "again", **QUIET)
    assert np.array_equal(again.history.losses, run.history.losses)
    stored = qgen.build("dataset", run.recipe.tables["dataset"])()
    assert np.array_equal(stored.x, x)
    generated = run.sample(20_000, seed=1)
    assert generated.columns == ("x0", "x1")
    assert np.all(generated.x >= x.min(axis=0)), "in the units of the data"
    assert np.all(generated.x <= x.max(axis=0))


def test_a_run_with_its_data_may_be_moved(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = qgen.fit(correlated(), bits=3, steps=3, seed=4, run=tmp_path / "here", **QUIET)
    expected = made.evaluate().metrics
    there = tmp_path / "elsewhere" / "there"
    there.parent.mkdir()
    made.path.rename(there)
    moved = qgen.load(there)
    assert moved.evaluate().metrics == expected
    assert f"the events are read from {there / 'given.h5'}" in caplog.text
    longer = moved.recipe.with_values({"trainer.steps": 5})
    resumed = qgen.train(longer, run=there, resume=True, **QUIET)
    assert resumed.history.losses.size == 5


def test_a_file_of_the_same_name_is_no_substitute(tmp_path: Path) -> None:
    made = qgen.fit(correlated(), bits=3, steps=3, run=tmp_path / "here", **QUIET)
    other = qgen.fit(correlated() + 1.0, bits=3, steps=3, run=tmp_path / "other", **QUIET)
    (other.path / "given.h5").replace(made.path / "given.h5")
    moved = made.path.rename(tmp_path / "there")
    with pytest.raises(DataError, match="not those of the training"):
        qgen.load(moved).evaluate()
    with pytest.raises(CheckpointError, match="data"):
        qgen.train(made.recipe, run=moved, resume=True, **QUIET)


def test_fit_takes_frames_events_weights_and_conditions(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(correlated(), columns=["pt", "mass"])
    run = qgen.fit(frame, "nade", conditions=["mass"], steps=2, run=tmp_path / "a", **QUIET)
    assert run.sample(4, condition=np.array([[0.3]])).columns == ("pt",)
    assert run.recipe.tables["condition_encoder"] == {"name": "angle"}
    weight = np.linspace(0, 2, 600)
    events = qgen.Events(correlated(), weight=weight, columns=("pt", "mass"), units=("GeV", "1"))
    run = qgen.fit(events, bits=2, steps=2, run=tmp_path / "b", **QUIET)
    stored = qgen.build("dataset", run.recipe.tables["dataset"])()
    assert np.array_equal(stored.weights, weight)
    assert run.sample(3).units == ("GeV", "1")
    with pytest.raises(DataError, match="no column 'eta'"):
        qgen.fit(frame, conditions=["eta"], run=tmp_path / "c")
    with pytest.raises(DataError, match="nothing to generate"):
        qgen.fit(frame, conditions=["pt", "mass"], run=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_fit_says_which_tables_a_generator_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"'gaussian' has no usual encoder and loss and trainer"):
        qgen.fit(correlated(), "gaussian", run=tmp_path / "run")
    assert not (tmp_path / "run").exists(), "nothing is written"
    tables: dict[str, Any] = {
        "encoder": "standard",
        "loss": "js",
        "trainer": {"name": "adam", "steps": 1},
    }
    with pytest.raises(qgen.QgenError):  # a Gaussian offers no probabilities
        qgen.fit(correlated(), "gaussian", run=tmp_path / "run", **tables)


def test_evaluations_and_comparisons_for_people(recipe: Recipe, tmp_path: Path) -> None:
    made = []
    for seed in (1, 2):
        changed = recipe.with_values({"trainer.steps": 2, "seed": seed})
        run = qgen.train(changed, run=tmp_path / f"run{seed}", **QUIET)
        with pytest.raises(DataError, match="call evaluate"):
            run.plot.joint()
        found = run.evaluate()
        assert found.metrics == json.loads((run.path / "evaluation.json").read_text())["metrics"]
        assert len(repr(found).splitlines()) == 1
        assert found._repr_html_().count("<tr>") == len(found.metrics) + 1
        assert run.report().name == "report.html"
        made.append(qgen.load(run.path))
    compared = qgen.compare([made[0], made[1].path])
    assert compared["names"] == ["run1", "run2"]
    assert "recipes differ in seed" in repr(compared)
    assert "run2" in str(compared)
    with pytest.raises(DataError, match="no joint distribution of"):
        made[0].plot.joint("a", "z")


def test_figures_come_from_plugins(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = qgen.train(recipe.with_values({"trainer.steps": 2}), run=tmp_path / "run", **QUIET)
    asked = []

    def run_figures(name: str, material: Any) -> list[list[str]]:
        asked.append(name)
        return [["a figure"]] if name == "circuit" else [[]]

    monkeypatch.setattr(
        "qgen_core.discovery.drawing.manager", lambda: SimpleNamespace(run_figures=run_figures)
    )
    assert run.plot.circuit() == "a figure"
    with pytest.raises(BrokenPlugin, match="no installed plugin draws the figure 'training'"):
        run.plot.training()
    assert asked == ["circuit", "training"]


def test_events_as_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    events = qgen.Events(
        np.array([[1.0], [2.0]]),
        np.array([[5.0], [6.0]]),
        np.array([1.0, 3.0]),
        columns=("pt",),
        units=("GeV",),
        condition_columns=("ht",),
    )
    expected = pandas.DataFrame({"pt": [1.0, 2.0], "ht": [5.0, 6.0], "weight": [1.0, 3.0]})
    assert events.to_frame().equals(expected)
    assert events.to_frame().attrs == {"units": {"pt": "GeV"}}


def test_progress_in_a_notebook_moves_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, picture: str) -> None:
            shown.append(picture)

    def display(picture: str, display_id: bool) -> Handle:
        shown.append(picture)
        return Handle()

    module = SimpleNamespace(HTML=str, display=display)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    with counter(10, "a < b") as advance:
        for done in range(1, 11):
            advance(done, "note")
    assert '<progress value="0" max="10">' in shown[0]
    assert "a &lt; b: 10 of 10 note" in shown[-1]
    assert len(shown) < 5, "a fast loop does not flood the notebook"
