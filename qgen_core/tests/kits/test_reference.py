"""The reference simulator against matrix exponentials, closed forms and whole matrices."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm, expm_frechet

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, param
from qgen_core.circuits.gates import GATES, PAULI, GateSpec
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities, State
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.errors import BadOption, Unsupported
from qgen_core.testing import circuits, reference
from qgen_core.testing.slopes import slope
from qgen_core.typing import Complex, Floats

NONE = np.empty(0)
ALL = frozenset(GATES)
CONFUSION = np.array([[[0.9, 0.2], [0.1, 0.8]], [[0.95, 0.3], [0.05, 0.7]], [[1, 0.1], [0, 0.9]]])


def on_all_wires(matrix: Complex, wires: tuple[int, ...], num_wires: int) -> Complex:
    """Entry by entry: the bits of the gate's wires change, those of the others are equal."""
    out = np.zeros((2**num_wires, 2**num_wires), dtype=complex)
    for row, column in np.ndindex(out.shape):
        row_bits = [row >> (num_wires - 1 - w) & 1 for w in range(num_wires)]
        column_bits = [column >> (num_wires - 1 - w) & 1 for w in range(num_wires)]
        if any(row_bits[w] != column_bits[w] for w in range(num_wires) if w not in wires):
            continue
        inner_row = int("".join(str(row_bits[w]) for w in wires), 2)
        inner_column = int("".join(str(column_bits[w]) for w in wires), 2)
        out[row, column] = matrix[inner_row, inner_column]
    return out


def exponent(gate: Gate) -> Complex:
    """``-i G / 2`` for the generator G of a gate with an angle."""
    assert gate.spec.generator is not None
    return -0.5j * gate.spec.generator


def whole_matrices(circuit: Circuit, angles: Floats) -> list[Complex]:
    """The matrix of each gate on all wires, those with an angle by the matrix exponential."""
    remaining = iter(angles)
    found = []
    for gate in circuit.gates:
        matrix = gate.spec.fixed
        if gate.angle is not None:
            matrix = expm(next(remaining) * exponent(gate))
        found.append(on_all_wires(matrix, gate.wires, circuit.num_wires))
    return found


def whole_derivative(circuit: Circuit, angles: Floats, column: int) -> Complex:
    """d unitary / d angle (2^Q, 2^Q) with the Frechet derivative of the exponential of one gate."""
    matrices = whole_matrices(circuit, angles)
    places = [place for place, gate in enumerate(circuit.gates) if gate.angle is not None]
    gate = circuit.gates[places[column]]
    direction = exponent(gate)
    derivative = expm_frechet(angles[column] * direction, direction, compute_expm=False)
    matrices[places[column]] = on_all_wires(derivative, gate.wires, circuit.num_wires)
    return product(matrices)


def product(matrices: list[Complex]) -> Complex:
    """The product of matrices in the order in which they act."""
    return reduce(lambda done, matrix: matrix @ done, matrices)


def mixed(seed: int, wires: int = 3, angles: int = 6) -> tuple[Circuit, Floats]:
    """Gates of all names with channels of all sorts between them, and two rows of angles."""
    rng = np.random.default_rng(seed)
    instructions = []
    for channel in circuits.channels(wires, rng):
        instructions += [*circuits.trained(ALL, wires, angles, rng).instructions, channel]
    instructions += circuits.trained(ALL, wires, angles, rng).instructions
    circuit = Circuit(wires, tuple(instructions))
    return circuit, circuits.rows(circuit, 2, rng)


def measures(wires: int, confusion: Floats | None = None) -> list[Measure]:
    words = circuits.words(wires, 4, np.random.default_rng(5))
    return [Probabilities(confusion), Expectations(words, confusion)]


# ---- gates and derivatives against the matrix exponential


