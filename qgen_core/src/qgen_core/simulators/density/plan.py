"""Packing the instructions of a circuit into few passes over the density matrix.

A *group* is a run of instructions on the same wires that becomes one matrix: a two-wire gate or
channel with everything around it that touches no third wire. One-wire instructions at the start of
a wire belong to its *start*, which prepares the four coefficients of its own state.

The state holds only what is needed. A wire enters with its first group, and after its last group it
keeps only the coefficients that the measure reads (I and Z for probabilities, I alone for a wire
that no word touches). So neither what lies outside the light cone of a measure nor the product
state at the start costs anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod

import numpy as np

from qgen_core.circuits.circuit import Channel, Circuit, Instruction
from qgen_core.errors import Unsupported
from qgen_core.simulators.density.layout import NO_ANGLE
from qgen_core.simulators.density.pauli import gate_terms, on_all, transfer_matrix
from qgen_core.typing import Floats, Ints

#: The most wires of a channel. Its matrix is 1024 x 1024 at 5, which is already a poor way to write
#: it.
WIDEST = 5
#: The digits that the measure reads, for each wire.
Kept = tuple[tuple[int, ...], ...]
ALL_DIGITS = (0, 1, 2, 3)


@dataclass
class Factor:
    """A matrix on some wires of a group, given by their positions in it.

    It is a sum of ``terms`` whose coefficients are functions of the angle in ``column`` (NO_ANGLE:
    one term and no angle). If there is a ``run``, it is the matrix of that group: consecutive
    one-wire instructions are multiplied as small matrices first.
    """

    positions: tuple[int, ...]
    terms: Floats
    column: int
    run: FusedGroup | None = None


@dataclass
class FusedGroup:
    """Instructions that become one matrix (4^w, 4^w), as its factors.

    A *start* of a wire becomes what that matrix makes of |0>, a single column.
    """

    wires: tuple[int, ...]
    factors: list[Factor] = field(default_factory=list)
    is_start: bool = False

    @property
    def size(self) -> int:
        """Rows of the matrix."""
        return int(4 ** len(self.wires))

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        if self.is_start:
            return 1
        return self.size

    @property
    def columns(self) -> list[int]:
        """The columns of the angles that the matrix depends on."""
        own = [factor.column for factor in self.factors if factor.column >= 0]
        for factor in self.factors:
            if factor.run is not None:
                own += factor.run.columns
        return own

    def add(self, positions: tuple[int, ...], terms: Floats, column: int) -> None:
        """Append a matrix; neighbouring matrices without an angle are multiplied at once."""
        last = self._last_factor_on(positions)
        if len(positions) == 1 < len(self.wires):
            if last is None or last.run is None:
                run = FusedGroup((self.wires[positions[0]],))
                last = Factor(positions, np.empty((0, 4, 4)), NO_ANGLE, run)
                self.factors.append(last)
            assert last.run is not None
            last.run.add((0,), terms, column)
            return
        everywhere = tuple(range(len(self.wires)))
        if positions != everywhere:
            terms = on_all(terms, positions, len(self.wires))
        if last is not None and last.run is None and max(last.column, column) < 0:
            last.terms = terms @ last.terms
        else:
            self.factors.append(Factor(everywhere, terms, column))

    def _last_factor_on(self, positions: tuple[int, ...]) -> Factor | None:
        """The last factor that acts on one of these positions."""
        for factor in reversed(self.factors):
            if set(factor.positions) & set(positions):
                return factor
        return None


@dataclass(frozen=True, eq=False)
class DensityPass:
    """A pass over the state: the matrix of a group applied to its wires.

    - ``group``: the number of the group.
    - ``fresh`` and ``present``: positions of the group's wires that enter, and of those in the
      state.
    - ``rows``: the digits of the group that are kept after it.
    - ``blocks``: the other coefficients, as loops (size, stride before, stride after); the
      innermost loop is over ``inner`` neighbours instead.
    - ``before`` and ``after``: offsets of the coefficients of the group's wires.
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
    def uses_group_matrix(self) -> bool:
        """Whether its matrix is that of its group, with no wires that enter or leave."""
        return not self.fresh and len(self.rows) == 4 ** len(self.present)


@dataclass(frozen=True, eq=False)
class DensityPlan:
    """Starts by wire, runs, groups, one pass per group, and the sizes of the S + 1 states."""

    starts: tuple[FusedGroup, ...]
    runs: tuple[FusedGroup, ...]
    groups: tuple[FusedGroup, ...]
    passes: tuple[DensityPass, ...]
    sizes: tuple[int, ...]
    kept: Kept
    num_angles: int

    @property
    def all_groups(self) -> tuple[FusedGroup, ...]:
        """Starts, runs and groups; runs come before the groups that contain them."""
        return (*self.starts, *self.runs, *self.groups)

    @cached_property
    def matrix_entries(self) -> int:
        """Entries of all matrices for one row of angles."""
        total = sum(group.size * group.width for group in self.all_groups)
        for one in self.passes:
            if not one.uses_group_matrix:
                total += len(one.before) * len(one.after)
        return total


