"""A circuit as a torch module: values, gradients, dtypes, states and copies."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from torch_circuits import MIXED, WORDS, Counting, Native, Shifting, expected, slopes

import qgen_core as qgen
from qgen_core import (
    Backend,
    Bits,
    Circuit,
    Gate,
    Probabilities,
    State,
    const,
    given,
    param,
    pauli_z,
)
from qgen_core.errors import BadCircuit, BadOption, ResourceRefused, UnknownName, Unsupported
from qgen_core.testing.kit import globals_untouched
from qgen_torch import QuantumLayer

BACKENDS = {
    "the fastest": lambda: None,
    "torch": lambda: qgen.backend("torch", device="cpu"),
    "adjoint": lambda: qgen.backend("statevector"),
    "parameter shift": Shifting,
    "native": Native,
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend | None:
    return BACKENDS[request.param]()


def inputs(rows: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    values = np.random.default_rng(rows).uniform(-2, 2, (rows, 2))
    return torch.from_numpy(values).to(dtype).requires_grad_()


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_gradients(backend: Backend | None, rows: int) -> None:
    """Against the exact ones of the reference, by parameters and inputs at once."""
    layer = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=torch.float64)
    x = inputs(rows)
    output = layer(x)
    theta = layer.theta.detach().numpy()
    np.testing.assert_allclose(
        output.detach().numpy(), expected(theta, x.detach().numpy()), rtol=0, atol=1e-9
    )
    cotangent = np.random.default_rng(2).normal(size=output.shape)
    output.backward(torch.from_numpy(cotangent))
    by_theta, by_x = slopes(theta, x.detach().numpy(), cotangent)
    np.testing.assert_allclose(layer.theta.grad.numpy(), by_theta, rtol=0, atol=1e-9)
    np.testing.assert_allclose(x.grad.numpy(), by_x, rtol=0, atol=1e-9)


def test_probabilities_and_readout(backend: Backend | None) -> None:
    confusion = np.array([[[0.9, 0.2], [0.1, 0.8]], [[0.95, 0.1], [0.05, 0.9]]])
    x = inputs(3)
    for measure in (Probabilities(), Probabilities(confusion)):
        layer = QuantumLayer(MIXED, measure, backend, seed=1, dtype=torch.float64)
        theta, values = layer.theta.detach().numpy(), x.detach().numpy()
        output = layer(x)
        np.testing.assert_allclose(
            output.detach().numpy(), expected(theta, values, measure), rtol=0, atol=1e-9
        )
        cotangent = np.random.default_rng(3).normal(size=output.shape)
        found = torch.autograd.grad(output, (layer.theta, x), torch.from_numpy(cotangent))
        for here, there in zip(found, slopes(theta, values, cotangent, measure), strict=True):
            np.testing.assert_allclose(here.numpy(), there, rtol=0, atol=1e-9)


def test_one_run_there_and_one_back() -> None:
    """The backward pass reuses the state of the forward pass; without gradients none is kept."""
    backend = Counting()
    layer = QuantumLayer(MIXED, WORDS, backend, seed=1)
    layer(inputs(5)).sum().backward()
    assert backend.calls == ["forward", "back"]
    with torch.no_grad():
        layer(inputs(5))
    layer.requires_grad_(False)(inputs(5).detach())
    assert backend.calls[2:] == ["run", "run"]


def test_the_native_way_is_taken() -> None:
    """Tensors stay in torch, in double precision, and second derivatives come with it."""
    backend = Native()
    layer = QuantumLayer(MIXED, WORDS, backend, seed=1)
    layer(inputs(5, torch.float32)).sum().backward()
    assert backend.calls == ["native torch.float64 cpu"]
    backend.calls.clear()
    QuantumLayer(MIXED, WORDS, backend, seed=1, shots=10)(inputs(5))
    assert backend.calls == ["run"]


@pytest.mark.parametrize("only", ["parameters", "inputs"])
def test_half_of_the_gradients(backend: Backend | None, only: str) -> None:
    """Frozen parameters, or inputs that are data."""
    layer, x = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=torch.float64), inputs(4)
    whole = torch.autograd.grad(layer(x).sum(), (layer.theta, x))
    if only == "parameters":
        layer(x.detach()).sum().backward()
        torch.testing.assert_close(layer.theta.grad, whole[0])
    else:
        layer.requires_grad_(False)(x).sum().backward()
        torch.testing.assert_close(x.grad, whole[1])
        assert layer.theta.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("given_dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_types(backend: Backend | None, dtype: torch.dtype, given_dtype: torch.dtype) -> None:
    """The output has the dtype of the inputs, gradients that of their tensors."""
    layer, x = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=dtype), inputs(7, given_dtype)
    output = layer(x)
    assert output.dtype == given_dtype
    found = torch.autograd.grad(output.sum(), (layer.theta, x))
    assert [g.dtype for g in found] == [dtype, given_dtype]
    if given_dtype == torch.bfloat16:  # angles of three digits
        return
    exact = QuantumLayer(MIXED, WORDS, qgen.backend("statevector"), seed=1, dtype=torch.float64)
    wide = inputs(7)
    for here, there in zip(
        found, torch.autograd.grad(exact(wide).sum(), (exact.theta, wide)), strict=True
    ):
        torch.testing.assert_close(here.double(), there, rtol=0, atol=2e-5)


def test_double_backward_where_there_is_torch() -> None:
    """gradgradcheck on ``torch``, on a native backend, and by default; elsewhere an error."""
    x = inputs(3)
    for backend in (qgen.backend("torch", device="cpu"), Native(), None):
        layer = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=torch.float64)

        def function(
            theta: torch.Tensor, x: torch.Tensor, layer: QuantumLayer = layer
        ) -> torch.Tensor:
            return torch.func.functional_call(layer, {"theta": theta}, (x,))

        assert torch.autograd.gradgradcheck(function, (layer.theta.detach().requires_grad_(), x))
    for name, backend, shots in (
        ("statevector", qgen.backend("statevector"), None),
        ("torch", qgen.backend("torch"), 9),
    ):
        layer = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=torch.float64, shots=shots)
        (slope,) = torch.autograd.grad(
            layer(x).sum(), x, create_graph=True
        )  # the first derivative is there
        with pytest.raises(
            BadOption, match=f"backend '{name}'.* first derivatives only.* the backend 'torch'"
        ):
            slope.square().sum().backward()


def test_a_circuit_without_inputs_and_one_without_parameters(backend: Backend | None) -> None:
    turned = Circuit(1, (Gate("ry", (0,), param(0)), Gate("rx", (0,), const(0.4))))
    layer = QuantumLayer(turned, Probabilities(), backend, seed=1, dtype=torch.float64)
    output = layer()
    assert output.shape == (1, 2)
    (slope,) = torch.autograd.grad(output[0, 1], layer.theta)
    np.testing.assert_allclose(
        slope.item(), np.sin(layer.theta.item()) * np.cos(0.4) / 2, atol=1e-12
    )
    fed = Circuit(1, (Gate("ry", (0,), given(0)),))
    layer = QuantumLayer(fed, Probabilities(), backend)
    assert layer.theta is None and not list(layer.parameters())
    x = inputs(4)[:, :1].detach().requires_grad_()
    (slope,) = torch.autograd.grad(layer(x)[:, 1].sum(), x)
    torch.testing.assert_close(slope, torch.sin(x) / 2, rtol=0, atol=1e-12)


def test_seeded_start() -> None:
    with globals_untouched("a layer"):
        first, same, other = (
            QuantumLayer(MIXED, WORDS, seed=seed, scale=0.5) for seed in (1, 1, 2)
        )
        QuantumLayer(MIXED, WORDS)(inputs(2))
    assert torch.equal(first.theta, same.theta) and not torch.equal(first.theta, other.theta)
    assert first.theta.dtype == torch.get_default_dtype()
    assert first.theta.abs().max() <= 0.5
    assert not torch.equal(QuantumLayer(MIXED, WORDS).theta, QuantumLayer(MIXED, WORDS).theta)


def test_states_and_copies(backend: Backend | None) -> None:
    """A layer with the loaded state and a deep copy give equal outputs; parameters are separate."""
    layer, x = QuantumLayer(MIXED, WORDS, backend, seed=1), inputs(3)
    other = QuantumLayer(MIXED, WORDS, backend, seed=2)
    other.load_state_dict(layer.state_dict())
    twin = copy.deepcopy(torch.nn.Sequential(layer))
    for same in (other, twin):
        assert torch.equal(same(x), layer(x))
    with torch.no_grad():
        twin[0].theta.add_(1)
    assert not torch.equal(twin(x), layer(x))


def test_a_used_layer_is_saved_whole(backend: Backend | None) -> None:
    layer = QuantumLayer(MIXED, WORDS, backend, seed=4, dtype=torch.float64)
    x = inputs(3)
    before = layer(x)
    before.sum().backward()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    again = x.detach().clone().requires_grad_()
    after = loaded(again)
    after.sum().backward()
    assert torch.equal(before, after)
    assert torch.equal(layer.theta.grad, loaded.theta.grad) and torch.equal(x.grad, again.grad)
    assert torch.equal(layer(x), before), "the saved one goes on"


def test_a_layer_whose_backend_cannot_be_saved_says_so() -> None:
    class Local(Shifting):
        """A class that pickle does not find."""

    layer = QuantumLayer(MIXED, WORDS, Local(), seed=4)
    with pytest.raises(Unsupported, match="cannot be saved as a whole .* save its state_dict"):
        torch.save(layer, io.BytesIO())


def test_a_step_of_an_optimiser_goes_downhill(backend: Backend | None) -> None:
    layer, x = QuantumLayer(MIXED, WORDS, backend, seed=1), inputs(16, torch.float32).detach()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (layer(x) - 0.2).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_refusals() -> None:
    layer = QuantumLayer(MIXED, WORDS, seed=1)
    for wrong, said in (
        (None, r"takes inputs \(B, 2\); none"),
        (torch.zeros(2), r"not \(2,\)"),
        (torch.zeros(3, 4), r"not \(3, 4\)"),
        (torch.zeros(3, 2, dtype=torch.int64), "torch.int64"),
    ):
        with pytest.raises(BadOption, match=said):
            layer(wrong)
    with pytest.raises(BadOption, match="inputs on meta, parameters on cpu; move one to the other"):
        layer(torch.zeros(3, 2, device="meta"))
    for measure in (Bits(), State()):
        with pytest.raises(BadOption, match=type(measure).__name__):
            QuantumLayer(MIXED, measure)
    with pytest.raises(BadCircuit, match="does not fit 2 wires"):
        QuantumLayer(MIXED, qgen.pauli_z(3))
    with pytest.raises(BadOption, match="neither parameters nor inputs"):
        QuantumLayer(Circuit(1, (Gate("h", (0,)),)), Probabilities())
    with pytest.raises(BadOption, match="shots must be at least 1"):
        QuantumLayer(MIXED, WORDS, shots=0)
    wide = Circuit(60, (Gate("ry", (0,), param(0)),))
    for backend in (None, qgen.backend("torch"), qgen.backend("statevector")):
        with pytest.raises(ResourceRefused, match="60 qubits"):
            QuantumLayer(wide, Probabilities(), backend)()
    noisy = qgen.noise("depolarizing")(MIXED, WORDS)[0]
    with pytest.raises(Unsupported, match="channel"):
        QuantumLayer(noisy, WORDS, qgen.backend("torch"))


def test_rows_are_apart(backend: Backend | None) -> None:
    """A row's output and gradient do not depend on the other rows; no rows give no output."""
    layer, x = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=torch.float64), inputs(7)
    together = layer(x)
    (slope,) = torch.autograd.grad(together.square().sum(), x)
    alone = x[3:4].detach().requires_grad_()
    (slope_alone,) = torch.autograd.grad(layer(alone).square().sum(), alone)
    torch.testing.assert_close(together[3:4], layer(alone), rtol=0, atol=1e-12)
    torch.testing.assert_close(slope[3:4], slope_alone, rtol=0, atol=1e-12)
    assert layer(x[:0]).shape == (0, 3)


@pytest.mark.parametrize("backend", ["statevector", {"name": "statevector", "precision": "single"}])
def test_a_backend_by_name(backend: str | dict[str, str]) -> None:
    circuit = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))
    by_name = QuantumLayer(circuit, pauli_z(2), backend, seed=3)
    given = QuantumLayer(circuit, pauli_z(2), qgen.build("backend", backend), seed=3)
    assert torch.equal(by_name(), given())
    with pytest.raises(UnknownName, match="no backend 'lightnin'"):
        QuantumLayer(circuit, pauli_z(2), "lightnin")
