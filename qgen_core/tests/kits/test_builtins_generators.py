"""The built-in models pass the generator kit, with and without conditions."""

from __future__ import annotations

import pytest
from kits_offers import cases

from qgen_core.discovery import registry
from qgen_core.events import Space
from qgen_core.generators.nade import NeuralAutoregressive
from qgen_core.generators.qcbm import CircuitBornMachine
from qgen_core.interfaces import Generator
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import GeneratorKit


def born_machine(ansatz: str, width: int, inputs: int = 0, **options: object) -> CircuitBornMachine:
    condition = Space("angles", inputs) if inputs else None
    return CircuitBornMachine(
        ansatz=registry.build("ansatz", ansatz, **options),
        backend=StatevectorBackend(),
        space=Space("bits", width),
        condition=condition,
        seed=5,
    )


def neural(width: int, inputs: int = 0) -> NeuralAutoregressive:
    condition = Space("angles", inputs) if inputs else None
    return NeuralAutoregressive(space=Space("bits", width), condition=condition, hidden=4, seed=5)


CASES = cases(
    "generator",
    {
        "nade": lambda: neural(4),
        "nade, conditional": lambda: neural(3, inputs=2),
        "qcbm": lambda: born_machine("brick", 4, layers=2),
        "qcbm, tree": lambda: born_machine("tree", 4, layers=2),
        "qcbm, conditional": lambda: born_machine("brick", 3, inputs=2, layers=2),
    },
)


class TestBuiltins(GeneratorKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param

    def make(self) -> Generator:
        return CASES[self.case]()
