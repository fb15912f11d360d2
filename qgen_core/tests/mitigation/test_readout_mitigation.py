"""Readout errors inverted: exact where values are exact, unbiased where there are shots."""

from __future__ import annotations

import numpy as np
import pytest
from mitigation_noise import (
    CONFUSION,
    Deaf,
    Device,
    mean_and_error,
    measures,
    misread,
    slopes,
    some_circuit,
    trainable,
)
from scipy.optimize import brentq

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State
from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import bits_to_index
from qgen_core.interfaces import Backend
from qgen_core.mitigation.quasi_probabilities import nearest_distribution, systematic_outcomes
from qgen_core.mitigation.readout_mitigated import ReadoutMitigated, confusion_from
from qgen_core.mitigation.zero_noise import ZeroNoise
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import BackendKit, overrides
from qgen_core.testing.reference import ReferenceBackend

SIGMAS = 6


def orders(inner: Backend, **options) -> list[Backend]:
    """Noise around the mitigation, as a recipe has it, and the mitigation around the noise."""
    return [
        NoisyBackend(ReadoutMitigated(backend=inner, **options), misread),
        ReadoutMitigated(backend=NoisyBackend(inner, misread), **options),
    ]


class TestWithoutErrors(BackendKit):
    """Where nothing is misread the wrapper changes nothing, and what is misread it takes out."""

    def make(self) -> Backend:
        return ReadoutMitigated(backend=StatevectorBackend())

    @pytest.mark.long
    @overrides("the same circuit runs in the tests of the wrapped backend")
    def test_long_circuit(self) -> None:
        super().test_long_circuit()

    @overrides("the backend undoes the confusion of the measure")
    def test_readout_confusion(self) -> None:
        circuit, angles = some_circuit(14)
        found = self.make().run(circuit, angles, Probabilities(CONFUSION))
        np.testing.assert_allclose(
            found, ReferenceBackend().run(circuit, angles, Probabilities()), rtol=0, atol=1e-10
        )

    @overrides("the backend undoes the confusion of the measure")
    def test_gradients_through_readout(self) -> None:
        circuit, angles = some_circuit(15)
        cotangent = np.random.default_rng(0).normal(size=(3, 8))
        found = self.make().forward(circuit, angles, Probabilities(CONFUSION))[1](cotangent)
        expected = ReferenceBackend().forward(circuit, angles, Probabilities())[1](cotangent)
        np.testing.assert_allclose(trainable(circuit, found - expected), 0, rtol=0, atol=1e-9)

    @overrides("mitigated bits are no independent draws: test_bits_have_the_mitigated_frequencies")
    def test_readout_of_shots(self) -> None:
        circuit, angles = some_circuit(16)
        bits = self.make().run(
            circuit, angles, Bits(CONFUSION), Shots(100_000, np.random.default_rng(1))
        )
        true = ReferenceBackend().run(circuit, angles, Probabilities())
        for row, wanted in zip(bits, true, strict=True):
            frequencies = np.bincount(bits_to_index(row), minlength=8) / 100_000
            assert np.max(np.abs(frequencies - wanted)) < SIGMAS / np.sqrt(100_000)


