"""The model passes the conformance kit of its kind, and learns what it can learn."""

from __future__ import annotations

import numpy as np

import qgen_core as qgen
from qgen_core.testing import GeneratorKit
from qgen_template import IndependentBits


class TestIndependentBits(GeneratorKit):
    def make(self) -> IndependentBits:
        return IndependentBits(space=qgen.Space("bits", 4))


def test_the_most_likely_parameters_are_the_means() -> None:
    """Maximum likelihood of independent bits: each probability is the mean of its bit."""
    x = (np.random.default_rng(1).random((500, 3)) < [0.2, 0.5, 0.9]).astype(np.int8)
    model = IndependentBits(space=qgen.Space("bits", 3))
    trainer = qgen.trainer("adam", learning_rate=0.1, steps=300)
    trainer.fit(model, qgen.Events(x), qgen.loss("nll", reads="log_prob"), seed=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-model.theta)), x.mean(axis=0), atol=1e-4)
