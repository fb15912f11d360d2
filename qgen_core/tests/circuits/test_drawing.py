"""Text drawings: what they show, in which order, and how they wrap."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from circuits_random import IDLE, random_circuit

from qgen_core.ansatze.brick import brick
from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.draw import draw, placed
from qgen_core.circuits.svg import svg


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


@pytest.mark.parametrize("seed", range(4))
def test_no_two_instructions_of_a_drawing_overlap(seed: int) -> None:
    circuit = random_circuit(np.random.default_rng(seed), 5, 60)
    taken: set[tuple[int, int]] = set()
    for one in placed(circuit):
        cells = {(one.column, wire) for wire in one.span}
        assert not cells & taken
        taken |= cells
    for wire in range(circuit.num_wires):  # and each wire keeps its order
        columns = [one.column for one in placed(circuit) if wire in one.instruction.wires]
        assert columns == sorted(columns)


def test_a_picture_holds_every_sign_and_breaks_its_rows() -> None:
    circuit = brick(4, layers=3)
    picture = svg(circuit, width=400)
    root = ElementTree.fromstring(picture)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    wires = [text for text in texts if text is not None and text.isdigit()]
    signs = [text for text in texts if text is not None and not text.isdigit()]
    gates = [gate for gate in circuit.gates if gate.angle is not None]
    assert len(signs) == len(gates)
    assert len(wires) > circuit.num_wires, "several rows"
    assert float(root.attrib["width"]) <= 400
    circles = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(circles) == 2 * circuit.counts["cx"]
