"""The gate set: matrices, their derivatives and their shift rules.

Conventions: wire 0 of a gate is the most significant bit of its matrix;
``r*(t) = exp(-i t G / 2)``, ``p(t) = diag(1, e^{it})``, and a controlled rotation acts
on its second wire where the first is 1. All matrices are complex128.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

I2 = np.eye(2, dtype=np.complex128)
X = np.array([[0, 1], [1, 0]], dtype=np.complex128)
Y = np.array([[0, -1j], [1j, 0]], dtype=np.complex128)
Z = np.array([[1, 0], [0, -1]], dtype=np.complex128)
PAULI = {"I": I2, "X": X, "Y": Y, "Z": Z}

H = (X + Z) / np.sqrt(2)
S = np.diag([1, 1j]).astype(np.complex128)
T = np.diag([1, np.exp(0.25j * np.pi)])
SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]], dtype=np.complex128) / 2
P1 = np.diag([0, 1]).astype(np.complex128)


def _controlled(u: Matrix) -> Matrix:
    return np.kron(I2 - P1, I2) + np.kron(P1, u)


CX = _controlled(X)
CZ = _controlled(Z)
SWAP = np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]]
ECR = (np.kron(X, I2) - np.kron(Y, X)) / np.sqrt(2)


@dataclass(frozen=True)
class GateSpec:
    """What a gate name means.

    ``fixed`` is the matrix of a gate without an angle. A gate with an angle has
    ``generator`` G and is ``exp(-i t G / 2)``, on the subspace where ``control`` is 1 if
    it is controlled; ``p`` is ``rz`` times the phase ``e^{it/2}``. ``shift`` is its
    parameter-shift rule (Wierichs et al., arXiv:2107.12390): two terms for the frequency 1, four
    for the frequencies 1/2 and 1 of controlled rotations.
    """

    wires: int
    fixed: Matrix | None = None
    generator: Matrix | None = None
    controlled: bool = False
    phase: bool = False
    shift: Literal[0, 2, 4] = 0

    @property
    def has_angle(self) -> bool:
        """Whether the gate turns by an angle."""
        return self.generator is not None

    def matrix(self, angle: float = 0.0) -> Matrix:
        """The unitary, (2^wires, 2^wires)."""
        if self.generator is None:
            assert self.fixed is not None
            return self.fixed
        c, s = np.cos(angle / 2), np.sin(angle / 2)
        u = c * np.eye(len(self.generator)) - 1j * s * self.generator
        if self.phase:
            u = np.exp(0.5j * angle) * u
        return _controlled(u) if self.controlled else u

    def derivative(self, angle: float) -> Matrix:
        """d matrix / d angle."""
        assert self.generator is not None
        c, s = np.cos(angle / 2), np.sin(angle / 2)
        d = -0.5 * s * np.eye(len(self.generator)) - 0.5j * c * self.generator
        if self.phase:
            u = c * np.eye(len(self.generator)) - 1j * s * self.generator
            d = np.exp(0.5j * angle) * (d + 0.5j * u)
        return np.kron(P1, d) if self.controlled else d


def _pairs(pauli: Matrix) -> Matrix:
    return np.kron(pauli, pauli).astype(np.complex128)


GATES: dict[str, GateSpec] = {
    "h": GateSpec(1, fixed=H),
    "x": GateSpec(1, fixed=X),
    "y": GateSpec(1, fixed=Y),
    "z": GateSpec(1, fixed=Z),
    "s": GateSpec(1, fixed=S),
    "t": GateSpec(1, fixed=T),
    "sx": GateSpec(1, fixed=SX),
    "cx": GateSpec(2, fixed=CX),
    "cz": GateSpec(2, fixed=CZ),
    "ecr": GateSpec(2, fixed=ECR),
    "swap": GateSpec(2, fixed=SWAP),
    "rx": GateSpec(1, generator=X, shift=2),
    "ry": GateSpec(1, generator=Y, shift=2),
    "rz": GateSpec(1, generator=Z, shift=2),
    "p": GateSpec(1, generator=Z, phase=True, shift=2),
    "rxx": GateSpec(2, generator=_pairs(X), shift=2),
    "ryy": GateSpec(2, generator=_pairs(Y), shift=2),
    "rzz": GateSpec(2, generator=_pairs(Z), shift=2),
    "crx": GateSpec(2, generator=X, controlled=True, shift=4),
    "cry": GateSpec(2, generator=Y, controlled=True, shift=4),
    "crz": GateSpec(2, generator=Z, controlled=True, shift=4),
}

# f'(t) = sum_k coefficient_k f(t + shift_k)
_PLUS, _MINUS = (np.sqrt(2) + 1) / (4 * np.sqrt(2)), (np.sqrt(2) - 1) / (4 * np.sqrt(2))
SHIFTS: dict[int, tuple[tuple[float, float], ...]] = {
    2: ((np.pi / 2, 0.5), (-np.pi / 2, -0.5)),
    4: (
        (np.pi / 2, _PLUS),
        (-np.pi / 2, -_PLUS),
        (3 * np.pi / 2, -_MINUS),
        (-3 * np.pi / 2, _MINUS),
    ),
}
