"""The backends of the package pass the backend kit, each device with its own way to gradients."""

from __future__ import annotations

import pytest

import qgen_core as qgen
from qgen_core.testing import BackendKit


class TestLightning(BackendKit):
    @pytest.fixture(autouse=True, params=["double", "single"])
    def _precision(self, request: pytest.FixtureRequest) -> None:
        self.precision = request.param

    def make(self) -> qgen.Backend:
        return qgen.backend("lightning", precision=self.precision)


class TestNumerical(BackendKit):
    """The simulators that are PennyLane's own, in torch and in autograd."""

    @pytest.fixture(autouse=True, params=["default.qubit torch", "default.qubit autograd", "default.mixed torch"])
    def _device(self, request: pytest.FixtureRequest) -> None:
        self.device, self.framework = request.param.split()
        if self.framework == "torch":
            pytest.importorskip("torch")

    def make(self) -> qgen.Backend:
        backend = qgen.backend("pennylane", device=self.device)
        backend.framework = self.framework
        return backend


class TestAnyDevice(BackendKit):
    """A device that is given no special treatment and has an adjoint method."""

    def make(self) -> qgen.Backend:
        return qgen.backend("pennylane", device="lightning.qubit")


class TestSampled(BackendKit):
    """A device's own shots; that it has exact values is not used."""

    def make(self) -> qgen.Backend:
        return qgen.backend("pennylane", device="lightning.qubit", exact=False)
