"""Encoders of the layers of showers: ratios, shares and noise, and their densities."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.encoders.chain import ChainEncoder
from qgen_core.encoders.energy_ratios import EnergyRatiosEncoder
from qgen_core.encoders.layer_normalised import LayerNormalisedEncoder
from qgen_core.encoders.logit import LogitEncoder
from qgen_core.encoders.noise_threshold import NoiseThresholdEncoder
from qgen_core.encoders.standard import StandardEncoder
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.interfaces import Encoder
from qgen_core.typing import Floats

RNG = np.random.default_rng(0)
#: Cells of the layers of the test's calorimeter.
LAYERS = [4, 6, 1, 3]
WIDTH = sum(LAYERS)


def showers(events: int = 200, *, zeros: float = 0.0) -> tuple[Floats, Floats]:
    """Showers (N, 14) in MeV, some cells of which are 0, and incident energies (N, 1) in GeV."""
    rng = np.random.default_rng(8)
    x = 0.01 + rng.gamma(0.5, 300.0, (events, WIDTH))
    x[rng.random(x.shape) < zeros] = 0.0
    incident = (x.sum(axis=1, keepdims=True) + 500.0) / 1000 * rng.uniform(0.9, 1.2, (events, 1))
    return x, incident


def log_jacobian(encoder: Encoder, x: Floats, condition: Floats) -> float:
    """log |det d encode / d x| at one event, by central differences in double precision."""
    columns = []
    for place in range(x.shape[1]):
        step = np.zeros_like(x)
        step[0, place] = 1e-5 * max(x[0, place], 1e-3)
        ahead = encoder.encode(x + step, condition)
        behind = encoder.encode(x - step, condition)
        columns.append((ahead - behind)[0] / (2 * step[0, place]))
    return float(np.linalg.slogdet(np.stack(columns, axis=1))[1])


def test_ratios_are_those_of_the_papers() -> None:
    layers = np.array([[2.0, 5.0, 3.0], [0.0, 0.0, 4.0], [1.0, 0.0, 0.0]])
    incident = np.full((3, 1), 20.0)
    encoder = EnergyRatiosEncoder(unit="GeV").fit(layers, incident)
    expected = [[0.5, 0.2, 0.625], [0.2, 0.0, 0.0], [0.05, 1.0, 0.0]]
    np.testing.assert_allclose(encoder.encode(layers, incident), expected, atol=1e-9)
    scaled = EnergyRatiosEncoder(unit="GeV", most=1 / 0.35).fit(layers, incident)
    np.testing.assert_allclose(
        scaled.encode(layers, incident)[:, 0], 0.35 * np.array([0.5, 0.2, 0.05]), rtol=1e-14
    )


def test_ratios_come_back_to_one_part_in_10_to_the_12() -> None:
    rng = np.random.default_rng(2)
    layers = rng.gamma(0.3, 1e4, (5000, 5)) * (rng.random((5000, 5)) < 0.8)
    layers[layers.sum(axis=1) == 0] = 1.0
    incident = layers.sum(axis=1, keepdims=True) / 1000
    encoder = EnergyRatiosEncoder().fit(layers, incident)
    u = encoder.encode(layers, incident)
    assert u.min() >= 0 and u.max() <= 1 + 1e-15
    back = encoder.decode(u, incident, rng=RNG)
    assert np.max(np.abs(back - layers) / layers.sum(axis=1, keepdims=True)) < 1e-12
    np.testing.assert_array_equal(back[:, 0] == 0, layers[:, 0] == 0)


def test_decoded_layers_are_never_negative_and_add_up() -> None:
    encoder = EnergyRatiosEncoder().fit(np.ones((1, 4)), np.ones((1, 1)))
    u = np.random.default_rng(5).normal(0.5, 2.0, (2000, 4))
    incident = np.full((2000, 1), 3.0)
    layers = encoder.decode(u, incident, rng=RNG)
    assert layers.min() >= 0
    np.testing.assert_allclose(layers.sum(axis=1), 3000.0 * np.maximum(u[:, 0], 0), rtol=1e-12)


@pytest.mark.parametrize("zeros", [0.0, 0.5])
def test_log_det_of_shares_and_ratios_is_that_of_the_jacobian(zeros: float) -> None:
    """Also for empty layers: eps keeps the density finite, here chosen large to be differenced."""
    x, incident = showers(6, zeros=zeros)
    encoder = LayerNormalisedEncoder(layers=LAYERS, last=False, most=1.5)
    encoder.ratios.eps = 0.7
    encoder.fit(x, incident)
    found = encoder.log_det(x, incident)
    assert found is not None and encoder.space.width == WIDTH
    for row in range(len(x)):
        moved = np.where(x[row : row + 1] == 0, 1e-6, x[row : row + 1])
        expected = log_jacobian(encoder, moved, incident[row : row + 1])
        assert found[row] == pytest.approx(expected, abs=2e-5)


def test_log_det_of_the_whole_chain_is_that_of_the_jacobian() -> None:
    x, incident = showers(100)
    parts: list[Encoder] = [
        LayerNormalisedEncoder(layers=LAYERS, last=False, most=1.5),
        LogitEncoder(alpha=1e-6),
        StandardEncoder(),
    ]
    chain = ChainEncoder(encoders=parts).fit(x, incident)
    found = chain.log_det(x[:5], incident[:5])
    assert found is not None
    for row in range(5):
        expected = log_jacobian(chain, x[row : row + 1], incident[row : row + 1])
        assert found[row] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("last", [True, False])
def test_showers_come_back_from_their_shares(last: bool) -> None:
    x, incident = showers(zeros=0.6)
    encoder = LayerNormalisedEncoder(layers=LAYERS, last=last).fit(x, incident)
    z = encoder.encode(x, incident)
    assert z.shape == (200, WIDTH + len(LAYERS) * last)
    np.testing.assert_allclose(encoder.decode(z, incident, rng=RNG), x, rtol=0, atol=1e-8)
    if last:
        energies = np.add.reduceat(x, [0, 4, 10, 11], axis=1)
        sums = np.add.reduceat(z[:, :WIDTH], [0, 4, 10, 11], axis=1)
        np.testing.assert_allclose(sums, energies > 0, atol=1e-8)
        assert encoder.log_det(x, incident) is None


@pytest.mark.parametrize("last", [True, False])
def test_made_up_shares_keep_the_energies_of_the_layers(last: bool) -> None:
    x, incident = showers()
    encoder = LayerNormalisedEncoder(layers=LAYERS, last=last).fit(x, incident)
    rng = np.random.default_rng(3)
    z = rng.normal(0.3, 0.5, (200, encoder.space.width))
    z[0, : -len(LAYERS)] = 0.0
    cells = encoder.decode(z, incident, rng=RNG)
    assert cells.min() >= 0
    energies = encoder.ratios.decode(z[:, -len(LAYERS) :], incident, rng=RNG)
    np.testing.assert_allclose(np.add.reduceat(cells, [0, 4, 10, 11], axis=1), energies, rtol=1e-12)
    if last:  # shares of 0: the cells of a layer have its energy alike
        np.testing.assert_allclose(cells[0, :4], energies[0, 0] / 4)


def test_layers_are_known_by_the_names_of_the_columns() -> None:
    names = [f"layer_{layer}[{cell}]" for layer, size in enumerate(LAYERS) for cell in range(size)]
    x, incident = showers(20)
    named = LayerNormalisedEncoder(column_names=names).fit(x, incident)
    given = LayerNormalisedEncoder(layers=LAYERS).fit(x, incident)
    np.testing.assert_array_equal(named.encode(x, incident), given.encode(x, incident))
    loaded = LayerNormalisedEncoder()
    loaded.load(named.state())
    np.testing.assert_array_equal(loaded.encode(x, incident), given.encode(x, incident))


def test_layers_that_do_not_fit_are_refused() -> None:
    x, incident = showers(20)
    with pytest.raises(BadOption, match="does not know the layers"):
        LayerNormalisedEncoder().fit(x, incident)
    with pytest.raises(BadOption, match="13 cells together, the events have 14 columns"):
        LayerNormalisedEncoder(layers=[4, 6, 3]).fit(x, incident)
    with pytest.raises(BadOption, match="at least 1 cell"):
        LayerNormalisedEncoder(layers=[4, 0])
    with pytest.raises(BadOption, match="eps"):
        EnergyRatiosEncoder(eps=0.0)
    with pytest.raises(BadOption, match="most"):
        EnergyRatiosEncoder(most=-1.0)
    with pytest.raises(CheckpointError, match=r"layers of \[4, 6, 1, 3\] cells, the options say"):
        state = LayerNormalisedEncoder(layers=LAYERS).fit(x, incident).state()
        LayerNormalisedEncoder(layers=[7, 3, 1, 3]).load(state)
    encoder = LayerNormalisedEncoder(layers=LAYERS).fit(x, incident)
    negative = x.copy()
    negative[2, 5] = -1.0
    with pytest.raises(DataError, match="event 2"):
        encoder.encode(negative, incident)
    with pytest.raises(DataError, match="condition"):
        encoder.encode(x)


def test_noise_is_uniform_and_that_of_the_event() -> None:
    x = np.zeros((20_000, 5))
    x[:, 0] = np.arange(20_000)
    encoder = NoiseThresholdEncoder(noise=0.5, seed=3).fit(x)
    z = encoder.encode(x)
    u = (z - x) / 0.5
    counts = np.stack([np.histogram(u[:, place], 50, (0.0, 1.0))[0] for place in range(5)])
    chi2 = ((counts - 400.0) ** 2 / 400.0).sum(axis=1)  # 49 degrees of freedom each
    assert u.min() >= 0 and u.max() < 1 and chi2.max() < 100 and chi2.min() > 15
    # places of one event, and neighbouring events, are independent: |r| < 5 / sqrt(20,000)
    correlations = np.corrcoef(np.concatenate([u[:-1].T, u[1:].T]))
    assert np.abs(correlations - np.eye(10)).max() < 0.036
    np.testing.assert_array_equal(encoder.encode(x[77:79]), z[77:79])
    assert np.mean(NoiseThresholdEncoder(noise=0.5, seed=4).fit(x).encode(x) == z) < 1e-3


def test_thresholds_are_kept() -> None:
    rng = np.random.default_rng(9)
    x = rng.exponential(2.0, (3000, 4)) * (rng.random((3000, 4)) < 0.7)
    encoder = NoiseThresholdEncoder(noise=0.01, threshold=1.0).fit(x)
    back = encoder.decode(encoder.encode(x), rng=RNG)
    assert np.all((back == 0) | (back >= 1.0))
    kept = x > 1.01
    np.testing.assert_allclose(back[kept], x[kept], atol=0.005)
    assert np.all(back[x < 0.99] == 0)
    assert abs(np.mean(back[kept] - x[kept])) < 5 * 0.01 / np.sqrt(12 * kept.sum())
    plain = NoiseThresholdEncoder(noise=0.01).fit(x)
    np.testing.assert_array_equal(plain.decode(plain.encode(x), rng=RNG)[x == 0], 0.0)
    for options in ({"noise": -1.0}, {"seed": -1}, {"threshold": 0.0001}, {"noise": np.nan}):
        with pytest.raises(BadOption):
            NoiseThresholdEncoder(**options)


def test_density_and_code_of_a_chain_have_the_same_noise() -> None:
    """The density is that of the later encoders at the noisy event, also where a cell is 0."""
    x, incident = showers(50, zeros=0.4)
    noise = NoiseThresholdEncoder(noise=0.02)
    rest = ChainEncoder(
        encoders=[
            LayerNormalisedEncoder(layers=LAYERS, last=False, most=1.5),
            LogitEncoder(alpha=1e-6),
        ]
    )
    chain = ChainEncoder(encoders=[noise, rest]).fit(x, incident)
    noisy = noise.encode(x)
    np.testing.assert_array_equal(
        chain.encode(x, incident, rng=np.random.default_rng(1)), rest.encode(noisy, incident)
    )
    np.testing.assert_array_equal(chain.log_det(x, incident), rest.log_det(noisy, incident))


def test_the_encoders_are_offered() -> None:
    assert isinstance(qgen.encoder("noise-threshold", noise=0.1), NoiseThresholdEncoder)
    assert isinstance(qgen.encoder("energy-ratios", most=2.0), EnergyRatiosEncoder)
    assert isinstance(qgen.encoder("layer-normalised", layers=LAYERS), LayerNormalisedEncoder)
