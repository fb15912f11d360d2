"""The backend passes the kit, and its counts come in the order of wires."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qbraid_service import DEVICE, Service, device

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots
from qgen_core.interfaces import Backend
from qgen_core.testing import BackendKit, overrides, reference, statistics
from qgen_qbraid.backend import QbraidBackend

#: Its eight probabilities differ, and no order of the wires but the right one gives them.
CIRCUIT = Circuit(
    3, (Gate("ry", (0,), param(0)), Gate("rxx", (0, 2), param(1)), Gate("ry", (1,), param(2)))
)
ANGLES = np.array([[0.5, 0.9, 1.9], [2.2, -0.4, 0.7]])
SHOTS = 5000


class TestQbraid(BackendKit):
    shots = 2000

    @pytest.fixture(autouse=True)
    def _service(self, service: Service, tmp_path: Path) -> None:
        service.devices[DEVICE] = device(numberQubits=None)
        self.jobs = str(tmp_path / "jobs")

    def make(self) -> Backend:
        return QbraidBackend(device=DEVICE, jobs=self.jobs, batch_jobs=True)

    @pytest.mark.long
    @overrides("the service reads and simulates hundreds of programs; a test below has every gate")
    def test_every_gate(self) -> None:
        super().test_every_gate()

    @pytest.mark.long
    @overrides("hundreds of circuits; a test below has a quick gradient")
    def test_gradients(self) -> None:
        super().test_gradients()

    @pytest.mark.long
    @overrides("thousands of circuits; test_batches is quick")
    def test_gradients_of_batches(self) -> None:
        super().test_gradients_of_batches()

    @pytest.mark.long
    @overrides("a hundred circuits; tests below measure both")
    def test_probabilities_and_expectations(self) -> None:
        super().test_probabilities_and_expectations()

    @pytest.mark.long
    @overrides("a hundred circuits; a test below measures expectations")
    def test_expectations_from_shots(self) -> None:
        super().test_expectations_from_shots()


def seeded(shots: int = SHOTS, seed: int = 1) -> Shots:
    return Shots(shots, np.random.default_rng(seed))


@pytest.mark.parametrize("batch_jobs", [False, True])
def test_counts_follow_the_exact_distribution_in_the_order_of_wires(make, service, batch_jobs):
    """By chi-square, which the reversed order fails."""
    found = make(batch_jobs=batch_jobs).run(CIRCUIT, ANGLES, Probabilities(), seeded())
    exact = reference.values(CIRCUIT, ANGLES, Probabilities())
    for counts, right in zip(np.rint(found * SHOTS), exact, strict=True):
        reversed_order = right.reshape(2, 2, 2).transpose(2, 1, 0).ravel()
        assert statistics.chi_square(counts, right) > statistics.LEAST_P
        assert statistics.chi_square(counts, reversed_order) < 1e-12
    assert service.submitted == (1 if batch_jobs else 2)


def test_bits_come_in_the_order_of_wires_and_shots_in_none(make):
    flipped = Circuit(3, (Gate("x", (0,)), Gate("h", (1,))))
    (bits,) = make().run(flipped, np.empty((1, 0)), Bits(), seeded(400))
    assert bits[:, 0].all() and not bits[:, 2].any() and 150 < bits[:, 1].sum() < 250
    changes = np.count_nonzero(np.diff(bits[:, 1]))
    assert changes > 100, "sorted counts must not pass for a sequence of shots"


@pytest.mark.parametrize("name", sorted(qgen.circuits.gates.GATES))
def test_each_gate_is_sent_as_it_is(make, name):
    """In one program, between rotations that make its phases visible."""
    spec = qgen.circuits.gates.GATES[name]
    wires = tuple(range(spec.wires))[::-1]
    angle = param(0) if spec.has_angle else None
    first = [Gate("ry", (wire,), param(1, offset=wire)) for wire in wires]
    last = [Gate("rx", (wire,), param(2, offset=wire)) for wire in wires]
    circuit = Circuit(spec.wires, (*first, Gate(name, wires, angle), *last))
    angles = circuit.bind([[0.8, 0.6, 1.1]])
    found = make().run(circuit, angles, Probabilities(), seeded())
    (exact,) = reference.values(circuit, angles, Probabilities())
    assert statistics.chi_square(np.rint(found[0] * SHOTS), exact) > statistics.LEAST_P


def test_expectations_share_bases(make, service):
    """Words that agree on their wires are measured by one circuit."""
    words = Expectations(("ZII", "ZIZ", "IYI", "XIX", "III"))
    found = make().run(CIRCUIT, ANGLES, words, seeded())
    exact = reference.values(CIRCUIT, ANGLES, words)
    spread = np.sqrt((1 - exact**2) / SHOTS)
    assert np.all(np.abs(found - exact) <= 5 * spread + 1e-12)
    assert service.submitted == 4, "two bases of two rows"


def test_a_gradient_is_that_of_the_exact_values(make):
    cotangent = np.random.default_rng(4).normal(size=(2, 8))
    shots = seeded(20 * SHOTS)
    _, pullback = make(batch_jobs=True).forward(CIRCUIT, ANGLES, Probabilities(), shots)
    expected = qgen.backend("statevector").forward(CIRCUIT, ANGLES, Probabilities())[1](cotangent)
    spread = np.abs(cotangent).sum(axis=1, keepdims=True) * np.sqrt(0.5 / (20 * SHOTS))
    assert np.max(np.abs(pullback(cotangent) - expected) / spread) < 6
    assert np.max(np.abs(expected) / spread) > 6
