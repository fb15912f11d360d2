"""The built-in backends pass the backend kit."""

from __future__ import annotations

import pytest
from kits_offers import cases

from qgen_core.interfaces import Backend
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import BackendKit

CASES = cases(
    "backend",
    {
        "statevector": StatevectorBackend,
        "statevector, single": lambda: StatevectorBackend(precision="single"),
    },
    elsewhere=("readout-mitigated", "zero-noise"),  # they wrap a backend: tests/mitigation
)


class TestBuiltins(BackendKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param
        self.precision = "single" if self.case.endswith("single") else "double"

    def make(self) -> Backend:
        return CASES[self.case]()
