"""States of the ansatze: start states, conserved marginals, blocks, use of inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qgen_core.ansatze.blocks import ROT, Builder, Start
from qgen_core.ansatze.brick import brick
from qgen_core.ansatze.chow_liu import chow_liu
from qgen_core.ansatze.copula import copula
from qgen_core.ansatze.hardware_efficient import hardware_efficient
from qgen_core.ansatze.ising import ising
from qgen_core.ansatze.mera_up import mera_up
from qgen_core.ansatze.qag_chain import qag_chain
from qgen_core.ansatze.strongly_entangling import strongly_entangling
from qgen_core.ansatze.tree import tree
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Probabilities
from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.testing.reference import jacobian, kron, state
from qgen_core.typing import Floats

NONE = np.zeros(0)
ZERO, ONE = np.array([1, 0j]), np.array([0j, 1])
PLUS = (ZERO + ONE) / np.sqrt(2)
BELL = (kron([ZERO, ZERO]) + kron([ONE, ONE])) / np.sqrt(2)
GHZ = (kron([ZERO] * 3) + kron([ONE] * 3)) / np.sqrt(2)


def outcomes(circuit: Circuit, theta: Floats, x: Floats = NONE) -> Floats:
    """Exact probabilities with an axis of length 2 for each wire."""
    p = np.abs(state(circuit, circuit.bind(theta, x)[0])) ** 2
    return np.asarray(p.reshape((2,) * circuit.num_wires))


def prepared(name: Start, wires: int) -> Floats:
    build = Builder(wires)
    build.start(name)
    return np.asarray(state(build.circuit(), NONE))


def test_start_states_are_exact() -> None:
    np.testing.assert_array_equal(prepared("zero", 3), kron([ZERO] * 3))
    np.testing.assert_allclose(prepared("plus", 3), kron([PLUS] * 3), rtol=0, atol=1e-15)
    np.testing.assert_allclose(prepared("bell", 6), kron([BELL] * 3), rtol=0, atol=1e-15)
    np.testing.assert_allclose(prepared("ghz", 6), kron([GHZ] * 2), rtol=0, atol=1e-15)


def test_bell_pairs_are_neighbours_and_ghz_triples_follow_each_other() -> None:
    p = (np.abs(prepared("bell", 4)) ** 2).reshape(2, 2, 2, 2)
    assert p[0, 1].sum() + p[1, 0].sum() == 0  # wires 0 and 1 always agree
    np.testing.assert_allclose(
        p.sum(axis=(1, 3)), 0.25, atol=1e-15
    )  # wires 0 and 2 are independent
    q = (np.abs(prepared("ghz", 6)) ** 2).reshape((2,) * 6)
    where = {tuple(int(b) for b in bits) for bits in np.argwhere(q > 1e-12)}
    assert where == {(a, a, a, b, b, b) for a in (0, 1) for b in (0, 1)}


def test_rot_is_rz_phi_first_then_ry_then_rz_omega() -> None:
    build = Builder(1)
    build.rotations(ROT)
    phi, theta, omega = 0.3, 1.1, -0.8
    # PennyLane: Rot = [[e^{-i(phi+omega)/2} cos, -e^{i(phi-omega)/2} sin], [e^{-i(phi-omega)/2}
    # sin, ...]]
    expected = [
        np.exp(-0.5j * (phi + omega)) * np.cos(theta / 2),
        np.exp(-0.5j * (phi - omega)) * np.sin(theta / 2),
    ]
    circuit = build.circuit()
    np.testing.assert_allclose(
        state(circuit, circuit.bind([phi, theta, omega])[0]), expected, rtol=0, atol=1e-15
    )


def test_brick_of_zero_angles_is_its_cnots() -> None:
    circuit = brick(4, layers=1, start="bell")
    p = outcomes(circuit, np.zeros(circuit.num_params))
    # (a,a,b,b) -> CNOT(0,1), CNOT(2,3): (a,0,b,0) -> CNOT(1,2): the same
    for a in (0, 1):
        for b in (0, 1):
            assert p[a, 0, b, 0] == pytest.approx(0.25)


@pytest.mark.parametrize("registers", [(2, 2), (3, 3), (2, 2, 2), (1, 1, 1, 1)])
def test_copula_keeps_every_register_uniform(registers: tuple[int, ...]) -> None:
    wires, rng = sum(registers), np.random.default_rng(len(registers))
    circuit = copula(wires, registers=registers, layers=2)
    joint_differs = False
    for _ in range(5):
        p = outcomes(circuit, rng.uniform(-np.pi, np.pi, circuit.num_params)).reshape(
            [2**n for n in registers]
        )
        for r in range(len(registers)):
            others = tuple(k for k in range(len(registers)) if k != r)
            np.testing.assert_allclose(p.sum(axis=others), 2.0 ** -registers[r], rtol=0, atol=1e-14)
        joint_differs |= bool(np.abs(p - 2.0**-wires).max() > 0.01)
    assert joint_differs  # uniform marginals, yet correlated features


def test_copula_of_zero_angles_makes_all_features_equal() -> None:
    circuit = copula(6, registers=(2, 2, 2))
    p = outcomes(circuit, np.zeros(circuit.num_params)).reshape(4, 4, 4)
    expected = np.zeros((4, 4, 4))
    expected[range(4), range(4), range(4)] = 0.25
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("start", ["zero", "bell", "plus"])
@pytest.mark.parametrize("shape", ["star", "path"])
def test_blocks_of_a_tree_are_independent(start: Start, shape: str) -> None:
    circuit = tree(6, layers=2, block=2, start=start, shape=shape)  # type: ignore[arg-type]
    p = outcomes(circuit, np.random.default_rng(0).normal(size=circuit.num_params)).reshape(4, 4, 4)
    product = np.einsum("a,b,c->abc", p.sum(axis=(1, 2)), p.sum(axis=(0, 2)), p.sum(axis=(0, 1)))
    np.testing.assert_allclose(p, product, rtol=0, atol=1e-14)
    for marginal in (p.sum(axis=(1, 2)), p.sum(axis=(0, 2))):
        m = marginal.reshape(2, 2)
        assert (
            np.abs(m - np.outer(m.sum(axis=1), m.sum(axis=0))).max() > 1e-3
        )  # not so within a block


def test_ghz_triples_join_blocks_that_they_straddle() -> None:
    circuit = tree(6, layers=2, block=2, start="ghz")
    p = outcomes(circuit, np.random.default_rng(0).normal(size=circuit.num_params)).reshape(4, 4, 4)
    joint = p.sum(axis=2)
    assert np.abs(joint - np.outer(joint.sum(axis=1), joint.sum(axis=0))).max() > 1e-3


def test_ising_at_zero_angles_is_a_ghz_state_of_the_first_bits() -> None:
    circuit = ising(6, registers=(2, 3, 1))
    vector = state(circuit, circuit.bind(np.zeros(circuit.num_params))[0])
    expected = np.zeros(64)
    expected[[0b000000, 0b101001]] = np.sqrt(0.5)
    np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-15)


def sensitivity(circuit: Circuit, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Largest |d p / d theta_k| and |d p / d x_k| over three points."""
    by_theta = np.zeros(circuit.num_params)
    by_x = np.zeros(circuit.num_inputs)
    for _ in range(3):
        theta = rng.normal(size=circuit.num_params)
        x = rng.normal(size=circuit.num_inputs)
        (by_angle,) = jacobian(circuit, circuit.bind(theta, x), Probabilities())
        d_theta, d_x = circuit.pullback(by_angle)  # a row for each outcome
        by_theta = np.maximum(by_theta, np.abs(d_theta).max(axis=0))
        by_x = np.maximum(by_x, np.abs(d_x).max(axis=0))
    return by_theta, by_x


