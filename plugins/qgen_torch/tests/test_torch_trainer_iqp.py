"""The trainer ``torch`` on a model that is trained on correlators and has no samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Interrupted
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train

WIDTH = 40


def hits() -> qgen.Events:
    rng = np.random.default_rng(2)
    common = rng.random((400, 1))
    x = (rng.random((400, WIDTH)) < 0.2 + 0.3 * common).astype(np.float64)
    return qgen.Events(x, columns=tuple(f"cell_{number}" for number in range(WIDTH)))


def test_a_resumed_training_is_bit_identical_and_lowers_the_loss(tmp_path: Path) -> None:
    qgen.register("dataset", "hits-of-test", hits)
    recipe = Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "hits-of-test",
            "encoder": {"name": "binarise", "threshold": 0.5},
            "generator": {"name": "iqp", "start": "random"},
            "loss": {"name": "mmd", "reads": "correlators", "words": 100},
            "trainer": {"name": "torch", "steps": 60, "batch_size": 200, "learning_rate": 0.02},
        }
    )
    history = train(recipe, tmp_path / "whole")
    assert np.mean(history.losses[-10:]) < 0.5 * np.mean(history.losses[:3])
    for _ in range(2):
        with pytest.raises(Interrupted):
            train(recipe, tmp_path / "resumed", resume=True, time_limit=0.0)
    train(recipe, tmp_path / "resumed", resume=True)
    whole = Run(tmp_path / "whole").assembly.generator.state()
    resumed = Run(tmp_path / "resumed").assembly.generator.state()
    assert whole.keys() == resumed.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name])
