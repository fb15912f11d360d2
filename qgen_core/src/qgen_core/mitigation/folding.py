"""Circuits with the same noise amplified: gates folded, or channels repeated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit, Gate, Instruction
from qgen_core.errors import ResourceRefused
from qgen_core.typing import Floats

#: How noise is amplified, see :func:`amplified`.
Amplify = Literal["gates", "circuit", "channels"]
#: A circuit with amplified noise has at most so many instructions.
MAX_INSTRUCTIONS = 2**20


@dataclass(frozen=True)
class NoisyGate:
    """A gate with the channels behind it.

    Its angle is ``sign`` times ``column`` of the original angles; with the column -1 it is
    constant.

    >>> from qgen_core.circuits.circuit import param
    >>> inverse = NoisyGate(Gate("rx", (0,), param(0)), (), column=0).inverse()
    >>> inverse.gate.name, inverse.sign
    ('rx', -1.0)
    """

    gate: Gate
    channels: tuple[Channel, ...]
    column: int
    sign: float = 1.0

    def inverse(self) -> NoisyGate:
        """The inverse gate, with the same noise behind it.

        Raises Unsupported for a gate without an inverse in the table of gates.
        """
        sign = self.sign
        if self.gate.angle is not None:
            sign = -sign
        return replace(self, gate=self.gate.inverse(), sign=sign)


@dataclass(frozen=True)
class Amplified:
    """A circuit with amplified noise, and the map to its angles from those of the original.

    Its angles are ``angles[:, column] * sign + offset``; the column -1 stands for zeros.

    >>> from qgen_core.circuits.circuit import param
    >>> circuit = Circuit(1, (Gate("rx", (0,), param(0)),))
    >>> folded = amplified(circuit, 3, "gates")
    >>> folded.angles(np.array([[0.5]]))
    array([[ 0.5, -0.5,  0.5]])
    >>> folded.pullback(np.array([[1.0, 1.0, 1.0]]), 1)
    array([[1.]])
    """

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

    ``gates``: each gate G becomes G (G^-1 G)^k; ``circuit``: the whole circuit C becomes C (C^-1
    C)^k, with ``scale = 2 k + 1``; neither changes the unitary. ``channels``: the channels behind
    each gate act ``scale`` times. In folding, the channels behind a gate also follow its inverse.

    Raises Unsupported for a gate without an inverse in the table of gates, ResourceRefused for
    more than :data:`MAX_INSTRUCTIONS` instructions.

    >>> from qgen_core.circuits.circuit import param
    >>> circuit = Circuit(1, (Gate("s", (0,)), Gate("rx", (0,), param(0))))
    >>> [gate.name for gate in amplified(circuit, 3, "gates").circuit.gates]
    ['s', 'p', 's', 'rx', 'rx', 'rx']
    """
    if scale * len(circuit.instructions) > MAX_INSTRUCTIONS:
        raise ResourceRefused(
            f"{scale} times the noise of {len(circuit.instructions)} instructions makes a circuit "
            f"of more than {MAX_INSTRUCTIONS}; take smaller scales"
        )
    head, gates = _gates_with_channels(circuit)
    k = scale // 2
    folded: list[NoisyGate] = []
    if how == "channels":
        head *= scale
        folded = [replace(one, channels=one.channels * scale) for one in gates]
    elif how == "gates":
        for one in gates:
            folded.append(one)
            folded += [one.inverse(), one] * k
    else:
        folded += gates
        if k:
            backwards = [one.inverse() for one in reversed(gates)]
            folded += [*backwards, *gates] * k
    return _joined(circuit.num_wires, head, folded)


def _gates_with_channels(circuit: Circuit) -> tuple[tuple[Channel, ...], list[NoisyGate]]:
    """Channels before any gate, and the gates with the channels behind them."""
    head: list[Channel] = []
    found: list[NoisyGate] = []
    column = 0
    for instruction in circuit.instructions:
        if isinstance(instruction, Channel):
            if found:
                last = found[-1]
                found[-1] = replace(last, channels=(*last.channels, instruction))
            else:
                head.append(instruction)
        elif instruction.angle is None:
            found.append(NoisyGate(instruction, (), -1))
        else:
            found.append(NoisyGate(instruction, (), column))
            column += 1
    return tuple(head), found


def _joined(wires: int, head: tuple[Channel, ...], gates: Iterable[NoisyGate]) -> Amplified:
    """The circuit of these gates, and the map to its angles."""
    instructions: list[Instruction] = list(head)
    columns = []
    signs = []
    offsets = []
    for one in gates:
        instructions += [one.gate, *one.channels]
        if one.gate.angle is not None:
            columns.append(one.column)
            signs.append(one.sign)
            offsets.append(one.gate.angle.offset if one.column < 0 else 0.0)
    return Amplified(
        Circuit(wires, tuple(instructions)),
        np.array(columns, dtype=np.intp),
        np.array(signs, dtype=np.float64),
        np.array(offsets, dtype=np.float64),
    )
