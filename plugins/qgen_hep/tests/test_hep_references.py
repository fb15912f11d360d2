"""Evaluations with files of every format, and with the own files of datasets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hep_files import INSTALLED, physics, write

from qgen_core.cli import main as cli
from qgen_core.errors import BadOption
from qgen_core.runs import evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.reading import Layout, contents, read_file
from qgen_core.runs.recipes import Recipe
from qgen_core.support.cuts import Cut
from qgen_hep.datasets.file import file
from qgen_hep.datasets.jets import jets, shipped

RECIPE = """
metrics = ["marginal-tv"]
[dataset]
name = "jets"
events = 500
cuts = [{ column = "jet1_pt", min = 300 }]
[encoder]
name = "binning"
bits = 2
window = [[300.0, 600.0], [0.0, 200.0]]
[generator]
name = "qcbm"
ansatz = { name = "brick", layers = 1 }
[loss]
name = "js"
[trainer]
name = "adam"
steps = 1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on jets whose evaluations generate 500 events."""
    folder = tmp_path_factory.mktemp("jets") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "EVENTS", 500)
        runs.train(Recipe.parse(RECIPE), folder)
        yield folder


def layout_of(run):
    found = runs.Run(run)
    return Layout.of_run(found.recipe.tables["dataset"], found.record["data"])


def test_the_own_file_of_a_dataset(run):
    """It has other names than the events of the dataset, which knows them."""
    result = evaluation.evaluate(runs.Run(run, [f"evaluation.reference={shipped()}"]))
    expected = jets(cuts=({"column": "jet1_pt", "min": 300},))
    assert result["reference"]["events"] == len(expected)
    assert result["reference"]["origin"] == "simulated events of dijets_13TeV_pythia8.h5"
    assert result["reference"]["kind"] == "simulated"


def test_cuts_of_jets_have_the_names_of_the_columns():
    found = jets(columns=("mass", "jet1_pt"), cuts=({"column": "jet2_pt", "min": 250},), events=5)
    assert Cut("jet1_pt", 250.0, 600.0) in found.cuts
    assert Cut("mass", 0.0, 200.0) in found.cuts
    assert Cut("eta", -2.5, 2.5) in found.cuts and Cut("jet2_pt", 250) in found.cuts


def test_weights_of_a_file_that_the_dataset_reads(run, tmp_path):
    rng = np.random.default_rng(3)
    columns = {name: rng.uniform(310, 590, 50) for name in ("jet1_pt", "jet2_pt")}
    columns |= {"jet1_mass": rng.uniform(0, 200, 50), "jet1_eta": rng.uniform(-1, 1, 50)}
    columns["weight"] = rng.uniform(0, 2, 50)
    path = write("npz", tmp_path, columns)
    events = read_file(path, layout_of(run))
    np.testing.assert_array_equal(events.weight, columns["weight"])


@pytest.mark.parametrize("kind", INSTALLED)
def test_a_reference_of_any_format(run, tmp_path, kind):
    """Its columns have the names of the run's, and some of its events fail the dataset's cuts."""
    truth = physics() | {"weight": np.random.default_rng(3).uniform(0, 2, 500)}
    path = write(kind, tmp_path, truth)
    events = read_file(path, layout_of(run))
    pt, mass = truth["pt"], truth["mass"]
    inside = (pt >= 300) & (pt < 600) & (mass < 200) & (np.abs(truth["eta"]) < 2.5)
    np.testing.assert_allclose(events.x, np.stack([pt, mass], axis=1)[inside])
    np.testing.assert_allclose(events.weight, truth["weight"][inside])
    assert events.units == ("GeV", "GeV")
    assert (
        "not 300 <= pt" in events.provenance["dropped"]
        or "not pt >= 300" in events.provenance["dropped"]
    )


@pytest.mark.parametrize("ending", [".h5", ".parquet", ".root"])
def test_generated_files_say_which_run_they_are_of(run, tmp_path, ending, capsys):
    package = {".parquet": "pyarrow", ".root": "uproot"}.get(ending, "h5py")
    pytest.importorskip(package)
    path = tmp_path / f"events{ending}"
    with pytest.raises(SystemExit, match="0"):
        cli(["generate", str(run), "-n", "300", "-o", str(path)])
    assert contents(path).attributes["run"] == str(run)
    with pytest.raises(SystemExit, match="0"):
        cli(["evaluate", str(path), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["generated"]["events"] == 300
    assert result["generated"]["kind"] == "generated"
    assert result["generated"]["run"] == run.name


def test_a_file_against_a_dataset(tmp_path):
    """The file of Pythia is read as the dataset reads it, and not called generated."""
    settings = ['metrics=["marginal-tv"]', "evaluation.reference={name='jets', events=400}"]
    result = evaluation.evaluate_file(shipped(), settings)
    assert result["generated"]["kind"] == "simulated"
    assert result["generated"]["events"] == len(jets())


def test_arrays_of_a_reference_keep_their_names(tmp_path):
    showers = np.random.default_rng(1).random((60, 3))
    path = write("npz", tmp_path, {"showers": showers, "weight": np.ones(60)})
    settings = ['metrics=["marginal-tv"]', f"evaluation.reference={path}"]
    result = evaluation.evaluate_file(path, settings)
    assert [one["column"] for one in result["marginals"]] == [f"showers[{i}]" for i in range(3)]


def test_invalid_events_are_dropped_on_both_sides_if_the_recipe_says_so(tmp_path):
    truth = physics(rows=60)
    truth["mass"][3] = np.nan
    path = write("npz", tmp_path, truth)
    reference = (
        f"evaluation.reference={{name='file', path='{path}', columns=['mass'], invalid='drop'}}"
    )
    result = evaluation.evaluate_file(path, ['metrics=["marginal-tv"]', reference])
    for side in ("reference", "generated"):
        assert result[side]["events"] == 59
        assert "not finite: 1" in result["dropped"][side][0]


def test_a_file_states_the_kind_of_its_events(tmp_path):
    import h5py

    path = write("hdf5", tmp_path, physics(rows=5))
    with h5py.File(path, "a") as found:
        found.attrs["generator"] = "PYTHIA 8"
    assert file(path=str(path), columns=("pt",)).provenance["kind"] == "simulated"
    with h5py.File(path, "a") as found:
        found.attrs["kind"] = "generated"
    with pytest.raises(BadOption, match="says that its events are generated"):
        file(path=str(path), columns=("pt",), kind="measured")