@pytest.mark.parametrize("negative", ["keep", "project"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("inner", [ReferenceBackend, StatevectorBackend])
def test_exact_values_come_back_exactly(inner: type[Backend], order: int, negative: str) -> None:
    circuit, angles = some_circuit(1)
    mitigated, raw = orders(inner(), negative=negative)[order], NoisyBackend(inner(), misread)
    for measure in measures(3):
        true = ReferenceBackend().run(circuit, angles, measure)
        assert np.max(np.abs(raw.run(circuit, angles, measure) - true)) > 0.02
        np.testing.assert_allclose(
            mitigated.run(circuit, angles, measure), true, rtol=0, atol=1e-10
        )
        cotangent = np.random.default_rng(2).normal(size=true.shape)
        expected = ReferenceBackend().forward(circuit, angles, measure)[1](cotangent)
        output, back = mitigated.forward(circuit, angles, measure)
        np.testing.assert_allclose(output, true, rtol=0, atol=1e-10)
        for found in (back(cotangent), mitigated.forward(circuit, angles, measure)[1](cotangent)):
            np.testing.assert_allclose(trainable(circuit, found - expected), 0, rtol=0, atol=1e-9)


@pytest.mark.parametrize("negative", ["keep", "project"])
def test_gradients_where_the_inverse_overshoots(negative: str) -> None:
    """Against finite differences, with outcomes that the projection cuts to zero."""
    circuit, angles = some_circuit(3, wires=2)
    backend = NoisyBackend(ReadoutMitigated(backend=Deaf(), negative=negative), misread)
    kept = NoisyBackend(ReadoutMitigated(backend=Deaf(), negative="keep"), misread).run(
        circuit, angles, Probabilities()
    )
    assert np.min(kept) < -1e-3
    for measure in measures(2):
        cotangent = np.random.default_rng(4).normal(
            size=backend.run(circuit, angles, measure).shape
        )
        found = backend.forward(circuit, angles, measure)[1](cotangent)
        expected = slopes(backend, circuit, angles, measure, cotangent)
        np.testing.assert_allclose(trainable(circuit, found - expected), 0, rtol=0, atol=1e-8)
        assert np.max(np.abs(expected)) > 0.1


def test_shots_are_unbiased_and_their_spread_is_as_stated() -> None:
    circuit, angles = some_circuit(5)
    angles, shots = angles[:1], 400
    mitigated, raw = (
        orders(StatevectorBackend(), negative="keep")[0],
        NoisyBackend(StatevectorBackend(), misread),
    )
    for measure in measures(3):
        true = ReferenceBackend().run(circuit, angles, measure)[0]
        mean, error = mean_and_error(
            lambda rng, m=measure: mitigated.run(circuit, angles, m, Shots(shots, rng))[0], 150
        )
        biased, _ = mean_and_error(
            lambda rng, m=measure: raw.run(circuit, angles, m, Shots(shots, rng))[0], 150
        )
        error = np.maximum(error, 1e-12)
        assert np.max(np.abs(mean - true) / error) < SIGMAS
        assert np.max(np.abs(biased - true) / error) > 5 * SIGMAS
        growth = np.prod(
            [(1 + abs(c[1, 0] - c[0, 1])) / (1 - c[1, 0] - c[0, 1]) for c in CONFUSION]
        )
        assert np.max(error) * np.sqrt(150) < growth / np.sqrt(shots)


def test_gradients_from_shots_are_unbiased() -> None:
    circuit = Circuit(
        2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1)), Gate("ry", (1,), param(1)))
    )
    angles = np.array([[0.7, -1.1]])
    backend = orders(StatevectorBackend(), negative="keep")[0]
    cotangent = np.array([[1.0, -2.0, 0.5, 3.0]])
    true = ReferenceBackend().forward(circuit, angles, Probabilities())[1](cotangent)[0]
    mean, error = mean_and_error(
        lambda rng: backend.forward(circuit, angles, Probabilities(), Shots(300, rng))[1](
            cotangent
        )[0],
        200,
    )
    assert np.max(np.abs(mean - true) / error) < SIGMAS


def test_bits_have_the_mitigated_frequencies() -> None:
    circuit, angles = some_circuit(6)
    backend = orders(StatevectorBackend())[0]
    shots = 2000
    bits = backend.run(circuit, angles, Bits(), Shots(shots, np.random.default_rng(7)))
    table = backend.run(circuit, angles, Probabilities(), Shots(shots, np.random.default_rng(7)))
    assert bits.shape == (3, shots, 3) and bits.dtype == np.int8
    for row, wanted in zip(bits, table, strict=True):
        frequencies = np.bincount(bits_to_index(row), minlength=8) / shots
        np.testing.assert_allclose(frequencies, wanted, rtol=0, atol=1.001 / shots)
    assert np.any(np.diff(bits_to_index(bits[0])) < 0), "in random order"


def test_few_bits_are_unbiased() -> None:
    """Rounding to whole shots must not favour likely outcomes."""
    true = np.array([0.5, 0.0, 0.3, 0.15, 0.05])
    mean, error = mean_and_error(
        lambda rng: np.bincount(systematic_outcomes(true, 3, rng), minlength=5) / 3, 2000
    )
    assert np.max(np.abs(mean - true) / np.maximum(error, 1e-12)) < SIGMAS
    assert np.ptp(systematic_outcomes(true, 7, np.random.default_rng(1))) > 0


