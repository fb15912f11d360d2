"""Circuits as text, one line a wire."""

from __future__ import annotations

from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, Instruction

_ENDS = {"cx": ("●", "⊕"), "cz": ("●", "●"), "swap": ("×", "×"), "ecr": ("ECR0", "ECR1")}


def draw(circuit: Circuit, *, width: int = 100) -> str:
    """The circuit as text, in blocks of at most ``width`` characters a line, time to the right.

    θ are parameters and x inputs. ● controls, ⊕ is the target of a CNOT, two × swap, and a
    two-wire rotation is written on both its wires; wires that a gate only crosses show ┼.
    Channels stand in brackets with their names. Gates share a column where they do not overlap.
    A single column wider than ``width`` stays whole.

    >>> from qgen_core.circuits.circuit import Circuit, Gate, given, param
    >>> print(draw(Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1)), Gate("rx", (1,), given(0))))))
    0: ─RY(θ0)─●────────
    1: ────────⊕─RX(x0)─
    """
    digits = len(str(circuit.num_wires - 1))
    names = [f"{wire:>{digits}}: ─" for wire in range(circuit.num_wires)]
    blocks, lines = [], list(names)
    for column in _columns(circuit):
        longest = max(map(len, column))
        if len(lines[0]) + longest + 1 > width and lines != names:
            blocks.append(lines)
            lines = list(names)
        lines = [f"{line}{cell:─<{longest}}─" for line, cell in zip(lines, column, strict=True)]
    return "\n\n".join("\n".join(block) for block in [*blocks, lines])


def _columns(circuit: Circuit) -> list[list[str]]:
    """Cells of each column, wire by wire; each instruction as far left as its span is free."""
    columns: list[list[str]] = []
    free = [0] * circuit.num_wires
    for instruction in circuit.instructions:
        span = range(min(instruction.wires), max(instruction.wires) + 1)
        at = max(free[wire] for wire in span)
        if at == len(columns):
            columns.append([""] * circuit.num_wires)
        for wire in span:
            columns[at][wire] = "┼"
            free[wire] = at + 1
        for wire, cell in zip(instruction.wires, _cells(instruction), strict=True):
            columns[at][wire] = cell
    return columns


def _cells(instruction: Instruction) -> tuple[str, ...]:
    """What stands on each wire of an instruction, in the order of its wires."""
    count = len(instruction.wires)
    if isinstance(instruction, Channel):
        parts = [""] if count == 1 else [f":{k}" for k in range(count)]
        return tuple(f"[{instruction.name}{part}]" for part in parts)
    if instruction.name in _ENDS:
        return _ENDS[instruction.name]
    label = _label(instruction)
    if instruction.name in ("crx", "cry", "crz"):
        return ("●", label[1:])
    return (label,) * count


def _label(gate: Gate) -> str:
    name = gate.name.upper()
    return name if gate.angle is None else f"{name}({_angle(gate.angle)})"


def _angle(angle: Angle) -> str:
    """For example ``-2θ3+0.50``, in radians."""
    if angle.source == "const":
        return _number(angle.offset)
    factor = {1.0: "", -1.0: "-"}.get(angle.scale, f"{angle.scale:.3g}")
    offset = _number(angle.offset)
    signed = "" if angle.offset == 0 else offset if angle.offset < 0 else f"+{offset}"
    return f"{factor}{'θ' if angle.source == 'param' else 'x'}{angle.index}{signed}"


def _number(value: float) -> str:
    """Two decimals, or one significant digit where those would read as zero."""
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.005 else f"{value:.0e}"
