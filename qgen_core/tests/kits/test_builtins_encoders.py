"""The built-in encoders pass the encoder kit, with several options each."""

from __future__ import annotations

import numpy as np
import pytest
from kits_offers import cases

from qgen_core.encoders.angle import AngleEncoder
from qgen_core.encoders.arccos import ArccosEncoder
from qgen_core.encoders.binarise import BinariseEncoder
from qgen_core.encoders.binning import BinningEncoder
from qgen_core.encoders.chain import ChainEncoder
from qgen_core.encoders.energy_bits import EnergyBitsEncoder
from qgen_core.encoders.energy_features import EnergyFeaturesEncoder
from qgen_core.encoders.energy_logit import EnergyLogitEncoder
from qgen_core.encoders.energy_ratios import EnergyRatiosEncoder
from qgen_core.encoders.hit_standard import HitStandardEncoder
from qgen_core.encoders.layer_normalised import LayerNormalisedEncoder
from qgen_core.encoders.log import LogEncoder
from qgen_core.encoders.logit import LogitEncoder
from qgen_core.encoders.min_max import MinMaxEncoder
from qgen_core.encoders.noise_threshold import NoiseThresholdEncoder
from qgen_core.encoders.power import PowerEncoder
from qgen_core.encoders.ratio import RatioEncoder
from qgen_core.encoders.standard import StandardEncoder
from qgen_core.interfaces import Encoder
from qgen_core.testing import EncoderKit, overrides

CASES = cases(
    "encoder",
    {
        "angle": AngleEncoder,
        "angle, binned": lambda: AngleEncoder(bins=5),
        "arccos": ArccosEncoder,
        "arccos, second column": lambda: ArccosEncoder(columns=[1], margin=1.5),
        "binning": BinningEncoder,
        "binning, logarithmic": lambda: BinningEncoder(bits=[2, 3], spacing="logarithmic"),
        "binning, quantile": lambda: BinningEncoder(bits=3, spacing="quantile"),
        "binning, window": lambda: BinningEncoder(bits=2, window=[(0.5, 5.0), (0.1, 2.0)]),
        "binning, edges": lambda: BinningEncoder(
            bits=[1, 2], spacing=[[0.0, 3.0, 20.0], "equal-width"]
        ),
        "binarise": BinariseEncoder,
        "binarise, spins": lambda: BinariseEncoder(kind="spins", threshold="mean"),
        # a power of two: dividing by it and multiplying again is exact
        "energy-features": lambda: EnergyFeaturesEncoder(scale=128.0),
        "energy-bits": EnergyBitsEncoder,
        "log": LogEncoder,
        "log, second column": lambda: LogEncoder(offset=0.1, base=10.0, columns=[1]),
        "min-max": MinMaxEncoder,
        "min-max, turned": lambda: MinMaxEncoder(range=(1.0, -1.0), start="zero", margin=1.05),
        # without noise: with it decoding is exact only to half of the noise
        "noise-threshold": lambda: NoiseThresholdEncoder(noise=0.0, threshold=0.01),
        "power": PowerEncoder,
        "power, inverse": lambda: PowerEncoder(exponent=-0.5),
        "standard": StandardEncoder,
        "logit": lambda: ChainEncoder(encoders=[MinMaxEncoder(margin=1.01), LogitEncoder()]),
        "chain": lambda: ChainEncoder(encoders=[LogEncoder(), StandardEncoder()]),
        "chain, to bits": lambda: ChainEncoder(encoders=[LogEncoder(), BinningEncoder(bits=3)]),
    },
)


#: Offered encoders that need conditions or other events; they have tests of their own below.
ELSEWHERE = ("ratio", "energy-logit", "energy-ratios", "hit-standard", "layer-normalised")


class TestBuiltins(EncoderKit):
    @pytest.fixture(autouse=True, params=[name for name in CASES if name not in ELSEWHERE])
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param

    def make(self) -> Encoder:
        return CASES[self.case]()


class TestLogitAlone(EncoderKit):
    def make(self) -> Encoder:
        return LogitEncoder()

    def events(self) -> tuple[np.ndarray, None]:
        return np.random.default_rng(1).beta(2.0, 5.0, (300, 3)), None


class TestHitStandard(EncoderKit):
    def make(self) -> Encoder:
        return HitStandardEncoder()

    def events(self) -> tuple[np.ndarray, None]:
        """The slope is another one below the smallest hit and at 0: both come late."""
        rng = np.random.default_rng(1)
        x = 0.1 + rng.gamma(2.0, 1.0, (400, 3))
        x[100:][rng.random((300, 3)) < 0.4] = 0.0
        x[-1] = 0.05
        return x, None


class TestRatio(EncoderKit):
    conditional = True

    def make(self) -> Encoder:
        return RatioEncoder(columns=[0])


class TestEnergyLogit(EncoderKit):
    conditional = True

    def make(self) -> Encoder:
        return EnergyLogitEncoder(unit="GeV", columns=[1])


class TestRatioInChain(EncoderKit):
    conditional = True

    def make(self) -> Encoder:
        return ChainEncoder(encoders=[RatioEncoder(), LogitEncoder(alpha=1e-4)])


class TestEnergyRatios(EncoderKit):
    conditional = True

    def make(self) -> Encoder:
        return EnergyRatiosEncoder(unit="GeV", most=2.0)


class TestLayerNormalised(EncoderKit):
    """The encoder with a density: the last cell of a layer is left out."""

    conditional = True

    def make(self) -> Encoder:
        return LayerNormalisedEncoder(layers=[3, 1, 2], last=False, unit="GeV")

    def events(self) -> tuple[np.ndarray, np.ndarray]:
        """Showers, and late ones with a layer that is empty."""
        rng = np.random.default_rng(3)
        x = 0.1 + rng.gamma(1.0, 1.0, (400, 6))
        x[-20:, 3] = 0.0
        return x, 0.5 + x.sum(axis=1, keepdims=True) + rng.random((400, 1))


class TestAllSharesOfLayers(TestLayerNormalised):
    """Without a density: the shares of a layer add up to 1."""

    def make(self) -> Encoder:
        return LayerNormalisedEncoder(layers=[3, 1, 2], unit="GeV")

    @overrides("shares are no cells, among which the kit looks for the event")
    def test_round_trip(self) -> None:
        """Decoding returns the showers."""
        encoder = self.fitted()
        x, condition = self.events()
        z = encoder.encode(x, condition)
        back = encoder.decode(z, condition, rng=np.random.default_rng(1))
        np.testing.assert_allclose(back, x, rtol=1e-12, atol=1e-12)
