"""Scans: the cells of a grid and of a search, their tables, and study files that are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import BadOption, BrokenPlugin, Diverged, RecipeError, UnknownName
from qgen_core.runs.recipes import Recipe
from qgen_core.studies import Outcome, Scan, Trial, build, read_scan, reproduce
from qgen_core.studies import scan as scanning
from qgen_core.studies.search import Search

RECIPE = {
    "seed": 4,
    "dataset": {"name": "scanned"},
    "encoder": {"name": "binning", "bits": 2},
    "generator": {"name": "qcbm", "ansatz": {"name": "brick", "layers": 1}},
    "loss": {"name": "js"},
    "trainer": {"name": "adam", "steps": 3},
}


def scanned(*, shift: float = 0.0) -> qgen.Events:
    return qgen.Events(np.random.default_rng(1).exponential(1.0, (400, 1)) + shift)


@pytest.fixture(autouse=True)
def _dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("dataset", "scanned", scanned)


def measured(monkeypatch: pytest.MonkeyPatch, function: Any) -> list[Recipe]:
    """Replace trainings by a function of the recipe; the recipes that it was asked for."""
    calls = []

    def scores(trial: Trial) -> dict[str, Any]:
        calls.append(trial.recipe)
        return {"numbers": {"loss": float(function(trial.recipe))}, "diverged": ""}

    monkeypatch.setattr(Scan, "measurements", {"scores": scores})
    return calls


def run(folder: Path, **options: Any) -> Outcome:
    recipe = options.pop("recipe", RECIPE)
    shown = {key: options.pop(key) for key in ("show", "small") if key in options}
    quick = shown.get("small", False)
    ref = {"name": "scan", "recipe": recipe, **options}
    return reproduce(ref, folder, quick=quick, show=shown.get("show", False))


def test_a_grid_trains_every_combination_with_every_seed() -> None:
    axes = {
        "trainer.learning_rate": [0.1, 0.2],
        "generator.ansatz": ["tree", {"name": "brick", "layers": 2}],
    }
    cells = Scan(recipe=RECIPE, axes=axes, repeats=3).cells(quick=False)
    assert len(cells) == 12
    found = set()
    for cell in cells:
        ansatz = cell.recipe["generator"]["ansatz"]
        found.add((cell.recipe["trainer"]["learning_rate"], ansatz["name"], cell.recipe["seed"]))
        assert ansatz in ({"name": "tree"}, {"name": "brick", "layers": 2})
        assert cell.tags["trainer.learning_rate"] == cell.recipe["trainer"]["learning_rate"]
        assert cell.tags["generator.ansatz"] in ("tree", "brick layers=2")
        assert cell.recipe["trainer"]["steps"] == 3
    assert len(found) == 12 and {seed for _, _, seed in found} == {4, 5, 6}


def test_unquoted_keys_are_the_same_axes() -> None:
    quoted = Scan(recipe=RECIPE, axes={"trainer.steps": [1, 2]}).cells(quick=False)
    nested = Scan(recipe=RECIPE, axes={"trainer": {"steps": [1, 2]}}).cells(quick=False)
    assert quoted == nested


def test_quick_trains_one_seed_with_the_values_of_quick() -> None:
    scan = Scan(
        recipe=RECIPE,
        axes={"trainer.learning_rate": [0.1, 0.2]},
        repeats=3,
        quick={"trainer": {"steps": 1}},
    )
    assert [cell.recipe["trainer"]["steps"] for cell in scan.cells(quick=True)] == [1, 1]
    assert len(scan.cells(quick=False)) == 6


def test_values_are_those_of_the_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qgen_core.runs.evaluation.EVENTS", 2000)
    metrics = ["tv", "marginal-tv"]
    outcome = run(tmp_path, axes={"trainer.steps": [2, 3]}, metrics=metrics)
    for result in outcome.results:
        alone = Trial(result.cell.recipe, tmp_path / "alone" / result.key)
        numbers = result.data()["numbers"]
        assert numbers["loss"] == alone.history[-1]["loss"]
        assert {heading.split()[0] for heading in numbers} == {"loss", *metrics}
        assert all(0 <= number <= 1 for number in numbers.values())


def test_the_table_has_mean_and_deviation_over_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(monkeypatch, lambda recipe: recipe.seed + 100 * recipe.tables["trainer"]["steps"])
    outcome = run(tmp_path, axes={"trainer.steps": [1, 2]}, repeats=3)
    table = outcome.tables[0]
    assert table.columns == ["trainer.steps", "loss"]
    rows = [[text.replace("\u00a0", " ") for text in row] for row in table.rows]
    assert rows == [["1", "105 ± 1"], ["2", "205 ± 1"]]


def test_partial_results_are_tabulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, lambda recipe: recipe.seed)
    run(tmp_path, axes={"trainer.steps": [1]}, repeats=1)
    outcome = run(tmp_path, axes={"trainer.steps": [1, 2]}, repeats=2, show=True)
    rows = [[text.replace("\u00a0", " ") for text in row] for row in outcome.tables[0].rows]
    assert rows == [["1", "4 (1 of 2)"], ["2", "missing"]]


def test_a_cell_that_is_refused_is_named_with_its_axes(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="1 of 2 cells failed.*trainer.learning_rate = -1.0"):
        run(tmp_path, axes={"trainer.learning_rate": [-1.0, 0.1]})
    data = json.loads((tmp_path / "result" / "results.json").read_text())
    assert data["done"] == 1 and "learning_rate" in next(iter(data["failed"].values()))


def test_a_training_that_diverges_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lost(Trial):
        @property
        def history(self) -> Any:
            if self.recipe.seed == 4:
                raise Diverged("the loss became nan")
            return [{"loss": 2.0}]

    monkeypatch.setattr("qgen_core.studies.performing.Trial", Lost)
    outcome = run(tmp_path, axes={"trainer.steps": [1]}, repeats=2)
    assert outcome.failed == {}
    table = outcome.tables[0]
    assert table.rows[0][1].replace("\u00a0", " ") == "2 (1 diverged)"
    assert table.notes == [
        "1 of 2 trainings diverged (trainer.steps = 1): the loss became nan",
    ]


def test_figures_are_drawn_by_the_plugins_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(monkeypatch, lambda recipe: recipe.seed)
    seen = []

    class Draws:
        @hookimpl
        def scan_figures(self, material: Any, folder: Path) -> list[Path]:
            seen.append(material)
            return [folder / "drawn.png"]

    real = scanning.manager
    monkeypatch.setattr(scanning, "manager", lambda: real([Draws()]))
    outcome = run(tmp_path, axes={"trainer.steps": [1, 2]}, repeats=2, title="steps")
    assert tmp_path / "result" / "drawn.png" in outcome.figures
    (material,) = seen
    assert material["axes"] == ["trainer.steps"] and material["metrics"] == ["loss"]
    assert [point["values"] for point in material["points"]] == [
        {"trainer.steps": 1},
        {"trainer.steps": 2},
    ]
    assert material["points"][0]["summaries"]["loss"]["mean"] == 4.5


def distance(recipe: Recipe) -> float:
    """How far options are from the best ones."""
    trainer = recipe.tables["trainer"]
    return float((trainer["steps"] - 7) ** 2 + (np.log10(trainer["learning_rate"]) + 1.5) ** 2)


SEARCH = {
    "trials": 18,
    "batch": 6,
    "seed": 3,
    "space": {
        "trainer.steps": {"low": 1, "high": 12},
        "trainer.learning_rate": {"low": 0.001, "high": 1.0, "log": True},
    },
}


def test_a_search_continues_as_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    calls = measured(monkeypatch, distance)
    whole = run(tmp_path / "whole", search=SEARCH, repeats=2)
    keys = [result.key for result in whole.results]
    assert len(keys) == len(calls) == 36
    calls.clear()
    few = {**SEARCH, "trials": 12}
    run(tmp_path / "parts", search=few, repeats=2)
    again = run(tmp_path / "parts", search=SEARCH, repeats=2)
    assert [result.key for result in again.results] == keys
    assert len(calls) == 36
    other = run(tmp_path / "other", search={**SEARCH, "seed": 4}, repeats=2)
    assert not {result.key for result in other.results} & set(keys)


def test_a_search_names_its_best_and_goes_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    measured(monkeypatch, distance)
    found = run(tmp_path / "0", search={**SEARCH, "seed": 0})
    best = min(found.results, key=lambda result: result.data()["numbers"]["loss"])
    steps = best.cell.tags["trainer.steps"]
    assert f"trainer.steps = {steps}" in found.tables[0].notes[-1]
    measured(monkeypatch, lambda recipe: -distance(recipe))
    upwards = run(tmp_path / "up", search={**SEARCH, "seed": 0, "direction": "maximize"})
    downwards = run(tmp_path / "0", search={**SEARCH, "seed": 0}, show=True)
    assert [r.cell.recipe for r in upwards.results] == [r.cell.recipe for r in downwards.results]


def test_a_search_is_informed() -> None:
    """The last six of 18 trials are better than the first six, by a rank test over 64 searches.

    If trials were not informed, those of a search would be exchangeable: of the 36 pairs of a first
    and a last one, the last is better in 18 on average, with the variance 6 * 6 * 13 / 12 = 39
    (Mann and Whitney). The limit of 3.29 deviations is passed by chance once in 2000.

    With two best points of twelve the estimator has three kernels, two around them. Let two thirds
    of its trials lie in the better half of the space and the others anywhere: the last is better in
    2/3 * 3/4 + 1/3 * 1/2 = 2/3 of the pairs, 6 more than 18. If all last trials of a search were
    equal, its deviation would be 12, which is the most. Then the limit is passed with a probability
    of 0.99 from 62 searches on: 6 n = (3.29 * 39^0.5 + 2.33 * 12) n^0.5.
    """
    pytest.importorskip("optuna")
    searches = 64
    better = 0
    for seed in range(1000, 1000 + searches):
        values: list[float] = []

        def value_of(options: Mapping[str, Any], values: list[float] = values) -> float:
            rate = np.log10(options["trainer.learning_rate"])
            values.append((options["trainer.steps"] - 7) ** 2 + (rate + 1.5) ** 2)
            return values[-1]

        search = Search(SEARCH["space"], trials=18, batch=6, seed=seed)
        assert search.asked(value_of, 18) == []
        better += sum(last < first for first in values[:6] for last in values[-6:])
    assert better > 18 * searches + 3.29 * np.sqrt(39 * searches)


def test_choices_of_a_search_may_be_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    calls = measured(monkeypatch, lambda recipe: len(recipe.tables["generator"]["ansatz"]))
    ansatze = ["tree", {"name": "brick", "layers": 2}]
    search = {"trials": 8, "batch": 4, "space": {"generator.ansatz": ansatze}}
    run(tmp_path, search=search)
    found = [recipe.tables["generator"]["ansatz"] for recipe in calls]
    assert len(found) == 2, "each choice is trained once, though asked for again"
    assert {"name": "tree"} in found and {"name": "brick", "layers": 2} in found


def test_a_search_goes_on_after_a_divergence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")

    def scores(trial: Trial) -> dict[str, Any]:
        steps = trial.recipe.tables["trainer"]["steps"]
        if steps > 6:
            return {"numbers": {}, "diverged": "the loss became nan"}
        return {"numbers": {"loss": float(steps)}, "diverged": ""}

    monkeypatch.setattr(Scan, "measurements", {"scores": scores})
    outcome = run(tmp_path, search=SEARCH)
    assert len(outcome.results) == 18
    texts = [row[-1] for row in outcome.tables[0].rows]
    assert "diverged" in texts and any(text != "diverged" for text in texts)


def test_a_search_without_optuna_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BrokenPlugin, match=r"pip install .*qgen.core\[search\]"):
        Scan(recipe=RECIPE, search=SEARCH).cells(quick=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"axes": {"trainer.steps": 3}}, "axes 'trainer.steps' is a list of values"),
        ({"axes": {"trainer.steps": []}}, "axes 'trainer.steps' is a list of values"),
        ({"axes": {"trainer.steps": [1, 1]}}, "has the value 1 twice"),
        ({"axes": {"trainer.steps": {"low": 1, "high": 2}}}, "axes 'trainer.steps' is a list"),
        ({"axes": {"seed": [1, 2]}}, "give the number of seeds as repeats"),
        ({"axes": {"trainr.steps": [1]}}, r"no table 'trainr'.*trainr.steps = 1"),
        ({"axes": {"seed.x": [1]}}, r"'seed' holds a value.*seed.x = 1"),
        ({"axes": {"trainer.steps": [1]}, "search": SEARCH}, "not both"),
        ({"axes": {"trainer.steps": list(range(400))}, "repeats": 300}, "120000 trainings"),
        ({"repeats": 0}, "repeats is at least 1"),
        ({"search": {"space": {}}}, r"\[search.space\] is empty"),
        ({"search": {**SEARCH, "tries": 3}}, "not 'tries'"),
        ({"search": {**SEARCH, "trials": 0}}, "search.trials is a whole number"),
        ({"search": {**SEARCH, "seed": -1}}, "search.seed"),
        ({"search": {**SEARCH, "direction": "down"}}, "minimize or maximize, not 'down'"),
        ({"search": {**SEARCH, "metric": "mmd"}}, "'mmd' is not measured; there are loss"),
        ({"search": {"space": {"trainer.steps": {"low": 1}}}}, "needs low and high"),
        ({"search": {"space": {"trainer.steps": {"low": 2, "high": 2}}}}, "low is below high"),
        ({"search": {"space": {"a.b": {"low": 0.0, "high": 1.0, "log": True}}}}, "above 0"),
        ({"search": {"space": {"a.b": {"low": 1, "high": 4, "step": 0.5}}}}, "whole number"),
        ({"search": {"space": {"a.b": {"low": 1, "high": 4, "steps": 2}}}}, "not 'steps'"),
        ({"search": {"space": {"a.b": {"low": "a", "high": 4}}}}, "low is a finite number"),
        ({"search": {"space": 3}}, "search.space is a table"),
    ],
)
def test_what_cannot_be_scanned_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        build({"name": "scan", "recipe": RECIPE, **options}).cells(quick=False)


FILE = """
repeats = 2
recipe = "recipe.toml"

