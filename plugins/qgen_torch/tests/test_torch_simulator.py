"""The torch simulator against the embedded one, its second derivatives, its passes, its memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core import Circuit, Expectations, Gate, Probabilities, State, given, param
from qgen_core.circuits.gates import GATES
from qgen_core.errors import BadOption, ResourceRefused, Unsupported
from qgen_core.testing import circuits
from qgen_torch import TorchBackend
from qgen_torch.binding import Binding
from qgen_torch.simulator import evolve, signed_sums
from qgen_torch.simulator.decompose import Turn, decompose
from qgen_torch.simulator.passes import MatrixPass, PermutationPass, PhasePass, arrange_passes

EVERY_GATE = frozenset(GATES)


@pytest.mark.parametrize("wires", [1, 2, 3, 5, 8, 9, 10])
def test_it_agrees_with_the_embedded_simulator(wires: int) -> None:
    """Values, the global phase of states, and gradients to 1e-9."""
    rng = np.random.default_rng(wires)
    circuit = circuits.trained(EVERY_GATE, wires, 8 * wires, rng)
    angles = circuits.rows(circuit, 3, rng)
    ours, embedded = TorchBackend(device="cpu"), qgen.backend("statevector")
    for measure in (Probabilities(), Expectations(circuits.words(wires, 10, rng)), State()):
        expected = embedded.run(circuit, angles, measure)
        np.testing.assert_allclose(ours.run(circuit, angles, measure), expected, rtol=0, atol=1e-9)
        if not isinstance(measure, State):
            cotangent = rng.normal(size=expected.shape)
            slopes = (
                backend.forward(circuit, angles, measure)[1](cotangent)
                for backend in (ours, embedded)
            )
            np.testing.assert_allclose(*slopes, rtol=0, atol=1e-9)


def test_wide_circuits_use_the_walsh_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed sums by a matrix and by a transform are equal, for phases and for Pauli words."""
    rng = np.random.default_rng(4)
    circuit = circuits.trained(EVERY_GATE, 8, 40, rng)
    angles = torch.from_numpy(circuits.rows(circuit, 2, rng)).requires_grad_()
    measure = Expectations((*circuits.words(8, 10, rng), "ZZIIIIII", "ZZIIIIII"))

    def found() -> tuple[torch.Tensor, ...]:
        function = TorchBackend().native(circuit, measure, "torch")
        assert function is not None
        values = function(angles)
        return values, *torch.autograd.grad(
            values, angles, torch.linspace(-1, 1, values.numel()).view_as(values).double()
        )

    table = found()
    monkeypatch.setattr(signed_sums, "MAX_MATRIX_ENTRIES", 0)
    for here, there in zip(found(), table, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-12)


@pytest.mark.parametrize("held", [True, False])
def test_second_derivatives(held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """gradgradcheck of all gates with an angle, for probabilities, words and states."""
    monkeypatch.setattr(evolve, "UNCHECKED_MEMORY", 2**40 if held else 0)
    rng = np.random.default_rng(7)
    gates = [Gate("ry", (0,), param(0)), Gate("h", (1,)), Gate("cx", (0, 1))]
    for number, name in enumerate(n for n in GATES if GATES[n].has_angle):
        gates.append(Gate(name, ((1, 0), (0, 1))[number % 2][: GATES[name].wires], param(number)))
    circuit = Circuit(2, tuple(gates))
    angles = torch.from_numpy(circuits.rows(circuit, 2, rng)).requires_grad_()
    for measure in (Probabilities(), Expectations(("XY", "ZI")), State()):
        function = TorchBackend().native(circuit, measure, "torch")
        assert torch.autograd.gradcheck(function, (angles,), fast_mode=True)
        assert torch.autograd.gradgradcheck(function, (angles,), fast_mode=True)


def test_second_derivative_of_a_known_function() -> None:
    """<Z> behind RY(t) is cos t; its second derivative is -cos t, its third sin t."""
    circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    function = TorchBackend().native(circuit, Expectations(("Z",)), "torch")
    assert function is not None
    t = torch.tensor([[0.3], [1.1]], dtype=torch.float64, requires_grad=True)
    values = function(t)
    for expected in (-torch.sin(t), -torch.cos(t), torch.sin(t)):
        (values,) = torch.autograd.grad(values.sum(), t, create_graph=True)
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-12)


def test_readout_confusion_stays_in_torch() -> None:
    rng = np.random.default_rng(8)
    circuit = circuits.trained(EVERY_GATE, 3, 12, rng)
    angles = circuits.rows(circuit, 4, rng)
    confusion = np.array([[[0.9, 0.2], [0.1, 0.8]], [[1, 0.1], [0, 0.9]], [[0.7, 0.3], [0.3, 0.7]]])
    backend = TorchBackend(device="cpu")
    for measure in (Probabilities(confusion), Expectations(("ZIX", "YZZ"), confusion)):
        function = backend.native(circuit, measure, "torch")
        assert function is not None
        found = function(torch.from_numpy(angles)).numpy()
        np.testing.assert_allclose(
            found, qgen.backend("density").run(circuit, angles, measure), rtol=0, atol=1e-9
        )


