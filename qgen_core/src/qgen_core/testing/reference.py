"""A plain reference for circuits: whole matrices by Kronecker products.

Slow, obvious, small circuits only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit, Gate, Instruction
from qgen_core.circuits.gates import GATES, PAULI
from qgen_core.circuits.measures import Expectations, Measure, confusion_of
from qgen_core.testing.slopes import slope
from qgen_core.typing import Complex, Floats


def kron(factors: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The Kronecker product, the first factor most significant."""
    return reduce(np.kron, factors)


def embedded(matrix: NDArray[Any], wires: Sequence[int], num_wires: int) -> Complex:
    """A matrix on some wires as one on all: times one on the others, then wires put in order."""
    others = [wire for wire in range(num_wires) if wire not in wires]
    full = np.kron(matrix, np.eye(2 ** len(others))).reshape((2,) * (2 * num_wires))
    place = np.argsort([*wires, *others])
    return np.asarray(
        full.transpose(*place, *(place + num_wires)).reshape(2**num_wires, 2**num_wires)
    )


def operations(circuit: Circuit, angles: Floats) -> list[list[Complex]]:
    """The Kraus operators of each instruction on all wires, for one row of angles."""
    left = iter(angles)
    found = []
    for instruction in circuit.instructions:
        if isinstance(instruction, Channel):
            kraus = list(instruction.kraus)
        else:
            spec = GATES[instruction.name]
            kraus = [spec.matrix(float(next(left))) if spec.has_angle else spec.matrix()]
        found.append([embedded(k, instruction.wires, circuit.num_wires) for k in kraus])
    return found


def state(circuit: Circuit, angles: Floats) -> Complex:
    """What a circuit without channels makes of |0...0>, (2^Q,)."""
    psi = np.zeros(2**circuit.num_wires, dtype=np.complex128)
    psi[0] = 1
    for (unitary,) in operations(circuit, angles):
        psi = unitary @ psi
    return psi


def density(circuit: Circuit, angles: Floats) -> Complex:
    """The density matrix (2^Q, 2^Q), channels included."""
    return _evolved(operations(circuit, angles), circuit.num_wires)


def _evolved(steps: Sequence[list[Complex]], num_wires: int) -> Complex:
    """The density matrix after operations given by their Kraus operators.

    One each keeps the state pure.
    """
    start = np.zeros(2**num_wires, dtype=np.complex128)
    start[0] = 1
    if all(len(kraus) == 1 for kraus in steps):
        psi = reduce(lambda vector, kraus: kraus[0] @ vector, steps, start)
        return np.outer(psi, psi.conj())
    rho = np.outer(start, start)
    for kraus in steps:
        rho = np.sum([k @ rho @ k.conj().T for k in kraus], axis=0)
    return rho


def read(rho: Complex, measure: Measure) -> Floats:
    """Probabilities (2^Q,) or expectations (words,) of a density matrix, with readout confusion."""
    return _reader(measure)(rho)


def _reader(measure: Measure) -> Callable[[Complex], Floats]:
    """The function from a density matrix to what is read."""
    confusion = confusion_of(measure)
    if isinstance(measure, Expectations):
        words = [
            kron([_letter(word, wire, confusion) for wire in range(len(word))])
            for word in measure.paulis
        ]
        return lambda rho: np.array([np.real(np.vdot(word, rho)) for word in words])
    if confusion is None:
        return lambda rho: np.real(np.diag(rho))
    mixing = kron(list(confusion))
    return lambda rho: np.asarray(mixing @ np.real(np.diag(rho)))


def _letter(word: str, wire: int, confusion: Floats | None) -> Complex:
    """A letter's operator.

    The mean sign that is read for its two eigenvectors, times their projectors.
    """
    pauli = PAULI[word[wire]]
    if confusion is None or word[wire] == "I":
        return pauli
    plus, minus = (PAULI["I"] + pauli) / 2, (PAULI["I"] - pauli) / 2
    for_plus, for_minus = np.array([1.0, -1.0]) @ confusion[wire]
    return np.asarray(for_plus * plus + for_minus * minus)


def values(circuit: Circuit, angles: Floats, measure: Measure) -> Floats:
    """What an exact backend gives for rows of angles (B, A): (B, 2^Q) or (B, words)."""
    reading = _reader(measure)
    return np.stack([reading(density(circuit, row)) for row in angles])


def angle_slopes(circuit: Circuit, angles: Floats, measure: Measure, cotangent: Floats) -> Floats:
    """d (cotangent . output) / d angles (B, A) by finite differences of the reference.

    NaN for constant angles.
    """
    reading, rows = _reader(measure), [operations(circuit, row) for row in angles]
    turning = [
        k for k, i in enumerate(circuit.instructions) if isinstance(i, Gate) and i.angle is not None
    ]
    found = np.full(angles.shape, np.nan)
    for column, place in enumerate(turning):
        gate = circuit.instructions[place]
        if circuit.angles[column].source == "const":
            continue

        def moved(
            t: float, gate: Instruction = gate, place: int = place, column: int = column
        ) -> Floats:
            outputs = []
            for steps, row in zip(rows, angles, strict=True):
                turned = embedded(
                    GATES[gate.name].matrix(float(row[column]) + t), gate.wires, circuit.num_wires
                )
                changed = [*steps[:place], [turned], *steps[place + 1 :]]
                outputs.append(reading(_evolved(changed, circuit.num_wires)))
            return np.asarray(np.sum(cotangent * np.stack(outputs), axis=1))

        found[:, column] = slope(moved)
    return found
