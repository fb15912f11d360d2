"""Studies: keys, results written once, resumed, repaired and shown; failures stay separate."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toystudy

from qgen_core import studies
from qgen_core.discovery import entry_points as plugins
from qgen_core.discovery import registry
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import (
    BadOption,
    BrokenPlugin,
    Busy,
    Diverged,
    QgenError,
    ResourceRefused,
    UnknownName,
)
from qgen_core.runs.lock import RunLock
from qgen_core.studies.cell_files import read_cell
from qgen_core.studies.executors.processes import ProcessesExecutor
from qgen_core.studies.executors.serial import SerialExecutor

TWO = {"name": "processes", "workers": 2}


def values(outcome: studies.Outcome) -> dict[str, Any]:
    return {result.key: result.value for result in outcome.results}


def saved(folder: Path) -> dict[str, Any]:
    return {
        path.stem: json.loads(path.read_text())["content"]["value"]
        for path in (folder / "cells").glob("*.json")
    }


def times(folder: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "cells").glob("*.json")}


def test_trainings_in_processes_equal_those_in_turn(shelf: Path, tmp_path: Path) -> None:
    ref = {"name": "toy", "what": "trained", "count": 3}
    one = studies.reproduce(ref, tmp_path / "one")
    two = studies.reproduce(ref, tmp_path / "two", executor=TWO)
    assert values(one) == values(two) == saved(tmp_path / "one") == saved(tmp_path / "two")
    found = [result.value["trained"] for result in one.results if result.value is not None]
    assert len(found) == 3 and len({f["losses"][-1] for f in found}) == 3
    assert all(len(f["losses"]) == 30 and f["losses"][-1] < f["losses"][0] for f in found)
    assert not [path for path in (tmp_path / "two" / "cells").iterdir() if path.is_dir()]
    assert all(result.seconds > 0 and result.versions["qgen-core"] for result in two.results)


def test_only_missing_and_damaged_cells_are_run_again(shelf: Path, tmp_path: Path) -> None:
    first = studies.reproduce({"name": "toy"}, tmp_path / "run")
    before = times(tmp_path / "run")
    assert len(before) == 6
    keys = sorted(before)
    paths = [tmp_path / "run" / "cells" / f"{key}.json" for key in keys]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-20])
    text = paths[2].read_text()
    number = str(json.loads(text)["content"]["value"]["number"])
    paths[2].write_text(text.replace(number, str(float(number) / 2)))
    paths[3].write_text("[" * 100_000)
    again = studies.reproduce({"name": "toy"}, tmp_path / "run")
    after = times(tmp_path / "run")
    assert [after[key] != before[key] for key in keys] == [True] * 4 + [False] * 2
    assert values(again) == values(first)
    assert studies.reproduce({"name": "toy", "count": 8}, tmp_path / "run").done == 8
    assert {key: at for key, at in times(tmp_path / "run").items() if key in after} == after


def test_every_changed_character_of_a_result_is_noticed(shelf: Path, tmp_path: Path) -> None:
    studies.reproduce({"name": "toy", "count": 1}, tmp_path / "run")
    (path,) = (tmp_path / "run" / "cells").glob("*.json")
    whole = path.read_text()
    right = read_cell(path.parent, path.stem)
    assert right is not None and right.value is not None
    unseen = 0
    for place in range(len(whole)):
        path.write_text(whole[:place] + chr(ord(whole[place]) ^ 1) + whole[place + 1 :])
        found = read_cell(path.parent, path.stem)
        assert found in (None, right), whole[place - 10 : place + 10]
        unseen += found is not None  # another last digit may be the same number
    assert unseen <= 3 and len(whole) > 500


def test_shown_at_any_time_with_what_is_missing(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    empty = studies.reproduce("toy", folder, show=True)
    assert empty.done == 0 and not (folder / "cells").exists()
    assert (folder / "result" / "tables.md").read_text().count("missing") >= 6
    studies.reproduce("toy", folder, quick=True)
    with RunLock(folder):  # while another process works in it
        part = studies.reproduce("toy", folder, show=True)
        with pytest.raises(Busy):
            studies.reproduce("toy", folder)
    assert part.done == 2 and "2 of 6 cells; 4 are missing" in part.markdown()
    text = (folder / "result" / "tables.md").read_text()
    assert text == part.markdown() and text.count("| missing |") == 4 and "a note" in text
    data = json.loads((folder / "result" / "results.json").read_text())
    assert data == json.loads(json.dumps(part.data()))
    assert [cell["value"] is None for cell in data["cells"]] == [False] * 2 + [True] * 4
    assert data["figures"] == ["toy.txt"] and (folder / "result" / "toy.txt").read_text() == "2"
    assert (
        data["versions"][data["cells"][0]["versions"]]["numpy"]
        and data["cells"][5]["versions"] is None
    )


def test_a_key_is_content_and_versions(shelf: Path, tmp_path: Path) -> None:
    cell = studies.build("toy").cells(quick=True)[0]
    key = studies.key_of("toy", cell)
    turned = json.loads(
        json.dumps(cell.recipe), object_pairs_hook=lambda pairs: dict(reversed(pairs))
    )
    assert list(turned) != list(cell.recipe)
    assert studies.key_of("toy", replace(cell, recipe=turned)) == key
    others: list[Mapping[str, Any]] = [
        {**cell.recipe, "seed": 9},
        {**cell.recipe, "dataset": {"name": "toyset", "events": 5}},
    ]
    assert (
        len({key, *(studies.key_of("toy", replace(cell, recipe=recipe)) for recipe in others)}) == 3
    )
    assert studies.key_of("toy", replace(cell, measurements={"number": {"wait": 1.0}})) != key
    for path in shelf.glob("*.dist-info"):
        path.rename(shelf / "old")
    toystudy.install(shelf, "0.2.0")
    registry._installed.cache_clear()
    plugins.all_entries.cache_clear()
    assert studies.key_of("toy", cell) != key


def test_what_is_local_is_used_and_no_content(shelf: Path, tmp_path: Path) -> None:
    few = studies.reproduce(
        {"name": "toy", "what": "trained", "events": 100, "count": 1}, tmp_path / "run"
    )
    many = studies.reproduce(
        {"name": "toy", "what": "trained", "events": 400, "count": 1}, tmp_path / "other"
    )
    (a,), (b,) = few.results, many.results
    assert a.key == b.key and a.value is not None and b.value is not None
    assert (a.value["trained"]["seen"], b.value["trained"]["seen"]) == (100, 400)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("diverged", Diverged, "1 of 3 cells failed, the first: the loss became nan"),
        ("bug", BrokenPlugin, "study 'toy' failed in a cell: KeyError"),
        ("nan", BrokenPlugin, "study 'toy' failed in a cell: ValueError"),
    ],
)
@pytest.mark.parametrize("executor", ["serial", TWO], ids=["serial", "processes"])
def test_a_failing_cell_costs_no_other(
    shelf: Path, tmp_path: Path, how: str, error: type[QgenError], words: str, executor: Any
) -> None:
    ref = {"name": "toy", "what": "broken", "how": how, "count": 3}
    with pytest.raises(error, match=words):
        studies.reproduce(ref, tmp_path / "run", executor=executor)
    assert len(saved(tmp_path / "run")) == 2
    data = json.loads((tmp_path / "run" / "result" / "results.json").read_text())
    assert len(data["failed"]) == 1 and data["done"] == 2


def test_a_cell_that_kills_its_workers_is_given_up(shelf: Path, tmp_path: Path) -> None:
    ref = {"name": "toy", "what": "broken", "how": "die", "count": 2}
    with pytest.raises(ResourceRefused, match="5 workers died on this cell.*seed = 1"):
        studies.reproduce(ref, tmp_path / "run", executor={"name": "processes", "workers": 1})
    assert len(saved(tmp_path / "run")) == 1


def test_a_damaged_training_starts_anew(shelf: Path, tmp_path: Path) -> None:
    ref = {"name": "toy", "what": "trained", "count": 1}
    whole = studies.reproduce(ref, tmp_path / "whole")
    key = whole.results[0].key
    scratch = tmp_path / "run" / "cells" / key
    scratch.mkdir(parents=True)
    for slot in "ab":
        (scratch / f"checkpoint-{slot}.json").write_text("{}\nnothing\n")
    assert values(studies.reproduce(ref, tmp_path / "run")) == values(whole)
    assert not scratch.exists()


def test_names_are_checked_before_anything_runs(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no trainer 'adaam'"):
        studies.reproduce({"name": "toy", "trainer": "adaam"}, tmp_path / "run")
    assert not (tmp_path / "run" / "cells").exists()
    with pytest.raises(UnknownName, match="no study 'toi'"):
        studies.reproduce("toi", tmp_path / "run")
    with pytest.raises(BadOption, match="not 'colour'"):
        studies.reproduce({"name": "toy", "colour": 1}, tmp_path / "run")
    with pytest.raises(BrokenPlugin, match="not a Study"):
        studies.reproduce("no-study", tmp_path / "run")


def test_folder_by_default(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert studies.reproduce("toy", quick=True).folder == Path("runs/toy-quick")
    assert studies.reproduce("toy", show=True).folder == Path("runs/toy")
    assert (tmp_path / "runs" / "toy-quick" / "result" / "results.json").exists()


def test_studies_run_outside_the_main_thread(shelf: Path, tmp_path: Path) -> None:
    found: list[int] = []
    thread = threading.Thread(
        target=lambda: found.append(studies.reproduce("toy", tmp_path / "run", executor=TWO).done)
    )
    thread.start()
    thread.join(60)
    assert found == [6]


def twice(text: str) -> str:
    return f"{text}{text} {os.getpid()}"


def test_executors_answer_every_task_once() -> None:
    tasks = [str(i) for i in range(7)]
    assert list(SerialExecutor()(twice, tasks)) == [(i, twice(t)) for i, t in enumerate(tasks)]
    answers = dict(ProcessesExecutor(workers=2)(twice, tasks))
    assert [answers[i].split()[0] for i in range(7)] == [t * 2 for t in tasks]
    workers = {answer.split()[1] for answer in answers.values()}
    assert 1 <= len(workers) <= 2 and str(os.getpid()) not in workers
    assert list(ProcessesExecutor(workers=3)(twice, [])) == []
    with pytest.raises(BadOption, match="at least 1"):
        ProcessesExecutor(workers=0)


def test_a_trial_may_start_from_a_run(shelf: Path, tmp_path: Path) -> None:
    recipe = {**studies.build({"name": "toy", "what": "trained"}).cells(quick=True)[1].recipe}
    first = studies.Trial(recipe, tmp_path / "first")
    second = studies.Trial(recipe, tmp_path / "second", start=first.run.path)
    assert second.history[0]["loss"] < first.history[-1]["loss"] < first.history[0]["loss"]
    assert second.run.record["from"] == str(tmp_path / "first") and first.run.record["from"] is None
    for slot in "ab":
        (tmp_path / "second" / f"checkpoint-{slot}.json").write_text("{}\nnothing\n")
    again = studies.Trial(recipe, tmp_path / "second", start=first.run.path)
    assert again.history == second.history, "started anew, from the same run"


def test_a_trial_calls_its_hooks(shelf: Path, tmp_path: Path) -> None:
    recipe = {**studies.build({"name": "toy", "what": "trained"}).cells(quick=True)[1].recipe}
    seen: list[float] = []

    class Watch:
        @hookimpl
        def on_step(self, record: dict[str, float]) -> None:
            seen.append(record["loss"])

    trial = studies.Trial(recipe, tmp_path / "run", hooks=[Watch()])
    assert [record["loss"] for record in trial.history] == seen and len(seen) > 1


class Search(studies.Study):
    """Finds the seed whose square is nearest to 40, by steps that depend on the results."""

    measurements = {"square": lambda trial: trial.recipe.seed**2}

    @staticmethod
    def cell(seed: int) -> studies.Cell:
        recipe = {
            "seed": seed,
            "dataset": "any",
            "encoder": "binning",
            "generator": "qcbm",
            "loss": "js",
            "trainer": "adam",
        }
        return studies.Cell(recipe, {"square": {}}, {"seed": seed})

    def cells(self, *, quick: bool) -> list[studies.Cell]:
        return [self.cell(1)]

    def more_cells(self, results: studies.Results, *, quick: bool) -> list[studies.Cell]:
        asked = max(result.cell.tags["seed"] for result in results)
        if results.one(seed=asked).data() is None or results.one(seed=asked).data() >= 40:
            return []
        return [self.cell(asked), self.cell(asked + 1)]

    def tables(self, results: studies.Results) -> list[studies.Table]:
        text = results.summary(float).text()
        return [studies.Table("Squares", ["mean"], [[text]])]


def test_cells_may_depend_on_results(tmp_path: Path) -> None:
    registry.register("study", "search", Search)
    registry.register("dataset", "any", list)
    outcome = studies.reproduce("search", tmp_path)
    assert [result.data() for result in outcome.results] == [1, 4, 9, 16, 25, 36, 49]
    before = times(tmp_path)
    # Shown and continued, the same cells are found again and none is run.
    for options in ({"show": True}, {}):
        again = studies.reproduce("search", tmp_path, **options)
        assert values(again) == values(outcome)
    assert times(tmp_path) == before
    sorted((tmp_path / "cells").glob("*.json"))[0].unlink()
    partly = studies.reproduce("search", tmp_path, show=True)
    assert len(partly.results) <= 7
    assert values(studies.reproduce("search", tmp_path)) == values(outcome)
