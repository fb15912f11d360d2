"""What is compared with what: weights, cuts and windows on both sides, and what they are called."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import toyset

import qgen_core as qgen
from qgen_core.cli import main as cli
from qgen_core.errors import BadOption, DataError, RecipeError, UnknownName
from qgen_core.runs import evaluation, reading
from qgen_core.runs import run as runs
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import write_report
from qgen_core.support.cuts import Cut

CUT = Cut("a", max=3.0)


@pytest.fixture(autouse=True, scope="module")
def _few_events() -> Iterator[None]:
    """Evaluations of 2,000 generated events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "EVENTS", 2000)
        yield


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Path:
    """A run whose recipe has two metrics that respect weights."""
    folder = tmp_path / "run"
    runs.train(recipe.changed(["trainer.steps=1", 'metrics=["tv", "wasserstein"]']), folder)
    return folder


def toy_cut(*, events: int = 4000) -> qgen.Events:
    """The toy events with a below 3."""
    found = toyset.toy(events=events)
    return found.take(CUT.keeps(found.x[:, 0])).replace(cuts=(CUT,))


def write(path: Path, columns: Mapping[str, Any], **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values
        file.attrs.update(attributes)
    return path


def toy_file(path: Path, seed: int = 1, **attributes: Any) -> Path:
    """Events with weights between 0 and 2, inside and outside the encoder's window."""
    rng = np.random.default_rng(seed)
    columns = {"a": rng.exponential(2, 900), "b": rng.exponential(1.5, 900)}
    return write(path, columns | {"weight": rng.uniform(0, 2, 900)}, **attributes)


def result_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """What ``qgen evaluate --json`` prints."""
    with pytest.raises(SystemExit, match="0"):
        cli(["evaluate", *map(str, arguments), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def values_of(result: Mapping[str, Any]) -> list[float]:
    return [row["value"] for row in result["metrics"]]


@pytest.mark.parametrize("reader", ["file", "no reader"])
def test_weights_of_a_file_count_in_metrics_and_histograms(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    reader: str,
) -> None:
    """With the readers of qgen-hep, and without."""
    if reader == "no reader":
        monkeypatch.setattr(reading, "READER", reader)
    path = toy_file(tmp_path / "reference.h5", kind="measured")
    found = result_of(capsys, run, "--reference", path)
    with h5py.File(path) as file:
        x = np.stack([file["a"][:], file["b"][:]], axis=1)
        weight = file["weight"][:]
    expected = qgen.Events(x, weight=weight, columns=("a", "b"), units=("GeV", "GeV"))
    direct = evaluation.evaluate(runs.Run(run), reference=expected)
    assert values_of(found) == values_of(direct)
    assert found["marginals"] == direct["marginals"]
    inside = (x[:, 0] <= 6) & (x[:, 1] <= 5)
    assert sum(found["marginals"][0]["reference"]) == pytest.approx(weight[inside].sum())
    unweighted = evaluation.evaluate(runs.Run(run), reference=expected.replace(weight=None))
    assert values_of(found) != values_of(unweighted)
    assert found["reference"]["origin"] == "measured events of reference.h5"


def test_the_cuts_of_the_dataset_hold_for_both_sides(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    qgen.register("dataset", "toy-cut", toy_cut)
    folder = tmp_path / "run"
    runs.train(recipe.changed(["dataset=toy-cut", "trainer.steps=1", 'metrics=["tv"]']), folder)
    path = toy_file(tmp_path / "reference.h5")
    found = result_of(capsys, folder, "--reference", path)
    with h5py.File(path) as file:
        columns = {name: file[name][:] for name in file}
    passes = columns["a"] < 3
    inside = passes & (columns["b"] <= 5)
    assert found["reference"]["events"] == inside.sum() < passes.sum()
    of_reference = " ".join(found["dropped"]["reference"])
    assert f"not a < 3: {(~passes).sum()}" in of_reference
    assert f"{passes.sum() - inside.sum()} of {passes.sum()}" in of_reference
    (of_generated,) = found["dropped"]["generated"]
    number = int(of_generated.partition("not a < 3: ")[2].split()[0])
    assert number > 100 and found["generated"]["events"] == 2000 - number
    selected = {name: values[passes] for name, values in columns.items()}
    again = result_of(capsys, folder, "--reference", write(tmp_path / "cut.h5", selected))
    assert again["metrics"] == found["metrics"]
    assert "not a &lt; 3" in write_report(folder).read_text(encoding="utf-8")


def test_cuts_of_the_reference_hold_for_both_sides(run: Path) -> None:
    reference = toy_cut()
    result = evaluation.evaluate(runs.Run(run), reference=reference)
    assert result["generated"]["events"] < 2000
    drawn = result["marginals"][0]
    beyond = np.array(drawn["edges"][:-1]) >= 3
    assert not np.any(np.array(drawn["generated"])[beyond])
    with pytest.raises(DataError, match="none of the 4000 stand-in events of toy has a >= 999"):
        never = toyset.toy().replace(cuts=(Cut("a", min=999.0),))
        evaluation.evaluate(runs.Run(run), reference=never)


def test_a_cut_on_a_column_that_the_file_lacks_is_named(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut = Cut("c", min=1.0)
    qgen.register("dataset", "toy-c", lambda: toyset.toy().replace(cuts=(cut,)))
    runs.train(recipe.changed(["dataset=toy-c", "trainer.steps=1", 'metrics=["tv"]']), tmp_path)
    run = runs.Run(tmp_path)
    layout = reading.Layout.of_run(run.recipe.tables["dataset"], run.record["data"])
    simulated = toy_file(tmp_path / "simulated.h5", kind="simulated")
    reading.read_file(simulated, layout)
    assert "c >= 1" in caplog.text and "no such column" in caplog.text
    caplog.clear()
    # A model of events after a cut has nothing to do with the column that was cut on.
    reading.read_file(toy_file(tmp_path / "model.h5", kind="generated"), layout)
    assert caplog.text == ""


def test_two_files_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated = toy_file(tmp_path / "pythia.h5", generator="PYTHIA 8")
    measured = toy_file(tmp_path / "data.h5", seed=2, kind="measured")
    metrics = ["--set", 'metrics=["tv"]']
    found = result_of(capsys, simulated, "--reference", measured, *metrics)
    assert found["generated"]["kind"] == "simulated"
    assert found["generated"]["origin"] == "simulated events of pythia.h5"
    assert found["reference"]["kind"] == "measured"
    assert [one["column"] for one in found["marginals"]] == ["a", "b"]
    with h5py.File(simulated) as file:
        assert sum(found["marginals"][0]["generated"]) == pytest.approx(
            file["weight"][:][file["a"][:] <= found["bins"]["edges"][0][-1]].sum()
        )
    with pytest.raises(SystemExit, match="0"):
        cli(["evaluate", str(simulated), "--reference", str(measured), *metrics])
    printed = capsys.readouterr()
    assert "generated" not in printed.out + printed.err
    assert "900 simulated events of pythia.h5 with 900 measured events of data.h5" in printed.err
    with pytest.raises(SystemExit, match="3"):
        cli(["evaluate", str(simulated)])
    assert "--reference" in capsys.readouterr().err


def test_two_files_are_held_to_the_cuts_of_the_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("qgen_hep", reason="cuts are options of the dataset file of qgen-hep")
    first = toy_file(tmp_path / "first.h5")
    second = toy_file(tmp_path / "second.h5", seed=2)
    reference = (
        f'evaluation.reference={{name="file", path="{second}", cuts=[{{column="a", max=3}}]}}'
    )
    found = result_of(capsys, first, "--set", reference, "--set", 'metrics=["tv"]')
    for side, path in (("generated", first), ("reference", second)):
        with h5py.File(path) as file:
            number = int(np.sum(file["a"][:] < 3))
        assert found[side]["events"] == number
        assert f"not a < 3: {900 - number}" in " ".join(found["dropped"][side])


def test_a_model_is_a_reference_for_another(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.h5"
    with pytest.raises(SystemExit, match="0"):
        cli(["generate", str(run), "-n", "500", "-o", str(path), "--seed", "5"])
    found = result_of(capsys, run, "--reference", path)
    assert found["reference"]["kind"] == "generated"
    tv = next(row for row in found["metrics"] if row["metric"] == "tv")
    assert tv["value"] < tv["floor"] + 5 * tv["floor_spread"]


def test_the_reference_of_a_recipe(recipe: Recipe, tmp_path: Path) -> None:
    path = toy_file(tmp_path / "reference.h5", kind="measured")
    given = ["trainer.steps=1", 'metrics=["tv"]', f'evaluation.reference="{path}"']
    runs.train(recipe.changed(given), tmp_path / "run")
    run = runs.Run(tmp_path / "run")
    assert evaluation.evaluate(run)["reference"]["kind"] == "measured"
    Assembly(run.recipe).validate()
    other = runs.Run(
        tmp_path / "run", ['evaluation.reference={dataset = {name = "toy", events=50}}']
    )
    result = evaluation.evaluate(other)
    assert result["reference"]["events"] <= 50
    assert result["settings"]["evaluation.reference.events"] == 50
    # how a run is evaluated may change between the parts of a training
    runs.train(other.recipe.changed(["trainer.steps=2"]), tmp_path / "run", resume=True)
    path.unlink()
    with pytest.raises(DataError, match=r"reference\.h5 does not exist"):
        Assembly(run.recipe).validate()


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("3", RecipeError),
        ("{columns=['a']}", RecipeError),
        ("{dataset={columns=['a']}}", RecipeError),
        ('{name="toy", colour=3}', BadOption),
        ('"no-such-set"', UnknownName),
        ('"no-such-file.h5"', DataError),
        ('"toy-conditional"', DataError),
    ],
)
def test_references_that_are_none_are_refused(run: Path, reference: str, error: type) -> None:
    with pytest.raises(error, match=r"reference|toy|no-such|compared"):
        evaluation.evaluate(runs.Run(run, [f"evaluation.reference={reference}"]))


def test_columns_and_units_have_to_agree(run: Path, tmp_path: Path) -> None:
    setting = f"evaluation.reference={tmp_path / 'bad.h5'}"
    write(tmp_path / "bad.h5", {"a": np.ones(5), "c": np.ones(5)})
    with pytest.raises(DataError, match="'b'"):
        evaluation.evaluate(runs.Run(run, [setting]))
    other = toyset.toy().replace(units=("MeV", "GeV"))
    qgen.register("dataset", "toy-mev", lambda: other)
    with pytest.raises(DataError, match="'a' of stand-in events of toy is in MeV"):
        evaluation.evaluate(runs.Run(run, ["evaluation.reference=toy-mev"]))
    write(tmp_path / "one.h5", {"a": np.ones(5)})
    write(tmp_path / "two.h5", {"b": np.ones(5)})
    with pytest.raises(DataError, match="no column in common: a and b"):
        evaluation.evaluate_file(
            tmp_path / "one.h5", [f"evaluation.reference={tmp_path / 'two.h5'}"]
        )


def test_conditions_are_drawn_from_the_reference_by_weight(tmp_path: Path) -> None:
    runs.train(Recipe.parse(toyset.CONDITIONAL, ["trainer.steps=1"]), tmp_path)
    run = runs.Run(tmp_path)
    events = toyset.toy_conditional()
    assert events.condition is not None
    high = events.condition[:, 0] == 200.0
    weighted = events.replace(weight=np.where(high, 10.0, 1.0))
    result = evaluation.evaluate(run, reference=weighted)
    shares = []
    for group in result["by condition"]:
        shares.append(sum(group["marginals"][0]["generated"]) / 2000)
    expected = weighted.weights[high].sum() / weighted.weights.sum()
    assert shares[-1] == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / 2000))


def test_settings_of_an_evaluation_without_a_run(tmp_path: Path) -> None:
    path = toy_file(tmp_path / "a.h5")
    with pytest.raises(RecipeError, match="not trainer"):
        evaluation.evaluate_file(path, ["trainer.steps=3", f"evaluation.reference={path}"])