@pytest.mark.parametrize("name", list(GATES))
def test_every_gate_on_every_order_of_wires(name: str) -> None:
    angle = param(0) if GATES[name].has_angle else None
    for wires in permutations(range(3), GATES[name].wires):
        circuit = Circuit(3, (Gate(name, wires, angle),))
        for value in (-3.7, 0.0, 0.9, 5.0):
            row = np.full(circuit.num_angles, value)
            (expected,) = whole_matrices(circuit, row)
            assert_allclose(reference.unitary(circuit, row), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("wires", [1, 2, 3, 4])
def test_unitaries_and_states_of_circuits(wires: int) -> None:
    rng = np.random.default_rng(wires)
    circuit = circuits.trained(ALL, wires, 12, rng)
    (row,) = circuits.rows(circuit, 1, rng)
    expected = product(whole_matrices(circuit, row))
    assert_allclose(reference.unitary(circuit, row), expected, rtol=0, atol=1e-13)
    assert_allclose(reference.state(circuit, row), expected[:, 0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("wires", [1, 2, 3, 4])
def test_derivatives_of_states(wires: int) -> None:
    """Constant angles are among them."""
    rng = np.random.default_rng(wires)
    circuit = circuits.trained(ALL, wires, 12, rng)
    (row,) = circuits.rows(circuit, 1, rng)
    found = reference.state_derivatives(circuit, row)
    assert found.shape == (circuit.num_angles, 2**wires)
    for column in range(circuit.num_angles):
        expected = whole_derivative(circuit, row, column)[:, 0]
        assert_allclose(found[column], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_values_and_jacobians_of_pure_states(confusion: Floats | None) -> None:
    """Probabilities and expectations by whole matrices, and their derivatives by the chain rule."""
    rng = np.random.default_rng(8)
    circuit = circuits.trained(ALL, 3, 12, rng)
    rows = circuits.rows(circuit, 2, rng)
    states = reference.values(circuit, rows, State())
    slopes = reference.jacobian(circuit, rows, State())
    assert slopes.shape == (2, 8, circuit.num_angles)
    for measure in measures(3, confusion):
        observables = observables_of(measure)
        values = np.einsum("bi,nij,bj->bn", states.conj(), observables, states).real
        found = reference.values(circuit, rows, measure)
        assert_allclose(found, values, rtol=0, atol=1e-13)
        by_angle = 2 * np.einsum("bi,nij,bja->bna", states.conj(), observables, slopes).real
        found = reference.jacobian(circuit, rows, measure)
        assert_allclose(found, by_angle, rtol=0, atol=1e-13)
        cotangent = rng.normal(size=values.shape)
        gradient = reference.gradient(circuit, rows, measure, cotangent)
        assert_allclose(gradient, np.einsum("bn,bna->ba", cotangent, by_angle), rtol=0, atol=1e-13)


def observables_of(measure: Measure) -> Complex:
    """One Hermitian matrix (2^Q, 2^Q) for each output, (n, 2^Q, 2^Q)."""
    if isinstance(measure, Expectations):
        found = []
        for word in measure.paulis:
            factors = [as_read(c, wire, measure.confusion) for wire, c in enumerate(word)]
            found.append(reduce(np.kron, factors))
        return np.array(found)
    projectors = np.eye(8)[:, :, None] * np.eye(8)[:, None, :]
    assert isinstance(measure, Probabilities)
    if measure.confusion is None:
        return projectors
    return np.einsum("rt,tij->rij", reduce(np.kron, measure.confusion), projectors)


def as_read(letter: str, wire: int, confusion: Floats | None) -> Complex:
    """``a + b P`` for what is read of a letter P, with a and b as LinearReadout defines them."""
    if letter == "I" or confusion is None:
        return PAULI[letter]
    sign_of_zero = confusion[wire, 0, 0] - confusion[wire, 1, 0]
    sign_of_one = confusion[wire, 0, 1] - confusion[wire, 1, 1]
    a = (sign_of_zero + sign_of_one) / 2
    b = (sign_of_zero - sign_of_one) / 2
    return a * np.eye(2) + b * PAULI[letter]


# ---- closed forms


@pytest.mark.parametrize(
    ("name", "word", "value", "derivative"),
    [
        ("rx", "Y", lambda t: -np.sin(t), lambda t: -np.cos(t)),
        ("ry", "X", np.sin, np.cos),
        ("ry", "Z", np.cos, lambda t: -np.sin(t)),
    ],
)
def test_rotations_of_the_ground_state(name: str, word: str, value, derivative) -> None:
    circuit = Circuit(1, (Gate(name, (0,), param(0)),))
    t = np.linspace(-4, 4, 9)[:, None]
    measure = Expectations(word)
    assert_allclose(reference.values(circuit, t, measure), value(t), rtol=0, atol=1e-15)
    found = reference.jacobian(circuit, t, measure)[:, 0]
    assert_allclose(found, derivative(t), rtol=0, atol=1e-15)


def test_phases_are_seen_between_hadamards() -> None:
    """P(0) = cos^2(t / 2) after H P(t) H and H RZ(t) H, and after a controlled RZ on |1>."""
    h = Gate("h", (0,))
    t = np.linspace(-4, 4, 9)[:, None]
    for gates in (
        (h, Gate("p", (0,), param(0)), h),
        (h, Gate("rz", (0,), param(0)), h),
        (Gate("x", (1,)), h, Gate("crz", (1, 0), param(0)), h),
    ):
        circuit = Circuit(2, gates)
        p = reference.values(circuit, t, Probabilities()).reshape(-1, 2, 2).sum(axis=2)
        assert_allclose(p[:, :1], np.cos(t / 2) ** 2, rtol=0, atol=1e-15)


def test_rabi_oscillations_of_two_wires() -> None:
    """RXX(t) takes |00> to cos(t/2) |00> - i sin(t/2) |11>; RYY has the other sign."""
    for name, sign in (("rxx", -1j), ("ryy", 1j)):
        circuit = Circuit(2, (Gate(name, (1, 0), param(0)),))
        for t in (-2.2, 0.3, 4.0):
            expected = [np.cos(t / 2), 0, 0, sign * np.sin(t / 2)]
            assert_allclose(reference.state(circuit, np.array([t])), expected, atol=1e-15)


def test_a_controlled_rotation_has_half_frequencies() -> None:
    """<X> of a control in |+> is cos(t / 2) after a controlled RY: its slope is -sin(t / 2) / 2."""
    circuit = Circuit(2, (Gate("h", (0,)), Gate("cry", (0, 1), param(0))))
    t = np.array([[0.4], [2.5]])
    measure = Expectations("XI")
    assert_allclose(reference.values(circuit, t, measure), np.cos(t / 2), atol=1e-15)
    one = np.ones((2, 1))
    found = reference.gradient(circuit, t, measure, one)
    assert_allclose(found, -np.sin(t / 2) / 2, atol=1e-15)


# ---- density matrices


@pytest.mark.parametrize("seed", range(6))
def test_density_matrices_have_trace_one_and_no_negative_eigenvalues(seed: int) -> None:
    """Their derivatives are Hermitian and have trace zero."""
    circuit, rows = mixed(seed, wires=1 + seed % 3)
    for row in rows:
        rho = reference.density(circuit, row)
        assert_allclose(rho, rho.conj().T, rtol=0, atol=1e-14)
        assert_allclose(np.trace(rho), 1, rtol=0, atol=1e-13)
        levels = np.linalg.eigvalsh(rho)
        assert levels[0] > -1e-14 and levels[-1] < 0.99  # mixed
        slopes = reference.density_derivatives(circuit, row)
        assert_allclose(slopes, slopes.conj().transpose(0, 2, 1), rtol=0, atol=1e-14)
        assert_allclose(np.trace(slopes, axis1=1, axis2=2), 0, rtol=0, atol=1e-13)


@pytest.mark.parametrize("wires", [1, 2, 3])
def test_density_matrices_of_pure_states(wires: int) -> None:
    rng = np.random.default_rng(wires)
    circuit = circuits.trained(ALL, wires, 10, rng)
    (row,) = circuits.rows(circuit, 1, rng)
    psi = reference.state(circuit, row)
    assert_allclose(reference.density(circuit, row), np.outer(psi, psi.conj()), atol=1e-14)
    slopes = reference.state_derivatives(circuit, row)
    expected = [np.outer(d, psi.conj()) + np.outer(psi, d.conj()) for d in slopes]
    found = reference.density_derivatives(circuit, row)
    assert_allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_channels_against_superoperators(seed: int) -> None:
    """``vec(K rho K^dagger) = (K x conj(K)) vec(rho)`` for rho row by row."""
    circuit, rows = mixed(seed, wires=2)
    for row in rows:
        whole = iter(whole_matrices(circuit, row))
        rho = np.eye(16, 1, dtype=complex)[:, 0]
        for instruction in circuit.instructions:
            if isinstance(instruction, Channel):
                kraus = [on_all_wires(k, instruction.wires, 2) for k in instruction.kraus]
            else:
                kraus = [next(whole)]
            rho = sum(np.kron(k, k.conj()) for k in kraus) @ rho
        found = reference.density(circuit, row)
        assert_allclose(found, rho.reshape(4, 4), rtol=0, atol=1e-14)


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_gradients_with_channels(confusion: Floats | None) -> None:
    """Against parameter shift, which is exact, and finite differences."""
    circuit, rows = mixed(7, angles=3)
    rng = np.random.default_rng(1)
    variable = [angle.source != "const" for angle in circuit.angles]
    for measure in measures(3, confusion):
        cotangent = rng.normal(size=reference.values(circuit, rows, measure).shape)
        found = reference.gradient(circuit, rows, measure, cotangent)
        shifted = parameter_shift(
            lambda moved, m=measure: reference.values(circuit, moved, m),
            circuit,
            rows,
            cotangent,
        )
        assert_allclose(found[:, variable], shifted[:, variable], rtol=0, atol=1e-13)
        direction = rng.normal(size=rows.shape)

        def loss(t: float, m=measure, c=cotangent, d=direction) -> float:
            return float(np.sum(c * reference.values(circuit, rows + t * d, m)))

        assert_allclose(np.sum(found * direction), slope(loss, 1e-4), rtol=0, atol=1e-10)


def test_damping_by_hand() -> None:
    """Gradients through amplitude damping: populations decay by 0.64, coherences by 0.8."""
    damping = Channel(np.array([[[1, 0], [0, 0.8]], [[0, 0.6], [0, 0]]]), (0,))
    circuit = Circuit(1, (Gate("ry", (0,), param(0)), damping))
    t = np.array([[0.7], [2.0]])
    found = reference.jacobian(circuit, t, Expectations(("X", "Z")))[:, :, 0]
    expected = np.concatenate([0.8 * np.cos(t), -0.64 * np.sin(t)], axis=1)
    assert_allclose(found, expected, rtol=0, atol=1e-15)


# ---- what it is independent of, and what it refuses


def test_forms_of_gates_are_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit, rows = mixed(3, wires=2)
    expected = reference.jacobian(circuit, rows, Probabilities())

    def read(spec: GateSpec) -> None:
        raise AssertionError("the reference read the form of a gate")

    monkeypatch.setattr(GateSpec, "steps", property(read))
    for spec in GATES.values():
        monkeypatch.setitem(spec.__dict__, "form", None)
    np.testing.assert_array_equal(reference.jacobian(circuit, rows, Probabilities()), expected)


def test_a_circuit_without_angles_has_empty_derivatives() -> None:
    circuit = Circuit(2, (Gate("h", (0,)),))
    rows = np.empty((3, 0))
    assert reference.state_derivatives(circuit, NONE).shape == (0, 4)
    assert reference.density_derivatives(circuit, NONE).shape == (0, 4, 4)
    assert reference.jacobian(circuit, rows, Probabilities()).shape == (3, 4, 0)
    assert reference.gradient(circuit, rows, Expectations("ZZ"), np.ones((3, 1))).shape == (3, 0)


def test_what_it_refuses() -> None:
    flip = np.sqrt([[[0.9]], [[0.1]]]) * np.array([PAULI["I"], PAULI["X"]])
    noisy = Circuit(1, (Channel(flip, (0,), "flip"),))
    for function in (reference.state, reference.state_derivatives, reference.unitary):
        with pytest.raises(Unsupported, match="no state vector .* holds the channel 'flip'"):
            function(noisy, NONE)
    with pytest.raises(Unsupported, match="no state vector"):
        reference.values(noisy, np.empty((1, 0)), State())
    quiet = Circuit(1, (Gate("rx", (0,), const(0.1)),))
    for function in (reference.values, reference.jacobian):
        with pytest.raises(Unsupported, match="Bits"):
            function(quiet, np.array([[0.1]]), Bits())
    with pytest.raises(Unsupported, match=r"jacobian\(\)"):
        reference.gradient(quiet, np.array([[0.1]]), State(), np.ones((1, 2)))
    with pytest.raises(BadOption, match=r"angles have the shape \(1, 2\)"):
        reference.ReferenceBackend().run(quiet, np.zeros((1, 2)), Probabilities())
    with pytest.raises(Unsupported, match="at most 8 wires"):
        reference.ReferenceBackend().run(Circuit(9, ()), np.empty((1, 0)), Probabilities())
