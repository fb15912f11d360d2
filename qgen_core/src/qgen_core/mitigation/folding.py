"""Circuits with more of the same noise: gates folded, or channels repeated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit, Gate, Instruction, const
from qgen_core.typing import Floats

Amplify = Literal["gates", "circuit", "channels"]

#: Fixed gates that are not their own inverse, and their inverses up to a global phase.
INVERSE = {"s": ("p", -pi / 2), "t": ("p", -pi / 4), "sx": ("rx", -pi / 2)}


@dataclass(frozen=True)
class Step:
    """A gate with the channels behind it.

    Its angle is ``sign`` times ``column`` of the original angles; with -1 for a column it is constant.
    """

    gate: Gate
    channels: tuple[Channel, ...]
    column: int
    sign: float = 1.0

    def inverse(self) -> Step:
        """The inverse gate, with the same noise behind it."""
        gate = self.gate
        if gate.name in INVERSE:
            name, turn = INVERSE[gate.name]
            return replace(self, gate=Gate(name, gate.wires, const(turn)))
        if gate.angle is None:
            return self
        back = replace(gate.angle, scale=-gate.angle.scale, offset=-gate.angle.offset)
        return replace(self, gate=Gate(gate.name, gate.wires, back), sign=-self.sign)


@dataclass(frozen=True)
class Amplified:
    """A circuit made of another one, and how its angles follow: ``angles[:, column] * sign + offset``."""

    circuit: Circuit
    column: NDArray[np.intp]
    sign: Floats
    offset: Floats

    def angles(self, original: Floats) -> Floats:
        """Angles (B, A') of this circuit from those (B, A) of the original."""
        padded = np.concatenate([original, np.zeros((len(original), 1))], axis=1)
        return np.asarray(padded[:, self.column] * self.sign + self.offset)

    def pullback(self, d_angles: Floats, columns: int) -> Floats:
        """d loss / d original angles (B, ``columns``) from those (B, A') of this circuit."""
        out = np.zeros((len(d_angles), columns + 1))
        np.add.at(out.T, self.column, (d_angles * self.sign).T)
        return out[:, :-1]


def amplified(circuit: Circuit, scale: int, how: Amplify) -> Amplified:
    """The circuit with ``scale`` times its noise, to first order in the noise.

    ``gates``: each gate G becomes G (G^-1 G)^k, ``circuit``: the whole circuit C does, with
    ``scale = 2 k + 1``; either leaves the unitary as it is. ``channels``: the channels behind each gate
    act ``scale`` times. Folding takes the channels behind a gate along with it and with its inverse.
    """
    head, steps = _steps(circuit)
    k = scale // 2
    if how == "channels":
        head *= scale
        walk: Iterable[Step] = (replace(step, channels=step.channels * scale) for step in steps)
    elif how == "gates":
        walk = (part for step in steps for part in (step, *(step.inverse(), step) * k))
    else:
        walk = (*steps, *(*(step.inverse() for step in reversed(steps)), *steps) * k)
    return _joined(circuit.num_wires, head, tuple(walk))


def _steps(circuit: Circuit) -> tuple[tuple[Channel, ...], list[Step]]:
    """Channels before any gate, and the gates with the channels behind them."""
    head: list[Channel] = []
    found: list[tuple[Gate, list[Channel]]] = []
    for instruction in circuit.instructions:
        if isinstance(instruction, Gate):
            found.append((instruction, []))
        else:
            (found[-1][1] if found else head).append(instruction)
    turning = iter(range(circuit.num_angles))
    return tuple(head), [
        Step(g, tuple(c), -1 if g.angle is None else next(turning)) for g, c in found
    ]


def _joined(wires: int, head: tuple[Channel, ...], walk: tuple[Step, ...]) -> Amplified:
    instructions: list[Instruction] = []
    for step in walk:
        instructions += [step.gate, *step.channels]
    turning = [(step, step.gate.angle) for step in walk if step.gate.angle is not None]
    return Amplified(
        Circuit(wires, (*head, *instructions)),
        np.array([step.column for step, _ in turning], dtype=np.intp),
        np.array([step.sign for step, _ in turning], dtype=np.float64),
        np.array(
            [angle.offset if step.column < 0 else 0.0 for step, angle in turning], dtype=np.float64
        ),
    )
