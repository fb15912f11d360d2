"""Circuits: the affine map of angles and its way back, channels, depth, counts, messages."""

from __future__ import annotations

import numpy as np
import pytest
from circuits_random import IDLE, random_circuit
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, Label, const, given, param
from qgen_core.errors import BadCircuit, Unsupported
from qgen_core.testing import reference
from qgen_core.typing import Floats

MIXED = Circuit(
    2,
    (
        Gate("rx", (0,), param(1, 2.0, 0.5)),
        Gate("h", (1,)),
        Gate("ry", (1,), given(0, -1.5)),
        Gate("rz", (0,), param(1)),
        Gate("crx", (0, 1), const(0.25)),
        Gate("rzz", (0, 1), param(0, scale=-1.0, offset=1.0)),
        Gate("p", (1,), given(2, 0.5, -0.1)),
    ),
)


def by_hand(circuit: Circuit, theta: Floats, x: Floats) -> list[float]:
    values = []
    for gate in circuit.gates:
        if gate.angle is not None:
            a = gate.angle
            raw = {"param": theta, "input": x}.get(a.source)
            values.append(a.offset + (0.0 if raw is None else a.scale * raw[a.index]))
    return values


def test_sizes() -> None:
    assert (MIXED.num_params, MIXED.num_inputs, MIXED.num_angles) == (2, 3, 6)
    empty = Circuit(3, ())
    assert (empty.num_params, empty.num_inputs, empty.num_angles, empty.depth) == (0, 0, 0, 0)
    assert empty.bind(()).shape == (1, 0)


def test_bind_is_the_affine_map() -> None:
    theta, x = np.array([0.3, -0.7]), np.array([1.1, 9.0, -2.0])
    expected = [2 * -0.7 + 0.5, -1.5 * 1.1, -0.7, 0.25, -0.3 + 1.0, 0.5 * -2.0 - 0.1]
    np.testing.assert_allclose(MIXED.bind(theta, x), [expected], rtol=0, atol=1e-15)


@given_by(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from(["both", "params", "inputs", "neither"]),
)
@settings(max_examples=60, deadline=None)
def test_bind_broadcasts_one_row_against_many(seed: int, batch: int, batched: str) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 3, 12)
    theta = rng.normal(size=(batch if batched in ("both", "params") else 1, circuit.num_params))
    x = rng.normal(size=(batch if batched in ("both", "inputs") else 1, circuit.num_inputs))
    angles = circuit.bind(theta, x)
    rows = max(len(theta), len(x))
    assert angles.shape == (rows, circuit.num_angles)
    for row in range(rows):
        expected = by_hand(circuit, theta[row % len(theta)], x[row % len(x)])
        np.testing.assert_allclose(angles[row], expected, rtol=0, atol=1e-14)


@given_by(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_pullback_is_the_transposed_derivative_of_bind(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 3, 12)
    theta, x = rng.normal(size=(3, circuit.num_params)), rng.normal(size=(3, circuit.num_inputs))
    d_angles = rng.normal(size=(3, circuit.num_angles))
    d_theta, d_x = circuit.pullback(d_angles)
    assert d_theta.shape == theta.shape and d_x.shape == x.shape
    for k in range(circuit.num_params):
        unit = np.eye(circuit.num_params)[k]
        slope = (circuit.bind(theta + 1e-3 * unit, x) - circuit.bind(theta - 1e-3 * unit, x)) / 2e-3
        np.testing.assert_allclose(d_theta[:, k], (slope * d_angles).sum(axis=1), rtol=0, atol=1e-9)
    for k in range(circuit.num_inputs):
        unit = np.eye(circuit.num_inputs)[k]
        slope = (circuit.bind(theta, x + 1e-3 * unit) - circuit.bind(theta, x - 1e-3 * unit)) / 2e-3
        np.testing.assert_allclose(d_x[:, k], (slope * d_angles).sum(axis=1), rtol=0, atol=1e-9)


def test_pullback_adds_up_shared_parameters() -> None:
    d_theta, d_x = MIXED.pullback([[1.0, 10.0, 100.0, 1000.0, 1e4, 1e5]])
    np.testing.assert_allclose(d_theta, [[-1e4, 2.0 + 100.0]])
    np.testing.assert_allclose(d_x, [[-15.0, 0.0, 5e4]])


def test_bind_does_not_change_its_arguments() -> None:
    theta, x = np.ones((2, 2)), np.ones((2, 3))
    MIXED.bind(theta, x)
    assert np.all(theta == 1) and np.all(x == 1)


@pytest.mark.parametrize(
    ("theta", "x", "message"),
    [
        ([1.0], [1.0, 2.0, 3.0], r"params have the shape \(1,\); the circuit needs \(B, 2\)"),
        ([1.0, 2.0], None, r"inputs have the shape \(0,\); the circuit needs \(B, 3\)"),
        ([1.0, 2.0], [[1.0, 2.0]], r"inputs have the shape \(1, 2\)"),
        (np.ones((2, 2)), np.ones((3, 3)), "2 rows of params do not go with 3 rows of inputs"),
        (np.ones((1, 1, 2)), np.ones(3), r"params have the shape \(1, 1, 2\)"),
        (1.0, np.ones(3), r"params have the shape \(\)"),
    ],
)
def test_bind_says_what_does_not_fit(theta: Floats, x: Floats, message: str) -> None:
    with pytest.raises(BadCircuit, match=message):
        MIXED.bind(theta, x)


def test_pullback_says_what_does_not_fit() -> None:
    with pytest.raises(
        BadCircuit, match=r"d_angles have the shape \(2, 5\); the circuit needs \(B, 6\)"
    ):
        MIXED.pullback(np.ones((2, 5)))


def test_angles_are_checked() -> None:
    with pytest.raises(BadCircuit, match="param, input or const, not 'weight'"):
        Angle("weight")  # type: ignore[arg-type]
    for bad in ({"index": -1}, {"scale": np.nan}, {"offset": np.inf}):
        with pytest.raises(BadCircuit, match="index >= 0 and a finite scale and offset"):
            Angle("param", **bad)


def test_circuits_are_checked() -> None:
    with pytest.raises(BadCircuit, match="at least one wire, not 0"):
        Circuit(0, ())
    with pytest.raises(
        BadCircuit, match=r"instruction 1 \(cx\) acts on wires \(0, 2\), the circuit has 2"
    ):
        Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 2))))
    with pytest.raises(BadCircuit, match="2 labels for 1 parameters"):
        Circuit(1, (Gate("rx", (0,), param(0)),), (Label(0, 0, 0), Label(0, 0, 1)))


