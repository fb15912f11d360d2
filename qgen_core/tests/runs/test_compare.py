"""Comparing runs: their metrics side by side and the recipe fields that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from qgen_core.errors import CheckpointError, DataError
from qgen_core.runs import evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.compare import as_text, compare, compared, write_comparison
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.recipes import Recipe


def _trained(recipe: Recipe, folder: Path, *, evaluate: bool = True) -> Path:
    runs.train(recipe, folder)
    if evaluate:
        RunFolder(folder).save_evaluation(evaluation.evaluate(runs.Run(folder)))
    return folder


def test_metrics_stand_side_by_side_and_differences_are_named(
    recipe: Recipe, tmp_path: Path
) -> None:
    a = _trained(recipe.changed(["trainer.steps=3"]), tmp_path / "short")
    b = _trained(recipe, tmp_path / "long")
    result = compare([a, b])
    assert result["names"] == ["short", "long"]
    assert result["differences"] == {"trainer.steps": [3, 40]}
    rows = {row["metric"]: [cell["value"] for cell in row["cells"]] for row in result["metrics"]}
    assert rows["js"][1] < rows["js"][0]
    saved = RunFolder(b).evaluation()
    assert saved is not None
    assert rows["js"][1] == next(r["value"] for r in saved["metrics"] if r["metric"] == "js")
    text = as_text(result)
    assert "trainer.steps" in text and "short" in text and f"{rows['js'][1]:.4g}" in text
    html = write_comparison(result, tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "trainer.steps" in html and f"{rows['js'][0]:.4g}" in html


def test_floors_are_shown_and_other_bins_are_said(recipe: Recipe, tmp_path: Path) -> None:
    short = recipe.changed(["trainer.steps=1"])
    a = _trained(short, tmp_path / "a")
    b = _trained(short.changed(["seed=8"]), tmp_path / "b")  # other test events
    c = _trained(short.changed(["encoder.bits=1"]), tmp_path / "c")
    same = compare([a, c])
    assert same["warnings"] == []
    for cell in next(row for row in same["metrics"] if row["metric"] == "js")["cells"]:
        assert f"{cell['floor']:.4g} ± {cell['floor_spread']:.2g}" in as_text(same)
        assert f"{cell['value']:.4g} ± {cell['uncertainty']:.2g}" in as_text(same)
    different = compare([a, c, b])
    (warning,) = different["warnings"]
    assert warning.startswith("b and a have different bins")
    assert f"warning: {warning}" in as_text(different)
    html = write_comparison(different, tmp_path / "compare.html").read_text(encoding="utf-8")
    assert warning in html


def test_equal_folder_names_are_told_apart(recipe: Recipe, tmp_path: Path) -> None:
    short = recipe.changed(["trainer.steps=1"])
    folders = [_trained(short, tmp_path / parent / "run") for parent in ("a", "b")]
    assert compare(folders)["names"] == ["a/run", "b/run"]


def test_folders_that_cannot_be_compared(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a run folder"):
        compare([tmp_path])
    folder = _trained(recipe.changed(["trainer.steps=1"]), tmp_path / "run", evaluate=False)
    with pytest.raises(DataError, match="qgen evaluate"):
        compare([folder])


def test_what_runs_cost_stands_below_their_metrics(recipe: Recipe, tmp_path: Path) -> None:
    folder = _trained(recipe.changed(["trainer.steps=3"]), tmp_path / "run")
    (cost,) = compare([folder])["costs"]
    assert cost["parameters"] == RunFolder(folder).record["model"]["parameters"]
    assert 0 < cost["training"] < 60 and 0 < cost["generating"] < 60
    assert f"{cost['training']:.4g}" in as_text(compare([folder, folder]))
    page = write_comparison(compare([folder, folder]), tmp_path / "compare.html")
    assert "ms an event" in page.read_text(encoding="utf-8")


def test_parts_of_a_training_cost_what_their_steps_took(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=3"]), tmp_path / "run")
    first = RunFolder(tmp_path / "run").record["timed"]
    runs.train(recipe.changed(["trainer.steps=3"]), tmp_path / "run", resume=True)
    assert RunFolder(tmp_path / "run").record["timed"] == first  # nothing was left to train
    runs.train(recipe.changed(["trainer.steps=8"]), tmp_path / "run", resume=True)
    both = RunFolder(tmp_path / "run").record["timed"]
    assert (first["steps"], both["steps"]) == (3, 8)
    assert both["processor seconds"] > first["processor seconds"] > 0


def test_steps_that_were_not_timed_cost_as_much_as_the_others() -> None:
    """The time of a part that was killed is lost."""
    run = {"timed": {"steps": 4, "processor seconds": 2.0}, "steps done": 10}
    found = {"recipe": {}, "run": run, "history": [], "evaluation": {"metrics": []}}
    assert compared(found)["cost"]["training"] == 5.0
    found["run"] = {"timed": {"steps": 0, "processor seconds": 0.0}, "steps done": 10}
    assert compared(found)["cost"]["training"] is None