def test_the_nearest_distribution_solves_the_projection() -> None:
    """The nearest point of the simplex is max(v - t, 0) with the one t for which it sums to one."""
    rng = np.random.default_rng(9)
    values = rng.normal(0.1, 0.3, size=(50, 7))
    found, support = nearest_distribution(values)
    for row, near, inside in zip(values, found, support, strict=True):
        t = brentq(lambda t, v=row: np.clip(v - t, 0, None).sum() - 1, -10, 10, xtol=1e-15)
        np.testing.assert_allclose(near, np.clip(row - t, 0, None), rtol=0, atol=1e-12)
        assert np.array_equal(inside, near > 0)
    distributions = rng.dirichlet(np.ones(5), size=20)
    np.testing.assert_allclose(
        nearest_distribution(distributions)[0], distributions, rtol=0, atol=1e-15
    )


def test_a_device_is_calibrated_once() -> None:
    device = Device()
    backend = ReadoutMitigated(backend=device, negative="keep", calibration_shots=200_000)
    circuit, angles = some_circuit(10)
    shots = 200_000
    for measure in measures(3):
        found = backend.run(circuit, angles, measure, Shots(shots, np.random.default_rng(11)))
        true = ReferenceBackend().run(circuit, angles, measure)
        assert np.max(np.abs(found - true)) < SIGMAS * 2 / np.sqrt(shots)
    assert device.ran == 2 + 2
    again = ReadoutMitigated(backend=Device(), negative="keep", calibration_shots=200_000)
    repeated = again.run(circuit, angles, measures(3)[1], Shots(shots, np.random.default_rng(11)))
    np.testing.assert_array_equal(repeated, found)


def test_a_device_that_measures_its_own_readout_is_asked() -> None:
    class Own(Device):
        def readout(self, circuit: Circuit, shots: int):
            assert circuit.num_wires == 3 and shots == 77
            return CONFUSION

    device = Own()
    backend = ReadoutMitigated(backend=device, negative="keep", calibration_shots=77)
    circuit, angles = some_circuit(12)
    rng = [np.random.default_rng(1) for _ in range(2)]
    found = backend.run(circuit, angles, Probabilities(), Shots(1000, rng[0]))
    known = NoisyBackend(ReadoutMitigated(backend=ReferenceBackend(), negative="keep"), misread)
    np.testing.assert_allclose(
        found,
        known.run(circuit, angles, Probabilities(), Shots(1000, rng[1])),
        rtol=0,
        atol=1e-14,
    )
    assert device.ran == 1


def test_the_confusion_of_known_bits() -> None:
    zeros, ones = np.zeros((10, 2), np.int8), np.ones((10, 2), np.int8)
    zeros[:3, 0], ones[:2, 1] = 1, 0
    expected = [[[0.7, 0.0], [0.3, 1.0]], [[1.0, 0.2], [0.0, 0.8]]]
    np.testing.assert_allclose(confusion_from(zeros, ones), expected)


def test_what_cannot_be_done_is_refused() -> None:
    circuit, angles = some_circuit(13, wires=2)
    backend = ReadoutMitigated(backend=StatevectorBackend())
    blind = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]]])
    with pytest.raises(BadOption, match="wire 1 .* cannot be inverted"):
        backend.run(circuit, angles, Probabilities(blind))
    with pytest.raises(Unsupported, match="State"):
        backend.run(circuit, angles, State())
    with pytest.raises(Unsupported, match="Bits"):
        backend.forward(circuit, angles, Bits(), Shots(5, np.random.default_rng(0)))[1](
            np.ones((3, 5, 2))
        )
    with pytest.raises(BadOption, match="calibration_shots"):
        ReadoutMitigated(backend=StatevectorBackend(), calibration_shots=0)
    with pytest.raises(BadOption, match="must be directly around a device"):
        ReadoutMitigated(backend=ZeroNoise(backend=Device()))
    assert ReadoutMitigated(backend=ZeroNoise(backend=ReferenceBackend())).run(
        circuit, angles, Expectations(("ZZ",))
    ).shape == (
        3,
        1,
    )
