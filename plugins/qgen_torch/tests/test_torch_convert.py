"""A torch module as a generator of qgen, and a generator as a module."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import qgen_core as qgen
from qgen_core import Batch, Space
from qgen_core.errors import BadOption, NoGradient
from qgen_core.testing import GeneratorKit
from qgen_core.testing.kit import globals_untouched
from qgen_torch import GeneratorModule, QuantumLayer, TorchGenerator


class Conditional(nn.Module):
    """A network of noise and conditions."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, z: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([z, condition], dim=1))


def start(module: nn.Module) -> nn.Module:
    """The same first weights at each call, whatever was drawn before."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.from_numpy(rng.normal(0, 0.5, value.shape)))
    return module


class TestModuleAsGenerator(GeneratorKit):
    def make(self) -> TorchGenerator:
        module = start(
            nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 2)).double()
        )
        return TorchGenerator(module, space=Space("reals", 2), latent=3)


class TestConditionalModuleAsGenerator(GeneratorKit):
    precision = "single"

    def make(self) -> TorchGenerator:
        return TorchGenerator(
            start(Conditional()), space=Space("reals", 2), condition=Space("reals", 2), latent=3
        )


class TestLayerAsGenerator(GeneratorKit):
    """A circuit between: noise turns the wires, expectations are the events."""

    def make(self) -> TorchGenerator:
        circuit = qgen.ansatz("hardware-efficient", layers=1)(2, inputs=2)
        layer = QuantumLayer(circuit, qgen.pauli_z(2), seed=3, dtype=torch.float64)
        return TorchGenerator(layer, space=Space("reals", 2), latent=2)


def test_parameters_are_the_modules_memory() -> None:
    """A trainer of the core moves the module."""
    module = nn.Linear(1, 1)
    generator = TorchGenerator(module, space=Space("reals", 1), latent=1)
    generator.parameters()["weight"][:] = 4.0
    assert module.weight.item() == 4.0
    data = qgen.Events(np.random.default_rng(1).normal(3.0, 0.5, (500, 1)))
    trainer = qgen.trainer("adam", learning_rate=0.1, steps=150)
    trainer.fit(
        generator, data, qgen.loss("mmd", reads="samples", bandwidth=(0.3, 1.0, 3.0)), seed=1
    )
    assert abs(module.bias.item() - 3.0) < 0.2 and abs(abs(module.weight.item()) - 0.5) < 0.2


def test_dropout_draws_from_the_given_rng() -> None:
    """In training a module's own draws follow the rng; sampling disables dropout."""
    module = nn.Sequential(nn.Linear(2, 64), nn.Dropout(0.5), nn.Linear(64, 1))
    generator = TorchGenerator(module, space=Space("reals", 1), latent=2)
    batch = Batch(x=np.zeros((10, 1)))
    module.train()
    with globals_untouched("a module with dropout"):
        one, same, other = (
            generator.forward("samples", batch, rng=np.random.default_rng(s))[0] for s in (1, 1, 2)
        )
        fixed = [generator.sample(10, rng=np.random.default_rng(3)) for _ in range(2)]
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(*fixed) and module.training
    rng = np.random.default_rng(3)
    rng.integers(2**63)  # seeds the module's own random numbers
    z = rng.standard_normal((10, 2), dtype=np.float32)
    np.testing.assert_allclose(
        fixed[0], module.eval()(torch.from_numpy(z)).detach().numpy(), rtol=1e-6
    )


def test_frozen_parameters_have_no_slope() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    generator = TorchGenerator(module, space=Space("reals", 1), latent=2)
    _, pullback = generator.forward(
        "samples", Batch(x=np.zeros((4, 1))), rng=np.random.default_rng(1)
    )
    gradient = pullback(np.ones((4, 1), dtype=np.float32))
    assert list(gradient) == list(generator.parameters())
    assert not gradient["0.weight"].any() and gradient["1.weight"].any()


