"""Pieces of the engine: decomposition, packing, cosines."""

import numpy as np
import pytest
from engine_circuits import brick, random_circuit, random_rows

from qgen_core.circuits.circuit import Circuit, Gate, const
from qgen_core.circuits.gates import CX, GATES, embedded
from qgen_core.simulators.statevector.decompose import decompose
from qgen_core.simulators.statevector.plan import ANY_DEPTH, pack
from qgen_core.simulators.statevector.rotations import cosines
from qgen_core.testing import reference


def state_of_ops(ops, overall, num_wires, angles):
    """The state that ops of a decomposition give, as dense matrices."""

    def value(linear):
        return linear.const + sum(factor * angles[column] for column, factor in linear.terms)

    state = np.eye(2**num_wires, 1, dtype=complex)[:, 0]
    for op in ops:
        if op.kind == "cx":
            matrix, wires = CX, op.wires
        elif op.kind == "y":
            matrix, wires = GATES["ry"].matrix(2 * value(op.value)), op.wires
        else:
            signs = np.array([1.0])
            for _ in op.wires:
                signs = np.kron(signs, [1.0, -1.0])
            matrix, wires = np.diag(np.exp(1j * value(op.value) * signs)), op.wires
        state = embedded(matrix, wires, num_wires) @ state
    return np.exp(1j * value(overall)) * state


@pytest.mark.parametrize("num_wires", [1, 2, 3, 5])
def test_decomposition_is_exact(num_wires):
    rng = np.random.default_rng(num_wires)
    for _ in range(20):
        circuit = random_circuit(rng, num_wires, 25)
        angles = random_rows(rng, circuit, 1)[0]
        ops, overall = decompose(circuit, last_phases=True)
        expected = reference.state(circuit, angles)
        np.testing.assert_allclose(
            state_of_ops(ops, overall, num_wires, angles), expected, atol=1e-13
        )
        ops, overall = decompose(circuit, last_phases=False)
        got = np.abs(state_of_ops(ops, overall, num_wires, angles)) ** 2
        np.testing.assert_allclose(got, np.abs(expected) ** 2, atol=1e-13)


@pytest.mark.parametrize(
    ("base", "room", "depth"), [(0, 2, 0), (2, 4, 0), (2, 4, ANY_DEPTH), (3, 6, ANY_DEPTH)]
)
def test_packing_keeps_the_product(base, room, depth):
    rng = np.random.default_rng(room)
    for _ in range(20):
        circuit = random_circuit(rng, 6, 40)
        angles = random_rows(rng, circuit, 1)[0]
        ops, overall = decompose(circuit, last_phases=True)
        groups = list(pack(ops, frozenset(range(base)), room, depth))
        for chosen, members in groups:
            assert set(range(base)) <= chosen
            assert len(chosen) <= room
            assert all(chosen.issuperset(op.wires) for op in members)
        packed = [op for _, members in groups for op in members]
        assert len(packed) == len(ops)
        expected = state_of_ops(ops, overall, 6, angles)
        np.testing.assert_allclose(state_of_ops(packed, overall, 6, angles), expected, atol=1e-13)


def test_nothing_is_done_to_wires_in_the_ground_state():
    idle = (Gate("rz", (0,), const(0.3)), Gate("cx", (0, 1)), Gate("cz", (0, 1)))
    ops, _ = decompose(
        Circuit(3, (*idle, Gate("h", (2,)), Gate("rzz", (1, 2), const(1)))), last_phases=True
    )
    assert {wire for op in ops for wire in op.wires} == {2}


def test_half_of_the_rotations_of_a_brick_are_merged():
    """RZ RY RZ per rotation: one RY each, and phases only where they cannot move on."""
    circuit = brick(8, 6)
    ops, _ = decompose(circuit, last_phases=False)
    assert sum(op.kind == "y" for op in ops) == circuit.num_params // 3


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e3, 1e6, 1e9])
def test_cosines(scale):
    x = np.random.default_rng(0).uniform(-scale, scale, 10_000)
    x[:9] = np.arange(-4, 5) * np.pi / 2
    for dtype, close in ((np.float64, 3e-16), (np.float32, 1e-7)):
        cos, sin = np.empty(len(x), dtype), np.empty(len(x), dtype)
        cosines(len(x), x, cos, sin)
        np.testing.assert_allclose(cos, np.cos(x), atol=close, rtol=0)
        np.testing.assert_allclose(sin, np.sin(x), atol=close, rtol=0)


def test_cosines_of_what_is_no_number():
    cos, sin = np.empty(2), np.empty(2)
    cosines(2, np.array([np.nan, np.inf]), cos, sin)
    assert np.isnan([cos, sin]).all()
