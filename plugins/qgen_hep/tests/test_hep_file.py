"""The dataset of anybody's own file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hep_files import FORMATS, physics, write

from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError
from qgen_hep.datasets.file import file
from qgen_hep.readers.reading import file_hash


def test_units_of_no_column_and_misspelt_ones_are_refused(tmp_path):
    path = write("csv", tmp_path, physics())
    with pytest.raises(BadOption, match="units are given for 'masss', which is not read; there"):
        file(path=str(path), columns=("pt", "mass"), units={"masss": "GeV"})
    with pytest.raises(BadOption, match="the unit of 'pt' is 'Gev'; did you mean 'GeV'"):
        file(path=str(path), columns=("pt",), units={"pt": "Gev"})
    assert file(path=str(path), columns=("pt",), units={"pt": "furlong"}).units == ("furlong",)


@pytest.mark.parametrize("kind", FORMATS)
def test_events_with_condition_weight_units_and_cuts(kind, tmp_path):
    truth = {**physics(), "w": np.linspace(-0.1, 2.0, 500)}
    path = write(kind, tmp_path, truth)
    events = file(
        path=str(path),
        columns=("eta", "mass"),
        condition_columns=("pt",),
        weight="w",
        units={"mass": "GeV"},
        cuts=({"column": "njet", "min": 3},),
    )
    keep = truth["njet"] >= 3
    np.testing.assert_array_equal(events.x, np.stack([truth["eta"], truth["mass"]], axis=1)[keep])
    np.testing.assert_array_equal(events.condition, truth["pt"][keep, None].astype(float))
    np.testing.assert_allclose(events.weights, truth["w"][keep], rtol=1e-12)
    assert events.units == ("1", "GeV") and events.condition_columns == ("pt",)
    assert events.provenance["sha256"] == file_hash(path)
    assert events.provenance["events"] == "500"
    assert events.provenance["dropped"] == f"not njet >= 3: {int((~keep).sum())}"
    assert all(isinstance(value, str) for value in events.provenance.values())


def test_policies_are_passed_on_and_reported(tmp_path):
    columns = physics()
    columns["eta"][3] = np.nan
    columns["mass"][4] = -1.0
    path = str(write("npz", tmp_path, columns))
    with pytest.raises(DataError, match="not finite"):
        file(path=path, columns=("eta",))
    with pytest.raises(DataError, match="below zero"):
        file(path=path, columns=("mass",))
    events = file(path=path, columns=("eta", "mass"), invalid="drop", negative="drop")
    assert (
        len(events) == 498 and events.provenance["dropped"] == "not finite: 1; negative energy: 1"
    )
    assert file(path=path, columns=("mass",), negative="keep").x.min() == -1


def test_whole_arrays_become_columns(tmp_path):
    showers = np.random.default_rng(1).random((50, 6))
    path = write("hdf5", tmp_path, {"showers": showers, "energy": np.ones((50, 1))})
    events = file(
        path=str(path),
        columns=("showers",),
        condition_columns=("energy",),
        units={"showers": "MeV"},
    )
    np.testing.assert_array_equal(events.x, showers)
    assert events.columns[5] == "showers[5]" and set(events.units) == {"MeV"}
    assert events.condition_columns == ("energy",)


def test_where_the_events_come_from(tmp_path):
    path = write("hdf5", tmp_path, physics())
    assert file(path=str(path), columns=("pt",)).provenance["kind"] == "unknown"
    assert file(path=str(path), columns=("pt",), kind="measured").provenance["kind"] == "measured"
    with h5py.File(path, "a") as found:
        found.attrs["stand_in"] = True
        found.attrs["title"] = "toy"
    provenance = file(path=str(path), columns=("pt",)).provenance
    assert provenance["kind"] == "stand-in" and provenance["title"] == "toy"


def test_the_first_events(tmp_path):
    truth = physics()
    path = str(write("npz", tmp_path, truth))
    np.testing.assert_array_equal(
        file(path=path, columns=("eta",), events=7).x[:, 0], truth["eta"][:7]
    )
    with pytest.raises(BadOption, match="events must be at least 1"):
        file(path=path, columns=("eta",), events=0)


def test_one_event_is_enough(tmp_path):
    path = str(write("npz", tmp_path, {"pt": np.array([300.0])}))
    assert len(file(path=path, columns=("pt",))) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ()},
        {"columns": ("pt", "pt")},
        {"columns": ("pt",), "condition_columns": ("pt",)},
        {"columns": ("pt",), "cuts": ({"min": 3.0},)},
    ],
)
def test_options_that_cannot_be(options, tmp_path):
    path = str(write("npz", tmp_path, physics()))
    with pytest.raises(BadOption):
        file(path=path, **options)


def test_recipe_tables_make_the_dataset(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_local", {})
    registry.register("dataset", "file-here", file)
    path = write("csv", tmp_path, physics())
    cuts = [{"column": "pt", "max": 400}]
    events = registry.build("dataset", "file-here", path=str(path), columns=["pt"], cuts=cuts)()
    assert events.x.max() < 400
    with pytest.raises(BadOption):
        registry.build("dataset", "file-here", path=str(path), columns=["pt"], invalid="ignore")
