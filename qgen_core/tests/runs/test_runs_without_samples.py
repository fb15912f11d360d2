"""Runs of models that cannot be sampled: trained, resumed bit by bit, evaluated, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Interrupted, Unsupported
from qgen_core.events import Events
from qgen_core.runs.evaluation import evaluate
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import write_report
from qgen_core.runs.run import Run, train

WIDTH = 60


def hits() -> Events:
    """Hits of neighbouring cells, more of them at higher energies."""
    rng = np.random.default_rng(1)
    energy = rng.uniform(1.0, 5.0, (400, 1))
    seeds = rng.random((400, WIDTH)) < 0.06 * energy
    spread = seeds | (np.roll(seeds, 1, axis=1) & (rng.random((400, WIDTH)) < 0.5))
    return Events(spread.astype(np.float64), energy, condition_columns=("energy",))


@pytest.fixture(autouse=True)
def _dataset() -> None:
    qgen.register("dataset", "test-hits", hits)


def recipe(steps: int = 6, **changes: Any) -> Recipe:
    tables: dict[str, Any] = {
        "seed": 5,
        "dataset": "test-hits",
        "encoder": {"name": "binarise", "threshold": 0.5},
        "condition_encoder": "standard",
        "generator": {"name": "iqp", "lattice": [[WIDTH]]},
        "loss": {"name": "mmd", "reads": "correlators", "words": 50},
        "trainer": {"name": "adam", "steps": steps, "batch_size": 64, "learning_rate": 0.01},
    }
    return Recipe.from_dict(tables | changes)


@pytest.mark.parametrize(
    "generator", [{"name": "iqp"}, {"name": "iqp", "exact_wires": 1, "lattice": [[WIDTH]]}]
)
@pytest.mark.parametrize("trainer", ["adam", "spsa"])
def test_a_resumed_training_is_bit_identical(
    tmp_path: Path, generator: dict[str, Any], trainer: str
) -> None:
    one = recipe(generator=generator, trainer={"name": trainer, "batch_size": 64, "steps": 7})
    train(one, tmp_path / "whole")
    for _ in range(2):
        with pytest.raises(Interrupted):
            train(one, tmp_path / "resumed", resume=True, time_limit=0.0)
    assert Run(tmp_path / "resumed").folder.checkpoint().step < 7
    train(one, tmp_path / "resumed", resume=True)
    whole = Run(tmp_path / "whole").assembly.generator.state()
    resumed = Run(tmp_path / "resumed").assembly.generator.state()
    assert whole.keys() == resumed.keys()
    for name, values in whole.items():
        assert np.array_equal(values, resumed[name])


def test_evaluation_compares_expectations(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "run")
    run = Run(tmp_path / "run")
    found = evaluate(run)
    metrics = {row["metric"] for row in found["metrics"]}
    assert metrics == {"covariance", "correlators", "bit-mmd", "bit-marginals"}
    assert found["generated"]["events"] == 0
    assert found["marginals"] == []
    assert "cannot be sampled" in found["left out"][0]
    run.folder.save_evaluation(found)
    assert "covariance rms" in write_report(run.path).read_text(encoding="utf-8")
    with pytest.raises(Unsupported, match="60 wires"):
        next(run.generate(3))


def test_metrics_of_samples_are_refused(tmp_path: Path) -> None:
    train(recipe(steps=1), tmp_path / "run")
    with pytest.raises(Unsupported, match="compares samples"):
        evaluate(Run(tmp_path / "run", ['metrics=["wasserstein"]']))


def test_validation_uses_the_same_words_each_time(tmp_path: Path) -> None:
    settings = {
        "name": "adam",
        "steps": 4,
        "batch_size": 64,
        "select": "loss",
        "validate_every": 1,
        "learning_rate": 1e-9,
    }
    history = train(recipe(trainer=settings), tmp_path / "run")
    values = [record["validation"] for record in history.records]
    assert np.ptp(values) < 1e-5 * abs(values[0])
