"""The built-in losses pass the loss kit, of each kind of output that they read."""

from __future__ import annotations

import numpy as np
import pytest
from kits_offers import cases

from qgen_core.events import Events, Space
from qgen_core.interfaces import Loss
from qgen_core.losses.js import JensenShannon
from qgen_core.losses.kl import KullbackLeibler
from qgen_core.losses.mmd import MaximumMeanDiscrepancy
from qgen_core.losses.nll import NegativeLogLikelihood
from qgen_core.losses.tv import TotalVariation
from qgen_core.testing import LossKit

BITS = Space("bits", 3, (2, 1))


def median() -> Loss:
    data = Events(np.random.default_rng(1).normal(size=(50, 3)))
    return MaximumMeanDiscrepancy(data=data, reads="samples", bandwidth="median")


CASES = cases(
    "loss",
    {
        "js": JensenShannon,
        "kl": KullbackLeibler,
        "tv": TotalVariation,
        "tv, marginals": lambda: TotalVariation(space=BITS, over="marginals"),
        "nll": NegativeLogLikelihood,
        "nll, log_prob": lambda: NegativeLogLikelihood(reads="log_prob"),
        "mmd": lambda: MaximumMeanDiscrepancy(space=BITS),
        "mmd, hamming": lambda: MaximumMeanDiscrepancy(
            space=BITS, distance="hamming", bandwidth=(0.5,)
        ),
        "mmd, samples": lambda: MaximumMeanDiscrepancy(reads="samples"),
        "mmd, unbiased": lambda: MaximumMeanDiscrepancy(
            reads="samples", estimator="unbiased", bandwidth=(2.0,)
        ),
        "mmd, median": median,
        "mmd, correlators": lambda: MaximumMeanDiscrepancy(space=BITS, reads="correlators"),
        "mmd, correlators, biased": lambda: MaximumMeanDiscrepancy(
            space=BITS, reads="correlators", estimator="biased"
        ),
    },
)
#: Those that may fall below 0, or whose least value depends on the target.
OPEN = {
    "nll",
    "nll, log_prob",
    "mean",
    "mmd, unbiased",
    "mmd, correlators",
    "mmd, correlators, biased",
}


class TestBuiltins(LossKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param
        self.minimum = None if self.case in OPEN else 0.0

    def make(self) -> Loss:
        return CASES[self.case]()
