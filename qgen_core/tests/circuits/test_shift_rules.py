"""Parameter shift against the exact gradients of the reference simulator."""

from __future__ import annotations

import numpy as np
import pytest
from circuits_random import random_circuit

from qgen_core.circuits import parameter_shift as shift
from qgen_core.circuits.circuit import Circuit, Gate, const, given, param
from qgen_core.circuits.gates import GATES, SHIFTS
from qgen_core.circuits.measures import Expectations, Probabilities
from qgen_core.circuits.parameter_shift import parameter_shift, shifted_rows
from qgen_core.testing import reference
from qgen_core.testing.reference import ReferenceBackend
from qgen_core.typing import Floats


def probabilities(circuit: Circuit, rows: Floats) -> Floats:
    return np.asarray(reference.values(circuit, rows, Probabilities()))


def exact_gradient(circuit: Circuit, angles: Floats, cotangent: Floats) -> Floats:
    return reference.gradient(circuit, angles, Probabilities(), cotangent)


def around(name: str, rng: np.random.Generator) -> Circuit:
    """One gate with an angle between two random circuits of fixed angles that mix every wire."""

    def fixed(length: int) -> tuple[Gate, ...]:
        mixing = [Gate("ry", (w,), const(rng.uniform(0.5, 2.5))) for w in range(3)]
        gates = random_circuit(rng, 3, length).gates
        others = [
            g if g.angle is None else Gate(g.name, g.wires, const(rng.uniform(-3, 3)))
            for g in gates
        ]
        return (*mixing, *others, *mixing)

    wires = tuple(int(w) for w in rng.permutation(3)[: GATES[name].wires])
    return Circuit(3, (*fixed(8), Gate(name, wires, param(0)), *fixed(8)))


@pytest.mark.parametrize("name", [name for name, spec in GATES.items() if spec.has_angle])
@pytest.mark.parametrize("seed", range(3))
def test_every_gate_against_exact_derivatives(name: str, seed: int) -> None:
    rng = np.random.default_rng([seed, *name.encode()])
    circuit = around(name, rng)
    angles = circuit.bind(rng.uniform(-4, 4, size=(2, 1)))
    cotangent = rng.normal(size=(2, 8))
    gradient = parameter_shift(
        lambda rows: probabilities(circuit, rows), circuit, angles, cotangent
    )
    at = [k for k, angle in enumerate(circuit.angles) if angle.source == "param"]
    expected = exact_gradient(circuit, angles, cotangent)
    assert np.abs(expected[:, at]).max() > 1e-3  # the gate matters in this circuit
    np.testing.assert_allclose(gradient[:, at], expected[:, at], rtol=0, atol=1e-13)
    constant = [k for k in range(circuit.num_angles) if k not in at]
    assert not gradient[:, constant].any()


def test_two_terms_are_wrong_for_controlled_rotations() -> None:
    # H CRY(t) H on the control: the interference term goes with cos(t/2)
    circuit = Circuit(2, (Gate("h", (0,)), Gate("cry", (0, 1), param(0)), Gate("h", (0,))))
    angles = circuit.bind([[0.9]])
    cotangent = np.array([[1.0, 0.0, 0.0, 0.0]])
    exact = exact_gradient(circuit, angles, cotangent)[0, 0]
    four = parameter_shift(lambda rows: probabilities(circuit, rows), circuit, angles, cotangent)[
        0, 0
    ]
    two = sum(c * probabilities(circuit, angles + s)[0, 0] for s, c in SHIFTS[2])
    assert four == pytest.approx(exact, abs=1e-13)
    assert abs(two - exact) > 0.05 * abs(exact)


