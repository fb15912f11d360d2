"""Events of hundreds of columns: evaluations stay small, pieces are bounded by bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.runs import evaluation, histograms
from qgen_core.runs import run as runs
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import write_report


class Shifted(qgen.Generator):
    """Independent normal numbers with one common mean."""

    outputs = frozenset({"samples"})

    def __init__(self, *, space: qgen.Space) -> None:
        self.space = space
        self.mean = np.zeros(1)

    def parameters(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean}

    def sample(self, n, condition=None, *, rng):  # type: ignore[no-untyped-def]
        return rng.standard_normal((n, self.space.width)) + self.mean


def wide(*, columns: int = 368, events: int = 500) -> qgen.Events:
    """Normal columns, the last one three standard deviations off half of the time: made up."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((events, columns))
    x[::2, -1] += 30.0
    return qgen.Events(x, provenance={"kind": "stand-in"})


def trained(folder: Path, columns: int) -> runs.Run:
    qgen.register("generator", "shifted", Shifted)
    qgen.register("dataset", "wide", wide)
    recipe = Recipe.from_dict(
        {
            "dataset": {"name": "wide", "columns": columns, "events": 500},
            "encoder": "standard",
            "generator": "shifted",
            "loss": {"name": "mmd", "reads": "samples"},
            "trainer": {"name": "spsa", "steps": 1, "batch_size": 20},
            "split": [0.5, 0.0, 0.5],
        }
    )
    runs.train(recipe, folder)
    return runs.Run(folder)


def test_an_evaluation_of_many_columns_is_small_and_says_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "LEAST_EVENTS", 500)
    monkeypatch.setattr(evaluation, "VALUES", 500)
    run = trained(tmp_path, 368)
    result = evaluation.evaluate(run)
    assert result["generated"]["events"] == 500
    assert {row["metric"] for row in result["metrics"]} == {
        "marginal-d",
        "marginal-tv",
        "wasserstein",
    }
    assert len(result["marginals"]) == len(result["correlation"]["columns"]) == 32
    assert result["marginals"][-1]["column"] == "x367"  # the one that the model gets wrong
    assert [text.split(":")[0] for text in result["left out"][:2]] == [
        "the metrics tv and js",
        "the metric correlation",
    ]
    assert "336 of 368 columns" in result["left out"][2]
    assert len(result["joints"]) == histograms.PAIRS_OF_MANY
    RunFolder(tmp_path).save_evaluation(result)
    assert (tmp_path / "evaluation.json").stat().st_size < 10**6
    assert "Left out: the metrics tv and js" in write_report(tmp_path).read_text()


def test_few_columns_are_evaluated_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "EVENTS", 500)
    result = evaluation.evaluate(trained(tmp_path, 2))
    assert result["left out"] == []
    assert {row["metric"] for row in result["metrics"]} == {
        "marginal-d",
        "marginal-tv",
        "wasserstein",
        "tv",
        "js",
        "correlation",
    }


def test_pieces_are_bounded_by_bytes(tmp_path: Path) -> None:
    run = trained(tmp_path, 3000)
    pieces = list(run.generate(6000, seed=4))
    assert sum(len(piece) for piece in pieces) == 6000
    assert max(piece.x.nbytes for piece in pieces) <= runs.PIECE_BYTES
    assert len(pieces) == 3
