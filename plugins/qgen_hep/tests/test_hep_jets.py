"""The shipped jets: the right file, the right events, and the physics of its description."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError
from qgen_core.testing import DatasetKit
from qgen_hep.datasets.jets import COLUMNS, SHA256, jets, shipped
from qgen_hep.readers.reading import file_hash

DIJETGAN = ({"column": "jet2_pt", "min": 250},)


@pytest.fixture(scope="module")
def stored():
    with h5py.File(shipped(), "r") as file:
        return {name: file[name][:].astype(np.float64) for name in file}


@pytest.fixture(scope="module")
def inside(stored):
    pt, mass, eta = stored["jet1_pt"], stored["jet1_mass"], stored["jet1_eta"]
    return (pt >= 250) & (pt < 600) & (mass >= 0) & (mass < 200) & (np.abs(eta) < 2.5)


def test_the_shipped_file_is_the_one_meant():
    assert file_hash(shipped()) == SHA256
    assert shipped().stat().st_size < 3 * 2**20


def test_default_events_are_those_in_the_window(stored, inside):
    events = jets()
    assert (len(events), len(stored["jet1_pt"])) == (70580, 76597)
    np.testing.assert_array_equal(
        events.x, np.stack([stored["jet1_pt"], stored["jet1_mass"]], axis=1)[inside]
    )
    assert events.columns == ("pt", "mass") and events.units == ("GeV", "GeV")
    assert events.condition is None and events.weight is None


def test_correlations_are_those_stated_with_the_data(stored):
    """0.418 for all events and 0.303 in the window with two jets above 250 GeV: its README."""
    wide = {"pt": (250.0, 1e5), "mass": (0.0, 1e5), "eta": (-5.0, 5.0)}
    everything = jets(window=wide)
    assert len(everything) == 76597
    assert np.corrcoef(everything.x.T)[0, 1] == pytest.approx(0.418, abs=5e-4)
    assert len(jets(window=wide, cuts=DIJETGAN)) == 59749
    selected = jets(cuts=DIJETGAN)
    assert len(selected) == 55012
    assert np.corrcoef(selected.x.T)[0, 1] == pytest.approx(0.303, abs=5e-4)


def test_provenance_is_text_and_counts_what_is_left_out():
    said = jets(cuts=DIJETGAN).provenance
    assert all(isinstance(value, str) for value in said.values())
    assert said["name"] == "jets" and said["kind"] == "simulated" and said["stand_in"] == "no"
    assert said["generator"] == "PYTHIA 8.317" and said["sha256"] == SHA256
    assert said["outside"] == "6017 of 76597 events"
    assert said["window"] == "250 <= jet1_pt < 600, 0 <= jet1_mass < 200, -2.5 <= jet1_eta < 2.5"
    assert said["cuts"] == "jet2_pt >= 250; 15568 events cut"


def test_windows_replace_one_default_each(stored, inside):
    narrow = (stored["jet1_pt"] >= 300) & (stored["jet1_pt"] < 400)
    events = jets(window={"pt": (300.0, 400.0)})
    assert len(events) == np.sum(inside & narrow)
    central = jets(window={"eta": (-1.0, 1.0), "mjj": (500.0, 900.0)}, columns=("eta", "mjj"))
    assert (
        np.all(np.abs(central.x[:, 0]) <= 1)
        and central.x[:, 1].min() >= 500
        and central.x[:, 1].max() < 900
    )


def test_columns_in_the_order_asked_for_with_their_units(stored, inside):
    events = jets(columns=("eta", "jet2_mass", "njet", "phi", "ht"))
    names = ("jet1_eta", "jet2_mass", "njet", "jet1_phi", "ht")
    np.testing.assert_array_equal(events.x, np.stack([stored[n][inside] for n in names], axis=1))
    assert events.units == ("1", "GeV", "1", "1", "GeV")
    for column in COLUMNS:
        assert np.isfinite(jets(columns=(column,), events=50).x).all()


def test_the_second_jet_has_windows_of_its_own(stored):
    pt, mass, eta = stored["jet2_pt"], stored["jet2_mass"], stored["jet2_eta"]
    keep = (pt >= 250) & (pt < 600) & (mass < 200) & (np.abs(eta) < 2.5)
    events = jets(jet="subleading")
    np.testing.assert_array_equal(events.x, np.stack([pt, mass], axis=1)[keep])
    assert (
        events.provenance["jet"] == "subleading"
        and "250 <= jet2_pt < 600" in events.provenance["window"]
    )


def test_conditions(stored, inside):
    events = jets(columns=("mass",), condition_columns=("pt", "njet"))
    np.testing.assert_array_equal(
        events.condition, np.stack([stored["jet1_pt"], stored["njet"]], axis=1)[inside]
    )
    assert events.condition_columns == ("pt", "njet")


def test_the_first_events(stored, inside):
    np.testing.assert_array_equal(jets(events=10).x[:, 0], stored["jet1_pt"][inside][:10])
    assert len(jets(events=10**9)) == 70580


def test_another_file_of_the_same_columns(tmp_path):
    path = tmp_path / "mine.h5"
    shutil.copy(shipped(), path)
    with h5py.File(path, "a") as file:
        file.attrs["stand_in"] = True
        file.attrs["title"] = "mine"
    events = jets(path=str(path))
    assert events.provenance["kind"] == "stand-in" and events.provenance["title"] == "mine"
    assert events.provenance["file"] == "mine.h5" and events.provenance["sha256"] == file_hash(path)
    np.testing.assert_array_equal(events.x, jets().x)
    assert len(jets(path=str(path), sha256=file_hash(path))) == len(events)
    with pytest.raises(DataError, match=f"expected the SHA-256 {SHA256}"):
        jets(path=str(path), sha256=SHA256)
    with h5py.File(path, "a") as file:
        del file["jet1_mass"]
    with pytest.raises(DataError, match="no column 'jet1_mass'"):
        jets(path=str(path))


def test_a_damaged_shipped_file_is_seen(tmp_path, monkeypatch):
    path = tmp_path / "dijets_13TeV_pythia8.h5"
    data = bytearray(shipped().read_bytes())
    data[10**6] ^= 4
    path.write_bytes(data)
    monkeypatch.setattr("qgen_hep.datasets.jets.shipped", lambda: path)
    with pytest.raises(DataError, match="expected the SHA-256"):
        jets()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ("pt", "energy")}, "jets have no column 'energy'; there are pt, mass, eta"),
        ({"columns": ()}, "columns names at least one of pt"),
        ({"columns": ("pt", "jet1_pt")}, "columns must be different columns"),
        ({"condition_columns": ("charge",)}, "jets have no column 'charge'"),
        ({"window": {"energy": (0.0, 1.0)}}, "jets have no column 'energy'"),
        ({"window": {"pt": (600.0, 250.0)}}, "min < max"),
        ({"window": {"pt": (600.0,)}}, r"the window of 'pt' is \[min, max\]"),
        ({"cuts": ({"column": "jet2_pt", "above": 3.0},)}, "not 'above'"),
        ({"cuts": ({"column": "jet3_pt", "min": 3.0},)}, "jets have no column 'jet3_pt'"),
        ({"events": 0}, "events must be at least 1"),
        ({"sha256": SHA256}, "sha256 needs path"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(BadOption, match=message):
        jets(**options)


def test_a_selection_that_leaves_nothing():
    with pytest.raises(DataError, match="no event of 76597 passes .* jet2_pt >= 5000"):
        jets(cuts=({"column": "jet2_pt", "min": 5000},))


def test_recipe_tables_make_the_dataset(monkeypatch):
    monkeypatch.setattr(registry, "_local", {})
    registry.register("dataset", "jets-here", jets)
    table = {
        "name": "jets-here",
        "columns": ["pt", "eta"],
        "condition_columns": ["mass"],
        "window": {"pt": [250, 400]},
        "cuts": [{"column": "jet2_pt", "min": 250}],
        "events": 100,
    }
    events = registry.build("dataset", table)()
    assert events.x.shape == (100, 2) and events.condition.shape == (100, 1)
    for wrong in (
        {"columns": "pt"},
        {"window": {"pt": "wide"}},
        {"jet": "third"},
        {"columns": ["pt"], "bins": 3},
    ):
        with pytest.raises(BadOption):
            registry.build("dataset", {"name": "jets-here", **wrong})


class TestKit(DatasetKit):
    """The dataset passes the kit of datasets."""

    def make(self):
        return qgen.dataset("jets")