def test_modules_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadOption, match="not 2 bits"):
        TorchGenerator(nn.Linear(1, 2), space=Space("bits", 2), latent=1)
    with pytest.raises(BadOption, match="latent"):
        TorchGenerator(nn.Linear(1, 2), space=Space("reals", 2), latent=0)
    with pytest.raises(BadOption, match=r"all float32 or all float64, not torch.float16"):
        TorchGenerator(nn.Linear(1, 2).half(), space=Space("reals", 2), latent=1)
    wrong = TorchGenerator(nn.Linear(1, 2), space=Space("reals", 3), latent=1)
    with pytest.raises(BadOption, match=r"\(5, 2\) for 5 events of 3 reals"):
        wrong.sample(5, rng=np.random.default_rng(1))


def born_machine() -> qgen.Generator:
    return qgen.generator(
        "qcbm",
        ansatz=qgen.ansatz("brick", layers=1),
        backend=qgen.backend("statevector"),
        space=Space("bits", 3),
        seed=1,
    )


def test_a_generator_as_a_module() -> None:
    """Its outputs are tensors; gradients are its pullback; an optimiser moves its arrays."""
    generator = born_machine()
    module = GeneratorModule(generator)
    batch, rng = Batch(target=np.full((1, 8), 1 / 8)), np.random.default_rng(1)
    table = module("probabilities", batch, rng=rng)
    values, pullback = generator.forward("probabilities", batch, rng=rng)
    np.testing.assert_array_equal(table.detach().numpy(), values)
    cotangent = np.random.default_rng(2).normal(size=values.shape)
    table.backward(torch.from_numpy(cotangent))
    np.testing.assert_array_equal(module.weights[0].grad.numpy(), pullback(cotangent)["theta"])
    before = generator.parameters()["theta"].copy()
    torch.optim.SGD(module.parameters(), lr=0.1).step()
    np.testing.assert_allclose(
        generator.parameters()["theta"], before - 0.1 * pullback(cotangent)["theta"], atol=1e-15
    )


def test_a_generator_trained_in_a_loop_of_torch() -> None:
    generator = born_machine()
    module = GeneratorModule(generator)
    target = torch.tensor([[0.5, 0, 0, 0.2, 0, 0, 0, 0.3]], dtype=torch.float64)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(120):
        optimizer.zero_grad()
        table = module("probabilities", Batch(target=target.numpy()), rng=np.random.default_rng(1))
        loss = (table - target).square().sum()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3
    table, _ = generator.forward(
        "probabilities", Batch(target=target.numpy()), rng=np.random.default_rng(1)
    )
    assert np.abs(table - target.numpy()).max() < 0.05


def test_copied_and_moved_modules_keep_their_generator_in_step() -> None:
    module = GeneratorModule(born_machine())
    twin = copy.deepcopy(module).eval()
    with torch.no_grad():
        twin.weights[0].fill_(0.3)
    assert np.all(twin.generator.parameters()["theta"] == 0.3) and not twin.training
    assert not np.any(module.generator.parameters()["theta"] == 0.3)
    narrow = copy.deepcopy(module).float()  # its own memory now, copied back when it is used
    with torch.no_grad():
        narrow.weights[0].fill_(0.25)
    output = narrow(
        "probabilities", Batch(target=np.ones((1, 8)) / 8), rng=np.random.default_rng(1)
    )
    assert np.all(narrow.generator.parameters()["theta"] == 0.25)
    output[0, 0].backward()
    assert narrow.weights[0].grad.dtype == torch.float32 and narrow.weights[0].grad.abs().max() > 0


class Shifted(qgen.Generator):
    """A generator whose samples have no gradient."""

    def __init__(self) -> None:
        self.space, self.mean = Space("reals", 1), np.zeros(1)

    def parameters(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean}

    def sample(self, n: int, condition: object = None, *, rng: np.random.Generator) -> np.ndarray:
        return self.mean + rng.normal(size=(n, 1))


def test_what_has_no_derivative_says_so() -> None:
    rng = np.random.default_rng(1)
    samples = GeneratorModule(Shifted())("samples", Batch(x=np.zeros((4, 1))), rng=rng)
    with pytest.raises(NoGradient, match="samples of Shifted have no gradient"):
        samples.sum().backward()
    module, batch = GeneratorModule(born_machine()), Batch(x=np.zeros((4, 3), dtype=np.int8))
    table = module("log_prob", batch, rng=rng)
    (slope,) = torch.autograd.grad(table.sum(), module.weights[0], create_graph=True)
    with pytest.raises(BadOption, match="first derivatives only"):
        slope.square().sum().backward()
