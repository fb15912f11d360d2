"""The dataset ``clic``: the shipped showers, the stand-in against them, and public images."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError
from qgen_core.testing import DatasetKit
from qgen_hep.datasets import clic as module
from qgen_hep.datasets.clic import FILES, WINDOWS, clic, shipped
from qgen_hep.generate.clic import gflash
from qgen_hep.generate.clic.detector import FIRST_LAYERS, THICKNESS, pixels_of
from qgen_hep.generate.clic.gflash import MEDIUM, showers
from qgen_hep.generate.gflash import profile_parameters
from qgen_hep.readers.reading import file_hash


class TestShipped(DatasetKit):
    def make(self) -> Any:
        return clic


class TestStandIn(DatasetKit):
    def make(self) -> Any:
        return lambda: clic(source="gflash", events=500, condition_columns=("energy",), seed=3)


@pytest.mark.parametrize("energies", FILES)
def test_the_shipped_files_are_those_meant(energies: Any) -> None:
    assert file_hash(shipped(energies)) == FILES[energies][1]
    with h5py.File(shipped(energies), "r") as file:
        stored = file["energy"][:, 0]
        assert set(file) == {"energy", "layers"} and not file.attrs["stand_in"]
        assert "Geant4 11.4.0" in file.attrs["generator"] and "reduced_from_sha256" in file.attrs
    low, high = WINDOWS[energies]
    assert low <= stored.min() and stored.max() <= high


def test_energies_are_never_mixed() -> None:
    for energies, count in (("225-275", 2530), ("45-55", 1050)):
        events = clic(energies=energies, condition_columns=("energy",))  # type: ignore[arg-type]
        low, high = WINDOWS[energies]
        assert len(events) == count and events.condition is not None
        assert np.all((events.condition >= low) & (events.condition <= high))
        assert events.provenance["kind"] == "simulated" and events.units == ("MeV",) * 8


def test_pixels_are_means_of_the_layers_and_keep_the_energy_sum() -> None:
    with h5py.File(shipped("225-275"), "r") as file:
        layers = file["layers"][:].astype(np.float64)
    eight = clic().x
    np.testing.assert_allclose(eight[:, 2], layers[:, 6:9].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(eight[:, 7], layers[:, 21:25].mean(axis=1), rtol=1e-12)
    sixteen = clic(pixels=16).x
    np.testing.assert_allclose(sixteen[:, 8], layers[:, 16:18].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sixteen[:, 9:], layers[:, 18:], rtol=1e-12)
    for images, pixels in ((eight, 8), (sixteen, 16)):
        counts = np.diff([*FIRST_LAYERS[pixels], 25])
        np.testing.assert_allclose(images @ counts, layers.sum(axis=1), rtol=1e-12)


def test_the_showers_of_geant4_are_as_described_with_the_data() -> None:
    """Pixel means in MeV, to the precision that is printed there."""
    means = [6.36, 60.48, 192.70, 324.10, 370.92, 319.30, 167.36, 51.06]
    np.testing.assert_allclose(clic().x.mean(axis=0), means, atol=5e-3)


@pytest.mark.parametrize(
    ("energies", "first", "others", "spread"),
    [("225-275", 0.28, 0.16, 0.3), ("45-55", 0.22, 0.16, 0.2)],
)
def test_the_stand_in_agrees_with_geant4_as_it_says(
    energies: Any, first: float, others: float, spread: float
) -> None:
    geant4 = clic(energies=energies).x
    fast = clic(energies=energies, source="gflash", events=20_000, seed=5).x
    ratio = fast.mean(axis=0) / geant4.mean(axis=0) - 1
    assert abs(ratio[0]) < first and np.all(np.abs(ratio[1:]) < others)
    assert abs(fast.sum(axis=1).mean() / geant4.sum(axis=1).mean() - 1) < 0.02
    widths = fast.std(axis=0) / geant4.std(axis=0) - 1
    assert np.all(np.abs(widths[2:]) < spread)
    correlations = np.corrcoef(fast.T) - np.corrcoef(geant4.T)
    assert np.abs(correlations).max() < 0.4


def test_the_stand_in_follows_its_parametrisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """ln T and ln alpha have their published means, and a layer's mean is the profile's integral.

    Without fluctuations, the first moment of the whole profile is alpha T / (alpha - 1).
    """
    energy = np.full(40_000, 100.0)
    alpha, t = profile_parameters(MEDIUM, energy, np.random.default_rng(1))
    log_y = np.log(100_000 / MEDIUM.critical_energy)
    expected = log_y - 0.812 - 0.55 / MEDIUM.sampling_frequency
    expected -= 0.69 * (1 - MEDIUM.electron_ratio)
    assert np.log(t).mean() == pytest.approx(np.log(expected), abs=2e-3)
    assert np.log(t).std() == pytest.approx(1 / (1.25 * log_y - 2.5), rel=0.02)
    correlation = np.corrcoef(np.log(t), np.log(alpha))[0, 1]
    assert correlation == pytest.approx(0.784 - 0.023 * log_y, abs=0.01)

    monkeypatch.setattr(gflash, "profile_parameters", lambda m, e, rng: (np.full(len(e), 4.0),) * 2)
    seen = showers(energy, np.random.default_rng(2)).mean(axis=0) / gflash.VISIBLE_FRACTION / 1000
    deposited = seen * THICKNESS / THICKNESS[0]
    depths = np.cumsum(THICKNESS) - THICKNESS / 2
    rate = 3.0 / (4.0 * gflash.DEPTH_SCALE)
    density = 100 * rate * (rate * depths) ** 3 * np.exp(-rate * depths) / 6
    # the integral over a layer is its thickness times the density in its middle, but for the first
    np.testing.assert_allclose(deposited[1:], (density * THICKNESS)[1:], rtol=0.05)


def test_the_seed_is_that_of_the_run_and_gives_any_number_of_events() -> None:
    options = {"source": "gflash", "events": 30}
    recipe = registry.build("dataset", {"name": "clic", **options}, {"seed": 4})
    np.testing.assert_array_equal(recipe().x, clic(source="gflash", events=30, seed=4).x)
    other = clic(source="gflash", events=30, seed=5)
    assert len(other) == 30 and not np.array_equal(recipe().x, other.x)
    said = other.provenance
    assert said["stand_in"] == "yes" and said["title"].startswith("STAND-IN")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A small file with the structure of the public one: 300 images, a third in the window."""
    rng = np.random.default_rng(6)
    energy = np.resize([250.0, 100.0, 500.0], 300)
    ecal = np.zeros((300, 25, 25, 25), dtype=np.float32)
    ecal[:, 12, 12, :] = rng.exponential(0.1, (300, 25))
    ecal[:, 3, 20, 5] = 0.25
    path = tmp_path / "EleEscan.h5"
    with h5py.File(path, "w") as file:
        file["ECAL"] = ecal
        file["target"] = np.stack([np.full(300, 11.0), energy], axis=1)
    return path


