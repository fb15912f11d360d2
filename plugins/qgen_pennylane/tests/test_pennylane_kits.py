"""The backends of the package pass the backend kit, each device with its own way to gradients."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.testing import BackendKit, circuits, overrides


class TestLightning(BackendKit):
    def make(self) -> qgen.Backend:
        return qgen.backend("lightning")


class TestNumerical(BackendKit):
    """The simulators that are PennyLane's own, in torch and in autograd."""

    @pytest.fixture(
        autouse=True,
        params=["default.qubit torch", "default.qubit autograd", "default.mixed torch"],
    )
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

    shots = 4_000

    def make(self) -> qgen.Backend:
        return qgen.backend("pennylane", device="lightning.qubit", exact=False)

    @overrides(
        "each of its 64 rows would be some ten tapes that are made and prepared; three rows are "
        "enough"
    )
    def test_gradients_of_batches(self) -> None:
        backend, rng = self.make(), np.random.default_rng(22)
        circuit = circuits.trained(backend.capabilities.gates, 2, 4, rng)
        for measure in self._measures(2, rng):
            self._check_gradient(backend, circuit, circuits.rows(circuit, 3, rng), measure, rng)
