"""Files made to mislead or to harm: every one is refused by name, none is followed or executed."""

from __future__ import annotations

import errno
import io
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hep_files import FORMATS, physics, write

from qgen_core.errors import BrokenPlugin, DataError, ResourceRefused
from qgen_hep.datasets.jets import jets
from qgen_hep.readers import read
from qgen_hep.readers.source import failures


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def hdf5(folder: Path) -> tuple[Path, h5py.File]:
    path = folder / "bad.h5"
    return path, h5py.File(path, "w")


@pytest.mark.parametrize("kind", ["external", "soft", "dangling"])
def test_links_are_not_followed(kind, tmp_path):
    other = write("hdf5", tmp_path, physics(), name="other")
    path, file = hdf5(tmp_path)
    with file:
        file["real"] = np.arange(3.0)
        file["inner/x"] = np.arange(3.0)
        links = {"external": h5py.ExternalLink(str(other), "pt"), "soft": h5py.SoftLink("/real")}
        file["pt"] = links.get(kind, h5py.SoftLink("/nowhere"))
    with pytest.raises(
        DataError, match=r"'pt': expected a dataset, found a link to another (file|name)"
    ):
        read(path, ["pt"])


def test_data_stored_in_another_file_is_not_read(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4.0).tobytes())
    path, file = hdf5(tmp_path)
    with file:
        file.create_dataset("pt", (4,), "f8", external=[(str(secret), 0, 32)])
    with pytest.raises(DataError, match="found a view of other files"):
        read(path, ["pt"])


def test_a_virtual_dataset_is_not_read(tmp_path):
    other = write("hdf5", tmp_path, physics(), name="other")
    path, file = hdf5(tmp_path)
    with file:
        layout = h5py.VirtualLayout((500,), "f4")
        layout[:] = h5py.VirtualSource(str(other), "pt", (500,))
        file.create_virtual_dataset("pt", layout)
    with pytest.raises(DataError, match="found a view of other files"):
        read(path, ["pt"])


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (2**20,)}, {"chunks": (2**20,), "compression": "gzip"}]
)
def test_a_huge_declared_shape_is_refused_before_it_is_allocated(options, tmp_path):
    path, file = hdf5(tmp_path)
    with file:
        file.create_dataset("pt", (10**15,), "f8", **options)
    assert path.stat().st_size < 10**5
    with pytest.raises(DataError, match=r"for the shape \(1000000000000000,\), found 0 "):
        read(path, ["pt"])


def test_missing_chunks_are_not_read_as_zeros(tmp_path):
    path, file = hdf5(tmp_path)
    with file:
        dataset = file.create_dataset("pt", (100,), "f8", chunks=(10,))
        dataset[:50] = 1.0
    with pytest.raises(
        DataError, match=r"expected 10 chunks for the shape \(100,\), found 5 chunks"
    ):
        read(path, ["pt"])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (np.array([b"a", b"b"]), "S1"),
        (np.array([(1, 2.0)], dtype=[("n", "i4"), ("x", "f8")]), "n"),
        (np.array([1 + 2j]), "complex128"),
        (h5py.Empty("f8"), "None"),
        (3.0, r"the shape \(\)"),
    ],
)
def test_hdf5_that_holds_no_columns_of_numbers(data, found, tmp_path):
    path, file = hdf5(tmp_path)
    with file:
        file["pt"] = data
    with pytest.raises(DataError, match=f"'pt': expected .*, found .*{found}"):
        read(path, ["pt"])


def test_hdf5_strings_and_references_of_any_length(tmp_path):
    path, file = hdf5(tmp_path)
    with file:
        file.create_dataset("text", data=["long", "longer"], dtype=h5py.string_dtype())
        file.create_dataset("links", data=[file.ref], dtype=h5py.ref_dtype)
        file.create_dataset("rows", (2,), dtype=h5py.vlen_dtype(np.float64))
    for name in ("text", "links"):
        with pytest.raises(DataError, match="expected real numbers, found object"):
            read(path, [name])
    with pytest.raises(DataError, match="found vectors of varying length"):
        read(path, ["rows"])


def test_hdf5_groups_that_hold_themselves(tmp_path):
    path, file = hdf5(tmp_path)
    with file:
        file["loop"] = file["/"]
        file["pt"] = np.arange(3.0)
    assert len(read(path, ["loop/loop/loop/pt"])) == 3
    with pytest.raises(DataError, match="no column 'loop/loop/phi'"):
        read(path, ["loop/loop/phi"])
    for outside in ("../pt", "./pt", "loop//pt", "pt/pt"):
        with pytest.raises(DataError, match="no column"):
            read(path, [outside])


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
def test_columns_of_different_length(kind, tmp_path):
    path = write(kind, tmp_path, {"pt": np.arange(5.0), "mass": np.arange(6.0)})
    with pytest.raises(DataError, match="'mass': expected 5 events as in 'pt', found 6"):
        read(path, ["pt", "mass"])


