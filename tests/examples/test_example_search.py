"""The example search: the same trials always, none twice, and better ones than random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna")

from optuna.distributions import FloatDistribution, IntDistribution

import qgen_core as qgen
import qgen_example_search as example
from qgen_core.errors import Interrupted
from qgen_core.studies import Outcome, Trial, reproduce

CALLS: list[dict[str, Any]] = []


def distance(trial: Trial) -> float:
    """Instead of the loss of a training, how far its options are from some best ones."""
    layers = trial.recipe.tables["generator"]["ansatz"]["layers"]
    learning_rate = trial.recipe.tables["trainer"]["learning_rate"]
    CALLS.append({"layers": layers, "learning_rate": learning_rate})
    return float((layers - 4) ** 2 + (np.log10(learning_rate) + 1.5) ** 2)


class Quick(example.OptionSearch):
    """The search without trainings."""

    measurements = {"loss": distance}


class Stopped(Quick):
    """The search that is stopped while it measures its tenth cell."""

    @staticmethod
    def stop(trial: Trial) -> float:
        if len(CALLS) == 9:
            raise KeyboardInterrupt
        return distance(trial)

    measurements = {"loss": stop}


@pytest.fixture(autouse=True)
def _no_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    qgen.register("study", "search", Quick)
    qgen.register("dataset", "jets", list)


def search(folder: Path, **options: Any) -> Outcome:
    return reproduce({"name": "search", "rounds": 4, "trials": 6, **options}, folder)


def keys(outcome: Outcome) -> list[str]:
    return [result.key for result in outcome.results]


def test_a_search_gives_the_same_trials_twice_and_other_ones_for_another_seed(
    tmp_path: Path,
) -> None:
    first = search(tmp_path / "first")
    second = search(tmp_path / "second")
    other = search(tmp_path / "other", search_seed=2)
    assert len(first.results) == 24
    assert keys(first) == keys(second)
    assert not set(keys(first)) & set(keys(other))


def test_a_stopped_search_continues_and_runs_no_cell_twice(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole")
    CALLS.clear()
    qgen.register("study", "search", Stopped)
    with pytest.raises(Interrupted):
        search(tmp_path / "parts")
    assert len(CALLS) == 9  # of the second round
    qgen.register("study", "search", Quick)
    continued = search(tmp_path / "parts")
    assert keys(continued) == keys(whole)
    assert len(CALLS) == 24
    assert all(CALLS.count(call) == 1 for call in CALLS)


def test_a_search_that_is_shown_asks_no_further_than_its_results(tmp_path: Path) -> None:
    shown = reproduce({"name": "search", "trials": 6}, tmp_path, show=True)
    assert len(shown.results) == shown.results.missing == 6
    assert CALLS == []
    assert "| missing |" in shown.tables[0].markdown()


def test_trials_that_are_asked_for_again_are_told_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"layers": IntDistribution(1, 3), "learning_rate": FloatDistribution(0.1, 0.1)}
    monkeypatch.setattr(example, "OPTIONS", few)
    outcome = search(tmp_path)
    assert sorted(call["layers"] for call in CALLS) == [1, 2, 3]
    assert len(outcome.results) == 3


def test_rounds_come_nearer_to_what_was_best_before(tmp_path: Path) -> None:
    random = []
    informed = []
    for search_seed in range(1, 6):
        found = search(tmp_path / f"{search_seed}", search_seed=search_seed).results
        distances = [result.data() for result in found]
        random.append(np.mean(distances[:6]))
        informed.append(np.mean(distances[-6:]))
    assert np.mean(informed) < 0.7 * np.mean(random)


def test_a_search_finds_options_that_train_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("qgen_hep")
    rng = np.random.default_rng(4)
    momenta = qgen.Events(250 + rng.gamma(1.5, 60.0, size=(4000, 1)), columns=("pt",))
    qgen.register("dataset", "jets", lambda columns, events: momenta)
    qgen.register("study", "search", example.OptionSearch)
    found = search(tmp_path, rounds=3, trials=4).results
    losses = [result.data() for result in found]
    assert min(losses[4:]) < 0.8 * min(losses[:4])
