"""The generator ``mlp-generator`` keeps the contract of generators."""

from __future__ import annotations

from typing import Any

import pytest

from qgen_core import Generator, Space
from qgen_core.testing import GeneratorKit
from qgen_torch.generators.mlp import MlpGenerator

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "conditions": {"condition": Space("reals", 2), "norm": "layer", "init": "glorot"},
    "batch": {
        "norm": "batch",
        "activation": "silu",
        "init": "he",
        "latent_mean": 0.5,
        "latent_std": 0.5,
    },
    "angles": {"space": Space("angles", 1), "condition": Space("angles", 1), "activation": "gelu"},
}


@pytest.mark.parametrize("case", CASES)
class TestDouble(GeneratorKit):
    @pytest.fixture(autouse=True)
    def _case(self, case: str) -> None:
        self.case = case

    def make(self) -> Generator:
        options = {"space": Space("reals", 3), "widths": (8, 8), "activation": "tanh"} | CASES[
            self.case
        ]
        return MlpGenerator(**options, latent=4, precision="double", seed=5)


class TestSingle(GeneratorKit):
    precision = "single"

    def make(self) -> Generator:
        return MlpGenerator(
            space=Space("reals", 2), widths=(8,), activation="tanh", final="softplus", seed=5
        )
