"""Encoders of shower cells and of energies: what they promise about zeros, units and rare cells."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.encoders.energies import EnergyUnit
from qgen_core.encoders.energy_bits import EnergyBitsEncoder
from qgen_core.encoders.energy_features import EnergyFeaturesEncoder
from qgen_core.encoders.energy_logit import EnergyLogitEncoder
from qgen_core.encoders.hit_standard import HitStandardEncoder
from qgen_core.encoders.ratio import RatioEncoder
from qgen_core.errors import BadOption, DataError

RNG = np.random.default_rng(0)


def cells(events: int = 300) -> np.ndarray:
    """Exponential energies, of which 6 in 10 are 0; the last cells have no, one and equal hits."""
    rng = np.random.default_rng(4)
    x = rng.exponential(5.0, (events, 6)) * (rng.random((events, 6)) < 0.4)
    x[:, 3:] = 0.0
    x[7, 4] = 2.0
    x[::3, 5] = 0.3
    return x


def test_hits_of_each_cell_have_unit_deviation_and_start_at_eps() -> None:
    x = cells()
    encoder = HitStandardEncoder(eps=0.02).fit(x)
    z = encoder.encode(x)
    np.testing.assert_array_equal(z == 0, x == 0)
    for column in range(3):
        hits = z[x[:, column] > 0, column]
        assert hits.std() == pytest.approx(1.0, rel=1e-12) and hits.min() == pytest.approx(0.02)
        # standardised, less the smallest, plus eps
        energies = x[x[:, column] > 0, column]
        standard = (energies - energies.mean()) / energies.std()
        np.testing.assert_allclose(hits, standard - standard.min() + 0.02, atol=1e-12)
    np.testing.assert_allclose(encoder.decode(z, rng=RNG), x, rtol=1e-12, atol=0)


def test_rare_cells_have_the_scale_of_all_hits() -> None:
    x = cells()
    encoder = HitStandardEncoder().fit(x)
    every_hit = x[x > 0]
    np.testing.assert_allclose(encoder.learned["deviation"][3:], every_hit.std())
    np.testing.assert_allclose(encoder.learned["least"][3:], [every_hit.min(), 2.0, 0.3])
    unseen = np.zeros((1, 6))
    unseen[0, 3:] = [1e-9, 4.0, 0.1]
    z = encoder.encode(unseen)
    assert np.all(z[0, 3:] > 0) and np.all(z[0, :3] == 0)
    np.testing.assert_allclose(encoder.decode(z, rng=RNG), unseen, rtol=1e-12, atol=0)


def test_values_of_a_model_at_or_below_0_are_no_hits() -> None:
    encoder = HitStandardEncoder().fit(cells())
    z = np.array([[-3.0, -1e-12, 0.0, 0.005, 0.01, 1.0]])
    decoded = encoder.decode(z, rng=RNG)
    assert decoded[0, :3].tolist() == [0.0, 0.0, 0.0] and np.all(decoded[0, 3:] > 0)
    with pytest.raises(DataError, match="2 values are negative"):
        HitStandardEncoder().fit(np.array([[-1.0, -2.0], [1.0, 1.0]]))
    with pytest.raises(DataError, match="no cell"):
        HitStandardEncoder().fit(np.zeros((3, 2)))
    with pytest.raises(BadOption, match="eps"):
        HitStandardEncoder(eps=0.0)


def test_the_density_of_hits_is_the_slope_of_the_map_on_both_sides_of_the_least_hit() -> None:
    x = cells()
    encoder = HitStandardEncoder(eps=0.02).fit(x)
    least = encoder.learned["least"]
    for at in (0.3 * least, 2.0 * least):
        step = 1e-6 * at
        ends = encoder.encode(np.stack([at - step, at + step]))
        expected = np.log((ends[1] - ends[0]) / (2 * step)).sum()
        assert encoder.log_det(at[None]) == pytest.approx(expected, abs=1e-7)


def test_hits_below_the_least_are_proportional_to_their_energy() -> None:
    encoder = HitStandardEncoder(eps=0.02).fit(10.0 * cells())
    least = encoder.learned["least"]
    parts = np.array([[0.1], [0.5], [0.999]])
    np.testing.assert_allclose(encoder.encode(parts * least), np.tile(0.02 * parts, 6), rtol=1e-12)


def test_equal_hits_of_all_cells_have_the_deviation_1() -> None:
    encoder = HitStandardEncoder().fit(np.array([[0.0, 3.0], [3.0, 0.0]]))
    assert encoder.learned["deviation"].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(encoder.encode(np.array([[5.0, 3.0]])), [[2.01, 0.01]])


@pytest.mark.parametrize(("unit", "scale"), [("MeV", 1e3), ("GeV", 1.0), ("keV", 1e6)])
def test_the_logit_reads_the_units_of_cells_and_of_the_incident_energy(
    unit: EnergyUnit, scale: float
) -> None:
    """The same showers in any unit have the same code: the logit of the parts of the energy."""
    incident = np.array([[20.0], [50.0]])
    part = np.array([[0.0, 0.25, 1e-6], [0.9, 0.0, 1.0]])
    x = scale * part * incident
    encoder = EnergyLogitEncoder(unit=unit).fit(x, incident)
    z = encoder.encode(x, incident)
    r = 1e-7
    shifted = r + (1 - 2 * r) * part
    expected = np.log(shifted * (1 - r) / (r * (1 - shifted)))
    np.testing.assert_allclose(z, expected, rtol=1e-9, atol=1e-12)
    assert np.all(z[part == 0] == 0)
    decoded = encoder.decode(z, incident, rng=RNG)
    np.testing.assert_allclose(decoded, x, rtol=1e-9, atol=0)
    np.testing.assert_array_equal(encoder.decode(-np.abs(z), incident, rng=RNG), np.zeros((2, 3)))


def test_cells_above_the_incident_energy_are_refused_with_the_units() -> None:
    incident = np.array([[20.0]])
    encoder = EnergyLogitEncoder().fit(np.array([[100.0]]), incident)
    assert not encoder.accepts(np.array([[20_001.0]]), incident)[0]
    with pytest.raises(DataError, match=r"cells in MeV .* is in GeV"):
        encoder.encode(np.array([[20_001.0]]), incident)
    with pytest.raises(DataError, match="condition"):
        encoder.decode(np.array([[1.0]]), rng=RNG)
    with pytest.raises(BadOption, match="factor"):
        RatioEncoder(factor=0.0)


def test_energy_bits_resolve_relative_steps() -> None:
    """The three numbers are those of the definition, and energies of one code are 4.5e-5 apart."""
    energy = np.random.default_rng(1).uniform(1.0, 100.0, (2000, 1))
    encoder = EnergyBitsEncoder().fit(energy)
    bits = encoder.encode(energy)
    assert encoder.space == qgen.Space("bits", 60, (60,))
    numbers = bits.reshape(-1, 3, 20) @ (1 << np.arange(19, -1, -1))
    mev = 1000 * energy[:, 0]
    expected = np.stack([mev, np.sqrt(10 * mev), np.exp(10.0) * np.log(mev)], axis=1)
    np.testing.assert_array_equal(numbers, np.floor(expected))
    decoded = encoder.decode(bits, rng=RNG)
    assert np.max(np.abs(decoded / energy - 1)) < 5e-5
    np.testing.assert_array_equal(encoder.encode(decoded), bits)


def test_the_density_of_energy_bits_is_that_of_what_has_the_same_bits() -> None:
    """1 / width of the cell, in the unit of the energies: what decodes fills it evenly."""
    energy = np.array([[0.0123], [4.2], [800.0]])
    encoder = EnergyBitsEncoder().fit(energy)
    many = np.repeat(encoder.encode(energy), 4000, axis=0)
    decoded = encoder.decode(many, rng=np.random.default_rng(5)).reshape(3, 4000)
    width = np.ptp(decoded, axis=1)  # of n uniform numbers it is short of the cell by 2 / n
    np.testing.assert_allclose(encoder.log_det(energy), -np.log(width), atol=4e-3)
    middle = (decoded.mean(axis=1) - decoded.min(axis=1)) / width
    np.testing.assert_allclose(middle, 0.5, atol=5 / np.sqrt(12 * 4000))


def test_energy_bits_of_no_energy_decode_to_their_first_number() -> None:
    encoder = EnergyBitsEncoder(unit="GeV", counted_unit="GeV").fit(np.array([[5.0]]))
    contradiction = np.zeros((200, 60), dtype=np.int8)
    contradiction[:, 18] = 1  # 2 GeV, and no energy has the square root and the logarithm 0
    decoded = encoder.decode(contradiction, rng=RNG)
    assert np.all((decoded >= 2.0) & (decoded < 3.0)) and np.ptp(decoded) > 0.9
    assert encoder.accepts(np.array([[0.99], [1.0], [2.0**20 - 1], [2.0**20]])).tolist() == [
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(DataError, match="from 1 to below"):
        encoder.encode(np.array([[0.5]]))


def test_energy_features_are_the_energy_and_its_logarithm() -> None:
    energy = np.array([[1.0, 50.0], [100.0, 25.0]])
    encoder = EnergyFeaturesEncoder(scale=50.0).fit(energy)
    z = encoder.encode(energy)
    np.testing.assert_allclose(z[:, :2], energy / 50)
    np.testing.assert_allclose(z[:, 2:], np.log(energy / 50))
    np.testing.assert_allclose(encoder.decode(z, rng=RNG), energy, rtol=1e-15)
    for refused in (0.0, -1.0, np.nan):
        with pytest.raises(DataError, match="above 0"):
            encoder.encode(np.array([[refused, 1.0]]))
    assert encoder.log_det(energy) is None