def test_what_rows_share_is_the_same() -> None:
    """Shared parameters equal the same parameters in each row, with gradients summed."""
    rng = np.random.default_rng(9)
    circuit = circuits.trained(EVERY_GATE, 5, 40, rng)
    measure, backend = Expectations(circuits.words(5, 4, rng)), TorchBackend(device="cpu")
    theta, x = (
        torch.from_numpy(rng.normal(size=s)).requires_grad_()
        for s in (circuit.num_params, (6, circuit.num_inputs))
    )
    together = backend.bound_function(circuit, measure, Binding(circuit))(theta, x)
    angles = circuit.bind(theta.detach().numpy(), x.detach().numpy())
    np.testing.assert_allclose(
        together.detach().numpy(), backend.run(circuit, angles, measure), rtol=0, atol=1e-12
    )
    cotangent = rng.normal(size=together.shape)
    found = torch.autograd.grad(together, (theta, x), torch.from_numpy(cotangent))
    d_params, d_inputs = circuit.pullback(backend.forward(circuit, angles, measure)[1](cotangent))
    np.testing.assert_allclose(found[0].numpy(), d_params.sum(axis=0), rtol=0, atol=1e-11)
    np.testing.assert_allclose(found[1].numpy(), d_inputs, rtol=0, atol=1e-11)


def test_a_layer_of_the_circuit_is_a_few_passes() -> None:
    """An angle embedding is the start; an entangling layer is one permutation and few matrices."""
    circuit = qgen.ansatz("strongly-entangling", layers=3, reupload=False)(6, inputs=6)
    sequence = arrange_passes(circuit, Binding(circuit).row_columns)
    assert [type(one) for one in sequence.passes] == [
        PermutationPass,
        MatrixPass,
        PermutationPass,
        MatrixPass,
        PermutationPass,
    ]
    assert [len(one.blocks) for one in sequence.passes if isinstance(one, MatrixPass)] == [2, 2]
    ring = Circuit(4, tuple(Gate("rzz", (w, (w + 1) % 4), param(w)) for w in range(4)))
    assert [type(one) for one in arrange_passes(ring, np.arange(0)).passes] == [PhasePass]


def test_neighbouring_turns_are_one() -> None:
    """Gates without an angle are multiplied into their neighbours when the circuit is planned."""
    gates = [
        Gate("h", (0,)),
        Gate("rx", (0,), param(0)),
        Gate("s", (0,)),
        Gate("t", (0,)),
        Gate("rz", (0,), given(0)),
    ]
    circuit = Circuit(1, tuple(gates))
    assert sum(isinstance(op, Turn) for op in decompose(circuit)) == 5
    table = arrange_passes(circuit, np.array([1])).slots
    assert len(table.gates) == 2 and table.shared_gates == 1 and len(table.constants) == 1


def test_batches_without_angles_and_without_rows() -> None:
    backend = TorchBackend(device="cpu")
    bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    np.testing.assert_allclose(
        backend.run(bell, np.empty((3, 0)), Probabilities()), [[0.5, 0, 0, 0.5]] * 3, atol=1e-15
    )
    nothing = Circuit(2, ())
    output, back = backend.forward(nothing, np.empty((2, 0)), Probabilities())
    assert output.tolist() == [[1, 0, 0, 0]] * 2 and back(np.ones((2, 4))).shape == (2, 0)
    turned = Circuit(1, (Gate("ry", (0,), param(0)),))
    assert backend.run(turned, np.empty((0, 1)), Probabilities()).shape == (0, 2)


def test_memory_is_refused_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 wires in double precision take 16 GiB a state; 6 of them to train."""
    monkeypatch.setattr("qgen_core.support.resources.available_memory", lambda: 21 * 2**30)
    wide = Circuit(30, (Gate("ry", (0,), param(0)),))
    backend = TorchBackend(device="cpu")
    with pytest.raises(
        ResourceRefused, match="30 qubits need 96 GiB to train, 21 GiB free; at most 27 here"
    ):
        backend.require(wide, Probabilities())
    with pytest.raises(
        ResourceRefused, match="30 qubits need 48 GiB, 21 GiB free; at most 28 here"
    ):
        backend.run(wide, np.zeros((1, 1)), Probabilities())
    with pytest.raises(ResourceRefused, match="to train for a batch of 4"):
        qgen.backend("torch", precision="single", device="cpu").forward(
            wide, np.zeros((4, 1)), Probabilities()
        )
    with pytest.raises(ResourceRefused, match="30 qubits"):
        backend.native(wide, Probabilities(), "torch")


def test_options_and_refusals() -> None:
    for options in ({"precision": "half"}, {"device": "gpu"}):
        with pytest.raises(BadOption):
            TorchBackend(**options)
    if not torch.cuda.is_available():
        with pytest.raises(BadOption, match="no CUDA device here; set device to 'cpu'"):
            TorchBackend(device="cuda")
    backend = TorchBackend(device="cpu")
    bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    assert backend.native(bell, Probabilities(), "jax") is None
    assert backend.native(bell, qgen.Bits(), "torch") is None
    noisy = Circuit(1, (next(circuits.channels(1, np.random.default_rng(1))),))
    with pytest.raises(Unsupported, match="channel"):
        backend.native(noisy, Probabilities(), "torch")
