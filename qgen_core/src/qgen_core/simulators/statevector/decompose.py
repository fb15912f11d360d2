"""Every gate as plane rotations: real rotations RY, CNOTs and diagonal phases, exactly.

An RY turns pairs of amplitudes, a phase turns (real, imaginary) of one amplitude, and both
angles are linear in the angles of the circuit. So there are no matrices to multiply and no
chain rule but one sparse linear map; a rotation by Euler angles costs half of a general 2x2
matrix, and all phases between two layers of RY merge into one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import pi
from typing import Literal, NamedTuple

from qgen_core.circuits.circuit import Circuit


@dataclass(frozen=True)
class Linear:
    """``const + sum(coefficient * angle[column])``, in radians."""

    const: float = 0.0
    terms: tuple[tuple[int, float], ...] = ()

    def __add__(self, other: Linear) -> Linear:
        return Linear(self.const + other.const, self.terms + other.terms)

    def __mul__(self, factor: float) -> Linear:
        return Linear(self.const * factor, tuple((column, c * factor) for column, c in self.terms))

    @property
    def nothing(self) -> bool:
        """Whether it is zero for all angles."""
        return not self.terms and abs(self.const) < 1e-15


class Op(NamedTuple):
    """``y``: RY(2 value). ``cx``: control, target. ``d``: exp(i value Z...Z) on its wires, or on none.

    ``level`` counts the CNOTs that it waits for, itself included; at least 1.
    """

    kind: Literal["y", "cx", "d"]
    wires: tuple[int, ...]
    value: Linear = Linear()
    level: int = 0

    def acts(self) -> Iterator[tuple[int, str]]:
        """(wire, Pauli letter) pairs; two ops commute if they agree on every shared wire."""
        letters = "zx" if self.kind == "cx" else {"y": "y", "d": "zz"}[self.kind]
        return zip(self.wires, letters, strict=False)


def _y(wire: int, half: Linear | float) -> Op:
    return Op("y", (wire,), half if isinstance(half, Linear) else Linear(half))


def _d(wires: Iterable[int], phase: Linear | float) -> Op:
    return Op("d", tuple(wires), phase if isinstance(phase, Linear) else Linear(phase))


def _along_x(wires: Iterable[int], ops: list[Op]) -> list[Op]:
    """The ops with X in place of Z on some wires: X = RY(pi/2) Z RY(-pi/2)."""
    wires = tuple(wires)
    return [_y(w, -pi / 4) for w in wires] + ops + [_y(w, pi / 4) for w in wires]


def _along_y(wires: Iterable[int], ops: list[Op]) -> list[Op]:
    """The ops with Y in place of Z on some wires: Y = RZ(pi/2) X RZ(-pi/2)."""
    wires = tuple(wires)
    return (
        [_d((w,), pi / 4) for w in wires]
        + _along_x(wires, ops)
        + [_d((w,), -pi / 4) for w in wires]
    )


def _phase_gate(wire: int, t: Linear) -> list[Op]:
    return [_d((), t * 0.5), _d((wire,), t * -0.5)]


def _rx(wire: int, t: Linear) -> list[Op]:
    return [_d((wire,), -pi / 4), _y(wire, t * 0.5), _d((wire,), pi / 4)]


def _x(wire: int) -> list[Op]:
    return [*_phase_gate(wire, Linear(pi)), _y(wire, pi / 2)]


def _one_wire(name: str, w: int, t: Linear) -> list[Op]:
    fixed = {"z": pi, "s": pi / 2, "t": pi / 4}
    if name in fixed:
        return _phase_gate(w, Linear(fixed[name]))
    if name == "h":
        return [*_phase_gate(w, Linear(pi)), _y(w, pi / 4)]
    if name == "x":
        return _x(w)
    if name == "y":
        return [_d((), pi / 2), _y(w, pi / 2)]
    if name == "sx":
        return [_d((), pi / 4), *_rx(w, Linear(pi / 2))]
    if name == "rx":
        return _rx(w, t)
    if name == "ry":
        return [_y(w, t * 0.5)]
    if name == "rz":
        return [_d((w,), t * -0.5)]
    assert name == "p", name
    return _phase_gate(w, t)


def _two_wires(name: str, a: int, b: int, t: Linear) -> list[Op]:
    if name == "cx":
        return [Op("cx", (a, b))]
    if name == "swap":
        return [Op("cx", (a, b)), Op("cx", (b, a)), Op("cx", (a, b))]
    if name == "cz":
        return [_d((), pi / 4), _d((a,), -pi / 4), _d((b,), -pi / 4), _d((a, b), pi / 4)]
    if name == "ecr":
        return [*_along_x((b,), [_d((a, b), -pi / 4)]), *_x(a)]
    both = [_d((a, b), t * -0.5)]
    controlled = [_d((b,), t * -0.25), _d((a, b), t * 0.25)]
    frames = {"rxx": _along_x, "ryy": _along_y, "crx": _along_x, "cry": _along_y}
    core = controlled if name[0] == "c" else both
    wires = (b,) if name[0] == "c" else (a, b)
    return frames[name](wires, core) if name in frames else core


def _raw(circuit: Circuit) -> Iterator[Op]:
    column = 0
    for gate in circuit.gates:
        t = Linear()
        if gate.angle is not None:
            t, column = Linear(0.0, ((column, 1.0),)), column + 1
        if len(gate.wires) == 1:
            yield from _one_wire(gate.name, gate.wires[0], t)
        else:
            yield from _two_wires(gate.name, gate.wires[0], gate.wires[1], t)


class _Writer:
    """Writes ops down, merging neighbours on one wire and holding phases back.

    A phase moves past a CNOT (Z on the target becomes ZZ) until an RY on one of its wires
    stops it, so that all phases of a layer meet. Products of three Zs are not made.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.last: dict[int, int] = {}
        self.level: dict[int, int] = {}
        self.phases: dict[frozenset[int], Linear] = {}
        self.touched: set[int] = (
            set()
        )  # the other wires are still in |0>, where Z is 1 and no CNOT starts

    def add(self, op: Op) -> None:
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
            self.last[wire], self.level[wire] = len(self.ops), level
        self.ops.append(op._replace(level=max(1, level)))

    def release(self, keys: Iterable[frozenset[int]]) -> None:
        for key in list(keys):
            value = self.phases.pop(key)
            if not value.nothing:
                self._emit(Op("d", tuple(sorted(key)), value))

    def _past_cx(self, control: int, target: int) -> None:
        touched = [key for key in self.phases if target in key]
        self.release([key for key in touched if len(key ^ {control}) > 2])
        moved = {key ^ {control}: self.phases.pop(key) for key in touched if key in self.phases}
        for key, value in moved.items():
            self.phases[key] = self.phases.get(key, Linear()) + value


def decompose(circuit: Circuit, *, last_phases: bool) -> tuple[list[Op], Linear]:
    """The ops of a circuit and its global phase (radians).

    Without ``last_phases``, phases at the end are left out: probabilities do not see them.
    """
    writer = _Writer()
    for op in _raw(circuit):
        writer.add(op)
    overall = writer.phases.pop(frozenset(), Linear())
    if last_phases:
        writer.release(writer.phases)
    return [op for op in writer.ops if op.kind == "cx" or not op.value.nothing], overall
