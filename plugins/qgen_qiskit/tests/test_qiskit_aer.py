"""What the backend aer adds to the kit: jobs, methods, shots, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit_aer import AerSimulator

import qgen_core as qgen
from qgen_core.circuits.circuit import Channel, Circuit, Gate, given, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State, pauli_z
from qgen_core.errors import BadOption, ResourceRefused, Unsupported
from qgen_core.noise_models import channels
from qgen_core.testing import circuits, reference, statistics
from qgen_qiskit.counts import Counts


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of circuits in each Aer job."""
    sizes: list[int] = []
    run = AerSimulator.run

    def counted(self: Any, given: Any, *args: Any, **options: Any) -> Any:
        sizes.append(len(given))
        return run(self, given, *args, **options)

    monkeypatch.setattr(AerSimulator, "run", counted)
    return sizes


def noisy(wires: int = 3) -> Circuit:
    rotations = tuple(Gate("ry", (w,), param(w)) for w in range(wires))
    kraus = channels.compose(
        channels.depolarizing(0.1, 2), channels.tensor(*[channels.thermal_relaxation(5, 3, 1)] * 2)
    )
    return Circuit(
        wires,
        (*rotations, Gate("cx", (0, 1)), Channel(kraus, (0, 1)), Gate("crx", (1, 2), given(0))),
    )


def rows(circuit: Circuit, batch: int) -> Any:
    return circuits.rows(circuit, batch, np.random.default_rng(4))


def test_a_batch_is_one_job(jobs: list[int]) -> None:
    circuit, backend, rng = noisy(), qgen.backend("aer"), np.random.default_rng(0)
    angles = rows(circuit, 7)
    words = Expectations(("ZZI", "XIX", "IYI"))
    backend.run(circuit, angles, Probabilities())
    backend.run(circuit, angles, words)
    backend.run(circuit, angles, Bits(), Shots(10, rng))
    backend.forward(circuit, angles, Probabilities())[1](np.ones((7, 8)))
    backend.forward(circuit, angles, pauli_z(3), Shots(10, rng))[1](np.ones((7, 3)))
    _, back = backend.forward(circuit, angles, Probabilities())
    back(np.ones((7, 8)))
    assert jobs == [1] * 6, "a training step, forward and back, is one job"
    backend.run(circuit, angles, words, Shots(10, rng))
    assert jobs[6:] == [2], "a circuit for each basis, all in one job"


def test_a_circuit_without_angles_gives_every_row_its_own_shots(jobs: list[int]) -> None:
    circuit = Circuit(3, tuple(Gate("h", (w,)) for w in range(3)))
    backend, rng = qgen.backend("aer"), np.random.default_rng(0)
    found = backend.run(circuit, np.empty((5, 0)), Probabilities(), Shots(4000, rng))
    assert jobs == [5]
    assert len(np.unique(found, axis=0)) == 5
    assert np.allclose(backend.run(circuit, np.empty((5, 0)), Probabilities()), 1 / 8)


@pytest.mark.parametrize("name", ["crx", "cry", "crz"])
@pytest.mark.parametrize("method", ["automatic", "density_matrix", "matrix_product_state"])
def test_controlled_rotations_take_their_angles(name: str, method: str) -> None:
    """Aer 0.18.2 runs the rows of a batch with wrong angles if they are bound in the job."""
    start = tuple(Gate(turn, (w,)) for w in range(2) for turn in ("h", "t"))
    circuit = Circuit(2, (*start, Gate(name, (1, 0), param(0)), *start, Gate("ry", (0,), param(1))))
    angles = rows(circuit, 5)
    found = qgen.backend("aer", method=method).run(circuit, angles, Probabilities())
    assert np.max(np.abs(found - reference.values(circuit, angles, Probabilities()))) < 1e-12


def test_noisy_shots_follow_the_joint_distribution() -> None:
    """All 8 outcomes by chi-square, also with readout errors; rows have independent bits."""
    circuit, backend, rng = noisy(), qgen.backend("aer"), np.random.default_rng(12)
    angles = rows(circuit, 3)
    confusion = np.array(
        [[[0.95, 0.2], [0.05, 0.8]], [[0.9, 0.0], [0.1, 1.0]], [[1.0, 0.1], [0.0, 0.9]]]
    )
    expected = reference.values(circuit, angles, Probabilities(confusion))
    bits = backend.run(circuit, angles, Bits(confusion), Shots(20_000, rng))
    table = backend.run(circuit, angles, Probabilities(confusion), Shots(20_000, rng))
    for row, truth in enumerate(expected):
        counts = np.bincount(bits[row] @ [4, 2, 1], minlength=8)
        assert statistics.chi_square(counts, truth) > 1e-6
        assert statistics.chi_square(np.rint(table[row] * 20_000), truth) > 1e-6
    blind = reference.values(circuit, angles, Probabilities())
    assert statistics.chi_square(np.rint(table[0] * 20_000), blind[0]) < 1e-6, (
        "the test sees the readout"
    )


