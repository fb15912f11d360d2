"""Ways to gradients: torch, autograd, in parts, by adjoint; and the torch function."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.measures import Measure
from qgen_core.errors import Unsupported
from qgen_core.testing import circuits, reference
from qgen_pennylane import numerical

RNG = np.random.default_rng
CONFUSION = np.array([[[0.9, 0.2], [0.1, 0.8]], [[0.95, 0.07], [0.05, 0.93]]])
MEASURES = (
    qgen.Probabilities(),
    qgen.Expectations(("ZI", "XY", "II")),
    qgen.Probabilities(CONFUSION),
    qgen.Expectations(("ZZ", "IX"), CONFUSION),
)


def some_circuit(wires: int = 2, angles: int = 8) -> qgen.Circuit:
    return circuits.trained(qgen.Capabilities().gates, wires, angles, RNG(1))


def slopes(
    backend: qgen.Backend, circuit: qgen.Circuit, angles: np.ndarray, measure: Measure
) -> np.ndarray:
    output, back = backend.forward(circuit, angles, measure)
    return back(np.cos(np.arange(output.size)).reshape(output.shape))


@pytest.mark.parametrize(("held", "rows"), [(2**31, 5), (16_000, 2), (1, 0)])
def test_less_memory_gives_the_same_gradient(
    held: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows at once, in parts, and row by row with the adjoint method."""
    circuit = some_circuit(2, 12)
    angles = circuits.rows(circuit, 5, RNG(2))
    expected = slopes(qgen.backend("statevector"), circuit, angles, MEASURES[1])
    monkeypatch.setattr(numerical, "GRAPH_MEMORY", held)
    backend = qgen.backend("pennylane")
    free = [k for k, a in enumerate(circuit.angles) if a.source != "const"]
    assert min(backend._rows_at_once(circuit), 5) == rows
    np.testing.assert_allclose(
        slopes(backend, circuit, angles, MEASURES[1])[:, free], expected[:, free], atol=1e-12
    )


def test_density_matrices_beyond_memory_are_differentiated_by_parameter_shift(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    circuit = some_circuit(1, 3)
    angles = circuits.rows(circuit, 2, RNG(2))
    backend = qgen.backend("pennylane", device="default.mixed")
    expected = slopes(backend, circuit, angles, qgen.Probabilities())
    monkeypatch.setattr(numerical, "GRAPH_MEMORY", 1)
    found = slopes(backend, circuit, angles, qgen.Probabilities())
    free = [k for k, a in enumerate(circuit.angles) if a.source != "const"]
    np.testing.assert_allclose(found[:, free], expected[:, free], atol=1e-12)


def test_autograd_on_many_wires() -> None:
    """Where PennyLane fails at a batch in autograd, the adjoint method takes over."""
    wires = numerical.AUTOGRAD_FAILS_FROM
    turns = [qgen.Gate("ry", (w,), qgen.param(w)) for w in range(3)]
    circuit = qgen.Circuit(
        wires, (*turns, *(qgen.Gate("cx", (w, w + 1)) for w in range(wires - 1)), *turns)
    )
    angles = RNG(3).uniform(-2, 2, (2, circuit.num_angles))
    backend = qgen.backend("pennylane")
    backend.framework = "autograd"
    expected = slopes(qgen.backend("statevector"), circuit, angles, qgen.pauli_z(wires))
    np.testing.assert_allclose(
        slopes(backend, circuit, angles, qgen.pauli_z(wires)), expected, atol=1e-12
    )


def test_a_phase_in_a_density_matrix_keeps_its_gradient() -> None:
    """PennyLane's own PhaseShift loses it for a batch of two or more in torch."""
    h, p = qgen.Gate("h", (0,)), qgen.Gate("p", (0,), qgen.param(0))
    circuit = qgen.Circuit(1, (h, p, h))
    angles = np.array([[0.3], [1.1], [2.0]])
    found = slopes(
        qgen.backend("pennylane", device="default.mixed"), circuit, angles, qgen.pauli_z(1)
    )
    np.testing.assert_allclose(found[:, 0], -np.sin(angles[:, 0]) * np.cos([0, 1, 2]), atol=1e-12)


@pytest.mark.parametrize("device", ["default.qubit", "default.mixed"])
@pytest.mark.parametrize(
    "measure", MEASURES, ids=lambda m: f"{type(m).__name__}-{m.confusion is not None}"
)
def test_torch_function(device: str, measure: Measure) -> None:
    """Values, gradients and second derivatives of the function that stays inside torch."""
    torch = pytest.importorskip("torch")
    p, cry = qgen.Gate("p", (1,), qgen.param(0)), qgen.Gate("cry", (1, 0), qgen.param(1))
    circuit = qgen.Circuit(
        2, (qgen.Gate("h", (0,)), qgen.Gate("sx", (1,)), p, qgen.Gate("h", (1,)), cry)
    )
    angles = circuits.rows(circuit, 2, RNG(4))
    run = qgen.backend("pennylane", device=device).native(circuit, measure, "torch")
    leaf = torch.tensor(angles, requires_grad=True)
    np.testing.assert_allclose(
        run(leaf).detach().numpy(), reference.values(circuit, angles, measure), atol=1e-12
    )
    assert torch.autograd.gradcheck(run, leaf)
    assert torch.autograd.gradgradcheck(run, leaf)


def test_torch_function_is_offered_for_torch_and_measures_with_gradients_alone() -> None:
    pytest.importorskip("torch")
    backend, circuit = qgen.backend("pennylane"), some_circuit()
    assert backend.native(circuit, qgen.Probabilities(), "jax") is None
    assert backend.native(circuit, qgen.Bits(), "torch") is None
    assert qgen.backend("lightning").native(circuit, qgen.Probabilities(), "torch") is None
    noisy = qgen.Circuit(1, (qgen.Channel(np.eye(2)[None], (0,), "idle"),))
    with pytest.raises(Unsupported, match="idle"):
        backend.native(noisy, qgen.Probabilities(), "torch")


def test_gradients_inside_of_a_forward_pass_without_gradients() -> None:
    """Like a custom torch function, which runs its forward pass without gradients."""
    torch = pytest.importorskip("torch")
    backend, circuit = qgen.backend("pennylane"), some_circuit()
    angles = circuits.rows(circuit, 2, RNG(5))
    expected = slopes(backend, circuit, angles, qgen.Probabilities())
    with torch.no_grad():
        np.testing.assert_array_equal(
            slopes(backend, circuit, angles, qgen.Probabilities()), expected
        )


def test_lightning_in_single_precision() -> None:
    """complex64, declared, and within 1e-5 of double precision in values and gradients."""
    circuit = some_circuit(4, 20)
    angles = circuits.rows(circuit, 2, RNG(6))
    single, double = (
        qgen.backend("lightning", precision=precision) for precision in ("single", "double")
    )
    assert (single.capabilities.precision, double.capabilities.precision) == ("single", "double")
    assert single.run(circuit, angles, qgen.State()).dtype == np.complex64
    assert double.run(circuit, angles, qgen.State()).dtype == np.complex128
    for measure in (qgen.Probabilities(), qgen.Expectations(("ZIII", "XYZI", "IIII"))):
        rough, fine = (backend.run(circuit, angles, measure) for backend in (single, double))
        assert rough.dtype == np.float64 and 0 < np.max(np.abs(rough - fine)) < 1e-5
        rough, fine = (slopes(backend, circuit, angles, measure) for backend in (single, double))
        assert 0 < np.max(np.abs(rough - fine)) < 1e-4
