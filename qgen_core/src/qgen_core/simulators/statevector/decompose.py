"""Every gate as plane rotations: real rotations RY, CNOTs and diagonal phases, exactly.

An RY rotates pairs of amplitudes, a phase rotates the (real, imaginary) parts of one amplitude, and
both angles are linear in the angles of the circuit. So there are no matrices to multiply, and the
only chain rule is one sparse linear map. A rotation by Euler angles costs half of a general 2x2
matrix, and all phases between two layers of RY merge into one.

The table of gates (:mod:`qgen_core.circuits.gates`) defines each gate by Pauli rotations and CNOTs.
Here a rotation about a Pauli word becomes a phase between changes of basis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import pi
from typing import Literal, NamedTuple

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import gate_spec
from qgen_core.circuits.pauli_form import Apply, Cnot, Form, Group, Rotation, grouped


@dataclass(frozen=True)
class Linear:
    """``const + sum(coefficient * angle[column])``, in radians."""

    const: float = 0.0
    terms: tuple[tuple[int, float], ...] = ()

    def __add__(self, other: Linear) -> Linear:
        return Linear(self.const + other.const, self.terms + other.terms)

    def __mul__(self, factor: float) -> Linear:
        terms = tuple((column, coefficient * factor) for column, coefficient in self.terms)
        return Linear(self.const * factor, terms)

    @property
    def is_zero(self) -> bool:
        """Whether it is zero for all angles."""
        return not self.terms and abs(self.const) < 1e-15


class Op(NamedTuple):
    """A plane rotation or a CNOT.

    - ``kind``: ``y`` for RY(2 value); ``cx`` for a CNOT with wires (control, target); ``d`` for the
      phase ``exp(i value Z...Z)`` on its wires, of which there may be none.
    - ``level``: the number of CNOTs in the longest chain of ops that ends here, itself included; at
      least 1.
    """

    kind: Literal["y", "cx", "d"]
    wires: tuple[int, ...]
    value: Linear = Linear()
    level: int = 0

    def acts(self) -> Iterator[tuple[int, str]]:
        """(wire, Pauli letter) pairs; two ops commute if they agree on every shared wire."""
        letters = {"cx": "zx", "y": "y", "d": "zz"}[self.kind]
        return zip(self.wires, letters, strict=False)


def _y(wire: int, half: Linear) -> Op:
    """RY(2 half)."""
    return Op("y", (wire,), half)


def _d(wires: tuple[int, ...], phase: Linear) -> Op:
    """``exp(i phase Z...Z)``, or the global phase on no wires."""
    return Op("d", wires, phase)


def _cx(control: int, target: int) -> Op:
    return Op("cx", (control, target))


def _raw(circuit: Circuit) -> Iterator[Op]:
    """The ops of all gates, one gate after another."""
    column = 0
    for gate in circuit.gates:
        angle = Linear()
        if gate.angle is not None:
            angle = Linear(0.0, ((column, 1.0),))
            column += 1
        yield from _of_form(gate.spec.steps, gate.wires, angle)


def _of_form(form: Form, wires: tuple[int, ...], angle: Linear) -> Iterator[Op]:
    """The ops of a gate on these wires, from its steps in the table of gates."""
    for part in grouped(form):
        if isinstance(part, Cnot):
            yield _cx(wires[part.control], wires[part.target])
        elif isinstance(part, Apply):
            inner = tuple(wires[place] for place in part.wires)
            yield from _of_form(gate_spec(part.gate).steps, inner, Linear())
        elif max(len(rotation.wires) for rotation in part.rotations) > 1:
            yield from _in_basis(part, wires, angle)
        else:
            for rotation in part.rotations:
                yield from _on_one_wire(rotation, wires, angle)


def _angle_of(rotation: Rotation, angle: Linear) -> Linear:
    """The angle of a rotation, as a function of the angle of its gate."""
    return angle * rotation.slope + Linear(rotation.offset)


def _on_one_wire(rotation: Rotation, wires: tuple[int, ...], angle: Linear) -> Iterator[Op]:
    """A rotation about one letter, or a global phase."""
    theta = _angle_of(rotation, angle)
    if not rotation.wires:
        yield _d((), theta * -0.5)
        return
    place = rotation.wires[0]
    wire = wires[place]
    letter = rotation.word[place]
    if letter == "Z":
        yield _d((wire,), theta * -0.5)
    elif letter == "Y":
        yield _y(wire, theta * 0.5)
    else:  # X = RZ(-pi/2)^dagger Y RZ(-pi/2)
        yield _d((wire,), Linear(-pi / 4))
        yield _y(wire, theta * 0.5)
        yield _d((wire,), Linear(pi / 4))


def _in_basis(group: Group, wires: tuple[int, ...], angle: Linear) -> Iterator[Op]:
    """Rotations that share a basis: phases between the change to this basis and its inverse.

    X = RY(pi/2) Z RY(-pi/2) and Y = RZ(pi/2) X RZ(-pi/2).
    """
    letters = list(zip(wires, group.basis, strict=True))
    along_y = [wire for wire, letter in letters if letter == "Y"]
    along_x_or_y = [wire for wire, letter in letters if letter in "XY"]
    for wire in along_y:
        yield _d((wire,), Linear(pi / 4))
    for wire in along_x_or_y:
        yield _y(wire, Linear(-pi / 4))
    for rotation in group.rotations:
        on = tuple(wires[place] for place in rotation.wires)
        yield from _phase(on, _angle_of(rotation, angle) * -0.5)
    for wire in along_x_or_y:
        yield _y(wire, Linear(pi / 4))
    for wire in along_y:
        yield _d((wire,), Linear(-pi / 4))


def _phase(wires: tuple[int, ...], value: Linear) -> Iterator[Op]:
    """``exp(i value Z...Z)`` by a phase on the last two wires.

    CNOTs before it carry the parity of the other wires to the next wire, step by step.
    """
    pairs = list(zip(wires[:-2], wires[1:-1], strict=True))
    for control, target in pairs:
        yield _cx(control, target)
    yield _d(wires[-2:], value)
    for control, target in reversed(pairs):
        yield _cx(control, target)


class _OpWriter:
    """Collects ops: neighbouring RYs on one wire are merged, and phases are delayed.

    A phase commutes past CNOTs (Z on the target becomes ZZ) until an RY on one of its wires stops
    it, so all phases of a layer are merged. Phases on three wires are avoided.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.last: dict[int, int] = {}
        self.level: dict[int, int] = {}
        self.phases: dict[frozenset[int], Linear] = {}
        #: Wires with an op. The others are still in |0>, where Z is 1 and a control has no effect.
        self.touched: set[int] = set()

    def add(self, op: Op) -> None:
        """Append an op, or merge it into an earlier one."""
        if op.kind == "cx" and op.wires[0] not in self.touched:
            return
        if op.kind == "d":
            key = frozenset(op.wires) & self.touched
            self.phases[key] = self.phases.get(key, Linear()) + op.value
        elif op.kind == "cx":
            self._past_cx(*op.wires)
            self._emit(op)
        else:
            self.release([key for key in self.phases if op.wires[0] in key])
            before = self.last.get(op.wires[0])
            if before is not None and self.ops[before].kind == "y":
                merged = self.ops[before].value + op.value
                self.ops[before] = self.ops[before]._replace(value=merged)
            else:
                self._emit(op)

    def _emit(self, op: Op) -> None:
        self.touched.update(op.wires)
        level = max(self.level.get(wire, 0) for wire in op.wires) + (op.kind == "cx")
        for wire in op.wires:
            self.last[wire] = len(self.ops)
            self.level[wire] = level
        self.ops.append(op._replace(level=max(1, level)))

    def release(self, keys: Iterable[frozenset[int]]) -> None:
        """Append the delayed phases on these sets of wires."""
        for key in list(keys):
            value = self.phases.pop(key)
            if not value.is_zero:
                self._emit(Op("d", tuple(sorted(key)), value))

    def _past_cx(self, control: int, target: int) -> None:
        """Commute the phases on the target of a CNOT past it.

        Those that would then act on three wires are written before it.
        """
        on_target = [key for key in self.phases if target in key]
        self.release([key for key in on_target if len(key ^ {control}) > 2])
        moved = {}
        for key in on_target:
            if key in self.phases:
                moved[key ^ {control}] = self.phases.pop(key)
        for key, value in moved.items():
            self.phases[key] = self.phases.get(key, Linear()) + value


def decompose(circuit: Circuit, *, last_phases: bool) -> tuple[list[Op], Linear]:
    """The ops of a circuit and its global phase (radians).

    Without ``last_phases`` the phases at the end are left out, because probabilities do not depend
    on them.

    >>> from qgen_core.circuits.circuit import Gate, param
    >>> rotation = Circuit(1, (Gate("ry", (0,), param(0)), Gate("rz", (0,), param(1))))
    >>> decompose(rotation, last_phases=False)[0]
    [Op(kind='y', wires=(0,), value=Linear(const=0.0, terms=((0, 0.5),)), level=1)]
    """
    writer = _OpWriter()
    for op in _raw(circuit):
        writer.add(op)
    overall = writer.phases.pop(frozenset(), Linear())
    if last_phases:
        writer.release(writer.phases)
    return [op for op in writer.ops if op.kind == "cx" or not op.value.is_zero], overall
