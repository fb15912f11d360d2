"""The built-in models pass the generator kit, with and without conditions."""

from __future__ import annotations

from typing import Any

import pytest
from kits_offers import cases

from qgen_core.discovery import registry
from qgen_core.events import Space
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


def boltzmann_machine(name: str, kind: str, width: int, **options: Any) -> Generator:
    machine: Generator = registry.build(
        "generator", name, space=Space(kind, width), scale=0.5, seed=3, **options
    )
    return machine


FEW_SWEEPS = {"name": "gibbs", "sweeps": 5}
CASES = cases(
    "generator",
    {
        "qcbm": lambda: born_machine("brick", 4, layers=2),
        "qcbm, tree": lambda: born_machine("tree", 4, layers=2),
        "qcbm, conditional": lambda: born_machine("brick", 3, inputs=2, layers=2),
        "rbm": lambda: boltzmann_machine("rbm", "bits", 3, sampler="exact", hidden=2),
        "rbm, of spins": lambda: boltzmann_machine(
            "rbm", "spins", 4, sampler="exact", hidden=3, centred=False
        ),
        "rbm, conditional": lambda: boltzmann_machine(
            "rbm", "bits", 3, sampler="exact", hidden=2, condition=Space("bits", 2)
        ),
        "rbm, not enumerated": lambda: boltzmann_machine(
            "rbm", "bits", 18, sampler=FEW_SWEEPS, hidden=17, method="cd", precision="single"
        ),
        "qbm": lambda: boltzmann_machine("qbm", "bits", 3, transverse=0.8),
        "qbm, with hidden units": lambda: boltzmann_machine("qbm", "spins", 4, hidden=2),
    },
)


class TestBuiltins(GeneratorKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param

    def make(self) -> Generator:
        return CASES[self.case]()
