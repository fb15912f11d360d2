"""CUDA: tensors that stay on the device or return, its memory, states moved between devices.

What needs no GPU of this is in test_torch_device.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_circuits import MIXED, WORDS, Native, expected, slopes

import qgen_core as qgen
from qgen_core import Backend, Circuit, Events, Gate, Probabilities, Space, param
from qgen_core.errors import BadOption, ResourceRefused
from qgen_core.support.checkpoint import Checkpoints
from qgen_torch import QuantumLayer, TorchBackend
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.trainer import TorchTrainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")

BACKENDS = {
    "the fastest": lambda: None,
    "torch": lambda: TorchBackend(),
    "torch on the CPU": lambda: TorchBackend(device="cpu"),
    "adjoint": lambda: qgen.backend("statevector"),
    "native": Native,
}


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("name", BACKENDS)
def test_gradients_of_tensors_on_cuda(name: str, rows: int) -> None:
    backend: Backend | None = BACKENDS[name]()
    layer = QuantumLayer(MIXED, WORDS, backend, seed=1, dtype=torch.float64, device="cuda")
    values = np.random.default_rng(rows).uniform(-2, 2, (rows, 2))
    x = torch.from_numpy(values).cuda().requires_grad_()
    output = layer(x)
    assert output.device == x.device == layer.theta.device
    theta = layer.theta.detach().cpu().numpy()
    np.testing.assert_allclose(
        output.detach().cpu().numpy(), expected(theta, values), rtol=0, atol=1e-9
    )
    cotangent = np.random.default_rng(2).normal(size=output.shape)
    found = torch.autograd.grad(output, (layer.theta, x), torch.from_numpy(cotangent).cuda())
    for here, there in zip(found, slopes(theta, values, cotangent), strict=True):
        assert here.device == x.device
        np.testing.assert_allclose(here.cpu().numpy(), there, rtol=0, atol=1e-9)


def test_second_derivatives_on_cuda() -> None:
    layer = QuantumLayer(MIXED, WORDS, seed=1, dtype=torch.float64, device="cuda")
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 2))).cuda().requires_grad_()
    assert torch.autograd.gradgradcheck(layer, (x,))


def test_single_precision_follows_the_tensors() -> None:
    layer = QuantumLayer(MIXED, WORDS, seed=1, device="cuda", dtype=torch.float32)
    x = torch.linspace(-1, 1, 10, device="cuda").view(5, 2)
    twin = QuantumLayer(MIXED, WORDS, seed=1, dtype=torch.float64)
    torch.testing.assert_close(layer(x).cpu(), twin(x.cpu().double()).float(), rtol=0, atol=1e-5)


def test_moving_a_layer_keeps_its_outputs_and_its_draws() -> None:
    layer = QuantumLayer(MIXED, WORDS, seed=1, shots=100)
    twin = QuantumLayer(MIXED, WORDS, seed=2, shots=100, device="cuda")
    twin.load_state_dict(layer.state_dict())
    x = torch.ones(3, 2)
    torch.testing.assert_close(twin(x.cuda()).cpu(), layer(x))
    torch.testing.assert_close(twin.cpu()(x), layer(x))
    with pytest.raises(BadOption, match="inputs on cuda:0, parameters on cpu"):
        layer(x.cuda())


def test_its_memory_is_asked_before_it_is_taken() -> None:
    total = torch.cuda.mem_get_info()[1]
    wires = int(np.log2(total / 16)) + 1
    wide = Circuit(wires, (Gate("ry", (0,), param(0)),))
    with pytest.raises(
        ResourceRefused, match=rf"{wires} qubits need .* GiB to train, .* free; at most \d+ here"
    ):
        TorchBackend(device="cuda").require(wide, Probabilities())


def test_a_large_circuit_agrees_with_the_embedded_simulator() -> None:
    """16 wires, where states are run back instead of held."""
    circuit = qgen.ansatz("brick", layers=2)(16)
    angles = np.random.default_rng(1).normal(size=(2, circuit.num_angles))
    cotangent = np.random.default_rng(2).normal(size=(2, 2**16))
    ours, embedded = TorchBackend(device="cuda"), qgen.backend("statevector")
    for backend_values in zip(
        *(
            (
                b.run(circuit, angles, Probabilities()),
                b.forward(circuit, angles, Probabilities())[1](cotangent),
            )
            for b in (ours, embedded)
        ),
        strict=True,
    ):
        np.testing.assert_allclose(*backend_values, rtol=0, atol=1e-9)


def test_a_network_trained_on_cuda_is_that_of_the_cpu(tmp_path: Path) -> None:
    """Up to rounding; interrupted and resumed on the GPU, and sampled from on the CPU."""
    space = Space("reals", 2)
    data = Events(np.random.default_rng(1).normal(0.5, 0.3, (60, 2)))

    def trained(device: str, steps: int, folder: Path) -> MlpGenerator:
        model = MlpGenerator(
            space=space, widths=(8,), norm="batch", precision="double", device=device, seed=5
        )
        loss = Adversarial(space=space, precision="double", seed=5)
        trainer = TorchTrainer(steps=steps, batch_size=20, learning_rate=0.01)
        trainer.fit(model, data, loss, seed=3, run=Checkpoints(folder, every=0))
        return model

    here = trained("cpu", 12, tmp_path / "cpu")
    trained("cuda", 6, tmp_path / "cuda")
    there = trained("cuda", 12, tmp_path / "cuda")
    for name, value in here.state().items():
        np.testing.assert_allclose(there.state()[name], value, rtol=1e-6, atol=1e-9)
    again = trained("cpu", 12, tmp_path / "cuda")
    samples = [model.sample(50, rng=np.random.default_rng(2)) for model in (here, there, again)]
    np.testing.assert_allclose(samples[1], samples[0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(samples[2], samples[1], rtol=1e-9, atol=1e-11)
