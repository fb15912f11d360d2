"""What readers read: values, names, elements, units, cuts and policies, in every format."""

from __future__ import annotations

import hashlib
import tracemalloc

import h5py
import numpy as np
import pytest
from hep_files import FORMATS, physics, plant, write

from qgen_core.errors import BadOption, DataError
from qgen_hep.readers import Cut, read
from qgen_hep.readers.policy import is_energy


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_come_back_in_the_order_asked_for(kind, tmp_path):
    truth = physics()
    path = write(kind, tmp_path, truth)
    table = read(path, ["mass", "njet", "pt"])
    assert table.names == ("mass", "njet", "pt")
    assert table.values.dtype == np.float64
    for name in table.names:
        np.testing.assert_array_equal(table.column(name), truth[name].astype(np.float64))
    assert table.rows == len(table) == 500
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", FORMATS)
def test_cuts_are_half_open_and_counted(kind, tmp_path):
    truth = physics()
    path = write(kind, tmp_path, truth)
    low, high = float(truth["eta"][3]), float(truth["eta"].max())
    table = read(path, ["pt"], cuts=[Cut("eta", low, high), Cut("njet", max=4.0)])
    expected = [
        float(p)
        for p, e, n in zip(truth["pt"], truth["eta"], truth["njet"], strict=True)
        if low <= e < high and n < 4
    ]
    np.testing.assert_array_equal(table.column("pt"), expected)
    outside = int(np.sum((truth["eta"] < low) | (truth["eta"] >= high)))
    assert sum(table.dropped.values()) == 500 - len(expected)
    assert table.dropped[f"not {Cut('eta', low, high)}"] == outside


