"""The built-in trainers pass the trainer kit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kits_offers import builtins

from qgen_core.discovery import registry
from qgen_core.interfaces import Trainer
from qgen_core.testing import TrainerKit
from qgen_core.trainers.adam import Adam
from qgen_core.trainers.spsa import Spsa

TOLD: dict[str, Callable[[int], Trainer]] = {
    "adam": lambda steps: Adam(learning_rate=0.1, steps=steps),
    "adam, minibatches": lambda steps: Adam(
        learning_rate=0.1, schedule="cosine", batch_size=5, steps=steps
    ),
    "spsa, given gain": lambda steps: Spsa(a=0.5, c=0.1, samples=2, steps=steps),
}
PLAIN: dict[str, Callable[[int], Trainer]] = {
    name: lambda steps, n=name: registry.build("trainer", n, steps=steps)
    for name in builtins("trainer")
}
CASES = PLAIN | TOLD


class TestBuiltins(TrainerKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param
        self.steps = 12 if self.case == "lcd" else 60

    def make(self, steps: int) -> Trainer:
        return CASES[self.case](steps)
