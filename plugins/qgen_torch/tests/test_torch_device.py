"""Devices other than the CPU: models, losses and layers there equal those on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch_circuits import MIXED, WORDS
from torch_elsewhere import ELSEWHERE, OneDevice, elsewhere

import qgen_core as qgen
from qgen_core import Batch, Events, Space
from qgen_core.support.checkpoint import Checkpoints
from qgen_torch import GeneratorModule, QuantumLayer, TorchBackend, TorchGenerator, TorchModel
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.trainer import TorchTrainer

SPACES = {"space": Space("reals", 2), "condition": Space("reals", 1)}


def test_the_device_mixes_with_no_other_and_has_no_arrays() -> None:
    with elsewhere():
        there = torch.ones(2, device=ELSEWHERE)
        assert torch.equal((there + 1).cpu(), torch.full((2,), 2.0))
        with pytest.raises(OneDevice):
            there + torch.zeros(2)
        with pytest.raises(TypeError, match="copy them"):
            there.numpy()


def on(device: str) -> AbstractContextManager[None]:
    """Where the block may use this device."""
    if device == "cpu":
        return nullcontext()
    return elsewhere()


class Autoencoder(TorchModel):
    """A small variational autoencoder: noise, dropout, batch normalisation and conditions."""

    outputs = frozenset({"samples", "objective"})

    def __init__(self, device: str) -> None:
        parts = {
            "encoder": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh()),
            "decoder": nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 2)),
        }
        for part in parts.values():
            for number, value in enumerate(part.double().parameters()):
                nn.init.uniform_(value, -0.4, 0.5, torch.Generator().manual_seed(number))
        super().__init__(parts, **SPACES, device=device)

    def samples(self, n, condition, rng):  # type: ignore[no-untyped-def]
        return self._decoded(self.noise(n, 4, rng), condition)

    def objective(self, x, condition, rng):  # type: ignore[no-untyped-def]
        code = self.module["encoder"](torch.cat([x, condition], dim=1))
        noisy = code + 0.1 * self.noise(len(x), 4, rng)
        return ((self._decoded(noisy, condition) - x) ** 2).sum(dim=1)

    def _decoded(self, code: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.module["decoder"](torch.cat([code, condition], dim=1))


def perceptron(device: str) -> MlpGenerator:
    return MlpGenerator(
        **SPACES, latent=3, widths=(8,), activation="tanh", norm="batch", seed=5, device=device,
        precision="double",
    )  # fmt: skip


def wrapped(device: str) -> TorchGenerator:
    module = nn.Linear(3, 2)
    nn.init.normal_(module.weight, generator=torch.Generator().manual_seed(1))
    nn.init.zeros_(module.bias)
    return TorchGenerator(module.double(), space=Space("reals", 2), latent=3, device=device)


def fitted(
    model: TorchModel, loss: qgen.Loss, trainer: qgen.Trainer, run: Checkpoints | None = None
) -> tuple[list[float], dict[str, Any]]:
    """The losses and the state after a training, with samples of the model."""
    rng = np.random.default_rng(1)
    condition = None
    conditions = None
    if model.condition is not None:
        condition = rng.choice([0.0, 1.0], (40, 1))
        conditions = np.ones((30, 1))
    data = Events(rng.normal(0.5, 0.3, (40, 2)), condition)
    history = trainer.fit(model, data, loss, seed=3, run=run)
    found = model.state() | loss.state()
    found["samples"] = model.sample(30, conditions, rng=np.random.default_rng(7))
    return history.losses.tolist(), found


def assert_equal(one: tuple[list[float], dict[str, Any]], other: Any) -> None:
    assert one[0] == other[0]
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        np.testing.assert_array_equal(value, other[1][name], err_msg=name)


CASES = {
    "critic": ("torch", perceptron, lambda: Adversarial(**SPACES, variant="hinge", seed=3)),
    "kernels": ("spsa", wrapped, lambda: qgen.loss("mmd", reads="samples", bandwidth=[1.0])),
    "objective": ("adam", Autoencoder, lambda: qgen.loss("mean")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_elsewhere_is_that_of_the_cpu(case: str) -> None:
    trainer, model, loss = CASES[case]

    def run(device: str) -> Any:
        with on(device):
            return fitted(model(device), loss(), qgen.trainer(trainer, steps=3, batch_size=20))

    assert_equal(run(ELSEWHERE), run("cpu"))


def test_a_checkpoint_moves_between_devices(tmp_path: Path) -> None:
    """Started on the CPU, continued elsewhere, and ended on the CPU."""

    def run(device: str, steps: int, folder: Path | None) -> Any:
        saved = None
        if folder is not None:
            saved = Checkpoints(folder, every=0)
        with on(device):
            trainer = TorchTrainer(steps=steps, batch_size=20, learning_rate=0.01)
            return fitted(perceptron(device), Adversarial(**SPACES, seed=3), trainer, saved)

    run("cpu", 2, tmp_path)
    run(ELSEWHERE, 4, tmp_path)
    assert_equal(run("cpu", 6, tmp_path), run("cpu", 6, None))


BACKENDS: dict[str, Callable[[], qgen.Backend | None]] = {
    "the fastest": lambda: None,
    "torch": TorchBackend,
    "torch on the CPU": lambda: TorchBackend(device="cpu"),
    "adjoint": lambda: qgen.backend("statevector"),
}


def assert_close(found: list[list[torch.Tensor]]) -> None:
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there, here, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shots", [None, 50])
@pytest.mark.parametrize("name", BACKENDS)
def test_a_layer_elsewhere_is_that_of_the_cpu(name: str, shots: int | None) -> None:
    found = []
    for device in ("cpu", ELSEWHERE):
        with on(device):
            options = {"shots": shots, "seed": 1, "dtype": torch.float64, "device": device}
            layer = QuantumLayer(MIXED, WORDS, BACKENDS[name](), **options)
            inputs = torch.linspace(-1, 1, 10, dtype=torch.float64).view(5, 2).to(device)
            inputs.requires_grad_()
            output = layer(inputs)
            slopes = torch.autograd.grad((output**2).sum(), (layer.theta, inputs))
            for tensor in (output, *slopes):
                assert tensor.device == inputs.device
            found.append([tensor.detach().cpu() for tensor in (output, *slopes)])
    assert_close(found)


def test_a_generator_as_a_module_elsewhere() -> None:
    ansatz = qgen.ansatz("brick", layers=1)
    backend = qgen.backend("statevector")
    found = []
    for device in ("cpu", ELSEWHERE):
        born = qgen.generator(
            "qcbm", ansatz=ansatz, backend=backend, space=Space("bits", 2), seed=1
        )
        with on(device):
            module = GeneratorModule(born).to(device)
            table = module("probabilities", Batch(), rng=np.random.default_rng(0))
            assert table.device.type == device
            slopes = torch.autograd.grad((table**2).sum(), list(module.parameters()))
            found.append([tensor.detach().cpu() for tensor in (table, *slopes)])
    assert_close(found)