def test_two_terms_on_a_half_frequency_are_41_percent_off() -> None:
    # on cos(t/2) the two-term rule gives sqrt(2) times the slope
    t = 0.8
    two = sum(c * np.cos((t + s) / 2) for s, c in SHIFTS[2])
    four = sum(c * np.cos((t + s) / 2) for s, c in SHIFTS[4])
    assert two / (-0.5 * np.sin(t / 2)) == pytest.approx(np.sqrt(2), abs=1e-12)
    assert four == pytest.approx(-0.5 * np.sin(t / 2), abs=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_whole_circuits_with_shared_scaled_angles_and_inputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 3, 25)
    theta = rng.normal(size=(3, circuit.num_params))
    x = rng.normal(size=(3, circuit.num_inputs))
    cotangent = rng.normal(size=(3, 8))
    angles = circuit.bind(theta, x)
    shifted = ReferenceBackend().forward(circuit, angles, Probabilities())[1](cotangent)
    exact = exact_gradient(circuit, angles, cotangent)
    d_theta, d_x = circuit.pullback(shifted)
    for found, expected in zip((d_theta, d_x), circuit.pullback(exact), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)

    def loss(theta: Floats, x: Floats) -> Floats:
        return np.asarray((probabilities(circuit, circuit.bind(theta, x)) * cotangent).sum(axis=1))

    step = 1e-5
    for gradient, which in ((d_theta, 0), (d_x, 1)):
        for k in range(gradient.shape[1]):
            up, down = [theta.copy(), x.copy()], [theta.copy(), x.copy()]
            up[which][:, k] += step
            down[which][:, k] -= step
            difference = (loss(up[0], up[1]) - loss(down[0], down[1])) / (2 * step)
            np.testing.assert_allclose(gradient[:, k], difference, rtol=0, atol=5e-9)


def test_rows_are_two_or_four_per_angle_and_none_per_constant() -> None:
    circuit = Circuit(
        2,
        (
            Gate("ry", (0,), param(0)),
            Gate("rx", (1,), const(1.0)),
            Gate("crz", (0, 1), given(0)),
            Gate("h", (0,)),
        ),
    )
    rows, columns, coefficients = shifted_rows(circuit, np.zeros((5, 3)))
    assert rows.shape == (6 * 5, 3)
    assert columns.tolist() == [0, 0, 2, 2, 2, 2]
    assert coefficients.sum() == pytest.approx(0, abs=1e-15)
    assert not rows[:, 1].any()


def test_a_circuit_of_constants_has_a_zero_gradient_without_a_run() -> None:
    circuit = Circuit(1, (Gate("rx", (0,), const(0.3)),))

    def never(rows: Floats) -> Floats:
        raise AssertionError("nothing to shift, nothing to run")

    gradient = parameter_shift(never, circuit, circuit.bind(()), np.ones((1, 2)))
    assert gradient.tolist() == [[0.0]]


def test_splitting_the_batch_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    circuit = random_circuit(rng, 3, 20)
    angles = circuit.bind(
        rng.normal(size=(4, circuit.num_params)), rng.normal(size=circuit.num_inputs)
    )
    cotangent = rng.normal(size=(4, 8))
    sizes: list[int] = []

    def run(rows: Floats) -> Floats:
        sizes.append(len(rows))
        return probabilities(circuit, rows)

    whole = parameter_shift(run, circuit, angles, cotangent)
    assert len(sizes) == 1
    monkeypatch.setattr(shift, "MAX_OUTPUT", 3 * cotangent.size)
    parts = parameter_shift(run, circuit, angles, cotangent)
    assert len(sizes) > 3 and max(sizes[1:]) == 3 * 4 and sum(sizes[1:]) == sizes[0]
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-15)


def test_expectations_are_shifted_like_probabilities() -> None:
    rng = np.random.default_rng(8)
    circuit = random_circuit(rng, 2, 15)
    angles = circuit.bind(rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_inputs))
    measure = Expectations(("ZI", "IZ", "ZZ"))
    signs = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1.0]])
    cotangent = rng.normal(size=(1, 3))
    by_words = ReferenceBackend().forward(circuit, angles, measure)[1](cotangent)
    by_probabilities = ReferenceBackend().forward(circuit, angles, Probabilities())[1](
        cotangent @ signs
    )
    np.testing.assert_allclose(by_words, by_probabilities, rtol=0, atol=1e-13)
