"""The dataset ``calogan``: shipped showers, stand-ins and their physics, files in its layout."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError
from qgen_core.testing import DatasetKit
from qgen_core.typing import Floats
from qgen_hep.calorimeters.grids import LAYERS, SHAPES
from qgen_hep.datasets.calogan import SHA256, calogan, shipped
from qgen_hep.datasets.calogan_summary import SUMMARY, summary, table
from qgen_hep.generate.calogan import hadronic
from qgen_hep.generate.calogan.detector import (
    BEHIND,
    BESIDE,
    CELLS,
    COLUMNS,
    FIRST,
    SIZES,
    compartment,
)
from qgen_hep.generate.calogan.file import generate_calogan, showers
from qgen_hep.readers.reading import file_hash

SPECIES = ("e+", "gamma", "pi+")


class TestShipped(DatasetKit):
    def make(self) -> Any:
        return lambda: calogan(events=500)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def sample() -> dict[tuple[str, float], Floats]:
    """Deposits of 120 showers of each species at 10 and at 90 GeV."""
    found = {}
    for species in SPECIES:
        for energy in (10.0, 90.0):
            rng = np.random.default_rng(11)
            found[species, energy] = showers(species, np.full(120, energy), rng)  # type: ignore[arg-type]
    return found


def layers_of(deposits: Floats) -> Floats:
    """The energies (N, 3) in MeV of the layers."""
    return np.add.reduceat(deposits[:, :CELLS], FIRST, axis=1)


def depth(deposits: Floats) -> Floats:
    """The mean number of the layer (N,), weighted by energy."""
    layers = layers_of(deposits)
    return np.asarray(layers @ np.arange(3.0) / layers.sum(axis=1))


def width(deposits: Floats) -> Floats:
    """The part (N,) of the energy of layer 1 that is outside the 4 cells around the axis."""
    image = deposits[:, FIRST[1] : FIRST[2]].reshape(-1, 12, 12)
    return np.asarray(1 - image[:, 5:7, 5:7].sum(axis=(1, 2)) / image.sum(axis=(1, 2)))


def test_the_shipped_file_is_the_simulated_one_rounded() -> None:
    assert file_hash(shipped()) == SHA256 and shipped().stat().st_size < 8e6
    events = calogan()
    assert len(events) == 7860 and events.x.shape[1] == 504 and events.columns == COLUMNS
    assert events.condition is not None and events.units == ("MeV",) * 504
    assert events.condition.min() >= 1 and events.condition.max() <= 100
    # Geant4 conserves energy: cells, their surroundings and leakage make up the incident one
    visible = events.x.sum(axis=1) / (1000 * events.condition[:, 0])
    assert 0.985 < visible.mean() < 1.001
    with h5py.File(shipped(), "r") as file:
        image = file["layer_0"][7]
        assert not file.attrs["stand_in"] and "Geant4 11.4.0" in file.attrs["generator"]
    np.testing.assert_array_equal(events.x[7, :288].reshape(3, 96), image)


def test_compartments_tile_the_window() -> None:
    """A point in the middle of each cell lies in it; the numbers of columns follow the images."""
    middles = []
    for (across, along), middle in zip(SHAPES, (45.0, 263.0, 458.0), strict=True):
        column, row = np.divmod(np.arange(across * along), along)
        x = 480 * ((column + 0.5) / across - 0.5)
        y = 480 * ((row + 0.5) / along - 0.5)
        middles.append(np.stack([x, y, np.full(len(x), middle)]))
    np.testing.assert_array_equal(compartment(*np.concatenate(middles, axis=1)), np.arange(CELLS))
    outside = compartment(np.array([-241.0, 0.0]), np.zeros(2), np.array([10.0, 480.0]))
    assert outside.tolist() == [BESIDE, BEHIND] and sum(SIZES) == CELLS


def test_energy_is_conserved(sample: dict[tuple[str, float], Floats]) -> None:
    """Electromagnetic showers leave nearly all of their energy, no shower leaves more."""
    for (species, energy), deposits in sample.items():
        total = deposits.sum(axis=1) / (1000 * energy)
        assert total.max() <= 1 + 1e-9 and deposits.min() >= 0
        if species != "pi+":
            assert total.mean() > 0.97


def test_showers_reach_deeper_with_the_logarithm_of_their_energy() -> None:
    """Of GFlash, ``ln T`` grows as ln(ln y - 1.2): layer 0 has a smaller part at each step."""
    parts = []
    for energy in (3.0, 9.0, 27.0, 81.0):
        rng = np.random.default_rng(5)
        layers = layers_of(showers("e+", np.full(100, energy), rng))
        parts.append(layers[:, 0].sum() / layers.sum())
    steps = -np.diff(parts)
    assert np.all(steps > 0.04) and parts[0] > 0.4 and parts[-1] < 0.2


def test_photons_start_later_than_positrons(sample: dict[tuple[str, float], Floats]) -> None:
    for energy in (10.0, 90.0):
        positrons = layers_of(sample["e+", energy])[:, 0].mean()
        assert layers_of(sample["gamma", energy])[:, 0].mean() < 0.85 * positrons


def test_pions_are_deeper_and_broader_and_fluctuate_more(
    sample: dict[tuple[str, float], Floats],
) -> None:
    positrons, pions = sample["e+", 90.0], sample["pi+", 90.0]
    tracks = pions.sum(axis=1) < 600
    # 33 % of the pions pass without a collision, with the deposit of a minimum ionising track
    expected = np.exp(-hadronic.DEPTH / hadronic.PION_LENGTH)
    assert abs(tracks.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 120)
    track = hadronic.RISE * hadronic.MINIMUM * 80
    assert np.median(pions[tracks].sum(axis=1)) == pytest.approx(track, rel=0.05)
    assert (pions[tracks] > 0).sum(axis=1).mean() < 15
    collided = pions[~tracks]
    assert depth(collided).mean() > depth(positrons).mean() + 0.05
    assert depth(collided).std() > 2 * depth(positrons).std()
    assert np.median(width(collided)) > 1.2 * np.median(width(positrons))
    assert width(collided).std() > 2 * width(positrons).std()
    slow = sample["pi+", 10.0]
    slow = slow[slow.sum(axis=1) > 600]
    assert np.median(width(slow)) > 2 * np.median(width(sample["e+", 10.0]))
    assert collided.sum(axis=1).std() > 10 * positrons.sum(axis=1).std()


def test_stand_ins_are_near_geant4() -> None:
    """The figures of the table in docs/data.md, of fewer showers: as near as it says."""
    events = calogan(events=600)
    assert events.condition is not None
    energy = events.condition[:, 0]
    found = showers("e+", energy, np.random.default_rng(2))[:, :CELLS]
    geant4, standin = summary(events.x, energy), summary(found, energy)
    limits = {
        "energy in the cells": 0.01,
        "mean layer": 0.03,
        "energy in layer 0": 0.08,
        "energy in layer 1": 0.03,
        "width of layer 0 in y": 0.08,
        "width of layer 1 in y": 0.08,
        "hit cells of layer 0": 0.13,
        "hit cells of layer 1": 0.06,
    }
    assert set(limits) < set(SUMMARY)
    for name, limit in limits.items():
        assert standin[name].mean == pytest.approx(geant4[name].mean, rel=limit), name
    assert standin["hit cells of layer 2"].mean < geant4["hit cells of layer 2"].mean
    lines = table({"Geant4": (events.x, energy), "stand-in": (found, energy)}).splitlines()
    assert lines[0] == "| | Geant4 | stand-in |" and len(lines) == len(SUMMARY) + 2


def test_stand_ins_are_reproduced_and_cached(tmp_path: Path) -> None:
    options: dict[str, Any] = {"species": "gamma", "source": "gflash", "events": 40}
    first = calogan(**options, seed=3)
    (file,) = (tmp_path / "cache" / "qgen" / "calogan").glob("*.h5")
    written = file.stat().st_mtime_ns
    np.testing.assert_array_equal(calogan(**options, seed=3).x, first.x)
    assert file.stat().st_mtime_ns == written
    again = generate_calogan(40, species="gamma", seed=3, path=tmp_path / "again.h5")
    assert file_hash(again) == file_hash(file)
    assert not np.array_equal(calogan(**options, seed=4).x, first.x)
    assert first.provenance["stand_in"] == "yes" and first.provenance["kind"] == "stand-in"
    assert first.provenance["title"].startswith("STAND-IN") and len(first) == 40


def test_a_file_in_the_public_layout_is_read_as_it_is(tmp_path: Path) -> None:
    path = generate_calogan(30, species="pi+", seed=1, path=tmp_path / "piplus.hdf5")
    with h5py.File(path, "r") as file:
        assert set(file) == {"energy", "overflow", *LAYERS}
        cells = [file[layer][:].reshape(30, -1) for layer in LAYERS]
        energy = file["energy"][:]
    events = calogan(path=str(path), species="pi+", events=20, sha256=file_hash(path))
    np.testing.assert_array_equal(events.x, np.concatenate(cells, axis=1)[:20])
    assert events.condition is not None
    np.testing.assert_array_equal(events.condition, energy[:20])
    assert events.provenance["species"] == "pi+"
    assert events.provenance["stand_in"] == "yes" and events.provenance["kind"] == "stand-in"
    with h5py.File(path, "r+") as file:
        del file.attrs["stand_in"]  # as in a public file
    events = calogan(path=str(path), species="pi+", events=20)
    assert events.provenance["stand_in"] == "no" and events.provenance["kind"] == "simulated"


def test_refused_options() -> None:
    for options, reason in (
        ({"events": 0}, "at least 1"),
        ({"condition_columns": ("mass",)}, "the condition of calogan is energy"),
        ({"sha256": "00"}, "sha256 needs path"),
        ({"path": "x.h5", "source": "gflash"}, "leave out source"),
        # Geant4 and stand-ins are never mixed, not even by a default
        ({"species": "gamma"}, "gamma is in the source gflash"),
        ({"species": "pi+", "source": "gflash"}, "pi\\+ is in the source hadronic"),
    ):
        with pytest.raises(BadOption, match=reason):
            calogan(**options)  # type: ignore[arg-type]
    with pytest.raises(BadOption, match="gflash"):
        qgen.dataset("calogan", source="fullsim")
    with pytest.raises(BadOption, match="at least 1"):
        generate_calogan(0, species="e+", seed=1, path=Path("never.h5"))


def test_refused_files(tmp_path: Path) -> None:
    path = generate_calogan(5, species="e+", seed=1, path=tmp_path / "eplus.hdf5")
    with h5py.File(path, "r+") as file:
        file["energy"].attrs["unit"] = "MeV"
    with pytest.raises(DataError, match="values in GeV"):
        calogan(path=str(path))
    with h5py.File(path, "r+") as file:
        del file["energy"].attrs["unit"]
        file["energy"][:] *= 1000
    with pytest.raises(DataError, match="correct the units"):
        calogan(path=str(path))
    with h5py.File(path, "r+") as file:
        file["energy"][:] /= 1000
        file["layer_1"][2, 0, 0] = -1.0
    with pytest.raises(DataError, match="negative"):
        calogan(path=str(path))
    with h5py.File(path, "r+") as file:
        del file["layer_1"]
        file["layer_1"] = np.zeros((5, 24, 6))
    with pytest.raises(DataError, match="12, 12"):
        calogan(path=str(path))
    with h5py.File(path, "r+") as file:
        del file["layer_1"]
    with pytest.raises(DataError, match="no array 'layer_1'"):
        calogan(path=str(path))


def test_the_script_rounds_deposits(tmp_path: Path) -> None:
    script = shipped().with_name("make_calogan.py")
    spec = importlib.util.spec_from_file_location("make_calogan", script)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    source = generate_calogan(10, species="e+", seed=2, path=tmp_path / "source.h5")
    with h5py.File(source, "r+") as file:
        file["active"] = np.ones((10, 3))
    target = made.reduce(source, tmp_path / "target.h5")
    with h5py.File(source, "r") as before, h5py.File(target, "r") as after:
        assert set(after) == {"energy", "overflow", *LAYERS}
        np.testing.assert_array_equal(after["energy"][:], before["energy"][:])
        for layer in LAYERS:
            np.testing.assert_allclose(after[layer][:], before[layer][:], rtol=1.6e-5, atol=0)
        assert after.attrs["reduced_from_sha256"] == file_hash(source)
