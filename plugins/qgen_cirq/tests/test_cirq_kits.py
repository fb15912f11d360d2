"""Both backends of the package pass the backend kit."""

from __future__ import annotations

import pytest

import qgen_core as qgen
from qgen_core.testing import BackendKit


class TestCirq(BackendKit):
    def make(self) -> qgen.Backend:
        return qgen.backend("cirq")


class TestQsim(BackendKit):
    precision = "single"

    @pytest.fixture(autouse=True, params=[1, 2])
    def _threads(self, request: pytest.FixtureRequest) -> None:
        self.threads = request.param

    def make(self) -> qgen.Backend:
        return qgen.backend("qsim", threads=self.threads)