def test_public_images_are_reduced_to_pixels(images: Path) -> None:
    events = clic(path=str(images), condition_columns=("energy",))
    with h5py.File(images, "r") as file:
        layers = 1000 * file["ECAL"][:].astype(np.float64).sum(axis=(1, 2))[::3]
    assert (
        len(events) == 100 and events.condition is not None and set(events.condition[:, 0]) == {250}
    )
    np.testing.assert_allclose(events.x, pixels_of(layers, 8), rtol=1e-6)
    assert events.provenance["outside"] == "200 showers outside the energies were left out"
    assert len(clic(path=str(images), events=7, sha256=file_hash(images))) == 7


def test_refused_options(images: Path) -> None:
    for options, reason in (
        ({"events": 0}, "at least 1"),
        ({"condition_columns": ("mass",)}, "the condition of clic is energy"),
        ({"sha256": "00"}, "sha256 needs path"),
        ({"path": str(images), "source": "gflash"}, "leave out"),
    ):
        with pytest.raises(BadOption, match=reason):
            clic(**options)  # type: ignore[arg-type]
    with pytest.raises(BadOption, match="225-275"):
        qgen.dataset("clic", energies="10-20")
    with pytest.raises(BadOption, match="8 or 16"):
        pixels_of(np.zeros((1, 25)), 12)


def test_refused_files(images: Path) -> None:
    with pytest.raises(DataError, match="SHA-256"):
        clic(path=str(images), sha256="0" * 64)
    with pytest.raises(DataError, match="none of its 300 showers"):
        clic(path=str(images), energies="45-55")
    with h5py.File(images, "r+") as file:
        file["ECAL"][200, 1, 1, 1] = -1.0
    with pytest.raises(DataError, match="first in image 200"):
        clic(path=str(images))
    with h5py.File(images, "r+") as file:
        del file["ECAL"]
        file["ECAL"] = np.zeros((300, 5, 5, 25))
    with pytest.raises(DataError, match="25, 25, 25"):
        clic(path=str(images))
    with pytest.raises(DataError, match="SHA-256"):
        read_other_shipped()


def read_other_shipped() -> None:
    """The file of other energies under this name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(module.FILES, "45-55", (FILES["225-275"][0], FILES["45-55"][1]))
        clic(energies="45-55")


def test_the_script_keeps_energies_and_layers(tmp_path: Path) -> None:
    script = shipped("45-55").with_name("make_clic.py")
    spec = importlib.util.spec_from_file_location("make_clic", script)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    source = tmp_path / "source.h5"
    with h5py.File(source, "w") as file:
        for name in ("energy", "layers", "outside"):
            file[name] = np.ones((3, 2), dtype=np.float32)
        file.attrs["stand_in"] = np.False_
        file.attrs["generator"] = "Geant4"
    target = made.reduce(source, tmp_path / "target.h5")
    first = target.read_bytes()
    with h5py.File(target, "r") as file:
        assert set(file) == {"energy", "layers"} and file["layers"].attrs["unit"] == "MeV"
        assert file.attrs["generator"] == "Geant4"
        assert file.attrs["reduced_from_sha256"] == file_hash(source)
    assert made.reduce(source, target).read_bytes() == first
