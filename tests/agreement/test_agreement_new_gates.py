"""Gates added to the table while the program runs: right on every backend, or refused.

Values and gradients of the embedded simulators are those of the reference to 1e-12.
"""

from __future__ import annotations

from collections.abc import Iterator

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES, GateSpec, X, Z
from qgen_core.errors import Unsupported
from qgen_core.testing import reference

ISWAP = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
CCX = np.eye(8)[[0, 1, 2, 3, 4, 5, 7, 6]]
NEW = ("rzx", "iswap", "sdg", "ccx")
WORDS = qgen.Expectations(("ZII", "IXY", "YZX", "ZZZ"))


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


def check(
    name: str, circuit: qgen.Circuit, measure: qgen.Probabilities | qgen.Expectations
) -> None:
    """Values and gradients are those of the reference."""
    rng = np.random.default_rng(7)
    angles = circuit.bind(rng.uniform(-3, 3, (2, circuit.num_params)))
    found, pullback = agreement.build(name).forward(circuit, angles, measure)
    allowed = agreement.tolerance(name)
    expected = reference.values(circuit, angles, measure)
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
    cotangent = rng.normal(size=found.shape)
    gradient = reference.gradient(circuit, angles, measure, cotangent)
    if name not in agreement.EMBEDDED:
        allowed *= 20  # a gradient sums several values
    np.testing.assert_allclose(pullback(cotangent), gradient, rtol=0, atol=allowed)


@pytest.mark.parametrize("gate", NEW)
def test_a_new_gate_is_right_or_refused(name: str, backend: qgen.Backend, gate: str) -> None:
    circuit = around(gate)
    if gate not in backend.capabilities.gates:
        assert name not in agreement.EMBEDDED
        angles = circuit.bind(np.zeros(circuit.num_params))
        for call in (backend.run, backend.forward):
            with pytest.raises(Unsupported, match=f"no gate {gate}"):
                call(circuit, angles, qgen.Probabilities())
        return
    check(name, circuit, qgen.Probabilities())
    check(name, circuit, WORDS)


@pytest.mark.parametrize("name", agreement.EMBEDDED)
def test_new_gates_one_after_another(name: str) -> None:
    """All in one circuit, so that the engines join their steps."""
    instructions = [gate for new in NEW for gate in around(new).gates]
    check(name, qgen.Circuit(3, tuple(instructions)), qgen.Probabilities())
    check(name, qgen.Circuit(3, tuple(instructions)), WORDS)


def test_the_gate_of_the_issue_means_the_same_on_the_embedded_engines() -> None:
    gates = (qgen.Gate("h", (0,)), qgen.Gate("rzx", (0, 1), qgen.const(0.7)), qgen.Gate("h", (0,)))
    circuit = qgen.Circuit(2, gates)
    for name in ("statevector", "density"):
        found = qgen.backend(name).run(circuit, circuit.bind([]), qgen.Probabilities())
        np.testing.assert_allclose(found, [[0.882421, 0, 0, 0.117579]], atol=1e-6)
