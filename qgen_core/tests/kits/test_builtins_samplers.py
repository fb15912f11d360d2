"""The sampler kit on the built-in samplers, and on an exact one, a quantum one and a chain."""

from __future__ import annotations

from functools import partial

import pytest
from kits_offers import cases
from kits_samplers import ExactSampler, QuantumSampler, SlowChain

from qgen_core import sampler
from qgen_core.interfaces import Sampler
from qgen_core.testing import SamplerKit

#: Autocorrelation time and remaining bias of samplers that are not exact.
CORRELATED: dict[str, float] = {}
BIAS: dict[str, float] = {}
CASES = cases(
    "sampler",
    {
        "exact": partial(sampler, "exact", beta=0.7),
        "gibbs": partial(sampler, "gibbs", sweeps=60),
        "gibbs, in doubles": partial(sampler, "gibbs", sweeps=60, beta=0.6, precision="double"),
        "tempering": partial(sampler, "tempering", sweeps=40, rungs=4, beta=1.3),
        "scaled": partial(sampler, "scaled", sampler="exact", factor=0.4),
        "gauge-averaged": partial(sampler, "gauge-averaged", sampler="exact", gauges=4),
        "tracked": partial(sampler, "tracked", sampler="exact"),
    },
)


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
