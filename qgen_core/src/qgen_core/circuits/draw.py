"""Circuits as text, one line for each wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, Instruction

#: The symbol of a control, which shows no angle.
CONTROL = "●"
#: The symbol of the target of a CNOT.
TARGET = "⊕"
#: The symbol of each wire of a swap.
SWAP = "×"


def draw(circuit: Circuit, *, width: int = 100) -> str:
    """The circuit as text, time to the right, in blocks of lines of at most ``width`` characters.

    Parameters are θ and inputs x. ● is a control, ⊕ the target of a CNOT, and two × are a swap.
    Other gates show their name on each of their wires, numbered where the order of the wires
    matters; ┼ is a wire that a gate crosses without acting on it. Channels show their name in
    brackets. Gates that do not overlap share a column. A single column that is wider than ``width``
    is not broken.

    >>> from qgen_core.circuits.circuit import Circuit, Gate, given, param
    >>> gates = (Gate("ry", (0,), param(0)), Gate("cx", (0, 1)), Gate("rx", (1,), given(0)))
    >>> print(draw(Circuit(2, gates)))
    0: ─RY(θ0)─●────────
    1: ────────⊕─RX(x0)─
    """
    digits = len(str(circuit.num_wires - 1))
    names = [f"{wire:>{digits}}: ─" for wire in range(circuit.num_wires)]
    blocks = []
    lines = list(names)
    for column in _columns(circuit):
        longest = max(map(len, column))
        if len(lines[0]) + longest + 1 > width and lines != names:
            blocks.append("\n".join(lines))
            lines = list(names)
        lines = [f"{line}{cell:─<{longest}}─" for line, cell in zip(lines, column, strict=True)]
    blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


class Placed(NamedTuple):
    """An instruction in a drawing: its column, and the text on each of its wires.

    >>> from qgen_core.circuits.circuit import Gate
    >>> Placed(0, Gate("cx", (0, 2)), ("●", "⊕")).span
    range(0, 3)
    """

    column: int
    instruction: Instruction
    cells: tuple[str, ...]

    @property
    def span(self) -> range:
        """All wires from its first to its last one."""
        wires = self.instruction.wires
        return range(min(wires), max(wires) + 1)


def placed(circuit: Circuit) -> list[Placed]:
    """All instructions, each in the first column in which all wires that it spans are free.

    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(2, (Gate("h", (0,)), Gate("h", (1,)), Gate("cx", (0, 1))))
    >>> [(each.column, each.cells) for each in placed(circuit)]
    [(0, ('H',)), (0, ('H',)), (1, ('●', '⊕'))]
    """
    found = []
    free = [0] * circuit.num_wires
    for instruction in circuit.instructions:
        one = Placed(0, instruction, _cells(instruction))
        column = max(free[wire] for wire in one.span)
        for wire in one.span:
            free[wire] = column + 1
        found.append(one._replace(column=column))
    return found


class Row(NamedTuple):
    """A row of columns in a picture: where the middle of each is, and the length of all.

    >>> Row({0: 1.5}, 4.0).centres[0]
    1.5
    """

    centres: dict[int, float]
    length: float


class Ruler(NamedTuple):
    """The sizes of a picture of a circuit along time, in one unit of length.

    Args:
        letter: of a letter in a box.
        box: what a column needs beside the text of a box.
        least: the width of the narrowest column.
        gap: between two columns.
        room: the length of a row of columns, at most.

    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> ruler = Ruler(letter=1.0, box=2.0, least=3.0, gap=1.0, room=10.0)
    >>> circuit = Circuit(1, (Gate("h", (0,)),) * 3)
    >>> ruler.rows(placed(circuit))
    [Row(centres={0: 1.5, 1: 5.5}, length=8.0), Row(centres={2: 1.5}, length=4.0)]
    """

    letter: float
    box: float
    least: float
    gap: float
    room: float

    def rows(self, instructions: Sequence[Placed]) -> list[Row]:
        """The rows that the columns are broken into.

        A column that is wider than the room has a row of its own.
        """
        rows = [Row({}, 0.0)]
        for column, width in enumerate(self._widths(instructions)):
            row = rows[-1]
            if row.centres and row.length + width + self.gap > self.room:
                row = Row({}, 0.0)
                rows.append(row)
            row.centres[column] = row.length + width / 2
            rows[-1] = row._replace(length=row.length + width + self.gap)
        return rows

    def _widths(self, instructions: Sequence[Placed]) -> list[float]:
        """The width of each column, which its longest text needs."""
        number = max((one.column + 1 for one in instructions), default=0)
        widths = [self.least] * number
        for one in instructions:
            longest = max(len(cell) for cell in one.cells)
            widths[one.column] = max(widths[one.column], longest * self.letter + self.box)
        return widths


def _columns(circuit: Circuit) -> list[list[str]]:
    """The text on each wire (the cells) of each column."""
    instructions = placed(circuit)
    number = max((one.column + 1 for one in instructions), default=0)
    columns = [[""] * circuit.num_wires for _ in range(number)]
    for one in instructions:
        column = columns[one.column]
        for wire in one.span:
            column[wire] = "┼"
        for wire, cell in zip(one.instruction.wires, one.cells, strict=True):
            column[wire] = cell
    return columns


def _cells(instruction: Instruction) -> tuple[str, ...]:
    """The text on each wire of an instruction, in the order of its wires."""
    count = len(instruction.wires)
    if isinstance(instruction, Channel):
        if count == 1:
            return (f"[{instruction.name}]",)
        return _numbered(instruction.name, count, "[{}:{}]")
    angle = ""
    if instruction.angle is not None:
        angle = f"({_angle(instruction.angle)})"
    cells = []
    for symbol in _symbols(instruction):
        if symbol == CONTROL:
            cells.append(symbol)
        else:
            cells.append(f"{symbol}{angle}")
    return tuple(cells)


def _symbols(gate: Gate) -> tuple[str, ...]:
    """The symbols of the table if there are any, else the name.

    Names are numbered where the order of the wires matters.
    """
    if gate.spec.symbol:
        return gate.spec.symbol
    name = gate.name.upper()
    if gate.spec.symmetric:
        return (name,) * len(gate.wires)
    return _numbered(name, len(gate.wires), "{}{}")


def _numbered(name: str, count: int, pattern: str) -> tuple[str, ...]:
    """Texts made of a name and the numbers from 0."""
    return tuple(pattern.format(name, number) for number in range(count))


def _angle(angle: Angle) -> str:
    """For example ``-2θ3+0.50``, in radians."""
    if angle.source == "const":
        return _number(angle.offset)
    factor = {1.0: "", -1.0: "-"}.get(angle.scale, f"{angle.scale:.3g}")
    letter = {"param": "θ", "input": "x"}[angle.source]
    offset = ""
    if angle.offset != 0:
        offset = _number(angle.offset)
        if angle.offset > 0:
            offset = f"+{offset}"
    return f"{factor}{letter}{angle.index}{offset}"


def _number(value: float) -> str:
    """Two decimals, or one significant digit where those would read as zero."""
    if value == 0 or abs(value) >= 0.005:
        return f"{value:.2f}"
    return f"{value:.0e}"
