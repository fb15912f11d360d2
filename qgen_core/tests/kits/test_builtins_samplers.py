"""The sampler kit on the built-in samplers, and on an exact one, a quantum one and a chain."""

from __future__ import annotations

import pytest
from kits_offers import cases
from kits_samplers import ExactSampler, QuantumSampler, SlowChain

from qgen_core.interfaces import Sampler
from qgen_core.testing import SamplerKit

#: Autocorrelation time and remaining bias of samplers that are not exact.
CORRELATED: dict[str, float] = {}
BIAS: dict[str, float] = {}
CASES = cases("sampler", {})


class TestBuiltins(SamplerKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param
        self.correlated, self.bias = CORRELATED.get(self.case, 1.0), BIAS.get(self.case, 0.0)

    def make(self) -> Sampler:
        return CASES[self.case]()


class TestExact(SamplerKit):
    def make(self) -> Sampler:
        return ExactSampler(beta=1.7)


class TestQuantum(SamplerKit):
    spins = 7

    def make(self) -> Sampler:
        return QuantumSampler(beta=0.8)


class TestChain(SamplerKit):
    correlated = 3.0

    def make(self) -> Sampler:
        return SlowChain(beta=0.9)


class TestByTotalVariation(SamplerKit):
    bias = 0.005

    def make(self) -> Sampler:
        return ExactSampler(beta=0.5)