@pytest.mark.parametrize("kind", FORMATS)
def test_a_missing_column_is_named_with_what_there_is(kind, tmp_path):
    path = write(kind, tmp_path, physics())
    with pytest.raises(DataError, match=r"no column 'phi'; there are .*eta.*") as caught:
        read(path, ["phi"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_values_that_are_not_finite(kind, tmp_path):
    columns = physics()
    columns["eta"][[7, 40]] = np.nan
    columns["mass"][9] = np.inf
    path = write(kind, tmp_path, columns)
    with pytest.raises(
        DataError, match=r"'eta' has 2 values that are not finite, the first is nan in event 7"
    ):
        read(path, ["eta", "mass"])
    table = read(path, ["eta", "mass"], invalid="drop")
    np.testing.assert_array_equal(table.column("eta"), np.delete(columns["eta"], [7, 9, 40]))
    assert table.dropped == {"not finite": 3}


@pytest.mark.parametrize("kind", FORMATS)
def test_negative_energies(kind, tmp_path):
    columns = physics()
    columns["mass"][[5, 6]] = -1.5
    path = write(kind, tmp_path, columns)
    with pytest.raises(
        DataError, match=r"'mass' has 2 values below zero, the first is -1.5 in event 5"
    ):
        read(path, ["eta", "mass"])
    assert len(read(path, ["eta", "mass"], negative="drop")) == 498
    kept = read(path, ["eta", "mass"], negative="keep")
    assert len(kept) == 500 and kept.column("mass")[5] == -1.5
    assert read(path, ["eta"]).column("eta").min() < 0  # not an energy


@pytest.mark.parametrize("kind", FORMATS)
def test_another_file_than_the_one_meant_is_refused_before_it_is_parsed(kind, tmp_path):
    path = write(kind, tmp_path, physics())
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(read(path, ["pt"], sha256=right.upper())) == 500
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=f"expected the SHA-256 {right}, found "):
        read(path, ["pt"], sha256=right)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_without_events(kind, tmp_path):
    path = write(kind, tmp_path, {name: values[:0] for name, values in physics().items()})
    with pytest.raises(DataError, match="no events"):
        read(path, ["pt"])


def test_cuts_that_leave_nothing_say_so(tmp_path):
    path = write("npz", tmp_path, physics())
    with pytest.raises(
        DataError, match=r"none of its 500 events is left; dropped: \{'not pt >= 1e\+06': 500\}"
    ):
        read(path, ["pt"], cuts=[Cut("pt", min=1e6)])


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
def test_elements_and_whole_arrays(kind, tmp_path):
    rng = np.random.default_rng(2)
    columns = {
        "e": rng.random((20, 1)),
        "layers": rng.random((20, 3)),
        "cells": rng.random((20, 2, 4)),
    }
    path = write(kind, tmp_path, columns)
    table = read(path, ["cells[1,2]", "layers", "e"])
    assert table.names == ("cells[1,2]", "layers[0]", "layers[1]", "layers[2]", "e")
    np.testing.assert_array_equal(table.column("cells[1,2]"), columns["cells"][:, 1, 2])
    np.testing.assert_array_equal(table.column("layers[2]"), columns["layers"][:, 2])
    values, names, _ = table.only(["e", "layers"])
    assert names == ("e", "layers[0]", "layers[1]", "layers[2]")
    np.testing.assert_array_equal(values, np.hstack([columns["e"], columns["layers"]]))
    whole = read(path, ["cells"]).values
    np.testing.assert_array_equal(whole, columns["cells"].reshape(20, 8))
    for wrong in ("layers[3]", "layers[0,0]", "cells[1]"):
        with pytest.raises(DataError, match="expected an index within the shape"):
            read(path, [wrong])


def test_root_arrays_of_fixed_length(tmp_path):
    pytest.importorskip("uproot")
    truth = np.random.default_rng(3).random((30, 4))
    path = write("root", tmp_path, {"layers": truth})
    np.testing.assert_array_equal(read(path, ["layers"]).values, truth)
    np.testing.assert_array_equal(read(path, ["layers[2]"]).column("layers[2]"), truth[:, 2])


def test_root_trees_are_chosen_by_name(tmp_path):
    uproot = pytest.importorskip("uproot")
    path = tmp_path / "two.root"
    with uproot.recreate(path) as file:
        plant(file, "reco/jets", {"pt": np.arange(3.0)})
        plant(file, "truth", {"pt": np.arange(4.0)})
        file["new"] = {"pt": np.arange(5.0)}
    assert len(read(path, ["pt"], tree="reco/jets")) == 3
    assert len(read(path, ["pt"], tree="truth")) == 4
    with pytest.raises(DataError, match="expected one tree, found new, reco/jets, truth"):
        read(path, ["pt"])
    with pytest.raises(DataError, match="no tree 'gen'; there are new, reco/jets, truth"):
        read(path, ["pt"], tree="gen")


def test_units_are_those_given_then_those_stated(tmp_path):
    path = write("hdf5", tmp_path, physics())
    with h5py.File(path, "a") as file:
        file["pt"].attrs["unit"] = "MeV"
        file["mass"].attrs["unit"] = np.bytes_("MeV")
    assert read(path, ["pt", "mass", "eta"], units={"pt": "GeV"}).units == ("GeV", "MeV", "1")


def test_hdf5_groups_and_attributes(tmp_path):
    path = tmp_path / "grouped.hdf5"
    with h5py.File(path, "w") as file:
        file["events/jets/pt"] = np.arange(5.0)
        file.attrs.update({"title": "five", "stand_in": True, "seed": 3, "matrix": np.eye(2)})
    table = read(path, ["events/jets/pt"])
    assert table.names == ("events/jets/pt",)
    assert table.attributes == {"title": "five", "stand_in": "True", "seed": "3"}
    with pytest.raises(DataError, match="expected a dataset, found a group of pt"):
        read(path, ["events/jets"])


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("a;b\n1;2\n3;4\n", ["b"], [2, 4]),
        ("# a b\n1 2\n3   4", ["b"], [2, 4]),
        ("a\tb\r\n1\t2\r\n\r\n3\t4\r\n", ["a"], [1, 3]),
        ('"a","b"\n1e2,-2\n', ["a"], [100]),
        ("1,2\n3,4\n5,6\n", ["1"], [2, 4, 6]),
        ("\ufeffa,b\n1,2\n", ["a"], [1]),
    ],
)
def test_text_tables_in_the_usual_dialects(text, columns, expected, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    np.testing.assert_array_equal(read(path, columns).values[:, 0], expected)


def test_text_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("qgen_hep.readers.text.BLOCK", 7)
    truth = physics()
    path = write("csv", tmp_path, truth)
    np.testing.assert_array_equal(read(path, ["mass"]).column("mass"), truth["mass"])


def test_what_counts_as_an_energy():
    energies = [
        ("jet2_pt", ""),
        ("mu1.energy", "1"),
        ("showers[3]", "MeV"),
        ("x_mass", ""),
        ("incident_energies", ""),
    ]
    others = [("eta", "1"), ("px", "GeV"), ("mu_pz", "GeV"), ("empty", ""), ("charge", "")]
    assert all(is_energy(*column) for column in energies)
    assert not any(is_energy(*column) for column in others)


@pytest.mark.parametrize(
    "table",
    [
        {"column": "pt"},
        {"min": 2.0},
        {"column": "pt", "low": 3.0},
        {"column": "pt", "min": "__import__('os')"},
        {"column": "pt", "min": True},
        {"column": "pt", "min": 3.0, "max": 3.0},
        {"column": "pt", "max": float("nan")},
        {"column": "pt", "min": float("inf")},
        {"column": 3, "min": 1.0},
    ],
)
def test_cuts_that_cannot_be(table):
    with pytest.raises(BadOption):
        Cut.parse(table)


def test_columns_are_a_list_of_names(tmp_path):
    path = write("npz", tmp_path, physics())
    for wrong in ("pt", []):
        with pytest.raises(BadOption, match="columns is a list of names"):
            read(path, wrong)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("events", [1, 7, 64, 499, 500, 501])
def test_the_first_events_in_slices(kind, events, tmp_path):
    """As many as pass the cuts, wherever in the file they are."""
    truth = physics()
    path = write(kind, tmp_path, truth)
    table = read(path, ["mass", "eta"], events=events)
    assert len(table) == min(events, 500)
    np.testing.assert_array_equal(table.column("eta"), truth["eta"][:events])
    ends = 501 if kind == "csv" else 500  # the end of a text is seen by reading on
    assert table.complete == (events >= ends)
    cut = Cut("njet", min=5.0)
    table = read(path, ["mass"], cuts=[cut], events=events)
    passing = truth["mass"][truth["njet"] >= 5]
    np.testing.assert_array_equal(table.column("mass"), passing[:events])
    assert table.dropped.get(str(f"not {cut}"), 0) >= 0
    if events >= len(passing):
        whole = read(path, ["mass"], cuts=[cut])
        assert (table.dropped, table.rows) == (whole.dropped, whole.rows)
        assert table.complete and whole.complete


@pytest.mark.parametrize("kind", ["hdf5", "hdf5-chunked", "npz", "npz-packed", "root", "parquet"])
def test_memory_follows_the_events_asked_for(kind, tmp_path):
    if kind in ("root", "parquet"):
        pytest.importorskip({"root": "uproot", "parquet": "pyarrow"}[kind])
    columns = {f"c{i}": np.arange(200_000.0) + i for i in range(5)}
    path = write(kind, tmp_path, columns)
    read(path, ["c0"], events=1)  # what is loaded once
    tracemalloc.start()
    table = read(path, list(columns), events=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.values.tolist() == [[i + j for j in range(5)] for i in range(10)]
    assert peak < 0.3 * 5 * 8 * 200_000


def test_arrays_in_columns_order_are_sliced(tmp_path):
    values = np.asfortranarray(np.arange(60.0).reshape(20, 3))
    np.savez(tmp_path / "f.npz", x=values)
    assert read(tmp_path / "f.npz", ["x"], events=4).values.tolist() == values[:4].tolist()


def test_a_slice_of_an_archive_is_verified_to_its_end(tmp_path):
    path = write("npz", tmp_path, physics())
    data = bytearray(path.read_bytes())
    place = data.find(np.float64(physics()["mass"][-1]).tobytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        read(path, ["mass"], events=2)


def test_an_invalid_value_beyond_the_events_is_not_met_and_its_place_is_that_in_the_file(tmp_path):
    columns = physics()
    columns["mass"][100] = np.nan
    path = write("hdf5", tmp_path, columns)
    assert len(read(path, ["mass"], events=100)) == 100
    with pytest.raises(DataError, match="in event 100"):
        read(path, ["mass"], cuts=[Cut("njet", min=5.0)], events=90)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "value", [2**53 + 1, -(2**53) - 1, 2**62 + 1, 2**63 - 1, 2**53, 2**62, -(2**63)]
)
def test_integers_are_exact_or_refused(kind, value, tmp_path):
    truth = {"run": np.array([1, 2, value], dtype=np.int64), "pt": np.ones(3)}
    path = write(kind, tmp_path, truth)
    if kind == "csv":
        path.write_text(f"run,pt\n1,1\n2,1\n{value},1\n")
    if int(float(value)) == value:
        assert [int(v) for v in read(path, ["run"]).column("run")] == [1, 2, value]
        return
    with pytest.raises(DataError, match=rf"'run' holds {value} in event 2") as caught:
        read(path, ["run"])
    assert "damaged" not in str(caught.value)
    assert read(path, ["run"], events=2).column("run").tolist() == [1, 2]
    assert read(path, ["pt"]).column("pt").tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
@pytest.mark.parametrize("value", [2**64 - 1, 2**63 + 1, 2**63])
def test_integers_without_sign_are_exact_or_refused(kind, value, tmp_path):
    path = write(kind, tmp_path, {"run": np.array([value], dtype=np.uint64)})
    if value == 2**63:
        assert int(read(path, ["run"]).values[0, 0]) == value
    else:
        with pytest.raises(DataError, match=f"holds {value} in event 0"):
            read(path, ["run"])


def test_nulls_among_integers_are_nan(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"run": pa.array([1, None, 2**60])}), tmp_path / "n.parquet")
    table = read(tmp_path / "n.parquet", ["run"], invalid="drop")
    assert table.column("run").tolist() == [1.0, 2.0**60]
    assert table.dropped == {"not finite": 1}


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("0,1\n1.5,2.5\n", ["0", "1"], [[1.5, 2.5]]),
        ('"0","1"\n1,2\n', ["1"], [[2]]),
        ("0\n0.5\n1.5\n", ["0"], [[0.5], [1.5]]),
        ("1,0\n1,2\n", ["0", "1"], [[1, 0], [1, 2]]),
        ("# made by hand\n# in GeV\npt,eta\n1,2\n", ["pt"], [[1]]),
        ("# made by hand\n\n# pt,eta\n1,2\n3,4\n", ["eta"], [[2], [4]]),
        ("# made by hand\n1,2\n3,4\n", ["0"], [[1], [3]]),
        ("# a b c\n1 2\n", ["1"], [[2]]),
        ('"layer[1,5]",pt\n1,2\n', ["layer[1,5]"], [[1]]),
        ("pt\n1\n", ["pt"], [[1]]),
    ],
)
def test_headers_as_strangers_write_them(text, columns, expected, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    table = read(tmp_path / "t.csv", columns, negative="keep")
    assert table.values.tolist() == expected


@pytest.mark.parametrize("text", ["0,1\n1,0\n", "0\n", "0,1,2\n3,4,5\n"])
def test_a_line_that_may_be_names_or_an_event_is_not_guessed(text, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match="may be names or an event; put a line of names"):
        read(tmp_path / "t.csv", ["0"])


def test_empty_cells_are_counted_as_nulls_are(tmp_path):
    (tmp_path / "t.csv").write_text("pt,eta\n1,2\n,3\n4, \n5,\n,\n6,7\n")
    table = read(tmp_path / "t.csv", ["pt", "eta"], invalid="drop")
    assert table.values.tolist() == [[1, 2], [6, 7]]
    assert table.dropped == {"not finite": 4}
    with pytest.raises(DataError, match="'pt' has 2 values that are not finite.*in event 1"):
        read(tmp_path / "t.csv", ["pt"])


@pytest.fixture
def strange_root(tmp_path):
    """An RNTuple, a tree in a folder, and a histogram."""
    uproot = pytest.importorskip("uproot")
    values = np.arange(6.0)
    with uproot.recreate(tmp_path / "r.root") as file:
        file["events"] = {
            "pt": values,
            "run": np.array([1, 2, 3, 4, 5, 2**53 + 1]),
            "cov": np.arange(12.0).reshape(6, 2),
            "jagged": [[1.0], [], [2.0, 3.0], [], [], []],
        }
        plant(file, "sub/other", {"pt": -values})
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram(values)
    with uproot.recreate(tmp_path / "one.root") as file:
        file["events"] = {"pt": values}
    return tmp_path


def test_rntuples_are_read(strange_root):
    path = strange_root / "r.root"
    assert read(strange_root / "one.root", ["pt"]).values[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    table = read(path, ["cov[1]", "pt"], tree="events", events=3)
    assert table.values.tolist() == [[1, 0], [3, 1], [5, 2]]
    assert read(path, ["cov"], tree="events").names == ("cov[0]", "cov[1]")
    with pytest.raises(DataError, match="'run' holds 9007199254740993 in event 5"):
        read(path, ["run"], tree="events")
    with pytest.raises(DataError, match="'jagged': expected vectors of one length, 1 as in"):
        read(path, ["jagged"], tree="events")
    with pytest.raises(DataError, match="expected one tree, found events, sub/other; name one"):
        read(path, ["pt"])


@pytest.mark.parametrize("name", ["events", "events;1", "/events", "/events;1"])
def test_trees_by_any_of_their_names(name, strange_root):
    assert read(strange_root / "r.root", ["pt"], tree=name).values[-1, 0] == 5
    other = name.replace("events", "sub/other")
    table = read(strange_root / "r.root", ["pt"], tree=other, negative="keep")
    assert table.values[-1, 0] == -5
    for wrong in ("events;7", "sub", "h"):
        with pytest.raises(DataError, match=f"no tree '{wrong}'; there are events, sub/other"):
            read(strange_root / "r.root", ["pt"], tree=wrong)


def test_a_file_of_histograms_gets_no_advice_in_a_circle(strange_root):
    for tree in (None, "h"):
        with pytest.raises(DataError, match=r"found only h \(TH1D\)$"):
            read(strange_root / "h.root", ["pt"], tree=tree)


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
def test_tables_of_records(kind, tmp_path):
    records = np.zeros(4, dtype=[("pt", "f4"), ("n", "i8"), ("p", "f8", (2,)), ("name", "S3")])
    records["pt"] = [1, 2, 3, 4]
    records["n"] = [5, 6, 7, 2**53 + 1]
    records["p"] = np.arange(8).reshape(4, 2)
    path = tmp_path / "t.npz"
    np.savez(path, jets=records)
    if kind == "hdf5":
        path = tmp_path / "t.h5"
        with h5py.File(path, "w") as file:
            file["jets"] = records
            file["deep/jets"] = records
        assert read(path, ["deep/jets/pt"], events=2).values.tolist() == [[1], [2]]
    table = read(path, ["jets/pt", "jets/p", "jets/p[1]"], events=3)
    assert table.values.tolist() == [[1, 0, 1, 1], [2, 2, 3, 3], [3, 4, 5, 5]]
    with pytest.raises(DataError, match="'jets/n' holds 9007199254740993 in event 3"):
        read(path, ["jets/n"])
    with pytest.raises(DataError, match="real numbers"):
        read(path, ["jets/name"])
    for absent in ("jets/eta", "jets/pt/x", "nothing/pt"):
        with pytest.raises(DataError):
            read(path, [absent])
