"""Every gate as one of three.

A turn of one wire, a phase of the basis states, a permutation of them.

What a gate is made of is said by its entry in the table of gates (``qgen_core.circuits.gates``). A
gate of one wire is its matrix; a gate that permutes the basis states is that permutation; any other
gate is its form, in which rotations about Pauli words become phases between changes of basis.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core import Circuit
from qgen_core.circuits.gates import I2, GateSpec, H, S, gate_spec
from qgen_core.circuits.pauli_form import (
    Apply,
    Cnot,
    Form,
    Group,
    Rotation,
    basis_permutation,
    grouped,
    word_matrix,
)

Matrix = NDArray[np.complex128]

NOTHING = np.zeros((2, 2), dtype=np.complex128)
#: V by Pauli letter, with ``V Z V^dagger`` that Pauli matrix.
FRAMES: dict[str, Matrix] = {"X": H, "Y": S @ H}
#: Where a CNOT takes each basis state of its wires.
CNOT = (0, 1, 3, 2)
#: Column of an op without an angle.
NONE = -1


class Turn(NamedTuple):
    """``C0 + cos(rate t) C1 + sin(rate t) C2`` on a wire, with t the angle in ``column``."""

    wires: tuple[int, ...]
    column: int
    rate: float
    parts: tuple[Matrix, Matrix, Matrix]


class Phase(NamedTuple):
    """``exp(i value Z...Z)`` on its wires, or on none.

    ``value`` is the factor, times t where there is a column.
    """

    wires: tuple[int, ...]
    column: int
    factor: float


class Move(NamedTuple):
    """A permutation of the basis states of its wires: state k becomes state ``target[k]``."""

    wires: tuple[int, ...]
    target: tuple[int, ...]


Op = Turn | Phase | Move


def fixed(wire: int, matrix: Matrix) -> Turn:
    """A turn without an angle."""
    return Turn((wire,), NONE, 0.0, (matrix, NOTHING, NOTHING))


def decompose(circuit: Circuit) -> list[Op]:
    """The ops of a circuit without channels, in order."""
    ops: list[Op] = []
    column = 0
    for gate in circuit.gates:
        if gate.angle is None:
            ops += _of_gate(gate.spec, gate.wires, NONE)
        else:
            ops += _of_gate(gate.spec, gate.wires, column)
            column += 1
    return ops


def _of_gate(spec: GateSpec, wires: tuple[int, ...], column: int) -> Iterator[Op]:
    if spec.wires == 1:
        yield from _one_wire(spec, wires[0], column)
        return
    if spec.fixed is not None:
        target = basis_permutation(spec.fixed)
        if target is not None:
            yield Move(wires, tuple(target.tolist()))
            return
    yield from _of_form(spec.steps, wires, column)


def _one_wire(spec: GateSpec, wire: int, column: int) -> Iterator[Op]:
    """A gate of one wire from its matrix.

    With an angle, the eigenvalues of its generator are ``mean - 1`` and ``mean + 1``, or the mean
    alone.
    """
    if spec.fixed is not None:
        yield fixed(wire, spec.fixed)
        return
    levels = spec.levels
    values = [level for level, _ in levels]
    if len(levels) == 2 and 0.0 in values:  # one eigenstate keeps its phase
        still = values.index(0.0)
        kept = levels[still][1]
        level, turned = levels[1 - still]
        rate = abs(level) / 2
        yield Turn((wire,), column, rate, (kept, turned, -1j * np.sign(level) * turned))
        return
    mean = sum(values) / len(values)
    if len(levels) == 2:
        traceless = levels[1][1] - levels[0][1]
        yield Turn((wire,), column, 0.5, (NOTHING, I2, -1j * traceless))
    if mean:
        yield Phase((), column, -mean / 2)


def _of_form(form: Form, wires: tuple[int, ...], column: int) -> Iterator[Op]:
    """The ops of a gate on these wires from its steps."""
    for part in grouped(form):
        if isinstance(part, Cnot):
            yield Move((wires[part.control], wires[part.target]), CNOT)
        elif isinstance(part, Apply):
            yield from _of_gate(
                gate_spec(part.gate), tuple(wires[place] for place in part.wires), NONE
            )
        elif max(len(rotation.wires) for rotation in part.rotations) > 1:
            yield from _in_basis(part, wires, column)
        else:
            for rotation in part.rotations:
                yield from _on_one_wire(rotation, wires, column)


def _on_one_wire(rotation: Rotation, wires: tuple[int, ...], column: int) -> Iterator[Op]:
    """A rotation about one letter, or a global phase.

    ``exp(-i (a + b) W / 2)`` is ``cos(a / 2) u - sin(a / 2) i W u`` with ``u = exp(-i b W / 2)``.
    """
    if not rotation.wires:
        yield from _phases(rotation, wires, column)
        return
    place = rotation.wires[0]
    pauli = word_matrix(rotation.word[place])
    half = rotation.offset / 2
    constant = np.cos(half) * I2 - 1j * np.sin(half) * pauli
    if rotation.slope == 0:
        yield fixed(wires[place], constant)
    else:
        parts = (NOTHING, constant, -1j * pauli @ constant)
        yield Turn((wires[place],), column, rotation.slope / 2, parts)


def _in_basis(group: Group, wires: tuple[int, ...], column: int) -> Iterator[Op]:
    """Rotations that share a basis: phases between the changes to this basis and back."""
    letters = list(zip(wires, group.basis, strict=True))
    for wire, letter in letters:
        if letter in FRAMES:
            yield fixed(wire, FRAMES[letter].conj().T)
    for rotation in group.rotations:
        yield from _phases(rotation, wires, column)
    for wire, letter in letters:
        if letter in FRAMES:
            yield fixed(wire, FRAMES[letter])


def _phases(rotation: Rotation, wires: tuple[int, ...], column: int) -> Iterator[Phase]:
    """A rotation in its basis, where its word is made of Z."""
    on = tuple(wires[place] for place in rotation.wires)
    if rotation.slope:
        yield Phase(on, column, -rotation.slope / 2)
    if rotation.offset:
        yield Phase(on, NONE, -rotation.offset / 2)


def fuse(turns: list[Turn]) -> list[Turn]:
    """The same product of turns of one wire with as few turns without an angle as possible.

    A turn without an angle is left only where there is no other.
    """
    found: list[Turn] = []
    before: Any = I2
    for turn in turns:
        if turn.column == NONE:
            before = turn.parts[0] @ before
        else:
            found.append(turn._replace(parts=tuple(part @ before for part in turn.parts)))
            before = I2
    if not found:
        return [fixed(turns[0].wires[0], before)]
    found[-1] = found[-1]._replace(parts=tuple(before @ part for part in found[-1].parts))
    return found