SMALL_BITS = Events(np.random.default_rng(1).integers(0, 2, size=(40, 4)))


@pytest.mark.parametrize(
    ("circuit", "dead"),
    [
        (
            brick(4, layers=1, inputs=2),
            {"rz": 4},
        ),  # RZ before a measurement of bits: the last of each Rot
        (tree(4, layers=1, inputs=1), {"rz": 4}),
        (ising(4, registers=(2, 2), inputs=1), {}),
        (copula(4, registers=(2, 2)), {}),
        (chow_liu(4, data=SMALL_BITS, layers=2, inputs=4), {}),
        (hardware_efficient(4, layers=1, inputs=2), {"rz": 4}),
        (strongly_entangling(3, layers=2, inputs=1), {"rz": 3}),
        (qag_chain(4, inputs=4), {}),
        (mera_up(4, inputs=4), {}),
    ],
)
def test_every_input_matters_and_every_parameter_but_a_last_rz(
    circuit: Circuit, dead: dict[str, int]
) -> None:
    by_theta, by_x = sensitivity(circuit, np.random.default_rng(3))
    assert np.all(by_x > 1e-3)
    used = [g for g in circuit.gates if g.angle is not None and g.angle.source == "param"]
    still = [gate.name for gate, value in zip(used, by_theta, strict=True) if value < 1e-9]
    assert {name: still.count(name) for name in set(still)} == dead
    assert np.all((by_theta > 1e-3) | (by_theta < 1e-9))


@pytest.mark.parametrize("build", [brick, tree, hardware_efficient, strongly_entangling])
def test_inputs_that_would_do_nothing_are_refused(build: Callable[..., Circuit]) -> None:
    for options in ({"layers": 1}, {"layers": 3, "reupload": False}):
        with pytest.raises(BadOption, match="no effect on the start state 'plus'"):
            build(4, inputs=1, start="plus", **options)
        assert build(4, start="plus", **options).num_inputs == 0
    again = build(4, inputs=1, start="plus", layers=2)
    theta = np.random.default_rng(0).normal(size=again.num_params)
    change = outcomes(again, theta, np.array([0.2])) - outcomes(again, theta, np.array([1.2]))
    assert np.abs(change).max() > 1e-2


def test_reuploading_raises_the_frequency_of_the_condition() -> None:
    # p(x) has frequencies up to the number of encodings: 2 wires encode once (<= 2), or 3 times (<=
    # 6)
    grid = np.arange(32) * 2 * np.pi / 32
    theta = np.random.default_rng(2).normal(size=brick(2, layers=3).num_params)
    highest = {}
    for reupload in (False, True):
        circuit = brick(2, layers=3, inputs=1, reupload=reupload)
        values = np.array([outcomes(circuit, theta, np.array([x]))[0, 0] for x in grid])
        strength = np.abs(np.fft.rfft(values)) / 32
        highest[reupload] = int(np.flatnonzero(strength > 1e-10).max())
    assert highest == {False: 2, True: 6}
