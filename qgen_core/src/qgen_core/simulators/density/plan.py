"""Packing the instructions of a circuit into few passes over the density matrix.

A *group* is a run of instructions on the same wires that becomes one matrix: a two-wire gate or
channel with everything around it that touches no third wire. One-wire instructions at the start of
a wire belong to its *start*, the four coefficients of its own state.

The state holds only what is needed. A wire enters with its first group, and after its last group it
keeps only the coefficients that the measure reads (I and Z for probabilities, I alone for a wire
that no word touches). So the light cone of a measure and the product state at the start come for
free.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import prod

import numpy as np

from qgen_core.circuits.circuit import Channel, Circuit, Instruction
from qgen_core.errors import Unsupported
from qgen_core.simulators.density.pauli import gate_terms, on_all, transfer_matrix
from qgen_core.typing import Floats, Ints

#: A channel on more wires than this has a matrix that is no sane way to write it (1024 x 1024 at
#: 5).
WIDEST = 5
Kept = tuple[tuple[int, ...], ...]  # digits that the measure reads, for each wire


@dataclass
class Op:
    """A matrix on some wires of a group, by position.

    It is a sum of ``terms`` by the angle in ``column`` (-1: none), or where there is a ``run`` that
    group's matrix: one-wire instructions in a row are multiplied as small matrices first.
    """

    positions: tuple[int, ...]
    terms: Floats
    column: int
    run: Group | None = None


@dataclass
class Group:
    """Instructions that become one matrix (4^w, 4^w)."""

    wires: tuple[int, ...]
    ops: list[Op] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Rows of the matrix."""
        return int(4 ** len(self.wires))

    @property
    def columns(self) -> list[int]:
        """The angles that the matrix depends on."""
        own = [op.column for op in self.ops if op.column >= 0]
        return own + [column for op in self.ops if op.run is not None for column in op.run.columns]

    def add(self, positions: tuple[int, ...], terms: Floats, column: int) -> None:
        """Append a matrix; neighbours without an angle become one."""
        last = next((op for op in reversed(self.ops) if set(op.positions) & set(positions)), None)
        if len(positions) == 1 < len(self.wires):
            if last is None or last.run is None:
                last = Op(positions, np.empty((0, 4, 4)), -1, Group((self.wires[positions[0]],)))
                self.ops.append(last)
            assert last.run is not None
            last.run.add((0,), terms, column)
            return
        everywhere = tuple(range(len(self.wires)))
        if positions != everywhere:
            terms = on_all(terms, positions, len(self.wires))
        if last is not None and last.run is None and max(last.column, column) < 0:
            last.terms = terms @ last.terms
        else:
            self.ops.append(Op(everywhere, terms, column))