def test_pickles_in_an_archive_are_not_loaded(tmp_path):
    target, path = tmp_path / "executed", tmp_path / "bad.npz"
    np.savez(path, pt=np.array([Bomb(target)], dtype=object), mass=np.arange(1.0))
    with pytest.raises(DataError, match="'pt': expected real numbers, found object"):
        read(path, ["pt"])
    assert len(read(path, ["mass"])) == 1
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (1,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pt.npy", member.getvalue() + pickle.dumps(Bomb(target)))
    with pytest.raises(DataError, match="expected 8 bytes"):
        read(path, ["pt"])
    assert not target.exists()


@pytest.mark.parametrize("ending", [".npz", ".pkl", ".npy", ".h5", ".csv"])
def test_a_pickle_is_never_a_file_of_events(ending, tmp_path):
    target, path = tmp_path / "executed", tmp_path / f"bad{ending}"
    path.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(DataError, match="its first bytes say pickle"):
        read(path, ["pt"])
    assert not target.exists()


def test_an_array_that_claims_more_than_it_has(tmp_path):
    path = tmp_path / "bad.npz"
    for shape in ((10**15,), (-3,), (2**62, 2**62)):
        member = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f8", "fortran_order": False, "shape": shape}
        )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("pt.npy", member.getvalue() + bytes(80))
        with pytest.raises(DataError):
            read(path, ["pt"])


def test_two_arrays_of_one_name(tmp_path):
    path = write("npz", tmp_path, physics())
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("pt.npy", b"")
    with pytest.raises(DataError, match="two arrays have the same name"):
        read(path, ["pt"])


