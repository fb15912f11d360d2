"""Putting channels behind the gates of a circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from qgen_core.circuits.circuit import Channel, Circuit, Gate, Instruction


def insert_after_gates(circuit: Circuit, noise_of: Callable[[Gate], Iterable[Channel]]) -> Circuit:
    """The circuit with the channels of ``noise_of(gate)`` behind each gate.

    Itself if there are none.

    Angles, parameters and labels stay as they are, and so do channels that are there already.
    """
    instructions: list[Instruction] = []
    for instruction in circuit.instructions:
        instructions.append(instruction)
        if isinstance(instruction, Gate):
            instructions += noise_of(instruction)
    if len(instructions) == len(circuit.instructions):
        return circuit
    return replace(circuit, instructions=tuple(instructions))