def make_plan(circuit: Circuit, kept: Kept) -> DensityPlan:
    """The plan of a circuit whose measure reads these digits.

    Raises Unsupported for a gate or channel on more than ``WIDEST`` wires.
    """
    starts, groups = _grouped(circuit)
    last_group: dict[int, int] = {}
    for number, group in enumerate(groups):
        for wire in group.wires:
            last_group[wire] = number
    dims: dict[int, int] = {}
    passes = []
    sizes = [1]
    for number, group in enumerate(groups):
        after = dict(dims)
        for wire in group.wires:
            if last_group[wire] == number:
                after[wire] = len(kept[wire])
            else:
                after[wire] = 4
        passes.append(_pass_of(number, group, dims, after, kept))
        dims = after
        sizes.append(prod(dims.values()))
    runs = []
    for group in groups:
        runs += [factor.run for factor in group.factors if factor.run is not None]
    return DensityPlan(
        tuple(starts),
        tuple(runs),
        tuple(groups),
        tuple(passes),
        tuple(sizes),
        kept,
        circuit.num_angles,
    )


def _grouped(circuit: Circuit) -> tuple[list[FusedGroup], list[FusedGroup]]:
    """The starts by wire, and the groups in the order in which they can be applied."""
    starts = [FusedGroup((wire,), is_start=True) for wire in range(circuit.num_wires)]
    groups: list[FusedGroup] = []
    latest: dict[int, FusedGroup] = {}
    column = 0
    for instruction in circuit.instructions:
        terms, has_angle = _terms(instruction)
        wires = instruction.wires
        touched = [latest.get(wire) for wire in wires]
        first = touched[0]
        if len(wires) == 1:
            group = first or starts[wires[0]]
        elif first is not None and all(other is first for other in touched):
            group = first
        else:
            group = FusedGroup(tuple(sorted(wires)))
            groups.append(group)
            latest.update(dict.fromkeys(wires, group))
        positions = tuple(group.wires.index(wire) for wire in wires)
        if has_angle:
            group.add(positions, terms, column)
            column += 1
        else:
            group.add(positions, terms, NO_ANGLE)
    for wire in range(circuit.num_wires):
        if wire not in latest:
            groups.append(FusedGroup((wire,)))
    return starts, groups


def _terms(instruction: Instruction) -> tuple[Floats, bool]:
    """The matrix of an instruction as a sum of terms, and whether it has an angle."""
    if len(instruction.wires) > WIDEST:
        what = "channel" if isinstance(instruction, Channel) else "gate"
        raise Unsupported(
            f"the {what} {instruction.name!r} acts on {len(instruction.wires)} wires; density "
            f"supports {what}s on at most {WIDEST} wires, so write it as several"
        )
    if isinstance(instruction, Channel):
        return transfer_matrix(instruction.kraus)[None], False
    return gate_terms(instruction.spec), instruction.angle is not None


def _pass_of(
    number: int, group: FusedGroup, before: dict[int, int], after: dict[int, int], kept: Kept
) -> DensityPass:
    """The pass of a group.

    ``before`` and ``after``: how many coefficients each wire of the state has.
    """
    strides_before = _strides(before)
    strides_after = _strides(after)
    fresh = tuple(p for p, wire in enumerate(group.wires) if wire not in before)
    present = tuple(p for p, wire in enumerate(group.wires) if wire in before)
    digits = []
    for wire in group.wires:
        if after[wire] < 4:
            digits.append(kept[wire])
        else:
            digits.append(ALL_DIGITS)
    blocks: list[tuple[int, int, int]] = []
    for wire in sorted(before):
        if wire in group.wires or before[wire] == 1:
            continue
        size = before[wire]
        stride_before = strides_before[wire]
        stride_after = strides_after[wire]
        if blocks and blocks[-1][1:] == (size * stride_before, size * stride_after):
            size *= blocks.pop()[0]  # the outer loop continues this one without a gap
        blocks.append((size, stride_before, stride_after))
    inner = 1
    if blocks and blocks[-1][1:] == (1, 1):
        inner = blocks.pop()[0]
    axes_before = [(4, strides_before[group.wires[p]]) for p in present]
    axes_after = []
    for of_wire, wire in zip(digits, group.wires, strict=True):
        axes_after.append((len(of_wire), strides_after[wire]))
    return DensityPass(
        group=number,
        fresh=fresh,
        present=present,
        rows=np.array([_number(word) for word in product(*digits)], dtype=np.int64),
        inner=inner,
        blocks=tuple(blocks),
        before=_offsets(axes_before),
        after=_offsets(axes_after),
    )


def _strides(dims: dict[int, int]) -> dict[int, int]:
    """Strides of wires in their order, the last one fastest."""
    strides = {}
    stride = 1
    for wire in sorted(dims, reverse=True):
        strides[wire] = stride
        stride *= dims[wire]
    return strides


def _offsets(axes: list[tuple[int, int]]) -> tuple[int, ...]:
    """Offsets of all entries along some axes (size, stride), the last axis fastest."""
    offsets = [0]
    for size, stride in axes:
        longer = []
        for offset in offsets:
            longer += [offset + digit * stride for digit in range(size)]
        offsets = longer
    return tuple(offsets)


def _number(digits: tuple[int, ...]) -> int:
    """The number with these digits in base 4."""
    total = 0
    for digit in digits:
        total = 4 * total + digit
    return total
