"""Diagonal circuits between Hadamards, and events measured with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, given, param
from qgen_core.events import Space
from qgen_core.generators.born import BornMachine, Initial, Measuring
from qgen_core.generators.iqp_bodies import Bodies
from qgen_core.typing import Array, Floats


def diagonal_circuit(bodies: Bodies, *, shifted: bool) -> Circuit:
    """H on all wires, ``exp(i sum_g theta_g Z_g)``, and H on all wires.

    The parameters are the angles in radians: of the wires, the edges, and the further bodies.
    ``shifted`` adds an input for each wire to its angle.

    >>> from qgen_core.events import Words
    >>> bodies = Bodies(2, np.array([[0, 1]]), Words.of([]))
    >>> diagonal_circuit(bodies, shifted=True).counts
    {'h': 4, 'rz': 4, 'rzz': 1}
    """
    wires = range(bodies.wires)
    hadamards = [Gate("h", (wire,)) for wire in wires]
    gates = list(hadamards)
    for wire in wires:
        gates.append(Gate("rz", (wire,), param(wire, scale=-2.0)))
    if shifted:
        for wire in wires:
            gates.append(Gate("rz", (wire,), given(wire, scale=-2.0)))
    number = bodies.wires
    for first, second in bodies.edges.tolist():
        gates.append(Gate("rzz", (first, second), param(number, scale=-2.0)))
        number += 1
    for members in np.split(bodies.higher.wires, bodies.higher.starts[1:-1]):
        if len(members):
            gates += _turned_together(members.tolist(), number)
            number += 1
    return Circuit(bodies.wires, (*gates, *hadamards))


def _turned_together(wires: Sequence[int], parameter: int) -> list[Gate]:
    """The rotation about Z on all of these wires: about Z on the last, between parities."""
    steps = list(zip(wires[:-1], wires[1:], strict=True))
    gather = [Gate("cx", step) for step in steps]
    rotation = Gate("rz", (wires[-1],), param(parameter, scale=-2.0))
    return [*gather, rotation, *reversed(gather)]


class MeasuredDiagonal(BornMachine):
    """Outcomes of diagonal circuits whose conditions are added to the angles of single wires.

    ``theta`` are live angles, see :func:`diagonal_circuit`. The pullback also gives derivatives by
    the conditions (C, Q), under the name ``shifts``.
    """

    name = "iqp"
    outputs = frozenset({"probabilities", "samples"})

    def __init__(
        self, bodies: Bodies, theta: Floats, measuring: Measuring, *, shifted: bool
    ) -> None:
        condition = None
        if shifted:
            condition = Space("angles", bodies.wires)
        super().__init__(
            circuit=diagonal_circuit(bodies, shifted=shifted),
            measuring=measuring,
            space=Space("bits", bodies.wires),
            condition=condition,
            initial=Initial("zeros", 0.0, None),
        )
        self.theta = theta

    def _gradient(
        self, pull_angles: Callable[[Array], Floats], cotangent: Array, gain: float
    ) -> dict[str, Array]:
        d_angles = pull_angles(np.asarray(cotangent) * gain)
        d_params, d_shifts = self.circuit.pullback(d_angles)
        return {"theta": d_params.sum(axis=0), "shifts": d_shifts}
