"""Every gate of the set: unitary, what its name says, and differentiated rightly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.linalg import expm, expm_frechet

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.gates import GATES, SHIFTS
from qgen_core.circuits.pauli_form import word_matrix
from qgen_core.errors import BadCircuit
from qgen_core.testing import reference
from qgen_core.typing import Complex

PAULIS: dict[str, Complex] = {
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}
_R = np.sqrt(0.5)

FIXED: dict[str, Complex] = {
    "h": np.array([[_R, _R], [_R, -_R]], dtype=complex),
    "x": PAULIS["X"],
    "y": PAULIS["Y"],
    "z": PAULIS["Z"],
    "s": np.array([[1, 0], [0, 1j]]),
    "t": np.array([[1, 0], [0, _R + _R * 1j]]),
    "sx": np.array([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]]),
    "cx": np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=complex),
    "cz": np.diag([1, 1, 1, -1]).astype(complex),
    "swap": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex),
    "ecr": _R * np.array([[0, 0, 1, 1j], [0, 0, 1j, 1], [1, -1j, 0, 0], [-1j, 1, 0, 0]]),
}


def _rx(t: float) -> Complex:
    return np.array([[np.cos(t / 2), -1j * np.sin(t / 2)], [-1j * np.sin(t / 2), np.cos(t / 2)]])


def _ry(t: float) -> Complex:
    return np.array(
        [[np.cos(t / 2), -np.sin(t / 2)], [np.sin(t / 2), np.cos(t / 2)]], dtype=complex
    )


def _rz(t: float) -> Complex:
    return np.diag([np.exp(-0.5j * t), np.exp(0.5j * t)])


def _below(u: Complex) -> Complex:
    """The unitary on the second wire where the first is 1."""
    out = np.eye(4, dtype=complex)
    out[2:, 2:] = u
    return out


def _double(a: str) -> Callable[[float], Complex]:
    pair = np.kron(PAULIS[a], PAULIS[a])
    values, vectors = np.linalg.eigh(pair)
    return lambda t: (vectors * np.exp(-0.5j * t * values)) @ vectors.conj().T


TURNED: dict[str, Callable[[float], Complex]] = {
    "rx": _rx,
    "ry": _ry,
    "rz": _rz,
    "p": lambda t: np.diag([1, np.exp(1j * t)]),
    "rxx": _double("X"),
    "ryy": _double("Y"),
    "rzz": _double("Z"),
    "crx": lambda t: _below(_rx(t)),
    "cry": lambda t: _below(_ry(t)),
    "crz": lambda t: _below(_rz(t)),
}

ANGLES = (-3.7, -np.pi, -0.4, 0.0, 1e-9, 0.9, np.pi / 2, 2.5, 7.0)
TURNING = sorted(name for name, spec in GATES.items() if spec.has_angle)
FREQUENCIES = {"crx": (0.5, 1.0), "cry": (0.5, 1.0), "crz": (0.5, 1.0)}


def test_the_set_is_that_of_the_architecture() -> None:
    assert set(GATES) == set(FIXED) | set(TURNED)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_fixed_gates_equal_the_matrices_written_out(name: str) -> None:
    spec = GATES[name]
    assert not spec.has_angle
    assert spec.matrix().shape == (2**spec.wires, 2**spec.wires)
    np.testing.assert_allclose(spec.matrix(), FIXED[name], rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", TURNING)
@pytest.mark.parametrize("angle", ANGLES)
def test_gates_with_an_angle_equal_the_matrices_written_out(name: str, angle: float) -> None:
    np.testing.assert_allclose(GATES[name].matrix(angle), TURNED[name](angle), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", sorted(GATES))
def test_gates_are_unitary(name: str) -> None:
    spec = GATES[name]
    for angle in ANGLES:
        u = spec.matrix(angle)
        np.testing.assert_allclose(u @ u.conj().T, np.eye(len(u)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", TURNING)
def test_rotations_are_exponentials_of_their_generators(name: str) -> None:
    # exp(-i t G / 2); controlled: where the first wire is 1; p: times the phase e^{it/2}
    generator = {"p": "Z"}.get(name) or name.lstrip("c")[1:].upper()
    g = word_matrix(generator)
    for angle in ANGLES:
        full = np.kron(np.diag([0, 1]), g) if name.startswith("c") else g
        expected: Complex = expm(-0.5j * angle * full)
        if name == "p":
            expected *= np.exp(0.5j * angle)
        np.testing.assert_allclose(GATES[name].matrix(angle), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", TURNING)
@pytest.mark.parametrize("angle", ANGLES)
def test_derivatives_are_those_of_the_exponential(name: str, angle: float) -> None:
    """The Frechet derivative of expm at -i t G / 2 in the direction of -i G / 2."""
    spec = GATES[name]
    direction = -0.5j * spec.generator
    exact = expm_frechet(angle * direction, direction, compute_expm=False)
    np.testing.assert_allclose(spec.derivative(angle), exact, rtol=0, atol=1e-13)


def test_well_known_products() -> None:
    h, s, t, sx, x = (GATES[n].matrix() for n in ("h", "s", "t", "sx", "x"))
    np.testing.assert_allclose(t @ t, s, atol=1e-15)
    np.testing.assert_allclose(sx @ sx, x, atol=1e-15)
    np.testing.assert_allclose(h @ s @ s @ h, x, atol=1e-15)
    np.testing.assert_allclose(GATES["ecr"].matrix() @ GATES["ecr"].matrix(), np.eye(4), atol=1e-15)


def test_the_first_wire_controls() -> None:
    flipped = Circuit(2, (Gate("x", (0,)), Gate("cx", (0, 1))))
    kept = Circuit(2, (Gate("x", (1,)), Gate("cx", (0, 1))))
    assert abs(reference.unitary(flipped, np.zeros(0))[0b11, 0]) == 1
    assert abs(reference.unitary(kept, np.zeros(0))[0b01, 0]) == 1
    x, y = TURNED["crx"](np.pi), GATES["crx"].matrix(np.pi)
    assert abs(y[3, 2]) == pytest.approx(1) and y[0, 0] == 1
    np.testing.assert_allclose(x, y, atol=1e-15)


@pytest.mark.parametrize("name", TURNING)
def test_the_shift_rule_is_exact_on_the_frequencies_of_the_gate(name: str) -> None:
    spec = GATES[name]
    g = word_matrix(name.lstrip("c")[1:].upper() or "Z")
    levels = np.linalg.eigvalsh(np.kron(np.diag([0, 1]), g) if name.startswith("c") else g) / 2
    gaps = {round(float(abs(a - b)), 12) for a in levels for b in levels} - {0.0}
    assert gaps == set(FREQUENCIES.get(name, (1.0,)))
    for frequency in gaps:
        for phase in (0.0, 0.3, 2.0):
            slope = sum(c * np.sin(frequency * shift + phase) for shift, c in SHIFTS[spec.shift])
            assert slope == pytest.approx(frequency * np.cos(phase), abs=1e-14)


def test_an_angle_is_asked_for_where_it_belongs() -> None:
    with pytest.raises(BadCircuit, match="'rx' needs an angle"):
        Gate("rx", (0,))
    with pytest.raises(BadCircuit, match="'h' has no angle"):
        Gate("h", (0,), param(0))
    with pytest.raises(BadCircuit, match="no gate 'toffoli'; there are h, x"):
        Gate("toffoli", (0, 1, 2))
    for wires in ((0, 0), (0,), (0, 1, 2), (-1, 0)):
        with pytest.raises(BadCircuit, match="2 different wires"):
            Gate("cx", wires)
