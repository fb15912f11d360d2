"""Files of showers in the public layouts: read whole and in slices, written, and refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import cli
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.runs.event_formats import CsvWriter
from qgen_core.runs.eventfile import require_room, write_events
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import train
from qgen_core.testing import DatasetKit
from qgen_hep.calorimeters import DS1_PHOTONS, DS2, Calorimeter
from qgen_hep.calorimeters.layouts import (
    CALOCHALLENGE,
    LEMURS,
    VOXEL_CSV,
    read_showers,
    shower_slices,
)
from qgen_hep.datasets.calogan import calogan
from qgen_hep.datasets.shower_writers import (
    CaloChallengeWriter,
    CaloganWriter,
    LemursWriter,
    VoxelCsvWriter,
)
from qgen_hep.datasets.voxels import calochallenge, calochallenge_1_photons, lemurs, voxel_csv
from qgen_hep.readers import read, read_slices, reading
from qgen_hep.readers.text import TextSource

SMALL = Calorimeter.of_rings("small", "photon", {0: ((0, 5, 10), 1), 2: ((0, 1, 2, 4), 4)})
XML = """<Bins><Bin name="photon"><Layer id="0" r_edges="0,5,10" n_bin_alpha="1"/>
<Layer id="1" r_edges="0" n_bin_alpha="0"/>
<Layer id="2" r_edges="0,1,2,4" n_bin_alpha="4"/></Bin></Bins>"""
#: How the arrays of public files are stored.
STORED: dict[str, dict[str, Any]] = {
    "plain": {},
    "gzip": {"compression": "gzip", "compression_opts": 9},
    "lzf, shuffled": {"compression": "lzf", "shuffle": True, "chunks": True},
    "single precision": {"dtype": "f4", "compression": "gzip"},
}


def showers(count: int = 40, voxels: int = SMALL.voxels) -> tuple[np.ndarray, np.ndarray]:
    """Showers (N, V) and incident energies (N, 1) in MeV, which single precision holds."""
    rng = np.random.default_rng(5)
    x = rng.exponential(30.0, (count, voxels)) * (rng.random((count, voxels)) < 0.5)
    energy = 2.0 ** rng.integers(8, 22, (count, 1))
    return x.astype(np.float32).astype(np.float64), energy


def write(path: Path, arrays: dict[str, np.ndarray], **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **options)
    return path


def challenge_file(folder: Path, **options: Any) -> Path:
    x, energy = showers()
    arrays = {"incident_energies": energy, "showers": x}
    return write(folder / "showers.hdf5", arrays, **options)


def events(x: np.ndarray, conditions: dict[str, np.ndarray], unit: str = "MeV") -> Events:
    condition = None
    if conditions:
        condition = np.stack(list(conditions.values()), axis=1)
    return Events(
        x,
        condition,
        columns=tuple(f"showers[{number}]" for number in range(x.shape[1])),
        units=(unit,) * x.shape[1],
        condition_columns=tuple(conditions),
    )


class TestCaloChallenge(DatasetKit):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        (tmp_path / "binning.xml").write_text(XML)
        self.path = challenge_file(tmp_path)

    def make(self) -> Any:
        choice = {"xml": str(self.path.with_name("binning.xml")), "particle": "photon"}
        return lambda: calochallenge(path=str(self.path), calorimeter=choice)


@pytest.mark.parametrize("stored", STORED)
def test_files_are_read_however_they_are_stored(stored: str, tmp_path: Path) -> None:
    path = challenge_file(tmp_path, **STORED[stored])
    x, energy = showers()
    found = read_showers(path, CALOCHALLENGE, SMALL)
    np.testing.assert_array_equal(found.voxels, x)
    np.testing.assert_array_equal(found.incident, energy)
    pieces = list(shower_slices(path, CALOCHALLENGE, SMALL, rows=7))
    assert [piece.first for piece in pieces] == [0, 7, 14, 21, 28, 35]
    np.testing.assert_array_equal(np.concatenate([piece.voxels for piece in pieces]), x)


def test_showers_by_layer_alpha_and_r_are_the_same(tmp_path: Path) -> None:
    """As the official scripts reshape data sets 2 and 3."""
    alike = Calorimeter.of_rings("alike", "", dict.fromkeys(range(5), ((0, 1, 2, 4), 4)))
    x, energy = showers(6, alike.voxels)
    arrays = {"incident_energies": energy, "showers": x.reshape(6, 5, 4, 3)}
    path = write(tmp_path / "a.hdf5", arrays)
    np.testing.assert_array_equal(read_showers(path, CALOCHALLENGE, alike).voxels, x)


def test_lemurs_are_turned_into_the_order_of_the_calorimeter(tmp_path: Path) -> None:
    x, energy = showers(4, DS2.voxels)
    stored = np.empty((4, 9, 16, 45))
    for layer in range(45):
        for alpha in range(16):
            for r in range(9):
                stored[:, r, alpha, layer] = x[:, (16 * layer + alpha) * 9 + r]
    arrays = {
        "showers": stored,
        "incident_energy": energy[:, 0],
        "incident_theta": np.full(4, 1.5),
        "incident_phi": np.linspace(-3, 3, 4),
    }
    path = write(tmp_path / "lemurs.h5", arrays)
    data = lemurs(path=str(path))
    np.testing.assert_array_equal(data.x, x)
    assert data.condition is not None and data.condition.shape == (4, 3)
    assert lemurs(path=str(path), condition_columns=("incident_phi",)).condition_columns == (
        "incident_phi",
    )
    copy = tmp_path / "copy.h5"
    write_events(iter([data]), copy, {}, LemursWriter)
    with h5py.File(copy) as file:
        for name, values in arrays.items():
            np.testing.assert_array_equal(file[name][:], values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("showers"), "no array 'showers'.*showers, incident_energies"),
        (lambda arrays: arrays.pop("incident_energies"), "no array 'incident_energies'"),
        (
            lambda arrays: arrays.update(showers=arrays["showers"][:, 1:]),
            r"14 voxels of the calorimeter small an event, in the shape \(14,\), found \(13,\)",
        ),
        (lambda arrays: arrays["showers"].__setitem__((3, 2), -1.0), "below zero.* event 3"),
        (lambda arrays: arrays["showers"].__setitem__((4, 2), np.nan), "not finite.* event 4"),
        (lambda arrays: arrays["incident_energies"].__setitem__((5, 0), np.inf), "not finite"),
        (lambda arrays: arrays["incident_energies"].__setitem__((5, 0), 0.0), "above 0.* event 5"),
        (
            lambda arrays: arrays.update(incident_energies=np.ones((40, 2))),
            "one number an event, found 2",
        ),
        (lambda arrays: arrays.update(incident_energies=np.ones((39, 1))), "40 events"),
        (lambda arrays: arrays.update(showers=np.zeros((0, 14))), "0 events|no events"),
    ],
)
def test_other_files_are_refused(
    change: Callable[[dict[str, np.ndarray]], Any], message: str, tmp_path: Path
) -> None:
    x, energy = showers()
    arrays = {"showers": x, "incident_energies": energy}
    change(arrays)
    path = write(tmp_path / "other.hdf5", arrays)
    with pytest.raises(DataError, match=message):
        read_showers(path, CALOCHALLENGE, SMALL)
    with pytest.raises(DataError, match=message):
        list(shower_slices(path, CALOCHALLENGE, SMALL, rows=2))


def test_units_that_the_file_denies_are_refused(tmp_path: Path) -> None:
    path = challenge_file(tmp_path)
    with h5py.File(path, "a") as file:
        file["showers"].attrs["unit"] = "GeV"
    with pytest.raises(DataError, match="values in MeV, found the unit GeV"):
        read_showers(path, CALOCHALLENGE, SMALL)


def test_layouts_of_equal_layers_refuse_other_calorimeters(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 different shapes"):
        read_showers(challenge_file(tmp_path), LEMURS, SMALL)


def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QGEN_DATA", str(tmp_path))
    path = str(challenge_file(tmp_path))
    with pytest.raises(BadOption, match="no calorimeter .ds4.; there are ds1-photons"):
        calochallenge(path=path, calorimeter="ds4")
    with pytest.raises(BadOption, match="incident_energies, or none, not theta"):
        calochallenge(path=path, condition_columns=("theta",))
    with pytest.raises(BadOption, match="events"):
        calochallenge(path=path, events=0)
    with pytest.raises(BadOption, match="part"):
        calochallenge_1_photons(part=0)
    with pytest.raises(BadOption, match="energy"):
        voxel_csv(path=path, energy=-1.0)
    with pytest.raises(BadOption, match="at least 1 row"):
        list(read_slices(path, ["showers"], rows=0))
    with pytest.raises(DataError, match="expected the SHA-256"):
        (tmp_path / "binning.xml").write_text(XML)
        choice = {"xml": str(tmp_path / "binning.xml"), "particle": "photon"}
        calochallenge(path=path, calorimeter=choice, sha256="0" * 64)
    with pytest.raises(DataError) as caught:
        calochallenge_1_photons(part=2)
    for said in ("dataset_1_photons_2.hdf5", "--fetch", "QGEN_DATA", "10.5281/zenodo.8099322"):
        assert said in str(caught.value)


def sparse(path: Path, rows: int, width: int) -> Path:
    """Showers of 0, for which the file has a hole: it takes no room on the disk."""
    with h5py.File(path, "w") as file:
        for name, columns in (("showers", width), ("incident_energies", 1)):
            space = h5py.h5s.create_simple((rows, columns))
            create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, create)
        file["incident_energies"][:] = np.full((rows, 1), 1000.0)
    return path


def peak_of(pieces: Iterator[Any], most: int) -> tuple[int, int]:
    """How many pieces there are, at most so many, and the peak of memory in bytes meanwhile."""
    tracemalloc.start()
    count = 0
    for _ in pieces:
        count += 1
        if count == most:
            break
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return count, peak


def test_a_file_of_any_size_is_read_in_some_hundred_megabytes(tmp_path: Path) -> None:
    """The beginning of 10 GB, and 100 MB to the end."""
    path = sparse(tmp_path / "large.hdf5", 390_000, DS2.voxels)
    assert path.stat().st_size > 10e9
    count, peak = peak_of(shower_slices(path, CALOCHALLENGE, DS2), 3)
    assert count == 3 and peak < 90e6
    path = sparse(tmp_path / "smaller.hdf5", 4_000, DS2.voxels)
    count, peak = peak_of(shower_slices(path, CALOCHALLENGE, DS2), 1000)
    assert count == 13 and peak < 90e6 < path.stat().st_size


def test_slices_follow_what_a_file_stores_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk is decompressed once: slices hold whole chunks, but only up to a size."""
    values = np.ones((70_000, 40), dtype=np.float32)
    path = write(tmp_path / "chunks.hdf5", {"x": values}, chunks=(15_000, 4), compression="lzf")
    assert [len(table) for table in read_slices(path, ["x"])] == [45_000, 25_000]
    path = write(tmp_path / "column.hdf5", {"x": values}, chunks=(70_000, 1), compression="lzf")
    monkeypatch.setattr(reading, "SLICE_BYTES", 2**20)
    assert [len(table) for table in read_slices(path, ["x"])] == [70_000]
    monkeypatch.setattr(reading, "LARGEST_SLICE_BYTES", 640 * 50_000)
    assert [len(table) for table in read_slices(path, ["x"])] == [50_000, 20_000]


