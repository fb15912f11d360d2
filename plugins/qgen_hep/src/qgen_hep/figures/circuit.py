"""A circuit as a matplotlib figure."""

from __future__ import annotations

from typing import Any

from qgen_core import Circuit
from qgen_core.circuits.draw import CONTROL, SWAP, TARGET, Placed, Ruler, placed
from qgen_hep.figures.style import GUIDE, figure

#: Inches between two wires, between two columns, and before the first of them.
WIRE = 0.42
GAP = 0.16
NAMES = 0.45
#: The sizes along time, in inches.
RULER = Ruler(letter=0.085, box=0.14, least=0.3, gap=GAP, room=9.0)
BOX = "#e8eff8"
INK = "#22303f"


def circuit_figure(circuit: Circuit) -> Any:
    """The figure of a circuit, time to the right; what does not fit continues in a row below.

    >>> from qgen_core import Gate
    >>> circuit = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> len(circuit_figure(circuit).axes)
    1
    """
    instructions = placed(circuit)
    rows = RULER.rows(instructions)
    widest = max(row.length for row in rows)
    wires = circuit.num_wires
    drawn = figure(NAMES + widest + GAP, WIRE * (wires + 0.5) * len(rows), layout="none")
    parts = drawn.subplots(len(rows), squeeze=False).ravel()
    drawn.subplots_adjust(left=0, right=1, bottom=0, top=1, hspace=0)
    for axes, row in zip(parts, rows, strict=True):
        axes.set_axis_off()
        axes.set_xlim(-NAMES, widest + GAP)
        axes.set_ylim(WIRE * (wires - 0.25), -0.75 * WIRE)
        for wire in range(wires):
            axes.plot([-GAP, row.length], [WIRE * wire] * 2, color=GUIDE, lw=1, zorder=0)
            axes.text(-1.5 * GAP, WIRE * wire, str(wire), ha="right", va="center", color=INK)
        for one in instructions:
            if one.column in row.centres:
                _draw(axes, one, row.centres[one.column])
    return drawn


def _draw(axes: Any, one: Placed, x: float) -> None:
    places = [WIRE * wire for wire in one.instruction.wires]
    if len(places) > 1:
        axes.plot([x, x], [min(places), max(places)], color=INK, lw=1, zorder=1)
    for y, cell in zip(places, one.cells, strict=True):
        if cell == CONTROL:
            axes.plot(x, y, "o", ms=6, color=INK, zorder=2)
        elif cell == TARGET:
            axes.plot(x, y, "o", ms=12, mfc="white", mec=INK, zorder=2)
            axes.plot(x, y, "+", ms=12, color=INK, zorder=3)
        elif cell == SWAP:
            axes.plot(x, y, "x", ms=9, color=INK, zorder=2)
        else:
            box = {"boxstyle": "round,pad=0.25", "facecolor": BOX, "edgecolor": INK}
            axes.text(x, y, cell, ha="center", va="center", color=INK, fontsize=9, bbox=box)
