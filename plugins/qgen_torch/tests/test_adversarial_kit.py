"""The loss ``adversarial`` keeps the contract of losses in all its variants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qgen_core import Batch, Loss, Space
from qgen_core.testing import LossKit
from qgen_torch.adversarial import Adversarial
from qgen_torch.networks.mlp import mlp


def smooth(inputs: int, outputs: int) -> Any:
    """A small critic without kinks, so that finite differences see its slope."""
    return mlp(inputs, outputs, widths=(8, 8), activation="tanh")


def normalised(inputs: int, outputs: int) -> Any:
    return mlp(inputs, outputs, widths=(8,), activation="tanh", spectral_norm=True, norm="layer")


CASES: dict[str, dict[str, Any]] = {
    "bce": {"label_smoothing": 0.1},
    "hinge": {"variant": "hinge", "optimizer": "RMSprop"},
    "wgan": {"variant": "wgan", "optimizer": "RMSprop", "clip": 0.2},
    "wgan-gp": {"variant": "wgan-gp", "optimizer_options": {"betas": (0.5, 0.9)}, "updates": 5},
    "spectral": {"variant": "hinge", "critic": normalised},
}


@pytest.mark.parametrize("case", CASES)
class TestVariants(LossKit):
    weighted = False  # without conditions no sample stands for an event

    @pytest.fixture(autouse=True)
    def _case(self, case: str) -> None:
        self.case = case

    def make(self) -> Loss:
        options = {
            "critic": smooth,
            "precision": "double",
            "learning_rate": 0.01,
            "seed": 3,
        } | CASES[self.case]
        return Adversarial(space=Space("reals", 3), **options)


class TestSinglePrecision(LossKit):
    weighted = False
    precision = "single"

    def make(self) -> Loss:
        return Adversarial(space=Space("reals", 3), critic=smooth, seed=3)


@pytest.mark.parametrize("sigma_mode", ["batch", "bin"])
@pytest.mark.parametrize("aux_on", ["real", "both"])
class TestConditions(LossKit):
    """With conditions, weights count for samples too."""

    @pytest.fixture(autouse=True)
    def _case(self, sigma_mode: Any, aux_on: Any) -> None:
        self.options: dict[str, Any] = {"sigma_mode": sigma_mode, "aux_on": aux_on}

    def make(self) -> Loss:
        spaces = {"space": Space("reals", 3), "condition": Space("reals", 2)}
        return Adversarial(
            **spaces, energy_weight=0.7, critic=smooth, precision="double", seed=3, **self.options
        )

    def example(self, rng: np.random.Generator) -> tuple[Any, Batch]:
        conditions = np.array([[0.0, 1.0], [0.5, 1.0], [1.0, -1.0]])[rng.integers(3, size=24)]
        batch = Batch(rng.normal(size=(24, 3)), conditions, rng.uniform(0.2, 2.0, 24))
        return rng.normal(0.3, 1.2, size=(24, 3)), batch
