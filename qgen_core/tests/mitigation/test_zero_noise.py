"""Extrapolation to zero noise: exact where theory says so, closer to the truth elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from mitigation_noise import (
    CONFUSION,
    Device,
    depolarized,
    mean_and_error,
    measures,
    misread,
    slopes,
    some_circuit,
    trainable,
)

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots
from qgen_core.errors import BadOption
from qgen_core.events import bits_to_index
from qgen_core.interfaces import Backend
from qgen_core.mitigation.readout_mitigated import ReadoutMitigated
from qgen_core.mitigation.zero_noise import ZeroNoise, linear_weights, richardson_weights
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import overrides
from qgen_core.testing.backends.gradients import GradientTests
from qgen_core.testing.backends.limits import LimitTests
from qgen_core.testing.backends.values import ValueTests
from qgen_core.testing.reference import ReferenceBackend


class TestWithoutNoise(ValueTests, GradientTests, LimitTests):
    """Exact values without noise are extrapolated to themselves, with their gradients."""

    def make(self) -> Backend:
        return ZeroNoise(backend=StatevectorBackend(), fit="richardson", scales=(1, 3))

    @pytest.mark.long
    @overrides("compiling the folded circuit of 12,000 gates takes long")
    def test_long_circuit(self) -> None:
        super().test_long_circuit()


@pytest.mark.parametrize("scales", [(1, 3), (1, 3, 5), (1, 2, 3, 4), (1, 3, 7, 9)])
def test_weights_reproduce_polynomials(scales: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    s = np.array(scales, dtype=float)
    for degree in range(len(scales)):
        polynomial = np.polynomial.Polynomial(rng.normal(size=degree + 1))
        assert abs(richardson_weights(scales) @ polynomial(s) - polynomial(0)) < 1e-11
    values = rng.normal(size=len(scales))
    assert abs(linear_weights(scales) @ values - np.polyfit(s, values, 1)[1]) < 1e-12


@pytest.mark.parametrize("amplify", ["gates", "circuit", "channels"])
def test_a_decay_is_undone_exactly(amplify: str) -> None:
    """On one wire depolarising is a decay to the mixed state, read errors or not."""
    circuit = Circuit(
        1, tuple(Gate(name, (0,), param(i)) for i, name in enumerate(("ry", "rz", "rx")))
    )
    angles = circuit.bind([0.7, -0.4, 1.9])

    def noise(circuit, measure):
        return depolarized(0.05)(*misread(circuit, measure))

    for measure in (Probabilities(), Expectations(("X", "Y", "Z", "I"))):
        backend = NoisyBackend(
            ZeroNoise(backend=ReferenceBackend(), amplify=amplify, fit="exponential"), noise
        )
        expected = NoisyBackend(ReferenceBackend(), misread).run(circuit, angles, measure)
        np.testing.assert_allclose(
            backend.run(circuit, angles, measure), expected, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize(
    ("fit", "better"), [("linear", 0.5), ("exponential", 0.3), ("richardson", 0.1)]
)
@pytest.mark.parametrize("amplify", ["gates", "circuit", "channels"])
def test_the_bias_of_a_depolarised_circuit_falls(amplify: str, fit: str, better: float) -> None:
    circuit, angles = some_circuit(31, angles=5)
    noise = depolarized(0.01)
    for measure in measures(3):
        true = ReferenceBackend().run(circuit, angles, measure)
        raw = np.sqrt(
            np.mean(
                (NoisyBackend(ReferenceBackend(), noise).run(circuit, angles, measure) - true) ** 2
            )
        )
        backend = NoisyBackend(
            ZeroNoise(backend=ReferenceBackend(), amplify=amplify, fit=fit), noise
        )
        off = np.sqrt(np.mean((backend.run(circuit, angles, measure) - true) ** 2))
        assert raw > 0.01 and off < better * raw


def test_noise_inside_and_outside_are_one() -> None:
    """With both mitigations, in all orders, what is left is the bias of the extrapolation alone."""
    circuit, angles = some_circuit(32, angles=4)
    circuit_noise = depolarized(0.01)

    def noise(circuit, measure):
        return circuit_noise(*misread(circuit, measure))

    def zero(backend: Backend) -> Backend:
        return ZeroNoise(backend=backend, fit="richardson", negative="keep")

    def read(backend: Backend) -> Backend:
        return ReadoutMitigated(backend=backend, negative="keep")

    stacks = [
        NoisyBackend(zero(read(ReferenceBackend())), noise),
        NoisyBackend(read(zero(ReferenceBackend())), noise),
        zero(read(NoisyBackend(ReferenceBackend(), noise))),
        read(zero(NoisyBackend(ReferenceBackend(), noise))),
        zero(NoisyBackend(read(ReferenceBackend()), noise)),
    ]
    for measure in measures(3):
        expected = NoisyBackend(zero(ReferenceBackend()), circuit_noise).run(
            circuit, angles, measure
        )
        for stack in stacks:
            np.testing.assert_allclose(
                stack.run(circuit, angles, measure), expected, rtol=0, atol=1e-10
            )


@pytest.mark.parametrize(
    ("fit", "amplify"),
    [
        ("linear", "circuit"),
        ("richardson", "gates"),
        ("exponential", "gates"),
        ("exponential", "channels"),
    ],
)
def test_gradients(fit: str, amplify: str) -> None:
    circuit, angles = some_circuit(33, wires=2, angles=3)
    noise, angles = depolarized(0.02), angles[:2]
    backend = NoisyBackend(
        ZeroNoise(backend=ReferenceBackend(), amplify=amplify, fit=fit, scales=(1, 3)), noise
    )
    for measure in measures(2):
        output, back = backend.forward(circuit, angles, measure)
        cotangent = np.random.default_rng(5).normal(size=output.shape)
        expected = slopes(backend, circuit, angles, measure, cotangent)
        np.testing.assert_allclose(
            trainable(circuit, back(cotangent) - expected), 0, rtol=0, atol=1e-7
        )
        assert np.max(np.abs(expected)) > 0.1


def test_shots_of_a_linear_fit_are_unbiased() -> None:
    circuit, angles = some_circuit(34, wires=2, angles=4)
    noise = depolarized(0.02)
    backend = NoisyBackend(
        ZeroNoise(backend=ReferenceBackend(), negative="keep", scales=(1, 3)), noise
    )
    for measure in measures(2):
        expected = backend.run(circuit, angles[:1], measure)[0]
        mean, error = mean_and_error(
            lambda rng, m=measure: backend.run(circuit, angles[:1], m, Shots(200, rng))[0], 40
        )
        assert np.max(np.abs(mean - expected) / np.maximum(error, 1e-12)) < 6


def test_projected_tables_and_bits() -> None:
    circuit, angles = some_circuit(35, wires=2, angles=4)
    backend = NoisyBackend(
        ZeroNoise(backend=ReferenceBackend(), fit="exponential"), depolarized(0.02)
    )
    table = backend.run(circuit, angles, Probabilities(), Shots(50, np.random.default_rng(1)))
    assert np.min(table) >= 0 and np.max(np.abs(table.sum(axis=1) - 1)) < 1e-12
    bits = backend.run(circuit, angles, Bits(), Shots(50, np.random.default_rng(1)))
    frequencies = np.stack([np.bincount(bits_to_index(row), minlength=4) / 50 for row in bits])
    np.testing.assert_allclose(frequencies, table, rtol=0, atol=1.001 / 50)


def test_what_cannot_be_made_is_refused() -> None:
    for scales in ((1,), (1, 1), (0, 1), (-1, 3)):
        with pytest.raises(BadOption, match="two or more different scales"):
            ZeroNoise(backend=ReferenceBackend(), scales=scales)
    with pytest.raises(BadOption, match="odd scales"):
        ZeroNoise(backend=ReferenceBackend(), scales=(1, 2))
    with pytest.raises(BadOption, match="no channels to repeat"):
        ZeroNoise(backend=Device(CONFUSION), amplify="channels")