@pytest.mark.parametrize("rows", [1, 3, 4, 100])
def test_slices_of_text_are_read_in_one_pass(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[TextSource] = []
    lines = TextSource._lines

    def counted(source: TextSource) -> Iterator[str]:
        passes.append(source)
        return lines(source)

    monkeypatch.setattr(TextSource, "_lines", counted)
    path = tmp_path / "voxels.csv"
    x, _ = showers(10)
    path.write_text("\n".join(",".join(map(repr, row)) for row in x.tolist()) + "\n")
    found = [piece.voxels for piece in shower_slices(path, VOXEL_CSV, SMALL, rows=rows)]
    np.testing.assert_array_equal(np.concatenate(found), x)
    assert len(found) == -(-10 // rows) and len(passes) == 1


def test_csv_files_of_voxels_come_back(tmp_path: Path) -> None:
    x, _ = showers(6, DS1_PHOTONS.voxels)
    path = tmp_path / "pid22_E256_eta_20_25_voxalisation.csv"
    same = {"incident_energies": np.full(6, 256.0)}
    written = write_events(iter([events(x, same), events(x, {})]), path, {}, VoxelCsvWriter)
    assert written == 12 and "showers" not in path.read_text()
    data = voxel_csv(path=str(path), energy=256.0, events=6)
    np.testing.assert_array_equal(data.x, x)
    assert data.condition is not None and np.all(data.condition == 256.0)
    with pytest.raises(DataError, match="all events must have the same"):
        different = {"incident_energies": np.arange(6.0)}
        write_events(iter([events(x, different)]), path, {}, VoxelCsvWriter)
    with pytest.raises(DataError, match="368 voxels of the calorimeter ds1-photons, found 3 col"):
        path.write_text("1.5,2,3\n")
        voxel_csv(path=str(path), energy=256.0)


def test_what_is_written_is_what_the_official_evaluation_reads(tmp_path: Path) -> None:
    """Two arrays with two axes each; their numbers are those of the events, to the last bit."""
    x, energy = showers()
    x[0, 0] = 1 / 3
    pieces = [events(x[:25], {"incident_energies": energy[:25, 0]})]
    pieces.append(events(x[25:], {"incident_energies": energy[25:, 0]}))
    path = tmp_path / "generated.hdf5"
    assert write_events(iter(pieces), path, {"kind": "generated"}, CaloChallengeWriter) == 40
    with h5py.File(path) as file:
        assert set(file) == {"showers", "incident_energies"}
        np.testing.assert_array_equal(file["showers"][:], x)
        np.testing.assert_array_equal(file["incident_energies"][:], energy)
        assert file["showers"].compression == "gzip" and file.attrs["kind"] == "generated"
    found = read_showers(path, CALOCHALLENGE, SMALL)
    np.testing.assert_array_equal(found.voxels, x)
    columns = read(path, ["showers[3]", "showers[1]", "incident_energies"]).values
    np.testing.assert_array_equal(columns, np.column_stack([x[:, 3], x[:, 1], energy]))


def test_calogan_files_come_back(tmp_path: Path) -> None:
    data = calogan(events=20)
    path = tmp_path / "calogan.h5"
    write_events(iter([data]), path, {}, CaloganWriter)
    copy = calogan(path=str(path))
    np.testing.assert_array_equal(copy.x, data.x)
    np.testing.assert_array_equal(copy.condition, data.condition)
    with h5py.File(path) as file:
        assert [file[name].shape for name in ("layer_0", "energy")] == [(20, 3, 96), (20, 1)]


def test_events_of_another_kind_are_not_written(tmp_path: Path) -> None:
    x, energy = showers()
    path = tmp_path / "out.hdf5"
    condition = {"incident_energies": energy[:, 0]}

    def refused(what: Events, writer: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            write_events(iter([what]), path, {}, writer)
        assert not path.exists()

    refused(events(x, {}), CaloChallengeWriter, "need the condition 'incident_energies'")
    refused(events(x, condition, "GeV"), CaloChallengeWriter, "in MeV, .* is in GeV")
    refused(events(x, condition), LemursWriter, r"showers\[0\] to showers\[6479\] in order")
    refused(events(x, condition), CaloganWriter, r"layer_0\[0\] to layer_0\[287\]")
    jets = Events(x[:, :2], columns=("pt", "mass"))
    refused(jets, CaloChallengeWriter, r"showers\[V - 1\] in order; the events have pt, mass")
    for name, writer in (("x.csv", CaloChallengeWriter), ("x.h5", VoxelCsvWriter)):
        with pytest.raises(BadOption, match="files of this layout are named"):
            require_room(Path(name), 1, 1, writer)
    assert issubclass(VoxelCsvWriter, CsvWriter)


def test_a_run_writes_the_layout_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "binning.xml").write_text(XML)
    path = challenge_file(tmp_path)
    choice = {"xml": str(tmp_path / "binning.xml"), "particle": "photon"}
    dataset = {"name": "calochallenge", "path": str(path), "calorimeter": choice}
    recipe = Recipe.from_dict(
        {
            "seed": 1,
            "dataset": dataset,
            "encoder": {"name": "binarise", "threshold": "mean"},
            "condition_encoder": {"name": "energy-bits", "unit": "MeV", "counted_unit": "GeV"},
            "sampler": {"name": "gibbs", "sweeps": 1},
            "generator": {"name": "rbm", "hidden": 3},
            "loss": {"name": "nll", "reads": "log_prob"},
            "trainer": {"name": "adam", "steps": 1},
        }
    )
    train(recipe, tmp_path / "run")

    def generate(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["generate", str(tmp_path / "run"), "-n", "9", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().err

    out = str(tmp_path / "out.hdf5")
    assert generate("-o", out, "--format", "calochallenge")[0] == 0
    data = calochallenge(path=out, calorimeter=choice)
    assert data.x.shape == (9, 14) and data.provenance["kind"] == "generated"
    assert data.condition is not None and np.isin(data.condition, showers()[1]).all()
    code, said = generate("-o", out, "--format", "file")
    assert code == 3 and "has no files of its own to write" in said
    code, said = generate("-o", str(tmp_path / "x.csv"), "--format", "calochallenge")
    assert code == 2 and "are named .h5, .hdf5" in said
    assert qgen.describe("dataset", "calochallenge").distribution == "qgen-hep"
