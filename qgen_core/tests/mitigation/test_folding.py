"""More of the same noise: folded circuits do what they did, and their noise grows as told."""

from __future__ import annotations

import numpy as np
import pytest
from mitigation_noise import ALL, depolarized, some_circuit

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, param
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Expectations, Probabilities
from qgen_core.mitigation.folding import amplified
from qgen_core.testing import reference
from qgen_core.testing.reference import ReferenceBackend


@pytest.mark.parametrize("how", ["gates", "circuit"])
@pytest.mark.parametrize("scale", [1, 3, 5])
def test_folding_keeps_the_state(how: str, scale: int) -> None:
    """Every gate is among them; the angles follow, whatever the original ones are."""
    circuit, angles = some_circuit(21, wires=2, angles=24)
    more = Circuit(
        2, (*circuit.instructions, *(Gate(n, (0, 1)[: GATES[n].wires]) for n in fixed()))
    )
    assert {gate.name for gate in more.gates} == ALL
    found = amplified(more, scale, how)
    assert len(found.circuit.gates) == scale * len(more.gates)
    for row, before in zip(found.angles(angles), angles, strict=True):
        overlap = np.vdot(reference.state(found.circuit, row), reference.state(more, before))
        assert abs(abs(overlap) - 1) < 1e-12


def fixed() -> list[str]:
    return sorted(name for name in ALL if not GATES[name].has_angle)


def test_folding_binds_like_the_original() -> None:
    """The folded circuit's own map from parameters to angles agrees with the map of angles."""
    circuit, _ = some_circuit(22)
    params, inputs = (
        np.linspace(-1, 1, circuit.num_params),
        np.linspace(0.2, 0.9, circuit.num_inputs),
    )
    for how in ("gates", "circuit"):
        found = amplified(circuit, 3, how)
        np.testing.assert_allclose(
            found.circuit.bind(params, inputs),
            found.angles(circuit.bind(params, inputs)),
            rtol=0,
            atol=1e-15,
        )


def test_the_pullback_is_the_transpose_of_the_map() -> None:
    circuit, angles = some_circuit(23)
    found, rng = amplified(circuit, 5, "gates"), np.random.default_rng(1)
    moved, cotangent = rng.normal(size=angles.shape), rng.normal(size=found.angles(angles).shape)
    forward = np.sum((found.angles(angles + moved) - found.angles(angles)) * cotangent)
    assert abs(forward - np.sum(moved * found.pullback(cotangent, angles.shape[1]))) < 1e-12


@pytest.mark.parametrize(
    ("how", "scales"), [("gates", (1, 3, 5)), ("circuit", (1, 3, 5)), ("channels", (1, 2, 3, 6))]
)
def test_noise_grows_by_the_scale(how: str, scales: tuple[int, ...]) -> None:
    """Depolarising commutes with gates of one wire: Z decays by (1 - rate)^(gates x scale),
    exactly.
    """
    gates = (
        Gate("ry", (0,), param(0)),
        Gate("sx", (0,)),
        Gate("rz", (0,), param(1)),
        Gate("t", (0,)),
        Gate("h", (0,)),
    )
    circuit, rate = Circuit(1, gates), 0.03
    angles = circuit.bind([0.4, -1.3])
    measure = Expectations(("X", "Y", "Z"))
    noisy, _ = depolarized(rate)(circuit, measure)
    ideal = ReferenceBackend().run(circuit, angles, measure)
    for scale in scales:
        found = amplified(noisy, scale, how)
        values = ReferenceBackend().run(found.circuit, found.angles(angles), measure)
        np.testing.assert_allclose(values, ideal * (1 - rate) ** (5 * scale), rtol=0, atol=1e-13)


def test_channels_stay_behind_their_gates() -> None:
    """Noise before the first gate is prepared once, and only ``channels`` repeats it."""
    kraus = np.sqrt([[[0.7]], [[0.3]]]) * np.array([np.eye(2), [[0, 1], [1, 0]]])
    flip, damp = Channel(kraus, (0,), "flip"), Channel(np.array([np.eye(2)]), (1,), "idle")
    circuit = Circuit(2, (flip, Gate("cx", (0, 1)), damp, flip, Gate("rx", (1,), const(0.3))))
    names = {
        how: [i.name for i in amplified(circuit, 3, how).circuit.instructions]
        for how in ("gates", "circuit")
    }
    assert names["gates"] == ["flip", *["cx", "idle", "flip"] * 3, *["rx"] * 3]
    assert names["circuit"] == [
        "flip",
        "cx",
        "idle",
        "flip",
        "rx",
        "rx",
        "cx",
        "idle",
        "flip",
        "cx",
        "idle",
        "flip",
        "rx",
    ]
    repeated = amplified(circuit, 2, "channels")
    assert [i.name for i in repeated.circuit.instructions] == [
        *["flip"] * 2,
        "cx",
        *["idle", "flip"] * 2,
        "rx",
    ]
    values = ReferenceBackend().run(
        repeated.circuit, repeated.angles(circuit.bind([])), Probabilities()
    )
    flipped = 2 * 0.7 * 0.3
    np.testing.assert_allclose(
        values.reshape(2, 2).sum(axis=1)[0], (1 - flipped) ** 2 + flipped**2, atol=1e-14
    )
