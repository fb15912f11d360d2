"""Quantum and classical generators and critics in all combinations, on two normal variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import Batch, Events, Generator, Loss, Space
from qgen_core.errors import BadOption
from qgen_core.metrics.wasserstein import wasserstein
from qgen_core.testing import LossKit
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.generators.style_qgan import StyleQgan
from qgen_torch.networks.mlp import mlp
from qgen_torch.networks.quantum_critic import quantum_critic
from qgen_torch.trainer import TorchTrainer

SPACE = Space("reals", 2)


def events(n: int = 4000) -> Events:
    """Two correlated normal variables inside [-1, 1]."""
    first, second = np.random.default_rng(1).standard_normal((2, n))
    return Events(
        np.stack([0.35 + 0.15 * first, -0.3 + 0.1 * (first + second)], axis=1).clip(-1, 1)
    )


def small(inputs: int, outputs: int) -> Any:
    return mlp(inputs, outputs, widths=(32, 32))


def quantum(inputs: int, outputs: int) -> Any:
    return quantum_critic(inputs, outputs, backend=qgen.backend("statevector"), wires=2)


GENERATORS = {
    "classical": lambda: MlpGenerator(space=SPACE, latent=4, widths=(32, 32), seed=3),
    "quantum": lambda: StyleQgan(
        space=SPACE, backend=qgen.backend("statevector"), layers=2, latent=3, seed=3
    ),
}
CRITICS = {"classical": small, "quantum": quantum}


def distance(model: Generator) -> float:
    """The mean Wasserstein distance of the two columns, in standard deviations."""
    samples = model.sample(4000, rng=np.random.default_rng(9))
    return float(
        np.mean(list(wasserstein(events(), Events(np.asarray(samples, dtype=np.float64))).values()))
    )


@pytest.mark.parametrize(
    ("generator", "critic"),
    [
        ("classical", "classical"),
        pytest.param("quantum", "classical", marks=pytest.mark.long),
        pytest.param("classical", "quantum", marks=pytest.mark.long),
        ("quantum", "quantum"),
    ],
)
def test_samples_come_nearer_to_the_events(generator: str, critic: str) -> None:
    """After 250 steps at most a third of the first distance is left."""
    model = GENERATORS[generator]()
    betas = {"betas": (0.5, 0.9)}
    rate = 0.02 if generator == "quantum" else 0.003
    loss = Adversarial(
        space=SPACE, critic=CRITICS[critic], learning_rate=0.005, optimizer_options=betas, seed=3
    )
    trainer = TorchTrainer(
        learning_rate=rate, optimizer_options=betas, ema=0.95, steps=250, batch_size=64
    )
    before = distance(model)
    trainer.fit(model, events(), loss, seed=3)
    print(generator, critic, before, distance(model))
    assert distance(model) < before / 3


class TestQuantumCritic(LossKit):
    weighted = False

    def make(self) -> Loss:
        return Adversarial(space=Space("reals", 3), critic=quantum, precision="double", seed=3)


def test_a_gradient_penalty_goes_through_a_circuit_on_the_torch_simulator() -> None:
    """The critic's update equals that by finite differences of its loss, including the penalty."""
    x, samples = (np.random.default_rng(seed).normal(size=(5, 2)) for seed in (1, 2))

    def made() -> Adversarial:
        def critic(inputs: int, outputs: int) -> Any:
            return quantum_critic(inputs, outputs, backend=qgen.backend("torch"), wires=2)

        return Adversarial(
            space=SPACE,
            variant="wgan-gp",
            critic=critic,
            optimizer="SGD",
            learning_rate=1e-3,
            precision="double",
            seed=3,
        )

    loss = made()
    before = loss.state()
    loss.update(samples, Batch(x), rng=np.random.default_rng(4))
    after = loss.state()
    for name in ("critic/0.weight", "critic/1.theta", "critic/2.weight"):
        found = (before[name] - after[name]).ravel()[0] / 1e-3
        values = []
        for shift in (1e-4, -1e-4):
            moved = made()
            state = {key: array.copy() for key, array in before.items()}
            state[name].ravel()[0] += shift
            moved.load(state)
            values.append(moved.update(samples, Batch(x), rng=np.random.default_rng(4)))
        assert found == pytest.approx((values[0] - values[1]) / 2e-4, rel=1e-5, abs=1e-7), name


def test_other_backends_have_no_second_derivatives() -> None:
    loss = Adversarial(space=SPACE, variant="wgan-gp", critic=quantum, seed=3)
    with pytest.raises(BadOption, match="backend 'torch'"):
        loss.update(np.zeros((4, 2)), Batch(np.ones((4, 2))), rng=np.random.default_rng(4))


def test_what_makes_no_critic_is_refused() -> None:
    with pytest.raises(BadOption, match="at least 1"):
        quantum_critic(2, 1, wires=0)
    ansatz = qgen.ansatz("brick", layers=1)
    with pytest.raises(BadOption, match="takes 0 inputs"):
        quantum_critic(2, 1, wires=2, ansatz=lambda wires, inputs=0: ansatz(wires))
    assert quantum_critic(5, 2, wires=2, ansatz=ansatz)[1].circuit.num_inputs == 2
