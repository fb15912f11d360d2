"""A run folder tells the truth: its files belong together, and nobody is given less in silence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folder_flips import all_readers, flip, generated

import qgen_core as qgen
from qgen_core.cli import main as cli
from qgen_core.errors import BadOption, CheckpointError, DataError, QgenError, RecipeError
from qgen_core.runs import compare, evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.eventfile import check_made_by
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.reading import contents
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import write_report
from qgen_core.support.checkpoint import Checkpoints

WINDOW = "encoder.window=[[0.0, 5.0], [0.0, 6.0]]"


@pytest.fixture(autouse=True, scope="module")
def _few_events() -> Iterator[None]:
    """Evaluations of 2,000 generated events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "EVENTS", 2000)
        yield


@pytest.fixture
def short(recipe: Recipe) -> Recipe:
    """A recipe of few steps, whose folder has the checkpoints of step 0 and of the end."""
    return recipe.changed(["trainer.steps=3"])


def newest(folder: Path) -> Path:
    """The file of arrays of the newest checkpoint."""
    slots = {}
    for slot in "ab":
        note = (folder / f"checkpoint-{slot}.json").read_text().split("\n")[0]
        slots[json.loads(note)["number"]] = slot
    return folder / f"checkpoint-{slots[max(slots)]}.safetensors"


def damage(file: Path, place: int = -3) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))


# --- damage of the newest checkpoint ---------------------------------------------------------