@pytest.mark.parametrize("kind", FORMATS)
def test_what_does_not_fit_into_memory_is_refused(kind, tmp_path, monkeypatch):
    path = write(kind, tmp_path, physics(20_000))
    monkeypatch.setattr("qgen_core.support.resources.available_memory", lambda: 1000)
    if kind == "csv":
        assert len(read(path, ["pt"])) == 20_000  # bounded by the size of the file
        return
    with pytest.raises(ResourceRefused, match="1000 B free"):
        read(path, ["pt"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a,b\n1,2\n3\n", "line 3: expected 2 cells, found 1"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: expected 2 cells, found 3"),
        (b"a,b\n1,2\n3,__import__('os')\n", "events from 0 on: expected numbers"),
        (b"a,b\n1,2\n3,\n", "'b' has 1 values that are not finite, the first is nan in event 1"),
        (b"a,b\n1,2\n3,1,5\n", "line 3"),
        (b"a,b", "expected a line of column names and lines of numbers"),
        (b"a,b\n", "holds no events"),
        (b"\n1,2\n", "expected a line of column names, found nothing"),
        (b"a,b\n1,\xff\n", "UnicodeDecodeError"),
        (b"a\0,b\n1,2\n", "expected a line of column names"),
        (b"b,b\n1,2\n", "'b': expected one column, found 2"),
    ],
)
def test_text_that_is_no_table_of_numbers(text, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(text)
    with pytest.raises(DataError) as caught:
        read(path, ["b"])
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_control_characters_of_a_file_stay_out_of_messages(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(b"a\x1b[2J,b\n1,2\n")
    with pytest.raises(DataError) as caught:
        read(path, ["c"])
    assert "\x1b" not in str(caught.value) and "a?[2J" in str(caught.value)


def test_parquet_that_holds_no_columns_of_numbers(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "bad.parquet"
    table = pa.table(
        {"text": ["a", "b"], "rows": [[1.0], [1.0, 2.0]], "holes": pa.array([1, None])}
    )
    parquet.write_table(table, path)
    with pytest.raises(DataError, match="'text': expected a column of numbers, .* found string"):
        read(path, ["text"])
    with pytest.raises(DataError, match="'rows': expected vectors of one length, 1 as in event 0"):
        read(path, ["rows"])
    with pytest.raises(
        DataError, match="'holes' has 1 values that are not finite, the first is nan in event 1"
    ):
        read(path, ["holes"])
    parquet.write_table(
        pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["pt", "pt"]), path
    )
    with pytest.raises(DataError, match="'pt': expected one column, found 2"):
        read(path, ["pt"])


def test_a_flipped_bit_in_a_parquet_page_is_seen_by_its_checksum(tmp_path):
    pytest.importorskip("pyarrow")
    path = write("parquet", tmp_path, {"x": np.random.default_rng(1).random(2000)})
    data = bytearray(path.read_bytes())
    data[4000] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError):
        read(path, ["x"])


def test_root_branches_that_are_no_columns(tmp_path):
    uproot = pytest.importorskip("uproot")
    awkward = pytest.importorskip("awkward")
    path = tmp_path / "bad.root"
    with uproot.recreate(path) as file:
        tree = file.mktree("events", {"tracks": "var * float64", "name": str})
        tree.extend({"tracks": awkward.Array([[1.0], [1.0, 2.0]]), "name": ["a", "b"]})
    with pytest.raises(DataError, match="'tracks': .* 1 as in event 0, found 2 in event 1"):
        read(path, ["tracks"])
    with pytest.raises(DataError, match="'name': expected a branch of numbers"):
        read(path, ["name"])


def test_nothing_in_a_root_file_becomes_code(tmp_path, monkeypatch):
    """uproot compiles classes that it lacks from a file's streamers; the reader does not."""
    uproot = pytest.importorskip("uproot")
    path = write("root", tmp_path, physics())
    compiled = []
    monkeypatch.setattr(
        uproot.deserialization, "_actually_compile", lambda code, scope: compiled.append(code)
    )
    assert len(read(path, ["pt"])) == 500
    monkeypatch.delitem(uproot.classes, "TTree")
    with pytest.raises(DataError):
        read(path, ["pt"])
    assert not compiled
    with pytest.raises(
        KeyError
    ):  # uproot itself would have run the code that it made from the file
        uproot.open(path)["events"].keys()
    assert compiled and "TTree" in compiled[0]


def test_what_is_no_file_of_events(tmp_path):
    good = write("hdf5", tmp_path, physics())
    cases = {
        "nothing.h5": (b"", "is empty"),
        "text.h5": (b"hello, world", "expected HDF5, its first bytes say no format"),
        "wrong.csv": (good.read_bytes(), "expected text, its first bytes say HDF5"),
        "wrong.npz": (good.read_bytes(), "expected npz, its first bytes say HDF5"),
        "packed.csv.gz": (b"\x1f\x8b\x08\0rest", "its first bytes say gzip"),
        "unknown": (b"hello, world", "expected HDF5 .* its first bytes say no format"),
        "short.h5": (good.read_bytes()[:100], "short.h5 cannot be read, it is damaged"),
        "short.npz": (b"PK\x03\x04", "short.npz cannot be read, it is damaged"),
        "short.root": (b"root\0\0", "short.root cannot be read, it is damaged"),
        "short.parquet": (b"PAR1", "short.parquet cannot be read, it is damaged"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read(tmp_path / name, ["pt"])
    with pytest.raises(DataError, match=r"missing\.h5 does not exist"):
        read(tmp_path / "missing.h5", ["pt"])
    with pytest.raises(DataError, match="is not a file"):
        read(tmp_path, ["pt"])
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="is not a file"):
        read(tmp_path / "pipe.csv", ["pt"])


def test_a_file_without_an_ending_is_known_by_its_content(tmp_path):
    path = write("hdf5", tmp_path, physics()).rename(tmp_path / "events")
    assert len(read(path, ["pt"])) == 500


def test_only_root_files_have_trees(tmp_path):
    path = write("npz", tmp_path, physics())
    with pytest.raises(DataError, match="has no tree 'events'"):
        read(path, ["pt"], tree="events")


@pytest.mark.parametrize(("package", "kind"), [("pyarrow", "parquet"), ("uproot", "root")])
def test_a_missing_package_is_named_with_the_pip_line(package, kind, tmp_path, monkeypatch):
    from qgen_core.errors import BrokenPlugin
    from qgen_hep.readers import root

    path = tmp_path / f"events.{kind}"
    path.write_bytes({"parquet": b"PAR1....", "root": b"root...."}[kind])
    root._plain_file_class.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, package, None)
    if package == "pyarrow":
        monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(BrokenPlugin, match=rf"needs `pip install 'qgen-hep\[{kind}\]'`"):
        read(path, ["pt"])


def test_the_shipped_file_is_read_where_there_are_no_locks(monkeypatch):
    opened = h5py.File

    def without_locks(name, mode, locking=True):
        if locking:
            raise OSError(errno.ENOLCK, "unable to lock file, errno = 37")
        return opened(name, mode, locking=locking)

    monkeypatch.setattr(h5py, "File", without_locks)
    assert len(jets(events=10)) == 10


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (OSError(errno.EIO, "Input/output error"), DataError, "Input/output error"),
        (PermissionError(errno.EACCES, "Permission denied"), DataError, "Permission denied"),
        (NotImplementedError("codec lz4 is not built"), DataError, "lz4.*write it anew"),
        (ModuleNotFoundError("pip install lz4"), BrokenPlugin, "another package: pip install lz4"),
        (ValueError("bad header"), DataError, "it is damaged: ValueError: bad header"),
        (OSError("truncated file"), DataError, "it is damaged: OSError: truncated file"),
    ],
)
def test_only_damage_is_called_damage(error, expected, message):
    with pytest.raises(expected, match=message) as caught, failures(Path("events.x")):
        raise error
    assert ("damaged" in str(caught.value)) == ("damaged" in message)


def test_a_missing_filter_is_named(tmp_path):
    path = tmp_path / "squeezed.h5"
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((10,))
    properties.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((10,))
        dataset = h5py.h5d.create(file.id, b"pt", h5py.h5t.IEEE_F64LE, space, properties)
        dataset.write_direct_chunk((0,), bytes(80))
    with pytest.raises(BrokenPlugin, match="filter 32099.*hdf5plugin"):
        read(path, ["pt"])


def test_an_encrypted_archive_is_named(tmp_path):
    path = write("npz", tmp_path, physics(rows=5))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(signature, place + 1)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="encrypted"):
        read(path, ["pt"])