@dataclass(frozen=True, eq=False)
class Step:
    """A pass: the matrix of a group on the state.

    ``fresh`` and ``present``: positions of the group's wires that enter, and that are there.
    ``rows``: digits of the group that are kept after it. ``blocks``: the other coefficients, as
    loops (size, stride before, stride after), the last one over ``inner`` neighbours; ``before``
    and ``after``: where the coefficients of the group's wires stand.
    """

    group: int
    fresh: tuple[int, ...]
    present: tuple[int, ...]
    rows: Ints
    inner: int
    blocks: tuple[tuple[int, int, int], ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether the matrix of the group is that of the pass."""
        return not self.fresh and len(self.rows) == 4 ** len(self.present)


@dataclass(frozen=True, eq=False)
class Plan:
    """Starts by wire, runs, groups, one step per group, and the state sizes (S + 1)."""

    starts: tuple[Group, ...]
    runs: tuple[Group, ...]
    groups: tuple[Group, ...]
    steps: tuple[Step, ...]
    sizes: tuple[int, ...]
    kept: Kept

    @property
    def cells(self) -> int:
        """Entries of all matrices for one row of angles."""
        own = sum(group.size**2 for group in (*self.starts, *self.runs, *self.groups))
        return own + sum(
            len(step.before) * len(step.after) for step in self.steps if not step.plain
        )


def make_plan(circuit: Circuit, kept: Kept) -> Plan:
    """The plan of a circuit whose measure reads these digits.

    Raises Unsupported for a channel too wide.
    """
    starts, groups = _grouped(circuit)
    last = {wire: number for number, group in enumerate(groups) for wire in group.wires}
    dims: dict[int, int] = {}
    steps, sizes = [], [1]
    for number, group in enumerate(groups):
        after = dict(dims)
        for wire in group.wires:
            after[wire] = len(kept[wire]) if last[wire] == number else 4
        steps.append(_step(number, group, dims, after, kept))
        dims = after
        sizes.append(prod(dims.values()))
    runs = tuple(op.run for group in groups for op in group.ops if op.run is not None)
    return Plan(tuple(starts), runs, tuple(groups), tuple(steps), tuple(sizes), kept)


def _grouped(circuit: Circuit) -> tuple[list[Group], list[Group]]:
    starts = [Group((wire,)) for wire in range(circuit.num_wires)]
    groups: list[Group] = []
    latest: dict[int, Group] = {}
    column = 0
    for instruction in circuit.instructions:
        terms, has_angle = _terms(instruction)
        wires = instruction.wires
        touched = [latest.get(w) for w in wires]
        if len(wires) == 1:
            group = touched[0] or starts[wires[0]]
        elif touched[0] is not None and all(t is touched[0] for t in touched):
            group = touched[0]
        else:
            group = Group(tuple(sorted(wires)))
            groups.append(group)
            latest.update(dict.fromkeys(wires, group))
        group.add(tuple(group.wires.index(w) for w in wires), terms, column if has_angle else -1)
        column += has_angle
    groups += [Group((w,)) for w in range(circuit.num_wires) if w not in latest]
    return starts, groups


def _terms(instruction: Instruction) -> tuple[Floats, bool]:
    """The matrix of an instruction as a sum of terms, and whether it has an angle."""
    if len(instruction.wires) > WIDEST:
        what = "channel" if isinstance(instruction, Channel) else "gate"
        raise Unsupported(
            f"the {what} {instruction.name!r} acts on {len(instruction.wires)} wires; density "
            "holds "
            f"{what}s of at most {WIDEST}, write it as several"
        )
    if isinstance(instruction, Channel):
        return transfer_matrix(instruction.kraus)[None], False
    return gate_terms(instruction.spec), instruction.angle is not None


def _step(
    number: int, group: Group, before: dict[int, int], after: dict[int, int], kept: Kept
) -> Step:
    """``before`` and ``after``: how many coefficients each wire of the state has."""
    old, new = _strides(before), _strides(after)
    fresh = tuple(p for p, w in enumerate(group.wires) if w not in before)
    present = tuple(p for p, w in enumerate(group.wires) if w in before)
    digits = []
    for w in group.wires:
        digits.append(kept[w] if after[w] < 4 else (0, 1, 2, 3))
    blocks: list[tuple[int, int, int]] = []
    for wire in sorted(before):
        if wire in group.wires or before[wire] == 1:
            continue
        size, x, y = before[wire], old[wire], new[wire]
        if blocks and blocks[-1][1:] == (size * x, size * y):
            size *= blocks.pop()[0]
        blocks.append((size, x, y))
    inner = blocks.pop()[0] if blocks and blocks[-1][1:] == (1, 1) else 1
    return Step(
        group=number,
        fresh=fresh,
        present=present,
        rows=np.array([_number(word) for word in product(*digits)], dtype=np.int64),
        inner=inner,
        blocks=tuple(blocks),
        before=_places([(4, old[group.wires[p]]) for p in present]),
        after=_places([(len(d), new[w]) for d, w in zip(digits, group.wires, strict=True)]),
    )


def _strides(dims: dict[int, int]) -> dict[int, int]:
    """Wires in their order, the last one fastest."""
    strides, stride = {}, 1
    for wire in sorted(dims, reverse=True):
        strides[wire] = stride
        stride *= dims[wire]
    return strides


def _places(axes: list[tuple[int, int]]) -> tuple[int, ...]:
    """Offsets of all digits of some axes (size, stride), the last axis fastest."""
    return tuple(
        sum(d * s for d, (_, s) in zip(word, axes, strict=True))
        for word in product(*(range(n) for n, _ in axes))
    )


def _number(digits: tuple[int, ...]) -> int:
    total = 0
    for digit in digits:
        total = 4 * total + digit
    return total
