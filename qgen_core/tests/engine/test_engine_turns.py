"""Turns up to a factor, and what scales the state back."""

from math import pi

import numpy as np
import pytest
from engine_circuits import brick, random_rows

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Probabilities, State
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.simulators.statevector.decompose import decompose
from qgen_core.simulators.statevector.plan import make_plan
from qgen_core.simulators.statevector.program import StatevectorProgram
from qgen_core.simulators.statevector.steps import (
    PAIR,
    PAIR_RY_P,
    PAIR_RY_Q,
    RESCALE_AFTER,
    RESCALING,
    RY_L,
    RY_P,
    RY_Q,
    STEP_CODE,
    STEP_PHASES,
    STEP_PLACE,
)
from qgen_core.testing import reference

#: Tangents and cotangents of 0 and 1, poles of both, and signs of all kinds.
CORNERS = [
    0.0,
    pi / 2,
    pi,
    3 * pi / 2,
    2 * pi,
    -pi / 2,
    -pi,
    1e-9,
    pi + 1e-9,
    pi - 1e-9,
    0.3,
    2.0,
    4.0,
    -5.0,
]


def deep(turns, phases, wires=8):
    """RYs on the first four wires with CNOTs and optional RZs.

    The last four wires are lanes at most: 16 numbers fill the widest register.
    """
    gates, rng = [Gate("h", (w,)) for w in range(wires)], np.random.default_rng(turns)
    for k in range(turns):
        w = int(rng.integers(4))
        gates.append(Gate("ry", (w,), param(k)))
        if phases and rng.random() < 0.5:
            gates.append(Gate("rz", (w,), param(k)))
        if rng.random() < 0.5:
            gates.append(Gate("cx", (w, (w + 1) % 4)))
    return Circuit(wires, tuple(gates))


def scalings(circuit, precision="double"):
    steps = StatevectorProgram(circuit, precision, last_phases=True).plan.steps
    return int(np.sum((steps[:, STEP_CODE] == PAIR) & (steps[:, STEP_PHASES] == RESCALING)))


def rows_of(circuit, seed):
    rng = np.random.default_rng(seed)
    corners = rng.choice(CORNERS, (6, circuit.num_angles))
    return np.concatenate(
        [corners, random_rows(rng, circuit, 2), np.full((1, circuit.num_angles), pi)]
    )


@pytest.mark.parametrize("phases", [True, False])
@pytest.mark.parametrize("turns", [RESCALE_AFTER // 2, 2 * RESCALE_AFTER, 5 * RESCALE_AFTER])
@pytest.mark.parametrize(("precision", "close"), [("double", 1e-12), ("single", 2e-5)])
def test_states_have_their_norm_and_sign(precision, close, turns, phases):
    circuit = deep(turns, phases)
    rows = rows_of(circuit, turns)
    states = StatevectorBackend(precision=precision).exact(circuit, rows, State())
    expected = reference.values(circuit, rows, State())
    np.testing.assert_allclose(states, expected, atol=close, rtol=0)
    assert (scalings(circuit, precision) > 0) == (turns > RESCALE_AFTER)


@pytest.mark.parametrize("phases", [True, False])
@pytest.mark.parametrize(("precision", "close"), [("double", 1e-11), ("single", 5e-4)])
def test_gradients_belong_to_states_of_norm_one(precision, close, phases):
    """By parameter shift, which is exact for RY and RZ, at the corners too."""
    circuit = deep(2 * RESCALE_AFTER + 10, phases)
    rows = rows_of(circuit, 3)[:3]
    cotangent = np.random.default_rng(4).normal(size=(3, 2**circuit.num_wires))
    engine = StatevectorBackend(precision=precision)
    got = engine.forward(circuit, rows, Probabilities())[1](cotangent)
    exact = StatevectorBackend()
    for column in range(0, circuit.num_angles, 7):
        shift = np.zeros(circuit.num_angles)
        shift[column] = pi / 2
        ahead, behind = (exact.exact(circuit, rows + s * shift, Probabilities()) for s in (1, -1))
        slope = np.sum(cotangent * (ahead - behind) / 2, axis=1)
        np.testing.assert_allclose(got[:, column], slope, atol=close, rtol=0)


@pytest.mark.parametrize("lane_bits", [1, 2, 3, 4])
def test_most_rotations_outside_the_lanes_are_done_in_pairs(lane_bits):
    """For all registers, of two doubles to sixteen floats."""
    circuit = brick(16, 6)
    plan = make_plan(circuit, lane_bits, 14, lane_bits + 1, last_phases=False)
    codes = plan.steps[:, STEP_CODE]
    ops, _ = decompose(circuit, last_phases=False)
    rotations = sum(op.kind == "y" for op in ops)
    outside = rotations - np.sum(codes == RY_L)
    alone = np.sum((codes == RY_P) | (codes == RY_Q))
    assert outside > rotations / 2
    assert outside - alone > 0.75 * outside
    assert 2 * np.sum(codes == PAIR) >= outside - alone


@pytest.mark.parametrize("lane_bits", [1, 2, 3, 4])
@pytest.mark.parametrize("turns", [RESCALE_AFTER // 2, 2 * RESCALE_AFTER, 5 * RESCALE_AFTER])
def test_states_are_rescaled_in_time_at_every_width(lane_bits, turns):
    """Of ``RESCALE_AFTER`` RYs in pairs at most, none passes without a rescaling."""
    plan = make_plan(deep(turns, True), lane_bits, 8, lane_bits + 1, last_phases=True)
    since = 0
    scaled = 0
    in_pairs = set()
    for first_place, count in plan.forms[:, 2:4]:
        if count == 1:
            in_pairs.add(int(first_place))
    for step in plan.steps[plan.steps[:, STEP_CODE] == PAIR]:
        if step[STEP_PHASES] == RESCALING:
            since = 0
            scaled += 1
        places = {int(step[STEP_PLACE]) + PAIR_RY_P, int(step[STEP_PLACE]) + PAIR_RY_Q}
        since += len(places & in_pairs)
        assert since <= RESCALE_AFTER
    assert (scaled > 0) == (turns > RESCALE_AFTER)


def test_pairs_are_the_same_in_blocks():
    circuit = brick(11, 4)
    rows = rows_of(circuit, 5)[:2]
    whole = StatevectorBackend().exact(circuit, rows, Probabilities())
    for local in (5, 7, 9):
        blocked = StatevectorBackend()
        blocked._local = local
        np.testing.assert_allclose(
            blocked.exact(circuit, rows, Probabilities()), whole, atol=1e-14, rtol=0
        )