@pytest.mark.parametrize("seed", range(5))
def test_the_inverse_undoes_a_circuit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 3, 25)
    theta, x = rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_inputs)
    inverse = circuit.inverse()
    there = reference.unitary(circuit, circuit.bind(theta, x)[0])
    back = reference.unitary(inverse, inverse.bind(theta, x)[0])
    product = back @ there
    np.testing.assert_allclose(np.abs(np.diag(product)), 1, atol=1e-13)
    np.testing.assert_allclose(product, product[0, 0] * np.eye(8), atol=1e-13)


def test_a_circuit_with_channels_has_no_inverse() -> None:
    with pytest.raises(Unsupported, match="no inverse, and this one holds the channel 'flip'"):
        Circuit(1, (Channel(IDLE, (0,), "flip"),)).inverse()


def test_inputs_are_renumbered() -> None:
    moved = MIXED.with_inputs_from(2)
    theta, x = np.array([0.3, -0.7]), np.array([1.1, 9.0, -2.0])
    np.testing.assert_array_equal(moved.bind(theta, [7.0, 8.0, *x]), MIXED.bind(theta, x))


def test_depth_counts_layers_of_gates() -> None:
    assert Circuit(4, (Gate("h", (0,)), Gate("h", (3,)))).depth == 1
    ladder = tuple(Gate("cx", (w, w + 1)) for w in range(3))
    assert Circuit(4, ladder).depth == 3
    bricks = (Gate("cx", (0, 1)), Gate("cx", (2, 3)), Gate("cx", (1, 2)), Gate("h", (0,)))
    assert Circuit(4, bricks).depth == 2
    noisy = (Gate("h", (0,)), Channel(IDLE, (0,)), Gate("h", (0,)))
    assert Circuit(1, noisy).depth == 2


def test_counts_and_parts() -> None:
    channel = Channel(IDLE, (1,), "nothing")
    circuit = Circuit(2, (*MIXED.instructions, channel, Gate("h", (0,))))
    assert circuit.counts == {"crx": 1, "h": 2, "p": 1, "rx": 1, "ry": 1, "rz": 1, "rzz": 1}
    assert circuit.channels == (channel,) and len(circuit.gates) == len(circuit.instructions) - 1


def test_channels_that_are_none_are_refused() -> None:
    damped = np.array([[[1, 0], [0, np.sqrt(0.7)]], [[0, np.sqrt(0.3)], [0, 0]]], dtype=complex)
    good = Channel(damped, (0,), "amplitude damping")
    assert good.kraus.dtype == np.complex128 and not good.kraus.flags.writeable
    rho = reference.density(Circuit(1, (Gate("x", (0,)), good)), np.zeros(0))
    np.testing.assert_allclose(rho, np.diag([0.3, 0.7]), atol=1e-15)
    with pytest.raises(
        BadCircuit, match=r"'leak' on wires \(0,\) is not trace preserving: .* by 0\.3"
    ):
        Channel(damped[:1], (0,), "leak")
    with pytest.raises(BadCircuit, match="not trace preserving"):
        Channel(IDLE * np.nan, (0,))
    with pytest.raises(
        BadCircuit, match=r"on 2 wires needs Kraus operators of shape \(K, 4, 4\), not \(2, 2, 2\)"
    ):
        Channel(damped, (0, 1))
    with pytest.raises(BadCircuit, match="different wires"):
        Channel(np.eye(4, dtype=complex)[None], (1, 1))
    with pytest.raises(BadCircuit, match="different wires"):
        Channel(np.ones((1, 1, 1), dtype=complex), ())


def test_a_channel_just_within_tolerance_passes_and_just_outside_does_not() -> None:
    Channel(IDLE * np.sqrt(1 + 0.9e-9), (0,))
    with pytest.raises(BadCircuit):
        Channel(IDLE * np.sqrt(1 + 1.1e-9), (0,))
    with pytest.raises(BadCircuit):  # off the diagonal
        skewed = np.array([[[1, 1e-8], [0, 1]]], dtype=complex)
        Channel(skewed, (0,))


def test_a_channel_keeps_a_copy_of_its_operators() -> None:
    kraus = IDLE.copy()
    channel = Channel(kraus, (0,))
    kraus[:] = 0
    assert channel.kraus[0, 0, 0] == 1
