"""Recipes: what is read, what is refused, and that nothing else can come in."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import toyset
from recipe_mutations import mutate

from qgen_core.errors import QgenError, RecipeError
from qgen_core.runs.recipes import Recipe


def test_round_trip_through_toml(recipe: Recipe) -> None:
    again = Recipe.parse(recipe.to_toml())
    assert again == recipe
    assert again.flat()["generator.ansatz.layers"] == 2


def test_settings_change_values_tables_and_types() -> None:
    settings = [
        "trainer.steps=7",
        "backend=statevector",
        "generator.ansatz=tree",
        "encoder.bits=[2,2]",
        "loss.note=a b",
    ]
    changed = Recipe.parse(toyset.RECIPE, settings)
    assert changed.tables["trainer"]["steps"] == 7
    assert changed.tables["backend"] == {"name": "statevector"}
    assert changed.tables["generator"]["ansatz"] == {"name": "tree"}
    assert changed.tables["encoder"]["bits"] == [2, 2]
    assert changed.tables["loss"]["note"] == "a b"


def test_an_exchanged_component_keeps_the_options_that_it_takes_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recipe = Recipe.parse(toyset.RECIPE, ["trainer.learning_rate=0.02", "trainer.patience=9"])
    steps = recipe.tables["trainer"]["steps"]
    exchanged = recipe.changed(["trainer.name=spsa", "generator.ansatz.name=tree"])
    assert exchanged.tables["trainer"] == {"name": "spsa", "steps": steps, "patience": 9}
    assert exchanged.tables["generator"]["ansatz"] == {"name": "tree", "layers": 2}
    assert len(caplog.messages) == 1
    assert "trainer is now 'spsa', which does not take learning_rate of 'adam'" in caplog.text
    same = recipe.changed(["trainer.name=adam"])
    assert same == recipe
    wrong = recipe.changed(["trainer.name=spsa", "trainer.learning_rate=0.1"])
    assert wrong.tables["trainer"]["learning_rate"] == 0.1  # given, so that building refuses it


def test_setting_below_a_component_given_by_name() -> None:
    text = toyset.RECIPE.replace('ansatz = { name = "brick", layers = 2 }', 'ansatz = "brick"')
    assert Recipe.parse(text, ["generator.ansatz.layers=3"]).tables["generator"]["ansatz"] == {
        "name": "brick",
        "layers": 3,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seed = 3", "seed = -1"), "seed is a whole number"),
        (("seed = 3", "seed = true"), "seed is a whole number"),
        (("[loss]", "[losses]"), "no table 'losses' in a recipe; there are dataset, encoder"),
        (('[loss]\nname = "js"', ""), "lacks the table [loss]"),
        (('name = "js"', 'kind = "js"'), "[loss] needs a name"),
        (("split = [0.8, 0.1, 0.1]", "split = [0.8, 0.1]"), "three fractions"),
        (("split = [0.8, 0.1, 0.1]", "split = [0.9, 0.2, -0.1]"), ">= 0 and sum to 1"),
        (("learning_rate = 0.05", "learning_rate = nan"), "trainer.learning_rate is nan"),
        (("learning_rate = 0.05", "learning_rate = inf"), "numbers in a recipe are finite"),
        (("learning_rate = 0.05", "start = 2026-01-01"), "is a date"),
        (("steps = 40", 'api_token = "abc"'), "'api_token' looks like a secret"),
        (("steps = 40", 'password = "abc"'), "looks like a secret"),
        (("steps = 40", "steps = "), "is not TOML"),
        (("seed = 3", "metrics = 3"), "metrics is a list"),
    ],
)
def test_refused(change: tuple[str, str], message: str) -> None:
    assert change[0] in toyset.RECIPE
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(toyset.RECIPE.replace(*change))
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("setting", ["steps", "=3", "trainer..steps=3", "seed.x=3"])
def test_settings_that_make_no_sense(setting: str) -> None:
    with pytest.raises(RecipeError, match="--set"):
        Recipe.parse(toyset.RECIPE, [setting])


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read"):
        Recipe.read(tmp_path / "absent.toml")
    with pytest.raises(RecipeError, match="cannot read"):
        Recipe.read(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not UTF-8"):
        Recipe.read(binary)
    large = tmp_path / "large.toml"
    large.write_text("#" * (2**20 + 1))
    with pytest.raises(RecipeError, match="more than"):
        Recipe.read(large)


def _fuzz(count: int, seed: int) -> int:
    rng = random.Random(seed)
    read = 0
    for _ in range(count):
        try:
            Recipe.parse(mutate(toyset.RECIPE, rng))
            read += 1
        except QgenError as error:
            assert error.exit_code == 2
    return read


def test_fuzzed_recipes_raise_recipe_errors_only() -> None:
    assert 0 < _fuzz(500, 1) < 500


def test_bottomless_nesting_is_refused() -> None:
    with pytest.raises(RecipeError):
        Recipe.parse(toyset.RECIPE + "\n[a]\nb = " + "[" * 100_000)
    with pytest.raises(RecipeError, match="deeper"):
        Recipe.parse(toyset.RECIPE.replace("steps = 40", "steps = " + "[" * 20 + "]" * 20))


@pytest.mark.timeout(20)
def test_a_recipe_is_a_regular_file_of_modest_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(2**40)  # takes no room
    (tmp_path / "folder").mkdir()
    expected = {
        "pipe": "is not a regular file",
        "zeros": "is not a regular file",
        "folder": "cannot read",
        "huge": "has more than",
        "nowhere": "cannot read",
    }
    for name, message in expected.items():
        with pytest.raises(RecipeError, match=message):
            Recipe.read(tmp_path / name)
