"""Building blocks of ansatze: start states, rotation layers, entanglers and data encoding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, combinations
from typing import Literal, get_args

from qgen_core.circuits.circuit import Angle, Circuit, Gate, Label, given, param
from qgen_core.errors import BadCircuit, BadOption
from qgen_core.support.resources import require_circuit_size

#: Start states: all zero, Bell pairs on (0,1), (2,3), ..., GHZ states on (0,1,2), ..., all plus.
Start = Literal["zero", "bell", "ghz", "plus"]

#: PennyLane's ``Rot(phi, theta, omega) = RZ(omega) RY(theta) RZ(phi)``: phi acts first.
ROT = ("rz", "ry", "rz")

#: Number of wires that a start state entangles.
_GROUP = {"plus": 1, "bell": 2, "ghz": 3}


class Builder:
    """Collects the gates of a circuit; each new parameter gets the next number and a label.

    Every call of :meth:`rotations` or :meth:`pair_rotations` is one rotation layer.

    >>> build = Builder(2)
    >>> build.rotations(("ry",))
    >>> build.cnots(chain(0, 1))
    >>> build.circuit().num_params
    2
    """

    def __init__(self, wires: int) -> None:
        """Raise ResourceRefused for more wires than a circuit may have."""
        require_circuit_size(wires)
        self.wires = wires
        self._gates: list[Gate] = []
        self._labels: list[Label] = []
        self._layer = 0
        self._all_plus = False

    def circuit(self) -> Circuit:
        """The circuit of the gates collected so far."""
        return Circuit(self.wires, tuple(self._gates), tuple(self._labels))

    def gate(self, name: str, *wires: int, angle: Angle | None = None) -> None:
        """Append one gate without a new parameter."""
        self._gates.append(Gate(name, wires, angle))

    def start(self, state: Start) -> None:
        """Prepare a start state.

        Raises BadOption for another name, BadCircuit when the number of wires is not a multiple of
        the wires that the state entangles.
        """
        if state not in get_args(Start):
            raise BadOption(f"start is one of {', '.join(get_args(Start))}, not {state!r}")
        if state == "zero":
            return
        size = _GROUP[state]
        if self.wires % size:
            fitting = -(-self.wires // size) * size
            raise BadCircuit(
                f"start {state!r} groups wires by {size}, which does not divide {self.wires}; "
                f"take {fitting} wires or another start"
            )
        for first in range(0, self.wires, size):
            self.gate("h", first)
            self.cnots((w, w + 1) for w in range(first, first + size - 1))
        self._all_plus = state == "plus"

    def layers(self, number: int, inputs: int = 0, reupload: bool = True) -> Iterator[int]:
        """Yield the number of each layer, after encoding the inputs.

        Without ``reupload`` they are encoded before the first layer only.

        Raises BadOption for less than one layer, and where the inputs would have no effect:
        every encoding acts on the state plus, which RX does not change. Raises ResourceRefused
        for more layers than a circuit may have.
        """
        if number < 1:
            raise BadOption(f"layers must be at least 1, not {number}")
        require_circuit_size(self.wires, number)
        if inputs and self._all_plus and (number == 1 or not reupload):
            raise BadOption(
                "inputs have no effect on the start state 'plus', which RX does not change; take "
                "two or more layers with reupload, or another start"
            )
        for layer in range(number):
            if reupload or layer == 0:
                self.encode(inputs)
            yield layer

    def encode(self, inputs: int, gate: str = "rx") -> None:
        """One rotation by an input on each wire: wire w takes the input w modulo ``inputs``.

        Inputs are angles in radians. Raises BadCircuit when there are more inputs than wires.
        """
        if inputs > self.wires:
            raise BadCircuit(
                f"{self.wires} wires cannot take {inputs} inputs; give each input a wire, or "
                "fewer inputs"
            )
        if not inputs:
            return
        for wire in range(self.wires):
            self.gate(gate, wire, angle=given(wire % inputs))

    def rotations(self, gates: Sequence[str], wires: Sequence[int] | None = None) -> None:
        """One rotation layer: the gates in order on each of the wires (all by default)."""
        if wires is None:
            wires = range(self.wires)
        for wire in wires:
            for angle, gate in enumerate(gates):
                self._trainable(gate, (wire,), angle)
        self._layer += bool(wires)

    def pair_rotations(self, gate: str, groups: Sequence[range]) -> None:
        """One rotation layer of a two-wire gate on all pairs within each group of wires.

        The label of a pair holds its lower wire, and as the angle its distance minus one.
        """
        for group in groups:
            for low, high in combinations(group, 2):
                self._trainable(gate, (low, high), high - low - 1)
        self._layer += any(len(group) > 1 for group in groups)

    def cnots(self, pairs: Iterable[tuple[int, int]]) -> None:
        """CNOTs on (control, target) pairs, in order."""
        for control, target in pairs:
            self.gate("cx", control, target)

    def _trainable(self, gate: str, wires: tuple[int, ...], angle: int) -> None:
        self._gates.append(Gate(gate, wires, param(len(self._labels))))
        self._labels.append(Label(self._layer, wires[0], angle))


def chain(first: int, last: int, step: int = 1) -> list[tuple[int, int]]:
    """Neighbours (w, w + 1) for w = first, first + step, ... with w + 1 <= last.

    >>> chain(0, 4, 2)
    [(0, 1), (2, 3)]
    """
    return [(w, w + 1) for w in range(first, last, step)]


def register_wires(wires: int, registers: tuple[int, ...]) -> list[range]:
    """The wires of each register; one register of all wires where none are given.

    Raises BadCircuit unless the widths of the registers are positive and add up to the wires.

    >>> register_wires(5, (2, 3))
    [range(0, 2), range(2, 5)]
    """
    widths = registers or (wires,)
    if sum(widths) != wires or min(widths) < 1:
        raise BadCircuit(
            f"registers {registers} do not add up to {wires} wires; give each feature one or more "
            "bits, and the circuit one wire a bit"
        )
    ends = list(accumulate(widths))
    return [range(end - width, end) for end, width in zip(ends, widths, strict=True)]
