"""The dataset ``zmumu``: invariant masses of pairs in a file, and the stand-in; chosen layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError
from qgen_core.typing import Floats

MUON = 0.105658
WINDOW = (60.0, 120.0)


def boosted(momentum: Floats, energy: Floats, velocity: Floats) -> tuple[Floats, Floats]:
    """Momenta (N, 3) and energies (N,) in a frame that moves with -velocity (N, 3)."""
    squared = (velocity**2).sum(axis=1)
    gamma = 1 / np.sqrt(1 - squared)
    along = (velocity * momentum).sum(axis=1)
    factor = (gamma - 1) * along / squared + gamma * energy
    return momentum + factor[:, None] * velocity, gamma * (energy + along)


def pairs(mass: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Two-body decays of moving particles of these masses, as columns of a file."""
    direction = rng.normal(size=(len(mass), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    size = np.sqrt((mass / 2) ** 2 - MUON**2)
    velocity = rng.uniform(-0.5, 0.5, size=(len(mass), 3))
    found = {}
    for name, sign in (("mu1", 1.0), ("mu2", -1.0)):
        p, energy = boosted(sign * size[:, None] * direction, mass / 2, velocity)
        pt = np.hypot(p[:, 0], p[:, 1])
        found[f"{name}_energy"] = energy
        found[f"{name}_pt"] = pt
        found[f"{name}_eta"] = np.arcsinh(p[:, 2] / pt)
        found[f"{name}_phi"] = np.arctan2(p[:, 1], p[:, 0])
    return found


def test_the_mass_is_that_of_the_decayed_particle(tmp_path: Path) -> None:
    mass = np.array([70.0, 91.2, 119.9, 50.0, 130.0])
    path = tmp_path / "pairs.npz"
    np.savez(path, **pairs(mass, np.random.default_rng(1)))
    data = qgen.dataset("zmumu", path=str(path), window=WINDOW)()
    np.testing.assert_allclose(data.x[:, 0], mass[:3], rtol=1e-9)
    assert data.columns == ("mass",) and data.units == ("GeV",)
    assert data.provenance["outside of the window"] == "2 of 5 pairs"
    assert data.provenance["kind"] == "unknown"
    first = qgen.dataset("zmumu", path=str(path), events=2)()
    assert len(first) == 2
    with pytest.raises(DataError, match="none of 5 pairs"):
        qgen.dataset("zmumu", path=str(path), window=(1.0, 2.0))()
    with pytest.raises(DataError):
        qgen.dataset("zmumu", path=str(path), sha256="0" * 64)()


def test_the_stand_in_is_a_smeared_breit_wigner() -> None:
    data = qgen.build("dataset", {"name": "zmumu", "events": 20_000}, {"seed": 4})()
    again = qgen.build("dataset", {"name": "zmumu", "events": 20_000}, {"seed": 4})()
    np.testing.assert_array_equal(data.x, again.x)
    assert data.provenance["stand_in"] == "yes"
    mass = data.x[:, 0]
    assert mass.min() >= 60.0 and mass.max() <= 120.0
    assert np.median(mass) == pytest.approx(91.188, abs=0.1)
    # A Voigt profile: the half widths of its parts, 1.2475 of Cauchy and 1.4129 of Gauss, together
    # by the formula of Olivero and Longbothum.
    lorentz, gauss = 2.495, 2.3548 * 1.2
    width = 0.5346 * lorentz + np.sqrt(0.2166 * lorentz**2 + gauss**2)
    peak = np.mean(np.abs(mass - 91.188) < 0.1) / 0.2
    half = np.mean(np.abs(np.abs(mass - 91.188) - width / 2) < 0.1) / 0.4
    assert half / peak == pytest.approx(0.5, abs=0.06)


def test_impossible_options_are_refused() -> None:
    for options in ({"window": (90.0, 80.0)}, {"events": 0}, {"sha256": "0" * 64}):
        with pytest.raises(BadOption):
            qgen.dataset("zmumu", **options)()
    with pytest.raises(BadOption, match="window around 91"):
        qgen.dataset("zmumu", window=(1.0, 2.0))()


def test_some_layers_can_be_chosen() -> None:
    showers = {"name": "calo-photons", "source": "geant4", "events": 50}
    every = qgen.dataset("layer-energies", of=showers)()
    two = qgen.dataset("layer-energies", of=showers, only=(2, 1))()
    np.testing.assert_array_equal(two.x, every.x[:, [2, 1]])
    assert two.columns == ("showers[2]", "showers[1]") and two.condition is None
    for wrong in ((), (1, 1), (5,), (-1,)):
        with pytest.raises(BadOption, match="different layers"):
            qgen.dataset("layer-energies", of=showers, only=wrong)()
