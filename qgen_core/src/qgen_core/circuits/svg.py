"""Circuits as SVG pictures, in rows that a page can hold."""

from __future__ import annotations

import html
from collections.abc import Iterator

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.draw import CONTROL, SWAP, TARGET, Placed, Ruler, placed

#: Pixels between two wires, of half a box, and of a letter.
WIRE = 34
HALF = 12
LETTER = 7.2
#: Pixels between two columns, around a row of columns, and before the first one.
GAP = 10
RIM = 16
NAMES = 26
INK = "#22303f"
BOX = "#e8eff8"


def svg(circuit: Circuit, *, width: int = 960) -> str:
    """The circuit as an SVG picture at most ``width`` pixels wide, time to the right.

    Signs are those of :func:`~qgen_core.circuits.draw.draw`. What does not fit into the width
    continues in a row of wires below.

    >>> from qgen_core.circuits.circuit import Circuit, Gate, param
    >>> picture = svg(Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1)))))
    >>> picture[:4], "RY(θ0)" in picture
    ('<svg', True)
    """
    instructions = placed(circuit)
    start = RIM + NAMES
    ruler = Ruler(LETTER, box=10, least=2 * HALF, gap=GAP, room=width - start - RIM)
    rows = ruler.rows(instructions)
    height_of_row = WIRE * circuit.num_wires
    shapes: list[str] = []
    for number, row in enumerate(rows):
        top = RIM + number * (height_of_row + RIM)
        shapes += _wires(circuit.num_wires, top, start + row.length)
        for one in instructions:
            if one.column in row.centres:
                shapes += _drawn(one, start + row.centres[one.column], top)
    widest = start + max(row.length for row in rows)
    height = RIM + len(rows) * (height_of_row + RIM)
    size = f'width="{widest + RIM:.0f}" height="{height}"'
    view = f'viewBox="0 0 {widest + RIM:.0f} {height}"'
    title = f"Circuit of {circuit.num_wires} wires and {len(instructions)} operations"
    style = f'font-family="sans-serif" font-size="12" fill="{INK}" stroke="none"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" {size} {view} '
        f"{style}>{''.join(shapes)}</svg>"
    )


def _wires(number: int, top: float, end: float) -> Iterator[str]:
    for wire in range(number):
        y = top + (wire + 0.5) * WIRE
        yield _text(RIM, y, str(wire), anchor="start")
        yield _line(RIM + NAMES - GAP, y, end, y)


def _drawn(one: Placed, x: float, top: float) -> Iterator[str]:
    """A line that joins the wires of an instruction, and its sign on each of them."""
    places = [top + (wire + 0.5) * WIRE for wire in one.instruction.wires]
    if len(places) > 1:
        yield _line(x, min(places), x, max(places))
    for y, cell in zip(places, one.cells, strict=True):
        yield from _sign(x, y, cell)


def _sign(x: float, y: float, cell: str) -> Iterator[str]:
    if cell == CONTROL:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        return
    if cell == TARGET:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="white" stroke="{INK}"/>'
        yield _line(x - 9, y, x + 9, y)
        yield _line(x, y - 9, x, y + 9)
        return
    if cell == SWAP:
        yield _line(x - 6, y - 6, x + 6, y + 6)
        yield _line(x - 6, y + 6, x + 6, y - 6)
        return
    half = max(HALF, len(cell) * LETTER / 2 + 4)
    yield (
        f'<rect x="{x - half:.1f}" y="{y - HALF:.1f}" width="{2 * half:.1f}" '
        f'height="{2 * HALF}" rx="3" fill="{BOX}" stroke="{INK}"/>'
    )
    yield _text(x, y, cell, anchor="middle")


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{INK}"/>'


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{html.escape(text)}</text>"
