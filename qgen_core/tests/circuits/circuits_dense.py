"""A plain reference: every gate written out, embedded by Kronecker products, multiplied up.

Nothing here uses qgen_core.circuits.gates; it is slow, and meant for at most seven wires.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.measures import Expectations, Measure, Probabilities
from qgen_core.interfaces import Capabilities
from qgen_core.simulators.base import Simulator
from qgen_core.typing import Complex, Floats

PAULIS: dict[str, Complex] = {
    "I": np.array([[1, 0], [0, 1]], dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}
IDLE: Complex = np.eye(2, dtype=complex)[None]  # the Kraus operators of a channel that does nothing
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


def kron(factors: list[Complex]) -> Complex:
    """The Kronecker product, the first factor most significant."""
    out = np.ones(1, dtype=complex) if factors[0].ndim == 1 else np.ones((1, 1), dtype=complex)
    for factor in factors:
        out = np.kron(out, factor)
    return out


@cache
def _unit(row: int, column: int, wires: tuple[int, ...], num_wires: int) -> Complex:
    """|row><column| on some wires, one on the others."""
    count = len(wires)
    factors = [PAULIS["I"]] * num_wires
    for k, wire in enumerate(wires):
        factors[wire] = np.zeros((2, 2), dtype=complex)
        factors[wire][row >> (count - 1 - k) & 1, column >> (count - 1 - k) & 1] = 1
    return kron(factors)


def embed(matrix: Complex, wires: tuple[int, ...], num_wires: int) -> Complex:
    """The matrix of some wires as one of all wires: a sum of Kronecker products of |r><c|."""
    out = np.zeros((2**num_wires, 2**num_wires), dtype=complex)
    for row, column in np.argwhere(matrix).tolist():
        out += matrix[row, column] * _unit(row, column, wires, num_wires)
    return out


def matrices(circuit: Circuit, angles: Floats) -> list[Complex]:
    """The embedded matrix of each gate at one row of angles."""
    left = iter(angles)
    out = []
    for gate in circuit.gates:
        matrix = FIXED[gate.name] if gate.angle is None else TURNED[gate.name](float(next(left)))
        out.append(embed(matrix, gate.wires, circuit.num_wires))
    return out


def unitary(circuit: Circuit, angles: Floats) -> Complex:
    """The whole circuit at one row of angles."""
    out = np.eye(2**circuit.num_wires, dtype=complex)
    for gate in matrices(circuit, angles):
        out = gate @ out
    return out


def state(circuit: Circuit, angles: Floats) -> Complex:
    """What the circuit makes of |0...0>."""
    return np.asarray(unitary(circuit, angles)[:, 0])


def density(circuit: Circuit, angles: Floats) -> Complex:
    """The density matrix, channels included."""
    rho = np.zeros((2**circuit.num_wires, 2**circuit.num_wires), dtype=complex)
    rho[0, 0] = 1
    gates = iter(matrices(circuit, angles))
    for instruction in circuit.instructions:
        if isinstance(instruction, Channel):
            kraus = [embed(k, instruction.wires, circuit.num_wires) for k in instruction.kraus]
        else:
            kraus = [next(gates)]
        rho = sum((k @ rho @ k.conj().T for k in kraus), np.zeros_like(rho))
    return rho


def word_matrix(word: str) -> Complex:
    """A Pauli word as a matrix."""
    return kron([PAULIS[letter] for letter in word])


class Dense(Simulator):
    """The reference as a backend; its gradients are the parameter shifts of the base class."""

    capabilities = Capabilities(noise=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> NDArray[Any]:
        if not isinstance(measure, Probabilities | Expectations):
            return np.stack([state(circuit, row) for row in angles])
        states = [density(circuit, row) for row in angles]
        if isinstance(measure, Probabilities):
            return np.stack([np.real(np.diag(rho)) for rho in states])
        words = [word_matrix(word) for word in measure.paulis]
        return np.array([[np.real(np.trace(rho @ word)) for word in words] for rho in states])


def random_circuit(
    rng: np.random.Generator, num_wires: int, length: int, num_params: int = 4, num_inputs: int = 2
) -> Circuit:
    """Gates of all kinds; parameters shared, scaled and offset; inputs and constants mixed in."""
    names = [*FIXED, *TURNED, *TURNED]
    gates = []
    for _ in range(length):
        name = str(rng.choice(names))
        count = 2 if name in ("cx", "cz", "swap", "ecr") or len(name) == 3 else 1
        if count > num_wires:
            continue
        wires = tuple(int(w) for w in rng.permutation(num_wires)[:count])
        scale, offset = rng.uniform(-2, 2, size=2)
        angle = [
            param(int(rng.integers(num_params)), scale, offset),
            param(int(rng.integers(num_params))),
            given(int(rng.integers(num_inputs)), scale, offset),
            const(offset),
        ][int(rng.integers(4))]
        gates.append(Gate(name, wires, angle if name in TURNED else None))
    return Circuit(num_wires, tuple(gates))
