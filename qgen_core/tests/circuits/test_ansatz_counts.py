"""Parameter counts of the papers, entanglers, labels and messages of every ansatz."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from qgen_core.ansatze.brick import brick
from qgen_core.ansatze.chow_liu import chow_liu
from qgen_core.ansatze.copula import copula
from qgen_core.ansatze.hardware_efficient import hardware_efficient
from qgen_core.ansatze.ising import ising
from qgen_core.ansatze.mera_up import mera_up
from qgen_core.ansatze.qag_chain import qag_chain
from qgen_core.ansatze.strongly_entangling import strongly_entangling
from qgen_core.ansatze.tree import tree
from qgen_core.circuits.circuit import Circuit, Gate, Label
from qgen_core.errors import BadCircuit, BadOption
from qgen_core.events import Events

BITS = Events(np.random.default_rng(0).integers(0, 2, size=(50, 9)))

CIRCUITS: dict[str, Circuit] = {
    "brick": brick(8),
    "brick-odd": brick(5, layers=2),
    "brick-1": brick(1, layers=2),
    "brick-2": brick(2, layers=3),
    "brick-ghz": brick(6, layers=2, start="ghz", inputs=2),
    "tree": tree(8),
    "tree-path": tree(6, block=3, shape="path", inputs=1),
    "ising": ising(12, registers=(4, 4, 4)),
    "ising-uneven": ising(6, registers=(3, 1, 2), layers=2, inputs=1),
    "copula": copula(8, registers=(4, 4)),
    "copula-1": copula(3, registers=(1, 1, 1), layers=2),
    "chow-liu": chow_liu(9, data=BITS),
    "hardware-efficient": hardware_efficient(6, start="bell", inputs=3),
    "strongly-entangling": strongly_entangling(5, layers=4),
    "qag-chain": qag_chain(8, inputs=8),
    "mera-up": mera_up(8, inputs=8),
}


def pairs(circuit: Circuit, name: str = "cx") -> list[tuple[int, ...]]:
    return [gate.wires for gate in circuit.gates if gate.name == name]


def without_angles(circuit: Circuit) -> list[tuple[str, tuple[int, ...]]]:
    return [(gate.name, gate.wires) for gate in circuit.gates]


@pytest.mark.parametrize(("layers", "count"), [(1, 66), (3, 150), (6, 276), (9, 402)])
def test_brick_counts_of_the_paper_at_8_wires(layers: int, count: int) -> None:
    assert brick(8, layers=layers).num_params == count


@pytest.mark.parametrize(("wires", "layers"), [(3, 1), (5, 2), (7, 6), (1, 4), (9, 3)])
def test_brick_counts_at_odd_wires(wires: int, layers: int) -> None:
    assert brick(wires, layers=layers).num_params == 3 * layers * (2 * wires - 1) + 3 * wires


@pytest.mark.parametrize(("wires", "layers"), [(2, 1), (4, 3), (6, 2), (10, 6)])
def test_brick_counts_at_even_wires(wires: int, layers: int) -> None:
    assert brick(wires, layers=layers).num_params == 3 * layers * (2 * wires - 2) + 3 * wires


def test_brick_of_twelve_wires_has_432_parameters_and_66_cnots() -> None:
    assert brick(12).num_params == 432
    assert (brick(8).counts["cx"], brick(12).counts["cx"]) == (42, 66)


@pytest.mark.parametrize(("layers", "count"), [(2, 72), (6, 168), (12, 312), (18, 456)])
def test_tree_counts_of_the_paper_at_8_wires(layers: int, count: int) -> None:
    assert tree(8, layers=layers).num_params == count


def test_tree_of_twelve_wires_has_468_parameters_and_108_cnots() -> None:
    assert tree(12).num_params == 468
    assert (tree(8).counts["cx"], tree(12).counts["cx"]) == (72, 108)


@pytest.mark.parametrize(
    ("circuit", "count"),
    [
        (ising(12, registers=(4, 4, 4)), 42),
        (ising(12, registers=(4, 4, 4), layers=3), 126),
        (ising(5), 20),
        (copula(8, registers=(4, 4)), 36),
        (copula(9, registers=(3, 3, 3), layers=2), 2 * (27 + 9)),
        (chow_liu(9, data=BITS), 279),
        (hardware_efficient(6, layers=6, start="plus"), 84),
        (strongly_entangling(7, layers=2), 42),
        (qag_chain(8, inputs=8), 24),
        (mera_up(8), 22),
        (mera_up(2), 2),
    ],
)
def test_other_counts(circuit: Circuit, count: int) -> None:
    assert circuit.num_params == count


@pytest.mark.parametrize("name", sorted(CIRCUITS))
def test_every_parameter_has_a_label_of_its_own_that_tells_the_truth(name: str) -> None:
    circuit = CIRCUITS[name]
    used = [g for g in circuit.gates if g.angle is not None and g.angle.source == "param"]
    assert [g.angle.index for g in used if g.angle] == list(
        range(circuit.num_params)
    )  # each once, in order
    assert len(circuit.labels) == circuit.num_params == len(set(circuit.labels))
    layers = [label.layer for label in circuit.labels]
    assert layers == sorted(layers) and set(layers) == set(range(max(layers) + 1))
    for gate, label in zip(used, circuit.labels, strict=True):
        assert label.wire == gate.wires[0]
        if len(gate.wires) == 2:
            assert label.angle == gate.wires[1] - gate.wires[0] - 1
        assert label.angle >= 0


@pytest.mark.parametrize("name", sorted(CIRCUITS))
def test_within_one_layer_and_angle_type_gates_touch_each_wire_once(name: str) -> None:
    # so a coordinate search may move all of them at once without changing what a gate is
    circuit = CIRCUITS[name]
    names: dict[tuple[int, int], set[str]] = {}
    used = [g for g in circuit.gates if g.angle is not None and g.angle.source == "param"]
    for gate, label in zip(used, circuit.labels, strict=True):
        names.setdefault((label.layer, label.angle), set()).add(gate.name)
    assert all(len(kinds) == 1 for kinds in names.values())


def test_a_tree_has_one_label_layer_more_than_layers() -> None:
    # 3 (12 + 1) = 39 iterations of coordinate descent (docs/readings.md)
    assert len({(label.layer, label.angle) for label in tree(8).labels}) == 39
    assert brick(4, layers=1).labels[:4] == (
        Label(0, 0, 0),
        Label(0, 0, 1),
        Label(0, 0, 2),
        Label(0, 1, 0),
    )


def test_brick_is_laid_as_the_paper_says() -> None:
    circuit = brick(5, layers=1)
    assert pairs(circuit) == [(0, 1), (2, 3), (1, 2), (3, 4)]

    def rot(wires: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
        return [(g, (w,)) for w in wires for g in ("rz", "ry", "rz")]

    assert without_angles(circuit) == [
        *rot(range(5)), ("cx", (0, 1)), ("cx", (2, 3)),
        *rot(range(1, 5)), ("cx", (1, 2)), ("cx", (3, 4)),
        *rot(range(5)),
    ]  # fmt: skip
    even = without_angles(brick(4, layers=1))
    assert even[14:20] == rot([1, 2]) and even[20] == ("cx", (1, 2))


def test_trees_stay_in_their_blocks() -> None:
    assert pairs(tree(8, layers=1)) == [(1, 0), (1, 2), (1, 3), (5, 4), (5, 6), (5, 7)]
    assert pairs(tree(8, layers=1, shape="path")) == [
        (0, 1),
        (1, 2),
        (2, 3),
        (4, 5),
        (5, 6),
        (6, 7),
    ]
    assert pairs(tree(6, layers=1, block=3)) == [(1, 0), (1, 2), (4, 3), (4, 5)]
    assert pairs(tree(4, layers=1, block=2)) == [(1, 0), (3, 2)]


def test_ising_registers_are_joined_by_their_first_wires_only() -> None:
    circuit = ising(6, registers=(3, 1, 2), layers=2)
    assert without_angles(circuit)[:3] == [("h", (0,)), ("cx", (0, 3)), ("cx", (0, 4))]
    assert pairs(circuit, "rzz") == [(0, 1), (0, 2), (1, 2), (4, 5)] * 2
    assert circuit.counts["cx"] == 2
    assert circuit.gates[-1].name == "rx"


def test_strongly_entangling_ranges_follow_pennylane() -> None:
    circuit = strongly_entangling(3, layers=3)
    assert pairs(circuit) == [
        (0, 1),
        (1, 2),
        (2, 0),
        (0, 2),
        (1, 0),
        (2, 1),
        (0, 1),
        (1, 2),
        (2, 0),
    ]
    assert pairs(strongly_entangling(4, layers=1, ranges=(3,))) == [(0, 3), (1, 0), (2, 1), (3, 2)]
    assert pairs(strongly_entangling(1, layers=2)) == []
    assert pairs(strongly_entangling(2, layers=1)) == [(0, 1), (1, 0)]


def test_mera_goes_from_far_pairs_to_neighbours() -> None:
    assert pairs(mera_up(8)) == [
        (0, 4), (0, 2), (4, 6), (2, 4), (0, 1), (2, 3), (4, 5), (6, 7), (1, 2), (3, 4), (5, 6)
    ]  # fmt: skip


def test_chains() -> None:
    assert pairs(qag_chain(4, layers=1)) == [(0, 1), (1, 2), (2, 3)]
    assert pairs(hardware_efficient(3, layers=2)) == [(0, 1), (1, 2)] * 2


@pytest.mark.parametrize("build", [brick, ising, hardware_efficient, strongly_entangling, tree])
def test_inputs_come_before_every_layer_or_once(build: Callable[..., Circuit]) -> None:
    often, once = build(4, inputs=3, layers=3), build(4, inputs=3, layers=3, reupload=False)
    for circuit, times in ((often, 3), (once, 1)):
        assert circuit.num_inputs == 3
        encoding = [g for g in circuit.gates if g.angle is not None and g.angle.source == "input"]
        assert [(g.name, g.wires, g.angle.index if g.angle else -1) for g in encoding] == [
            ("rx", (w,), w % 3) for w in range(4)
        ] * times
        positions = [k for k, g in enumerate(circuit.gates) if g in encoding]
        first = next(
            k
            for k, g in enumerate(circuit.gates)
            if g.angle is not None and g.angle.source == "param"
        )
        assert positions[3] < first
    plain = build(4, layers=3)
    assert plain.num_inputs == 0
    rest = tuple(g for g in often.gates if g.angle is None or g.angle.source == "param")
    assert rest == plain.gates and often.labels == plain.labels


def test_generators_of_angles_start_with_ry_of_their_inputs() -> None:
    for circuit in (qag_chain(8, inputs=8), mera_up(8, inputs=8)):
        assert [(g.name, g.wires, g.angle) for g in circuit.gates[:8]] == [
            ("ry", (w,), Gate("ry", (w,), circuit.gates[w].angle).angle) for w in range(8)
        ]
        assert [g.angle.index for g in circuit.gates[:8] if g.angle] == list(range(8))
        assert sum(g.angle is not None and g.angle.source == "input" for g in circuit.gates) == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: brick(5, start="bell"),
            "'bell' groups wires by 2, which does not divide 5; take 6 wires",
        ),
        (
            lambda: tree(8, start="ghz"),
            "'ghz' groups wires by 3, which does not divide 8; take 9 wires",
        ),
        (lambda: tree(10), "10 wires do not make blocks of 4; set block to one of 2, 5, 10"),
        (lambda: tree(4, block=1), "4 wires do not make blocks of 1; set block to one of 2, 4"),
        (lambda: brick(2, inputs=3), "2 wires cannot take 3 inputs"),
        (lambda: qag_chain(2, inputs=3), "2 wires cannot take 3 inputs"),
        (lambda: ising(5, registers=(2, 2)), r"registers \(2, 2\) do not add up to 5 wires"),
        (
            lambda: ising(2, registers=(2, 0)),
            "do not add up to 2 wires; give each feature one or more bits",
        ),
        (lambda: copula(4), r"two or more registers of equal width, not \(4,\)"),
        (
            lambda: copula(5, registers=(2, 3)),
            r"equal width, not \(2, 3\); give every feature the same number",
        ),
        (lambda: mera_up(6), "wires are 2, 4, 8, 16, ..., not 6"),
        (lambda: mera_up(1), "wires are 2, 4, 8, 16, ..., not 1"),
        (lambda: brick(0), "at least one wire"),
    ],
)
def test_shapes_that_do_not_fit(make: Callable[[], Circuit], message: str) -> None:
    with pytest.raises(BadCircuit, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: brick(4, start="cat"), "start is one of zero, bell, ghz, plus, not 'cat'"),  # type: ignore[arg-type]
        (lambda: tree(4, shape="ring"), "shape is star or path, not 'ring'"),  # type: ignore[arg-type]
        (
            lambda: strongly_entangling(3, layers=2, ranges=(1,)),
            r"2 numbers from 1 to 2, one a layer, not \[1\]",
        ),
        (
            lambda: strongly_entangling(3, layers=1, ranges=(3,)),
            r"1 numbers from 1 to 2, one a layer, not \[3\]",
        ),
        (lambda: chow_liu(9), "give it data"),
        (lambda: chow_liu(9, data=BITS.take(np.arange(0))), "give it data"),
        (lambda: chow_liu(8, data=BITS), "8 wires needs data of 8 bits, not 9 columns from 0 to 1"),
        (
            lambda: chow_liu(1, data=Events(np.array([[1], [-1]]))),
            "1 bits, not 1 columns from -1 to 1",
        ),
    ],
)
def test_options_that_do_not_fit(make: Callable[[], Circuit], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        make()


@pytest.mark.parametrize(
    "build", [brick, tree, ising, hardware_efficient, strongly_entangling, qag_chain]
)
def test_no_layers_are_refused(build: Callable[..., Circuit]) -> None:
    with pytest.raises(BadOption, match="layers must be at least 1, not 0"):
        build(4, layers=0)
    with pytest.raises(BadOption, match="layers must be at least 1, not 0"):
        copula(4, registers=(2, 2), layers=0)
