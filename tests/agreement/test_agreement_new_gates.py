"""Gates added to the table while the program runs: right on every backend, or refused."""

from __future__ import annotations

from collections.abc import Iterator

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES, GateSpec, X, Z, embedded
from qgen_core.errors import Unsupported

ISWAP = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
CCX = np.eye(8)[[0, 1, 2, 3, 4, 5, 7, 6]]
EXACT = {"statevector", "density", "torch"}


@pytest.fixture(autouse=True)
def new_gates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = list(GATES)
    with monkeypatch.context() as patch:
        patch.setitem(GATES, "rzx", GateSpec(2, generator=np.kron(Z, X), shift=2))
        patch.setitem(GATES, "iswap", GateSpec(2, fixed=ISWAP))
        patch.setitem(GATES, "sdg", GateSpec(1, fixed=np.diag([1, -1j])))
        patch.setitem(GATES, "ccx", GateSpec(3, fixed=CCX))
        yield
    assert list(GATES) == before


def around(name: str) -> qgen.Circuit:
    """A gate between rotations on three wires, on wires out of order."""
    spec = GATES[name]
    angle = None
    if spec.has_angle:
        angle = qgen.param(6, 0.7, 0.2)
    turns = [qgen.Gate("ry", (w,), qgen.param(w)) for w in range(3)]
    more = [qgen.Gate("rx", (w,), qgen.param(3 + w)) for w in range(3)]
    gate = qgen.Gate(name, (2, 0, 1)[: spec.wires], angle)
    return qgen.Circuit(3, (*turns, gate, *more))


def expected(circuit: qgen.Circuit, row: np.ndarray) -> np.ndarray:
    left = iter(row)
    state = np.eye(8, 1)[:, 0]
    for gate in circuit.gates:
        matrix = gate.spec.matrix(0.0 if gate.angle is None else float(next(left)))
        state = embedded(matrix, gate.wires, 3) @ state
    return np.abs(state) ** 2


@pytest.mark.parametrize("gate", ["rzx", "iswap", "sdg", "ccx"])
def test_a_new_gate_is_right_or_refused(name: str, backend: qgen.Backend, gate: str) -> None:
    circuit = around(gate)
    rng = np.random.default_rng(7)
    angles = circuit.bind(rng.uniform(-3, 3, (2, circuit.num_params)))
    if gate not in backend.capabilities.gates:
        assert name not in EXACT
        with pytest.raises(Unsupported, match=f"no gate {gate}"):
            backend.run(circuit, angles, qgen.Probabilities())
        return
    found, pullback = backend.forward(circuit, angles, qgen.Probabilities())
    truth = np.array([expected(circuit, row) for row in angles])
    tolerance = 1e-12 if name in EXACT else agreement.tolerance(backend)
    np.testing.assert_allclose(found, truth, rtol=0, atol=tolerance)
    cotangent = rng.normal(size=found.shape)
    step = 1e-5
    slopes = np.zeros_like(angles)
    for column in range(angles.shape[1]):
        moved = np.eye(angles.shape[1])[column] * step
        up = np.array([expected(circuit, row + moved) for row in angles])
        down = np.array([expected(circuit, row - moved) for row in angles])
        slopes[:, column] = (cotangent * (up - down)).sum(axis=1) / (2 * step)
    np.testing.assert_allclose(
        pullback(cotangent), slopes, rtol=0, atol=1e-4 if tolerance > 1e-9 else 1e-8
    )


def test_the_gate_of_the_issue_means_the_same_on_the_embedded_engines() -> None:
    gates = (qgen.Gate("h", (0,)), qgen.Gate("rzx", (0, 1), qgen.const(0.7)), qgen.Gate("h", (0,)))
    circuit = qgen.Circuit(2, gates)
    for name in ("statevector", "density"):
        found = qgen.backend(name).run(circuit, circuit.bind([]), qgen.Probabilities())
        np.testing.assert_allclose(found, [[0.882421, 0, 0, 0.117579]], atol=1e-6)
