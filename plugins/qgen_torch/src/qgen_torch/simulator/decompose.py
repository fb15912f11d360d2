"""Every gate as one of three: a turn of one wire, a phase of the basis states, a move of the basis states."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core import Circuit, Gate
from qgen_core.circuits.gates import GATES, I2, P1, H, S, X

Matrix = NDArray[np.complex128]

NOTHING = np.zeros((2, 2), dtype=np.complex128)
#: V with V Z V^dagger the generator's Pauli matrix.
FRAMES: dict[str, Matrix] = {"x": H, "y": S @ H}
#: Column of what has no angle.
NONE = -1


class Turn(NamedTuple):
    """``C0 + cos(rate t) C1 + sin(rate t) C2`` on a wire, with t the angle in ``column``."""

    wires: tuple[int, ...]
    column: int
    rate: float
    parts: tuple[Matrix, Matrix, Matrix]


class Phase(NamedTuple):
    """``exp(i value Z...Z)`` on its wires, or on none; ``value`` is the factor, times t where there is a column."""

    wires: tuple[int, ...]
    column: int
    factor: float


class Move(NamedTuple):
    """``cx`` (control, target) or ``swap``."""

    wires: tuple[int, ...]
    name: str


Op = Turn | Phase | Move


def fixed(wire: int, matrix: Matrix) -> Turn:
    """A turn without an angle."""
    return Turn((wire,), NONE, 0.0, (matrix, NOTHING, NOTHING))


def decompose(circuit: Circuit) -> list[Op]:
    """The ops of a circuit without channels, in order."""
    ops: list[Op] = []
    column = 0
    for gate in circuit.gates:
        ops += _one_wire(gate, column) if len(gate.wires) == 1 else _two_wires(gate, column)
        column += gate.angle is not None
    return ops


def _one_wire(gate: Gate, column: int) -> Iterator[Op]:
    spec, (wire,) = GATES[gate.name], gate.wires
    if spec.generator is None:
        yield fixed(wire, spec.matrix())
    elif spec.phase:
        yield Turn((wire,), column, 1.0, (I2 - P1, P1, 1j * P1))
    else:
        yield Turn((wire,), column, 0.5, (NOTHING, I2, -1j * spec.generator))


def _two_wires(gate: Gate, column: int) -> Iterator[Op]:
    a, b = gate.wires
    if gate.name in ("cx", "swap"):
        yield Move((a, b), gate.name)
        return
    inside: list[Op] = list(_diagonal(gate, column))
    frame = "x" if gate.name == "ecr" else gate.name[-1]
    turned: tuple[int, ...] = (
        () if frame == "z" else (a, b) if gate.name in ("rxx", "ryy") else (b,)
    )
    yield from (fixed(wire, FRAMES[frame].conj().T) for wire in turned)
    yield from inside
    yield from (fixed(wire, FRAMES[frame]) for wire in turned)
    if gate.name == "ecr":  # (XI - YX) / sqrt(2) = XI exp(-i pi/4 ZX)
        yield fixed(a, X)


def _diagonal(gate: Gate, column: int) -> Iterator[Phase]:
    """What a gate is between its frames."""
    a, b = gate.wires
    if gate.name == "ecr":
        yield Phase((a, b), NONE, -pi / 4)
    elif gate.name == "cz":
        for wires, factor in (((), pi / 4), ((a,), -pi / 4), ((b,), -pi / 4), ((a, b), pi / 4)):
            yield Phase(wires, NONE, factor)
    elif GATES[gate.name].controlled:
        yield Phase((b,), column, -0.25)
        yield Phase((a, b), column, 0.25)
    else:
        yield Phase((a, b), column, -0.5)


def fuse(turns: list[Turn]) -> list[Turn]:
    """The same product of turns of one wire with at most one turn without an angle, and that only alone."""
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
