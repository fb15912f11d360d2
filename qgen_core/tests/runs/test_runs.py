"""Runs: from a recipe to a folder and from the folder to events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import toyset

import qgen_core as qgen
from qgen_core.errors import (
    BadOption,
    BrokenPlugin,
    Busy,
    CheckpointError,
    DataError,
    OutputMismatch,
    RecipeError,
)
from qgen_core.runs import evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.eventfile import write_events
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.lock import RunLock
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import material, render, write_report
from qgen_core.support.checkpoint import Checkpoints


def _parameters(folder: Path) -> np.ndarray:
    saved = Checkpoints(folder).latest()
    assert saved is not None
    return np.concatenate(
        [v.ravel() for k, v in sorted(saved.arrays.items()) if k.startswith("generator/")]
    )


def test_training_learns_and_fills_the_folder(recipe: Recipe, tmp_path: Path) -> None:
    history = runs.train(recipe, tmp_path / "run")
    assert history.losses[-1] < 0.5 * history.losses[0]
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines] == list(range(40))
    assert lines[-1]["loss"] == history.losses[-1]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["providers"]["generator"].startswith("qgen-core")
    assert record["data"]["kind"] == "stand-in"
    assert record["stopped"] == "all 40 steps done"
    assert Recipe.read(tmp_path / "run" / "recipe.toml") == recipe


def test_same_seed_same_run_and_other_seed_other_run(recipe: Recipe, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        runs.train(recipe.changed([f"seed={seed}"]), tmp_path / name)
    assert np.array_equal(_parameters(tmp_path / "a"), _parameters(tmp_path / "b"))
    assert not np.array_equal(_parameters(tmp_path / "a"), _parameters(tmp_path / "c"))


def test_a_folder_with_a_run_is_not_overwritten(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=2"]), tmp_path)
    before = _parameters(tmp_path)
    with pytest.raises(RecipeError, match="--resume"):
        runs.train(recipe, tmp_path)
    assert np.array_equal(before, _parameters(tmp_path))


def test_resume_extends_a_run_exactly(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe, tmp_path / "whole")
    runs.train(recipe.changed(["trainer.steps=13"]), tmp_path / "parts")
    runs.train(recipe, tmp_path / "parts", resume=True)
    assert np.array_equal(_parameters(tmp_path / "whole"), _parameters(tmp_path / "parts"))
    histories = [(tmp_path / name / "history.jsonl").read_text() for name in ("whole", "parts")]
    assert histories[0] == histories[1]


def test_resume_of_an_empty_folder_starts_at_step_0(recipe: Recipe, tmp_path: Path) -> None:
    history = runs.train(recipe.changed(["trainer.steps=3"]), tmp_path / "new", resume=True)
    assert len(history.losses) == 3


def test_resume_with_another_recipe_or_data_names_the_fields(
    recipe: Recipe, tmp_path: Path
) -> None:
    runs.train(recipe.changed(["trainer.steps=2"]), tmp_path)
    settings = ["trainer.learning_rate=0.1", "dataset.scale=0.5"]
    with pytest.raises(CheckpointError) as caught:
        runs.train(recipe.changed(settings), tmp_path, resume=True)
    message = str(caught.value)
    assert "trainer.learning_rate: saved 0.05, now 0.1" in message
    assert "data.sha256: saved" in message
    assert "version" not in message
    assert Recipe.read(tmp_path / "recipe.toml").tables["trainer"]["learning_rate"] == 0.05


def test_from_starts_with_other_parameters(recipe: Recipe, tmp_path: Path) -> None:
    first = runs.train(recipe, tmp_path / "a")
    second = runs.train(
        recipe.changed(["trainer.steps=1"]), tmp_path / "b", start_from=tmp_path / "a"
    )
    assert second.losses[0] < first.losses[-1] * 1.05
    with pytest.raises(CheckpointError, match="not a run folder"):
        runs.train(recipe, tmp_path / "c", start_from=tmp_path / "absent")


def test_generated_events_follow_the_trained_distribution(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe, tmp_path)
    run = runs.Run(tmp_path)
    events = next(run.generate(50_000))
    assert events.columns == ("a", "b")
    assert events.units == ("GeV", "GeV")
    bits = run.assembly.encoder.encode(events.x)
    _, seen = qgen.Events(bits).target(run.assembly.encoder.space)
    generator = run.assembly.generator
    exact = generator.forward("probabilities", qgen.Batch(), rng=np.random.default_rng(0))[0]
    expected = exact[0] * 50_000
    chi2 = np.sum((seen[0] * 50_000 - expected)[expected > 5] ** 2 / expected[expected > 5])
    assert chi2 < 60  # 15 degrees of freedom: p < 1e-6 beyond 59


def test_generate_is_reproducible_and_independent_of_training_data(
    recipe: Recipe, tmp_path: Path
) -> None:
    runs.train(recipe, tmp_path)
    first = next(runs.Run(tmp_path).generate(1000))
    run = runs.Run(tmp_path)
    second = next(run.generate(1000))
    assert np.array_equal(first.x, second.x)
    assert "events" not in vars(run.assembly), "generating loaded the dataset"
    assert not np.array_equal(first.x, next(run.generate(1000, seed=9)).x)


def test_generated_file(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe, tmp_path / "run")
    target = tmp_path / "out" / "events.h5"
    pieces = runs.Run(tmp_path / "run").generate(300_000)
    assert write_events(pieces, target, {"kind": "generated"}) == 300_000
    with h5py.File(target) as file:
        assert set(file) == {"a", "b"}
        assert file["a"].shape == (300_000,)
        assert file["a"].attrs["unit"] == "GeV"
        assert file.attrs["kind"] == "generated"
        assert file["a"][:].min() >= 0 and file["a"][:].max() <= 6
    assert [p.name for p in target.parent.iterdir()] == ["events.h5"]


def test_generating_more_needs_no_more_memory(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path / "run")
    run = runs.Run(tmp_path / "run")
    next(run.generate(10))  # caches are filled before measuring
    peaks = []
    for n in (3 * runs.PIECE, 30 * runs.PIECE):
        tracemalloc.start()
        write_events(run.generate(n), tmp_path / "events.h5", {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_conditional_run(tmp_path: Path) -> None:
    runs.train(Recipe.parse(toyset.CONDITIONAL), tmp_path)
    run = runs.Run(tmp_path)
    means = [
        next(run.generate(20_000, condition=np.array([[c]]))).x.mean()
        for c in (100.0, 150.0, 200.0)
    ]
    assert np.allclose(means, [0.4, 0.6, 0.8], atol=0.06)
    default = next(run.generate(5_000))
    assert default.condition is not None
    assert set(np.unique(default.condition)) == {100.0, 150.0, 200.0}
    with pytest.raises(DataError, match="conditions have the shape"):
        next(run.generate(5, condition=np.zeros((5, 2))))


def test_events_outside_the_window_are_counted(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path)
    outside = json.loads((tmp_path / "run.json").read_text())["data"]["outside the window"]
    x = toyset.toy().split(3, (0.8, 0.1, 0.1))[0].x
    assert outside["train"] == np.sum((x[:, 0] >= 6.0) | (x[:, 1] >= 5.0)) > 0


def test_evaluation_and_report(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe, tmp_path)
    result = evaluation.evaluate(runs.Run(tmp_path))
    rows = {(row["metric"], row["name"]): row for row in result["metrics"]}
    assert {metric for metric, _ in rows} == set(
        evaluation.default_metrics([np.arange(5.0)] * 2, 400)[0]
    )
    js = next(row for (metric, _), row in rows.items() if metric == "js")
    assert js["floor"] < js["value"] < 0.7 and js["uncertainty"] > 0
    assert sum(result["marginals"][0]["generated"]) == evaluation.EVENTS
    RunFolder(tmp_path).save_evaluation(result)
    html = write_report(tmp_path).read_text(encoding="utf-8")
    for title in ("Summary", "Metrics", "Circuit", "Recipe", "Provenance"):
        assert f">{title}<" in html
    assert "stand-in" in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_all_models_are_judged_in_the_same_bins(recipe: Recipe, tmp_path: Path) -> None:
    results = []
    for bits in (1, 3):
        folder = tmp_path / str(bits)
        runs.train(recipe.changed([f"encoder.bits={bits}", "trainer.steps=1"]), folder)
        results.append(evaluation.evaluate(runs.Run(folder)))
    first, second = (result["bins"] for result in results)
    assert first == second
    events = results[0]["reference"]["events"]
    assert len(first["edges"][0]) - 1 == round(2 * events**0.4)
    assert len(first["joint edges"][0]) - 1 == round((2 * events**0.4) ** 0.5)
    drawn = results[0]["marginals"][0]
    assert drawn["edges"][1:-1] == first["edges"][0][1:-1]
    counts = np.array(drawn["reference"])
    assert counts.sum() == events and np.ptp(counts) <= 1  # equal counts in all bins
    assert json.loads(json.dumps(first)) == first


def test_a_recipe_may_give_its_bins(recipe: Recipe, tmp_path: Path) -> None:
    window = "evaluation.window=[[0.0, 6.0], [0.0, 5.0]]"
    runs.train(recipe.changed(["trainer.steps=1", window, "evaluation.bins=3"]), tmp_path)
    assert 'name = "toy"' in (tmp_path / "recipe.toml").read_text()
    result = evaluation.evaluate(runs.Run(tmp_path))
    assert result["marginals"][0]["edges"] == [0.0, 2.0, 4.0, 6.0]
    assert result["bins"]["joint edges"] == result["bins"]["edges"]
    assert result["bins"]["rule"] == "given by the recipe"
    with pytest.raises(BadOption, match="edges are given for 1 columns"):
        given = recipe.changed(["evaluation.edges=[[0.0, 1.0]]", "trainer.steps=1"])
        runs.train(given, tmp_path / "edges")
        evaluation.evaluate(runs.Run(tmp_path / "edges"))


@pytest.mark.parametrize(
    "given",
    [
        ["evaluation.bins=3"],
        ["evaluation.edges=[[1.0, 0.0]]"],
        ["evaluation.window=[[0.0, 1.0, 2.0]]", "evaluation.bins=3"],
        ["evaluation.window=[[0.0, 1.0]]", "evaluation.bins=0"],
        ["evaluation=3"],
    ],
)
def test_bins_that_are_none_are_refused(recipe: Recipe, given: list[str]) -> None:
    with pytest.raises(RecipeError, match="evaluation"):
        recipe.changed(given)


def test_the_events_that_were_used_are_counted(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path)
    of_a_file = {"kind": "simulated", "events": "100000", "origin": "a generator"}
    reference = toyset.toy(events=300).replace(provenance=of_a_file)
    run = runs.Run(tmp_path)
    used = run.assembly.accepted(reference, "reference")
    result = evaluation.evaluate(run, reference=reference, generated=toyset.toy(events=500))
    assert result["reference"]["events"] == len(used) < 300
    assert result["reference"]["origin"] == "simulated events"
    assert result["reference"]["kind"] == "simulated"


def test_the_reports_correlations_keep_the_signs_of_weights(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path)
    run = runs.Run(tmp_path)
    generated = toyset.toy(events=2000)
    inside = run.assembly.accepted(generated, "generated")
    # Each event of a part that is added once and subtracted once counts nothing.
    kept = inside.take(np.arange(500))
    extra = inside.take(np.arange(500, 600))
    both = np.concatenate([kept.x, extra.x[:, ::-1], extra.x[:, ::-1]])
    weight = np.concatenate([np.ones(500), np.ones(100), -np.ones(100)])
    reference = kept.replace(x=np.clip(both, 0.0, 4.9), weight=weight)
    result = evaluation.evaluate(run, reference=reference, generated=generated)
    found = result["correlation"]["reference"][0][1]
    assert found == pytest.approx(np.corrcoef(np.clip(kept.x, 0.0, 4.9).T)[0, 1], abs=1e-9)
    # Signed weights are worth (500^2 / 700) events.
    error = (1 - found**2) * np.sqrt(700 / 500**2 + 1 / len(inside))
    assert result["correlation"]["uncertainty"][0][1] == pytest.approx(error)


def test_hostile_names_are_escaped(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path)
    found = material(tmp_path)
    data = found["run"]["data"]
    data["title"] = "<script>alert(1)</script>"
    data["columns"][0] = "<script>alert(2)</script>"
    html = render(found)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_mismatch_is_found_before_training(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(
        OutputMismatch, match="loss 'mean' reads objective; generator 'qcbm' offers"
    ):
        runs.train(recipe.changed(["loss=mean"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bad_output_of_a_generator_blames_it(recipe: Recipe, tmp_path: Path) -> None:
    space = qgen.Space("bits", 4)
    for bad in (np.zeros((3, 4)), np.full((5, 4), 2), [[0]], np.full((5, 4), np.nan)):
        with pytest.raises(BrokenPlugin, match="generator 'mine' was asked for 5 samples"):
            runs.check_sample(bad, 5, space, "mine")
    runs.check_sample(np.ones((5, 4), dtype=np.int8), 5, space, "mine")


def test_two_processes_one_folder(recipe: Recipe, tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(Busy, match=f"in use by process {os.getpid()}") as caught:
        runs.train(recipe, tmp_path)
    assert caught.value.exit_code == 75
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path)
    assert not (tmp_path / "lock.json").exists()


def test_one_winner_among_many(tmp_path: Path) -> None:
    won, lost = [], []
    gate, done = threading.Barrier(8), threading.Barrier(8)

    def compete() -> None:
        gate.wait()
        try:
            with RunLock(tmp_path):
                won.append(1)
                done.wait()
        except Busy:
            lost.append(1)
            done.wait()

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from qgen_core.runs.lock import RunLock; import os, signal\n"
    )
    script += f"RunLock(Path({str(tmp_path)!r})).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", script], check=False)
    assert (tmp_path / "lock.json").exists()
    with RunLock(tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_host_ages(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "start": "1"}))
    with pytest.raises(Busy, match="on elsewhere"):
        RunLock(tmp_path).__enter__()
    old = lock.stat().st_mtime - 3600
    os.utime(lock, (old, old))
    with RunLock(tmp_path):
        pass


def test_folders_that_hold_no_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a run folder"):
        runs.Run(tmp_path)
    (tmp_path / "recipe.toml").write_text(toyset.RECIPE)
    with pytest.raises(CheckpointError, match="run.json"):
        runs.Run(tmp_path)


def test_the_density_of_a_run_integrates_to_one(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=5"]), tmp_path)
    run = runs.Run(tmp_path)
    # Bins of the encoder have edges at multiples of 6/4 and 5/4, so midpoints of a finer grid add
    # up exactly.
    a = (np.arange(40) + 0.5) * 6.0 / 40
    b = (np.arange(20) + 0.5) * 5.0 / 20
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    events = qgen.Events(grid, columns=("a", "b"))
    density = np.exp(run.log_prob(events))
    assert density.sum() * (6.0 / 40) * (5.0 / 20) == pytest.approx(1.0, abs=1e-9)
    generated = next(run.generate(4000))
    inside = (generated.x[:, 0] < 3.0) & (generated.x[:, 1] < 2.5)
    corner = density.reshape(40, 20)[:20, :10].sum() * (6.0 / 40) * (5.0 / 20)
    assert inside.mean() == pytest.approx(corner, abs=5 * np.sqrt(corner / 4000))


def test_a_recipe_may_say_how_many_events_are_generated(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe.changed(["trainer.steps=1"]), tmp_path / "run")
    few = evaluation.evaluate(runs.Run(tmp_path / "run", ["evaluation.events=500"]))
    many = evaluation.evaluate(runs.Run(tmp_path / "run", ["evaluation.events=5000"]))
    assert (few["generated"]["events"], many["generated"]["events"]) == (500, 5000)
    assert few["bins"] == many["bins"]
    # a floor is the distance of two samples of these sizes
    floors = [row["floor"] for row in (few["metrics"][0], many["metrics"][0])]
    assert floors[0] > floors[1]
    assert few["generated"]["processor ms an event"] > 0


@pytest.mark.parametrize("events", ["1", "0.5", "true", "'many'"])
def test_a_number_of_generated_events_that_is_none_is_refused(recipe: Recipe, events: str) -> None:
    with pytest.raises(RecipeError, match="events of \\[evaluation\\] is a whole number"):
        recipe.changed([f"evaluation.events={events}"])


def test_files_have_the_events_that_they_have() -> None:
    with pytest.raises(RecipeError, match="leave out events"):
        Recipe.without_run(["evaluation.events=100"])
