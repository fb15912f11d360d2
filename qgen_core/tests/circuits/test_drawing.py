"""Text drawings: what they show, in which order, and how they wrap."""

from __future__ import annotations

import re

import numpy as np
import pytest
from circuits_random import IDLE, random_circuit

from qgen_core.ansatze.brick import brick
from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.draw import draw


def test_bell_pair_and_angles() -> None:
    circuit = Circuit(
        2,
        (
            Gate("h", (0,)),
            Gate("cx", (0, 1)),
            Gate("ry", (0,), param(3)),
            Gate("rx", (1,), given(0)),
            Gate("rz", (1,), const(0.5)),
        ),
    )
    assert draw(circuit) == "0: ─H─●─RY(θ3)──────────\n1: ───⊕─RX(x0)─RZ(0.50)─"


@pytest.mark.parametrize(
    ("angle", "text"),
    [
        (param(3), "θ3"),
        (param(0, -1.0), "-θ0"),
        (param(12, 2.0, 0.5), "2θ12+0.50"),
        (given(1, 0.25, -1.0), "0.25x1-1.00"),
        (const(0.0), "0.00"),
        (const(-np.pi), "-3.14"),
        (const(1e-4), "1e-04"),
        (param(0, 1.0, 0.001), "θ0+1e-03"),
    ],
)
def test_angles_are_readable(angle: object, text: str) -> None:
    assert draw(Circuit(1, (Gate("rx", (0,), angle),))) == f"0: ─RX({text})─"  # type: ignore[arg-type]


def test_two_wire_gates_and_crossed_wires() -> None:
    circuit = Circuit(
        3,
        (
            Gate("cx", (2, 0)),
            Gate("cz", (0, 1)),
            Gate("swap", (1, 2)),
            Gate("crx", (0, 1), param(0)),
            Gate("rzz", (0, 2), param(1)),
            Gate("ecr", (1, 0)),
        ),
    )
    lines = draw(circuit).split("\n")
    assert lines == [
        "0: ─⊕─●───●──────RZZ(θ1)─ECR1─",
        "1: ─┼─●─×─RX(θ0)─┼───────ECR0─",
        "2: ─●───×────────RZZ(θ1)──────",
    ]


def test_channels_are_named() -> None:
    one, two = (
        Channel(IDLE, (0,), "damping"),
        Channel(np.eye(4, dtype=complex)[None], (1, 0), "pair"),
    )
    assert draw(Circuit(2, (one, two))) == "0: ─[damping]─[pair:1]─\n1: ───────────[pair:0]─"


def test_gates_share_a_column_where_they_do_not_overlap() -> None:
    circuit = Circuit(4, (Gate("h", (0,)), Gate("x", (1,)), Gate("cx", (2, 3)), Gate("y", (0,))))
    assert draw(circuit).split("\n")[0] == "0: ─H─Y─"
    crossing = Circuit(3, (Gate("cx", (0, 2)), Gate("h", (1,))))
    assert draw(crossing).split("\n")[1] == "1: ─┼─H─"


def test_empty_circuits_and_idle_wires() -> None:
    assert draw(Circuit(2, ())) == "0: ─\n1: ─"
    assert draw(Circuit(11, (Gate("h", (10,)),))).split("\n")[0] == " 0: ───"


@pytest.mark.parametrize("width", [20, 60, 100])
def test_lines_wrap_at_the_width(width: int) -> None:
    circuit = brick(5, layers=2, start="plus", inputs=2)
    blocks = draw(circuit, width=width).split("\n\n")
    assert len(blocks) > 1
    for block in blocks:
        lines = block.split("\n")
        assert len(lines) == 5 and len({len(line) for line in lines}) == 1
        assert len(lines[0]) <= width
        assert [line[:3] for line in lines] == [f"{w}: " for w in range(5)]


def test_the_default_width_is_100_columns() -> None:
    lines = draw(brick(4, layers=6)).split("\n")
    assert 90 < max(map(len, lines)) <= 100


def test_a_column_wider_than_the_width_stays_whole() -> None:
    circuit = Circuit(1, (Gate("h", (0,)), Gate("rx", (0,), param(123)), Gate("h", (0,))))
    assert draw(circuit, width=8).split("\n\n") == ["0: ─H─", "0: ─RX(θ123)─", "0: ─H─"]


@pytest.mark.parametrize("seed", range(5))
def test_every_gate_is_drawn_once_and_in_its_order_on_each_wire(seed: int) -> None:
    circuit = random_circuit(np.random.default_rng(seed), 4, 40)
    joined = [""] * 4
    for block in draw(circuit).split("\n\n"):
        for wire, line in enumerate(block.split("\n")):
            joined[wire] += line[4:]
    for wire, line in enumerate(joined):
        drawn = [cell for cell in re.split("─+", line) if cell and cell != "┼"]
        acting = [g for g in circuit.gates if wire in g.wires]
        assert len(drawn) == len(acting)
        for cell, gate in zip(drawn, acting, strict=True):
            marks = {"cx": "●⊕", "cz": "●", "swap": "×"}.get(gate.name)
            if marks:
                assert cell == marks[min(gate.wires.index(wire), len(marks) - 1)]
            elif gate.name.startswith("cr") and wire == gate.wires[0]:
                assert cell == "●"
            else:
                name = gate.name[1:] if gate.name.startswith("cr") else gate.name
                assert re.match(rf"{name.upper()}(\d|\(.*\))?$", cell)