def test_channels_with_equal_eigenvalues_run_on_many_gates() -> None:
    """Aer cannot fuse these as Kraus operators: its eigenvalue solver fails on them."""
    two = channels.depolarizing(0.01, 2)
    turns = tuple(Gate("ry", (w,), param(w)) for w in range(8))
    chain = tuple(
        one for w in range(7) for one in (Gate("cx", (w, w + 1)), Channel(two, (w, w + 1)))
    )
    circuit = Circuit(8, (*turns, *chain, *turns, *chain))
    angles = circuits.rows(circuit, 16, np.random.default_rng(4))
    found = qgen.backend("aer").run(circuit, angles, Probabilities())
    assert (
        np.max(np.abs(found - qgen.backend("density").run(circuit, angles, Probabilities())))
        < 1e-12
    )


def test_matrix_product_states_hold_wide_circuits() -> None:
    """40 wires in a GHZ state: the wires agree in each shot; exact words too."""
    gates = (Gate("h", (0,)), *(Gate("cx", (w, w + 1)) for w in range(39)))
    circuit = Circuit(40, gates)
    backend, none = qgen.backend("aer", method="matrix_product_state"), np.empty((1, 0))
    bits = backend.run(circuit, none, Bits(), Shots(200, np.random.default_rng(3)))[0]
    assert bits.shape == (200, 40)
    assert np.all(bits == bits[:, :1])
    assert 60 < bits[:, 0].sum() < 140
    words = ("Z" * 40, "Z" + "I" * 39, "X" * 40)
    assert np.allclose(backend.run(circuit, none, Expectations(words)), [[1, 0, 1]], atol=1e-9)
    sampled = backend.run(circuit, none, Expectations(words), Shots(200, np.random.default_rng(3)))
    assert sampled[0, 0] == 1 and sampled[0, 2] == 1 and abs(sampled[0, 1]) < 0.4
    with pytest.raises(ResourceRefused):
        backend.run(circuit, none, Probabilities())


def test_single_precision_is_single() -> None:
    circuit = qgen.ansatz("brick", layers=2)(4)
    angles = rows(circuit, 2)
    double, single = (
        qgen.backend("aer", precision=precision).run(circuit, angles, Probabilities())
        for precision in ("double", "single")
    )
    assert 1e-9 < np.max(np.abs(double - single)) < 1e-5
    assert qgen.backend("aer", precision="single").capabilities.precision == "single"


def test_refusals() -> None:
    circuit, angles = noisy(), rows(noisy(), 1)
    with pytest.raises(Unsupported, match="no exact values .* use the method density_matrix"):
        qgen.backend("aer", method="statevector").run(circuit, angles, Probabilities())
    with pytest.raises(Unsupported, match="no State"):
        qgen.backend("aer").run(circuit, angles, State())
    with pytest.raises(BadOption, match="method"):
        qgen.backend("aer", method="unitary")
    with pytest.raises(Unsupported, match="at most 62 wires"):
        qgen.backend("aer", method="matrix_product_state").run(
            Circuit(63, ()), np.empty((1, 0)), pauli_z(63)
        )
    with pytest.raises(ResourceRefused, match="30 qubits need"):
        qgen.backend("aer").require(Circuit(30, (Channel(np.array([np.eye(2)]), (0,)),)), Bits())


def test_counts_are_checked() -> None:
    """Counts that do not sum to the shots are refused (qiskit-machine-learning#1040)."""
    with pytest.raises(Unsupported, match="the counts of 10 shots sum to 9"):
        Counts.from_hexadecimal({"0x0": 4, "0x3": 5}, 10)
    counts = Counts.from_hexadecimal({"0x0": 4, "0x3": 6}, 10)
    assert list(counts.table(2)) == [4, 0, 0, 6]
    assert counts.mean_parity("ZZ") == 1
    assert counts.mean_parity("IZ") == pytest.approx(-0.2)