def test_an_older_trained_checkpoint_is_used_with_a_warning_that_stays(
    short: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    runs.train(short, folder)
    runs.train(short.changed(["trainer.steps=5"]), folder, resume=True)
    trained_on = generated(folder)
    assert "warning" not in trained_on.provenance
    damage(newest(folder))
    warning = "the newest checkpoint, of step 5, is damaged; that of step 3 is used"
    events = generated(folder)
    assert events.provenance["warning"] == warning
    assert warning in caplog.text
    assert not np.array_equal(events.x, trained_on.x)
    three = tmp_path / "three"
    runs.train(short, three)
    assert np.array_equal(events.x, generated(three).x)
    run = runs.Run(folder)
    result = evaluation.evaluate(run)
    assert result["generated"]["warning"] == warning
    run.folder.save_evaluation(result)
    assert write_report(folder).read_text().count(warning) >= 2


def test_an_untrained_model_is_refused_unless_it_is_asked_for(
    short: Recipe, tmp_path: Path
) -> None:
    runs.train(short, tmp_path)
    damage(newest(tmp_path))
    with pytest.raises(CheckpointError, match=r"of step 3, is damaged.*untrained.*--untrained"):
        generated(tmp_path)
    with pytest.raises(CheckpointError, match="untrained"):
        runs.train(short, tmp_path / "next", start_from=tmp_path)
    events = generated(tmp_path, untrained=True)
    assert "of step 3, is damaged" in events.provenance["warning"]
    assert "untrained" in events.provenance["warning"]


def test_a_run_that_was_stopped_before_its_first_step_is_untrained(
    short: Recipe, tmp_path: Path
) -> None:
    class Stop:
        @qgen.hookimpl
        def on_fit_start(self, problem: qgen.Problem) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.train(short, tmp_path, hooks=[Stop()])
    with pytest.raises(CheckpointError, match="untrained"):
        generated(tmp_path)
    runs.train(short, tmp_path, resume=True)
    generated(tmp_path)


def test_a_missing_newest_checkpoint_is_missed(short: Recipe, tmp_path: Path) -> None:
    runs.train(short, tmp_path)
    runs.train(short.changed(["trainer.steps=5"]), tmp_path, resume=True)
    arrays = newest(tmp_path)
    arrays.unlink()
    arrays.with_suffix(".json").unlink()
    assert "after step 5" in generated(tmp_path).provenance["warning"]


def test_an_interrupted_save_loses_nothing_and_warns_of_nothing(
    short: Recipe, tmp_path: Path
) -> None:
    """New arrays are in the older slot, and its note is still that of the earlier checkpoint."""
    runs.train(short, tmp_path)
    runs.train(short.changed(["trainer.steps=5"]), tmp_path, resume=True)
    before = generated(tmp_path)
    (other,) = {"checkpoint-a.safetensors", "checkpoint-b.safetensors"} - {newest(tmp_path).name}
    damage(tmp_path / other)
    after = generated(tmp_path)
    assert "warning" not in after.provenance and np.array_equal(before.x, after.x)


def test_a_resumed_training_says_that_steps_were_lost(short: Recipe, tmp_path: Path) -> None:
    longer = short.changed(["trainer.steps=7"])
    whole = runs.train(longer, tmp_path / "whole")
    folder = tmp_path / "hurt"
    runs.train(short, folder)
    runs.train(short.changed(["trainer.steps=5"]), folder, resume=True)
    damage(newest(folder))
    history = runs.train(longer, folder, resume=True)
    assert history.warnings == [
        "the newest checkpoint, of step 5, is damaged; that of step 3 is used"
    ]
    assert np.array_equal(history.losses, whole.losses)


# --- files of different runs -------------------------------------------------------------------


def copy_checkpoints(other: Path, folder: Path) -> None:
    for file in other.glob("checkpoint-*"):
        shutil.copy(file, folder / file.name)


def copy_encoders(other: Path, folder: Path) -> None:
    for file in (other / "encoders").glob("checkpoint-*"):
        shutil.copy(file, folder / "encoders" / file.name)


def edit_ansatz(other: Path, folder: Path) -> None:
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"brick"', '"ising"'))


def swap_columns(other: Path, folder: Path) -> None:
    record = RunFolder.read_record(folder)
    record["data"]["columns"].reverse()
    RunFolder.write_record(folder, record)


def copy_file(name: str) -> Callable[[Path, Path], None]:
    def copy(other: Path, folder: Path) -> None:
        shutil.copy(other / name, folder / name)

    return copy


SWAPS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "checkpoints of another seed": (copy_checkpoints, "seed: saved 4, now 3"),
    "encoders of another window": (copy_encoders, "encoders.sha256: saved"),
    "another ansatz": (edit_ansatz, "generator.ansatz.name: saved 'brick', now 'ising'"),
    "swapped columns": (swap_columns, "data.columns: saved ['a', 'b'], now ['b', 'a']"),
    "recipe of another run": (copy_file("recipe.toml"), "seed: saved 3, now 4"),
    "run.json of another run": (copy_file("run.json"), "run.json belongs to another run"),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and one of another seed and window; both evaluated."""
    import toyset

    toyset.offer()
    place = tmp_path_factory.mktemp("pair")
    short = Recipe.parse(toyset.RECIPE, ["trainer.steps=3"])
    others = {"one": short, "two": short.changed(["seed=4", WINDOW])}
    for name, recipe in others.items():
        runs.train(recipe, place / name)
        run = runs.Run(place / name)
        run.folder.save_evaluation(evaluation.evaluate(run))
    return place / "one", place / "two"


@pytest.mark.parametrize("swap", SWAPS)
def test_files_of_different_runs_are_refused_by_every_command(
    pair: tuple[Path, Path], tmp_path: Path, swap: str
) -> None:
    one, two = pair
    folder = tmp_path / "run"
    shutil.copytree(one, folder)
    change, message = SWAPS[swap]
    change(two, folder)
    for name, reader in all_readers(folder).items():
        with pytest.raises(CheckpointError) as caught:
            reader()
        assert message in str(caught.value), name


def test_an_evaluation_of_another_run_or_of_an_earlier_step_is_refused(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    one, two = pair
    folder = tmp_path / "run"
    shutil.copytree(one, folder)
    longer = RunFolder(folder).recipe.changed(["trainer.steps=5"])
    runs.train(longer, folder, resume=True)
    with pytest.raises(CheckpointError, match=r"step: evaluated 3, now 5.*qgen evaluate"):
        write_report(folder)
    shutil.copytree(one, tmp_path / "other")
    shutil.copy(two / "evaluation.json", tmp_path / "other")
    with pytest.raises(CheckpointError, match="identity"):
        compare.compare([tmp_path / "other"])


def test_events_of_another_run_or_of_an_earlier_step(
    pair: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(pair[0], folder)
    file = tmp_path / "events.h5"
    with pytest.raises(SystemExit, match="0"):
        cli(["generate", str(folder), "-n", "100", "-o", str(file)])
    check_made_by(file, contents(file).attributes, runs.Run(folder))
    assert "generated at" not in caplog.text
    with pytest.raises(DataError, match="not generated by the run"):
        check_made_by(file, contents(file).attributes, runs.Run(pair[1]))
    runs.train(RunFolder(folder).recipe.changed(["trainer.steps=5"]), folder, resume=True)
    check_made_by(file, contents(file).attributes, runs.Run(folder))
    assert "was generated at step 3" in caplog.text


def test_a_dataset_that_changed_is_not_compared_with(
    short: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import toyset

    runs.train(short, tmp_path)
    qgen.register("dataset", "toy", lambda: toyset.toy(scale=1.01))
    with pytest.raises(DataError, match="not those of the training"):
        evaluation.evaluate(runs.Run(tmp_path))
    assert len(generated(tmp_path)) == 200  # generating needs no training data


@pytest.mark.parametrize(
    "setting", ["seed=4", "split=[0.5, 0.0, 0.5]", WINDOW, 'generator.ansatz="ising"']
)
def test_settings_that_the_trained_model_does_not_fit_are_refused(
    pair: tuple[Path, Path], setting: str
) -> None:
    with pytest.raises(RecipeError, match="the model was trained with"):
        runs.Run(pair[0], [setting])
    runs.Run(pair[0], ["backend=density"])


# --- resuming -----------------------------------------------------------------------------------


def test_a_changed_encoder_after_a_failed_first_checkpoint(
    short: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is trained and decoded with the same, new, window."""
    replace = os.replace

    def failing(source: Any, target: Any) -> None:
        if Path(target) == tmp_path / "hurt" / "checkpoint-a.safetensors":
            raise OSError(28, "No space left on device")
        replace(source, target)

    changed = short.changed([WINDOW])
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(QgenError):
        runs.train(short, tmp_path / "hurt")
    monkeypatch.undo()
    runs.train(changed, tmp_path / "hurt", resume=True)
    runs.train(changed, tmp_path / "whole")
    assert np.array_equal(generated(tmp_path / "hurt").x, generated(tmp_path / "whole").x)


def test_the_start_is_not_forgotten(
    short: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.train(short, tmp_path / "start")
    save = Checkpoints.save

    def killed(self: Checkpoints, *args: Any) -> None:
        if self.path.name == "run":
            raise KeyboardInterrupt
        save(self, *args)

    other = short.changed(["seed=9"])
    monkeypatch.setattr(Checkpoints, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.train(other, tmp_path / "run", start_from=tmp_path / "start")
    monkeypatch.undo()
    resumed = runs.train(other, tmp_path / "run", resume=True)
    whole = runs.train(other, tmp_path / "whole", start_from=tmp_path / "start")
    assert np.array_equal(resumed.losses, whole.losses)
    assert RunFolder(tmp_path / "run").record["from"] == str(tmp_path / "start")
    longer = other.changed(["trainer.steps=5"])
    runs.train(longer, tmp_path / "run", resume=True)
    assert RunFolder(tmp_path / "run").record["from"] == str(tmp_path / "start")
    runs.train(longer, tmp_path / "whole", resume=True, start_from=tmp_path / "start")
    runs.train(short.changed(["seed=1"]), tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"start\.sha256"):
        runs.train(longer, tmp_path / "whole", resume=True, start_from=tmp_path / "other")


def test_fewer_steps_than_are_done_are_refused(short: Recipe, tmp_path: Path) -> None:
    runs.train(short, tmp_path)
    with pytest.raises(RecipeError, match=r"trainer.steps is 2, and 3 steps are done"):
        runs.train(short.changed(["trainer.steps=2"]), tmp_path, resume=True)
    assert RunFolder(tmp_path).recipe.tables["trainer"]["steps"] == 3
    again = runs.train(short, tmp_path, resume=True)
    assert again.stopped == "all 3 steps done"


@pytest.mark.parametrize("seconds", [float("nan"), -1.0, float("inf")])
def test_times_are_numbers_of_seconds(short: Recipe, tmp_path: Path, seconds: float) -> None:
    with pytest.raises(BadOption, match="number of seconds"):
        runs.train(short, tmp_path / "a", every=seconds)
    with pytest.raises(BadOption, match="number of seconds"):
        runs.train(short, tmp_path / "b", time_limit=seconds)
    assert list(tmp_path.iterdir()) == []


def test_the_first_start_is_recorded(short: Recipe, tmp_path: Path) -> None:
    runs.train(short, tmp_path)
    record = RunFolder.read_record(tmp_path)
    RunFolder.write_record(tmp_path, record | {"started": "2001-01-01T00:00:00+00:00"})
    runs.train(short.changed(["trainer.steps=4"]), tmp_path, resume=True)
    assert RunFolder(tmp_path).record["started"] == "2001-01-01T00:00:00+00:00"


# --- damage of any file -------------------------------------------------------------------------


CONTENTS = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "another object": b'{"sha256": "0"}',
    "cut": None,
    "binary": bytes(range(256)),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", ["run.json", "evaluation.json", "history.jsonl", "recipe.toml"])
def test_damaged_files_end_in_an_error_that_names_them(
    pair: tuple[Path, Path], tmp_path: Path, name: str, content: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(pair[0], folder)
    whole = (folder / name).read_bytes()
    text = CONTENTS[content]
    if text is None:
        text = whole[: len(whole) // 2]
    (folder / name).write_bytes(text)
    for reader in ("report", "compare"):
        with pytest.raises(QgenError, match=name.replace(".", r"\.")):
            all_readers(folder)[reader]()


def test_flipped_bits_of_all_files(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(pair[0], tmp_path / "run")
    counts = flip(tmp_path / "run", tries=60, seed=17)
    assert counts["right"] and counts["refused"]
    assert counts.keys() == {"right", "refused"}
