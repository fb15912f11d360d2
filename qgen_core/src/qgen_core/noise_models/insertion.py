"""Inserting channels after the gates of a circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from qgen_core.circuits.circuit import Channel, Circuit, Gate, Instruction


def insert_after_gates(circuit: Circuit, noise_of: Callable[[Gate], Iterable[Channel]]) -> Circuit:
    """The circuit with the channels of ``noise_of(gate)`` after each gate.

    Angles, parameters and labels are kept, as are the channels that the circuit has already.
    Without channels to insert, the circuit itself is returned.

    >>> import numpy as np
    >>> circuit = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> def noise_of(gate):
    ...     return [Channel(np.eye(2)[None], (wire,), "idle") for wire in gate.wires]
    >>> [instruction.name for instruction in insert_after_gates(circuit, noise_of).instructions]
    ['h', 'idle', 'cx', 'idle', 'idle']
    """
    instructions: list[Instruction] = []
    for instruction in circuit.instructions:
        instructions.append(instruction)
        if isinstance(instruction, Gate):
            instructions += noise_of(instruction)
    if len(instructions) == len(circuit.instructions):
        return circuit
    return replace(circuit, instructions=tuple(instructions))
