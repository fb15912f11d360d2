"""Columns that hold a vector for each event: of one length they are several columns."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hep_files import write

from qgen_core.errors import DataError
from qgen_hep.datasets.file import file
from qgen_hep.readers import read

VECTORS = np.arange(12.0).reshape(4, 3)
VARYING = [[1.0, 2.0], [3.0, 4.0], [5.0], [6.0, 7.0]]


def root_file(path, branches, *, rntuple=False):
    uproot = pytest.importorskip("uproot")
    awkward = pytest.importorskip("awkward")
    with uproot.recreate(path) as found:
        arrays = {}
        for name, values in branches.items():
            numbers = np.array([number for row in values for number in row], dtype=np.float64)
            arrays[name] = awkward.unflatten(numbers, [len(row) for row in values])
        if rntuple:
            found.mkrntuple("events", arrays)
        else:
            tree = found.mktree("events", {name: array.type for name, array in arrays.items()})
            tree.extend(arrays)
    return path


def parquet_file(path, columns):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table(columns), path)
    return path


def files(folder, values):
    """Vectors in all formats that have a type for vectors of any length."""
    import importlib.util

    if importlib.util.find_spec("uproot"):
        jagged = {"v": [list(row) for row in values]}
        yield root_file(folder / "tree.root", jagged)
        yield root_file(folder / "ntuple.root", jagged, rntuple=True)
    if importlib.util.find_spec("pyarrow"):
        import pyarrow as pa

        lists = [list(row) for row in values]
        for kind in (pa.list_(pa.float64()), pa.large_list(pa.float32())):
            yield parquet_file(folder / f"{len(str(kind))}.parquet", {"v": pa.array(lists, kind)})


def test_vectors_of_one_length_are_columns(tmp_path):
    found = list(files(tmp_path, VECTORS))
    found += [write(kind, tmp_path, {"v": VECTORS}, "array") for kind in ("hdf5", "npz")]
    for path in found:
        events = file(path=str(path), columns=("v",))
        assert events.columns == ("v[0]", "v[1]", "v[2]"), path
        np.testing.assert_array_equal(events.x, VECTORS)
        chosen = file(path=str(path), columns=("v[2]", "v[0]"), events=3)
        np.testing.assert_array_equal(chosen.x, VECTORS[:3, [2, 0]])
        with pytest.raises(DataError, match=r"'v\[3\]'"):
            read(path, ["v[3]"])


def test_fixed_arrays_of_root_and_lists_of_fixed_size(tmp_path):
    pa = pytest.importorskip("pyarrow")
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 3)
    pytest.importorskip("uproot")
    for path in (
        write("root", tmp_path, {"v": VECTORS}),
        parquet_file(tmp_path / "fixed.parquet", {"v": fixed}),
    ):
        np.testing.assert_array_equal(file(path=str(path), columns=("v",)).x, VECTORS)


def test_vectors_of_varying_length_are_refused(tmp_path):
    for path in files(tmp_path, VARYING):
        for name in ("v", "v[0]"):
            with pytest.raises(DataError, match=r"'v'.* 2 as in event 0, found 1 in event 2"):
                read(path, [name])
        # the first two events alone have one length
        assert len(read(path, ["v"], events=2)) == 2
    empty = [[], [1.0], [2.0]]
    for path in files(tmp_path, empty):
        with pytest.raises(DataError, match=r"'v'.* 0 as in event 0, found 1 in event 1"):
            read(path, ["v"])
    for path in files(tmp_path, [[], []]):
        with pytest.raises(DataError, match=r"'v'.*vectors of length 0"):
            read(path, ["v"])


def test_the_event_of_another_length_is_counted_from_the_start_of_the_file(tmp_path):
    """Also where the file is read in slices, because a cut leaves few events."""
    values = [[float(i), 1.0] for i in range(50)] + [[50.0]]
    for path in files(tmp_path, values):
        with pytest.raises(DataError, match="found 1 in event 50"):
            file(path=str(path), columns=("v",), events=3, cuts=({"column": "v[0]", "min": 49},))


def test_missing_vectors_and_numbers(tmp_path):
    pa = pytest.importorskip("pyarrow")
    lists = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64()))
    path = parquet_file(tmp_path / "none.parquet", {"v": lists})
    with pytest.raises(DataError, match="a vector of 2 numbers, found none in event 1"):
        read(path, ["v"])
    fixed = pa.array([None, [3.0, 4.0]], pa.list_(pa.float64(), 2))
    path = parquet_file(tmp_path / "fixed.parquet", {"v": fixed})
    with pytest.raises(DataError, match="none in event"):
        read(path, ["v"])
    holes = pa.array([[1.0, None], [3.0, 4.0]], pa.list_(pa.float64()))
    path = parquet_file(tmp_path / "holes.parquet", {"v": holes})
    assert read(path, ["v"], invalid="drop").dropped == {"not finite": 1}
    large = pa.array([[1, 2**53 + 1]], pa.list_(pa.int64()))
    path = parquet_file(tmp_path / "large.parquet", {"v": large})
    with pytest.raises(DataError, match="9007199254740993"):
        read(path, ["v"])


def test_other_lists_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    for values in ([["a"], ["b"]], [[[1.0]], [[2.0]]]):
        path = parquet_file(tmp_path / "other.parquet", {"v": pa.array(values)})
        with pytest.raises(DataError, match="lists of them"):
            read(path, ["v"])
    path = tmp_path / "vlen.h5"
    with h5py.File(path, "w") as found:
        found.create_dataset("v", (2,), dtype=h5py.vlen_dtype(np.float64))
    with pytest.raises(DataError, match="vectors of varying length"):
        read(path, ["v"])
