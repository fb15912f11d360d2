"""Encoders choose columns by name: in a recipe, in a chain, from Python, and after loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train

NAMES = ("pt", "mass", "eta")
X = np.random.default_rng(3).uniform(1.0, 9.0, (200, 3))


@pytest.fixture(autouse=True)
def _dataset() -> None:
    qgen.register("dataset", "named", lambda: qgen.Events(X, columns=NAMES))


def recipe(encoder: dict[str, Any]) -> Recipe:
    return Recipe.from_dict(
        {
            "dataset": "named",
            "encoder": encoder,
            "generator": {"name": "qcbm", "ansatz": {"name": "brick", "layers": 1}},
            "loss": "js",
            "trainer": {"name": "adam", "steps": 1},
        }
    )


@pytest.mark.parametrize("name", ["log", "power", "min-max", "standard", "logit", "ratio"])
def test_names_choose_the_same_columns_as_numbers(name: str) -> None:
    condition = np.full((200, 1), 10.0)
    x = X / 10.0
    named = qgen.encoder(name, columns=["eta", "pt"], column_names=NAMES).fit(x, condition)
    numbered = qgen.encoder(name, columns=[2, 0]).fit(x, condition)
    assert np.array_equal(named.encode(x, condition), numbered.encode(x, condition))
    loaded = qgen.encoder(name, columns=["eta", "pt"])
    loaded.load(named.state())
    assert np.array_equal(loaded.encode(x, condition), numbered.encode(x, condition))
    assert "columns" not in numbered.state(), "states of column numbers are as they were"


def test_a_recipe_names_columns_also_in_a_chain() -> None:
    steps = [{"name": "log", "columns": ["mass"]}, {"name": "power", "columns": ["eta", 0]}]
    assembly = Assembly(recipe({"name": "chain", "encoders": steps}))
    found = assembly.encoder.encode(X)
    assert found == pytest.approx(
        np.column_stack([X[:, 0] ** 0.2, np.log(X[:, 1]), X[:, 2] ** 0.2])
    )


def test_a_run_remembers_which_columns_were_named(tmp_path: Path) -> None:
    steps = [{"name": "log", "columns": ["mass"]}, {"name": "binning", "bits": 1}]
    train(recipe({"name": "chain", "encoders": steps}), tmp_path / "run")
    (events,) = Run(tmp_path / "run").generate(500)
    assert events.columns == NAMES
    assert np.all((events.x > 0.9) & (events.x < 9.1)), "the logarithm was undone in its column"


def test_wrong_names_are_refused() -> None:
    with pytest.raises(BadOption, match="no column 'px'; there are pt, mass, eta"):
        Assembly(recipe({"name": "log", "columns": ["px"]})).encoder  # noqa: B018
    with pytest.raises(BadOption, match="different columns"):
        qgen.encoder("log", columns=["pt", 0], column_names=NAMES)
    with pytest.raises(BadOption, match="column_names=events.columns"):
        qgen.encoder("log", columns=["pt"]).fit(X)
    with pytest.raises(BadOption, match="not 'column_names'"):
        Assembly(recipe({"name": "log", "column_names": ["pt"]})).encoder  # noqa: B018


@pytest.mark.parametrize(
    "saved", [np.array([0, 1]), np.array([-1]), np.array([0.0]), np.array([7])]
)
def test_states_of_other_columns_are_refused(saved: np.ndarray) -> None:
    state = qgen.encoder("log", columns=["pt"], column_names=NAMES).fit(X).state()
    with pytest.raises(CheckpointError):
        qgen.encoder("log", columns=["pt"]).load(state | {"columns": saved})


CONDITIONS = np.random.default_rng(4).uniform(10.0, 20.0, (200, 2))


def test_ratio_divides_by_a_condition_by_name() -> None:
    named = qgen.encoder("ratio", by="e_in", condition_names=("angle", "e_in"))
    named.fit(X, CONDITIONS)
    numbered = qgen.encoder("ratio", by=1).fit(X, CONDITIONS)
    assert np.array_equal(named.encode(X, CONDITIONS), numbered.encode(X, CONDITIONS))
    loaded = qgen.encoder("ratio", by="e_in")
    loaded.load(named.state())
    assert np.array_equal(loaded.encode(X, CONDITIONS), X / CONDITIONS[:, [1]])
    assert "by" not in numbered.state(), "states of column numbers are as they were"
    with pytest.raises(BadOption, match="no condition 'e'; there are angle, e_in"):
        qgen.encoder("ratio", by="e", condition_names=("angle", "e_in"))
    with pytest.raises(BadOption, match="condition_names=events.condition_columns"):
        qgen.encoder("ratio", by="e_in").fit(X, CONDITIONS).encode(X, CONDITIONS)
    for saved in (np.array([-1]), np.array([0, 1]), np.array([0.5])):
        with pytest.raises(CheckpointError, match="which condition 'e_in' is"):
            qgen.encoder("ratio", by="e_in").load(named.state() | {"by": saved})


def test_a_recipe_names_the_condition_that_ratio_divides_by(tmp_path: Path) -> None:
    events = qgen.Events(X, CONDITIONS, columns=NAMES, condition_columns=("angle", "e_in"))
    qgen.register("dataset", "named", lambda: events)
    steps = [{"name": "ratio", "by": "e_in"}, {"name": "binning", "bits": 1}]
    tables = recipe({"name": "chain", "encoders": steps}).to_dict()
    tables["generator"] = {"name": "qcbm", "ansatz": {"name": "brick", "layers": 1}}
    tables["condition_encoder"] = "angle"
    train(Recipe.from_dict(tables), tmp_path / "run")
    run = Run(tmp_path / "run")
    assert np.allclose(
        run.assembly.encoder.encoders[0].encode(X, CONDITIONS), X / CONDITIONS[:, [1]]
    )
