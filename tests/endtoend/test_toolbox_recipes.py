"""Each component of the toolbox is trained once on jets, from a recipe in recipes/."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.metrics.wasserstein import wasserstein
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(
    path for path in FOLDER.rglob("*.toml") if "studies" not in path.relative_to(FOLDER).parts
)


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (
            value
            for key, value in node.items()
            if key in ("name", "ansatz") and isinstance(value, str)
        )
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield value if isinstance(value, str) else ""
            yield from _names(value)


def test_every_component_has_a_recipe() -> None:
    used = {name for path in RECIPES for name in _names(Recipe.read(path).to_dict())}
    for kind in ("ansatz", "encoder", "loss", "trainer"):
        ours = {n for n in qgen.names(kind) if qgen.describe(kind, n).distribution == "qgen-core"}
        assert ours - used == set(), kind


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_trains_and_generates(path: Path, tmp_path: Path) -> None:
    recipe = Recipe.read(path)
    if recipe.tables["trainer"]["name"] == "cma" and importlib.util.find_spec("cma") is None:
        pytest.skip("needs the extra: pip install 'qgen-core[cma]'")
    few = {"cobyla": 30, "spsa": 3, "lcd": 1}.get(recipe.tables["trainer"]["name"], 2)
    history = runs.train(recipe.changed([f"trainer.steps={few}"]), tmp_path)
    assert 0 < len(history.losses) <= few
    assert np.all(np.isfinite(history.losses))
    events = next(runs.Run(tmp_path).generate(2000))
    assert events.x.shape == (2000, len(runs.Run(tmp_path).record["data"]["columns"]))
    assert np.all(events.x >= 0)


def distance(folder: Path) -> float:
    """The mean Wasserstein distance of a run's events to the test events."""
    run = runs.Run(folder)
    scores = wasserstein(run.assembly.parts[2], next(run.generate(20_000)))
    return float(np.mean(list(scores.values())))


@pytest.mark.long
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_learns(path: Path, tmp_path: Path) -> None:
    recipe = Recipe.read(path)
    history = runs.train(recipe, tmp_path / "whole")
    if recipe.tables["loss"]["name"] == "adversarial":  # losses against a moving critic say nothing
        runs.train(recipe.changed(["trainer.steps=1"]), tmp_path / "short")
        assert distance(tmp_path / "whole") < distance(tmp_path / "short") / 2
        return
    if (
        len(history.losses) == 1
    ):  # nothing is trained; bits of frequency 1/2 have a loss of ln 2 each
        width = runs.Run(tmp_path / "whole").assembly.generator.space.width
        assert history.losses[0] < 0.95 * width * np.log(2)
        return
    tenth = max(1, len(history.losses) // 10)
    assert np.mean(history.losses[-tenth:]) < np.mean(history.losses[:tenth])
