"""Joint histograms of pairs of columns, and marginals in ranges of a condition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qgen_core.events import Events
from qgen_core.runs import evaluation, histograms
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe


def events(width: int, seed: int, mixed: tuple[int, int] | None = None) -> Events:
    x = np.random.default_rng(seed).normal(size=(4000, width))
    if mixed is not None:
        x[:, mixed[0]] += x[:, mixed[1]]
    return Events(x)


def pairs(width: int, mixed: tuple[int, int] | None) -> list[tuple[int, int]]:
    columns = list(range(width))
    correlation = histograms.correlations(events(width, 1), events(width, 2, mixed), columns)
    return histograms.worst_pairs(correlation, columns, histograms.MAX_PAIRS)


def test_all_pairs_up_to_six_columns_then_the_worst() -> None:
    assert pairs(1, None) == []
    assert pairs(3, None) == [(0, 1), (0, 2), (1, 2)]
    assert len(pairs(6, None)) == 15
    of_many = pairs(12, (3, 9))
    assert len(of_many) == histograms.MAX_PAIRS and (3, 9) in of_many
    assert of_many == sorted(of_many)


def test_a_joint_histogram_is_of_its_pair() -> None:
    sample = events(3, 1)
    edges = [np.linspace(-5.0, 5.0, 4 + i) for i in range(3)]
    found = histograms.joint(sample, sample, edges, (0, 2), False)
    assert found is not None and found["columns"] == ["x0", "x2"]
    expected, _, _ = np.histogram2d(sample.x[:, 0], sample.x[:, 2], [edges[0], edges[2]])
    assert np.array_equal(found["reference"], expected)


def test_marginals_by_condition_count_each_event_once() -> None:
    rng = np.random.default_rng(3)
    for condition, groups in ((rng.integers(0, 3, (500, 1)) * 50.0, 3), (rng.random((500, 1)), 4)):
        sample = Events(rng.normal(size=(500, 2)), condition, condition_columns=("e_in",))
        edges = [np.linspace(-9.0, 9.0, 5)] * 2
        whole = [histograms.marginal(sample, sample, i, edges) for i in (0, 1)]
        found = histograms.by_condition(sample, sample, edges, whole, 2)
        assert [group["condition"] for group in found] == ["e_in"] * groups
        assert sum(sum(group["marginals"][0]["reference"]) for group in found) == 500
    assert histograms.by_condition(events(2, 1), events(2, 2), edges, whole) == []


def test_most_cells_of_a_map_hold_enough_reference_events(recipe: Recipe, tmp_path: Path) -> None:
    """Bins of the marginals would be so fine that hardly any pull means something."""
    runs.train(recipe.changed(["trainer.steps=1", "split=[0.4, 0.0, 0.6]"]), tmp_path)
    result = evaluation.evaluate(runs.Run(tmp_path))
    (joint,) = result["joints"]
    counts = np.asarray(joint["reference"])
    size = result["reference"]["events"]
    assert counts.sum() == size
    assert np.mean(counts >= 5) > 0.8
    assert counts.size == pytest.approx(size / evaluation.IN_CELL_OF_MAP, rel=0.3)