[axes]
trainer.steps = [1, 2]
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "recipe.toml").write_text(Recipe.from_dict(RECIPE).to_toml())
    yield tmp_path


def test_a_study_file_names_a_recipe_beside_it(recipe_file: Path) -> None:
    path = recipe_file / "steps.toml"
    path.write_text(FILE)
    ref = read_scan(path, ["recipe.seed=9", "repeats=1"])
    cells = build(ref).cells(quick=False)
    assert ref["title"] == "steps"
    assert [(cell.recipe["seed"], cell.recipe["trainer"]["steps"]) for cell in cells] == [
        (9, 1),
        (9, 2),
    ]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("repeats = ", RecipeError, "bad.toml is not TOML"),
        (FILE + "\n[axis]\n", BadOption, r"bad.toml: study 'scan' takes .*axes.*not 'axis'"),
        (FILE.replace("2\n", "'x'\n", 1), BadOption, "bad.toml: .*repeats"),
        (FILE.replace("recipe.toml", "none.toml"), RecipeError, "cannot read .*none.toml"),
        (FILE.replace("steps", "steps.x"), RecipeError, "bad.toml: .*'steps' holds a value"),
        (FILE.replace("trainer.steps", "trianer.steps"), RecipeError, "no table 'trianer'"),
        (FILE.replace("[1, 2]", "[1, nan]"), RecipeError, "bad.toml: .*finite"),
        (FILE + "name = 'x'\n", RecipeError, "bad.toml"),
        ("name = 'x'\n" + FILE, RecipeError, "has the key 'name'"),
        (FILE + "trainer.name = ['adaam']\n", UnknownName, "no trainer 'adaam'"),
    ],
)
def test_bad_study_files_are_refused(
    recipe_file: Path, text: str, error: type[Exception], words: str
) -> None:
    path = recipe_file / "bad.toml"
    path.write_text(text)
    with pytest.raises(error, match=words):
        read_scan(path)
    with pytest.raises(RecipeError, match="cannot read"):
        read_scan(recipe_file / "absent.toml")
