"""The dataset ``calo-photons``: its stand-in, its physics, and how near it is to Geant4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from qgen_core import cli
from qgen_core.errors import BadOption, DataError
from qgen_core.testing import DatasetKit
from qgen_core.typing import Floats
from qgen_hep.calorimeters import DS1_PHOTONS, voxels_of
from qgen_hep.datasets.calo_photons import SHA256, calo_photons, shipped
from qgen_hep.datasets.calo_photons_summary import stand_in, summary, units
from qgen_hep.datasets.calogan_summary import beside
from qgen_hep.generate.photons.detector import ENDS, LAYER_OF_PART, PARTS, layer_at, voxel
from qgen_hep.generate.photons.file import generate_photons
from qgen_hep.generate.photons.showers import photon_showers
from qgen_hep.readers.reading import file_hash


class TestStandIn(DatasetKit):
    def make(self) -> Any:
        return lambda: calo_photons(events=60)


class TestShipped(DatasetKit):
    def make(self) -> Any:
        return lambda: calo_photons(source="geant4", events=100)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def generated() -> Floats:
    """Stand-in showers (600, 368) of 65.536 GeV."""
    return stand_in(600, seed=5)


@pytest.fixture(scope="module")
def geant4() -> Floats:
    """The shipped showers (3300, 368)."""
    return calo_photons(source="geant4").x


def test_events_say_what_they_are() -> None:
    ours = calo_photons(events=5, seed=3)
    assert ours.provenance["kind"] == "stand-in" and ours.provenance["stand_in"] == "yes"
    assert "STAND-IN" in ours.provenance["title"]
    assert ours.provenance["stands in for"] == "Geant4 showers"
    real = calo_photons(source="geant4", events=5)
    assert (real.provenance["kind"], real.provenance["stand_in"]) == ("simulated", "no")
    assert "Geant4 11.4" in real.provenance["generator"]
    for events in (ours, real):
        assert events.columns == DS1_PHOTONS.column_names and set(events.units) == {"MeV"}
        assert events.condition is not None and np.all(events.condition == 65536.0)
    assert calo_photons(events=5, condition_columns=()).condition is None
    assert file_hash(shipped()) == SHA256


def test_the_seed_decides_and_files_are_kept() -> None:
    first = calo_photons(events=40, seed=1)
    np.testing.assert_array_equal(first.x, calo_photons(events=40, seed=1).x)
    assert np.any(first.x != calo_photons(events=40, seed=2).x)


def test_energies_are_taken_in_turn() -> None:
    energies = (256.0, 4194304.0, 65536.0)
    data = calo_photons(events=7, energies=energies)
    assert data.condition is not None
    assert data.condition[:, 0].tolist() == [*energies, *energies, 256.0]
    assert np.all(data.x.sum(axis=1) < 1.5 * data.condition[:, 0])


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    refused: list[dict[str, Any]] = [
        {"events": 0},
        {"sha256": "0" * 64},
        {"energies": (100.0,)},
        {"energies": ()},
        {"energies": (1000.0,), "source": "geant4"},
        {"energies": (1000.0,), "path": str(shipped())},
        {"condition_columns": ("energy",)},
        {"seed": -1},
    ]
    for options in refused:
        with pytest.raises(BadOption):
            calo_photons(**options)
    with pytest.raises(DataError, match="expected the SHA-256"):
        calo_photons(path=str(shipped()), sha256="0" * 64)


def test_the_command_writes_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["data", "calo-photons", "--events", "4", "--seed", "2"])
    path = Path(capsys.readouterr().out.strip())
    with h5py.File(path) as file:
        assert file.attrs["stand_in"] and file["showers"].shape == (4, 368)
        assert file["incident_energies"].shape == (4, 1)
    data = calo_photons(path=str(path))
    assert len(data) == 4 and data.provenance["stand_in"] == "yes"


def test_a_file_does_not_depend_on_how_energies_are_grouped(tmp_path: Path) -> None:
    """Photons of high energies are generated one by one, others many at once."""
    counts: list[int] = []
    energies = (2.0**22, 2.0**8)
    path = tmp_path / "photons.h5"
    generate_photons(
        9, energies=energies, seed=1, path=path, progress=lambda done, note: counts.append(done)
    )
    assert counts == [2, 4, 6, 8, 9] or counts == [1, 3, 5, 7, 9]
    with h5py.File(path) as file:
        assert np.all(file["showers"][:].sum(axis=1) > 0)


def test_points_lie_in_the_voxels_that_hold_them() -> None:
    """Against the rings and angles of each layer, one point at a time."""
    rng = np.random.default_rng(0)
    layer = rng.integers(-1, 5, 4000)
    r = np.exp(rng.uniform(-1, 8, 4000))
    angle = rng.uniform(-np.pi, np.pi, 4000)
    found = voxel(r * np.cos(angle), r * np.sin(angle), layer)
    for point in range(4000):
        expected = 368
        if layer[point] >= 0:
            rings: Any = DS1_PHOTONS.layers[layer[point]]
            ring = sum(edge <= r[point] for edge in rings.r_edges) - 1
            if ring < len(rings.r_edges) - 1:
                turn = int((angle[point] + np.pi) / (2 * np.pi) * rings.angles)
                expected = rings.start + turn * (len(rings.r_edges) - 1) + ring
        assert found[point] == expected


def test_depths_lie_in_the_parts_of_the_detector() -> None:
    middles = np.concatenate([ENDS - PARTS / 2, [ENDS[-1] + 1]])
    np.testing.assert_array_equal(layer_at(middles), LAYER_OF_PART)
    assert ENDS[0] == pytest.approx(1.495, abs=0.01) and 24 < ENDS[4] < 25


def test_the_stand_in_is_as_far_from_geant4_as_documented(
    generated: Floats, geant4: Floats
) -> None:
    """Means of the table of docs/data.md: what each may differ by, relative to Geant4."""
    ours = summary(generated, 65536.0)
    real = summary(geant4, 65536.0)
    allowed = {"energy in the voxels": 0.003, "energy in layer 2": 0.02}
    allowed |= {"energy in layer 1": 0.12, "energy in layer 3": 0.15, "energy in layer 12": 0.35}
    allowed |= {"energy in layer 0": 0.25, "mean distance from the axis in layer 2": 0.08}
    allowed |= {"hit voxels of layer 2": 0.03, "hit voxels of layer 1": 0.3}
    for name, part in allowed.items():
        assert ours[name].mean == pytest.approx(real[name].mean, rel=part), name
    assert ours["energy in the voxels"].deviation == pytest.approx(0.0095, rel=0.15)
    assert set(ours) == set(units()) and "stand-in" in beside({"stand-in": ours}, units())


def test_showers_are_round(generated: Floats) -> None:
    """Each angular bin has a tenth of the energy of a layer: to five standard errors."""
    for layer in DS1_PHOTONS.layers[1:3]:
        cells = generated[:, voxels_of(layer)].reshape(len(generated), *layer.shape)
        hit = cells[cells.sum(axis=(1, 2)) > 0]
        share = hit.sum(axis=2) / hit.sum(axis=(1, 2))[:, None]
        error = share.std(axis=0) / np.sqrt(len(share))
        assert np.all(np.abs(share.mean(axis=0) - 0.1) < 5 * error)


def test_showers_of_more_energy_are_deeper_and_sharper() -> None:
    shares = []
    widths = []
    for energy, count in ((4.0, 400), (65.536, 300), (1000.0, 40)):
        showers = photon_showers(np.full(count, energy), np.random.default_rng(7))
        layers = DS1_PHOTONS.layer_energies(showers)
        total = layers.sum(axis=1)
        shares.append(float(np.mean(layers[:, 1] / total)))
        widths.append(float(np.std(total / (1000 * energy))))
    assert shares[0] > shares[1] > shares[2] and widths[0] > widths[1] > widths[2]
    # sampling alone: 0.07 / sqrt(E / GeV)
    assert widths[1] == pytest.approx(0.07 / np.sqrt(65.536), rel=0.15)
