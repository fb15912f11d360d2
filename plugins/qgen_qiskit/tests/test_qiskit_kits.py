"""The simulators of Qiskit pass the backend kit."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.measures import Probabilities, Shots
from qgen_core.errors import Unsupported
from qgen_core.interfaces import Backend
from qgen_core.testing import BackendKit, circuits, overrides, reference
from qgen_core.testing.backends.base import frequencies_stray

SHOT_BY_SHOT = (
    "channels run shot by shot, so their exact values are refused; shots are tried instead"
)


class TestQiskitStatevector(BackendKit):
    def make(self) -> Backend:
        return qgen.backend("qiskit-statevector")


class TestAer(BackendKit):
    @pytest.fixture(autouse=True, params=["automatic", "density_matrix"])
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.method = request.param

    def make(self) -> Backend:
        return qgen.backend("aer", method=self.method)


class TestAerByTrajectories(BackendKit):
    shots = 4000

    def make(self) -> Backend:
        return qgen.backend("aer", method="matrix_product_state")

    @overrides(SHOT_BY_SHOT)
    @pytest.mark.parametrize("method", ["matrix_product_state", "statevector"])
    def test_noise(self, method: str) -> None:
        backend, rng = qgen.backend("aer", method=method), np.random.default_rng(41)
        for channel in circuits.channels(2, rng):
            before, after = (
                circuits.trained(backend.capabilities.gates, 2, 3, rng).instructions
                for _ in range(2)
            )
            circuit = qgen.Circuit(2, (*before, channel, *after))
            angles = circuits.rows(circuit, 2, rng)
            found = backend.run(circuit, angles, Probabilities(), Shots(2000, rng))
            assert (
                frequencies_stray(found, reference.values(circuit, angles, Probabilities()), 2000)
                == ""
            )
            with pytest.raises(
                Unsupported, match=f"no exact values .* {channel.name!r}: use the method density"
            ):
                backend.run(circuit, angles, Probabilities())

    @overrides(SHOT_BY_SHOT)
    def test_gradients_with_noise(self) -> None:
        """By the shift rule from shots, each within 6 standard deviations."""
        backend, rng, shots = self.make(), np.random.default_rng(43), 8000
        channel = next(iter(circuits.channels(2, rng)))  # one: shot by shot it takes seconds
        circuit = self._with_channel(channel, 2, rng)
        angles, cotangent = circuits.rows(circuit, 2, rng), rng.normal(size=(2, 4))
        found = backend.forward(circuit, angles, Probabilities(), Shots(shots, rng))[1](cotangent)
        expected = reference.gradient(circuit, angles, Probabilities(), cotangent)
        turning = [angle.source != "const" for angle in circuit.angles]
        spread = np.max(np.abs(cotangent)) / np.sqrt(2 * shots)
        assert np.max(np.abs(found - expected)[:, turning]) < 6 * spread
        assert np.max(np.abs(expected)[:, turning]) > 12 * spread, (
            "a gradient of zeros must not pass"
        )
