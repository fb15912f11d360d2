"""A conditional GAN of recipe components equals, bit for bit, one trained by a bare torch loop."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from qgen_core import Events, Space
from qgen_core.errors import Diverged
from qgen_core.support.parameters import flatten
from qgen_core.support.random_streams import stream
from qgen_core.testing.randomness import global_states
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.trainer import TorchTrainer

SEED, SIZE, STEPS = 9, 40, 12


def events() -> Events:
    rng = np.random.default_rng(1)
    condition = rng.choice([0.1, 0.5, 0.9], (160, 1))
    return Events(rng.normal(condition, 0.2, (160, 2)), condition)


def parts(**options: Any) -> tuple[MlpGenerator, Adversarial]:
    spaces = {"space": Space("reals", 2), "condition": Space("reals", 1)}
    model = MlpGenerator(**spaces, latent=4, widths=(16, 16), seed=SEED)
    return model, Adversarial(**spaces, learning_rate=3e-3, seed=SEED, **options)


class Bare:
    """A training loop without qgen, with copies of the networks and equal random numbers."""

    def __init__(self, model: MlpGenerator, loss: Adversarial, updates: int) -> None:
        self.generator, self.critic = copy.deepcopy(model.module), copy.deepcopy(loss.critic)
        self.move_generator = torch.optim.RMSprop(self.generator.parameters(), lr=2e-3)
        self.move_critic = torch.optim.Adam(self.critic.parameters(), lr=3e-3)
        self.updates = updates
        data = events()
        self.x = torch.from_numpy(data.x.astype(np.float32))
        assert data.condition is not None
        self.c = torch.from_numpy(data.condition.astype(np.float32))

    def made(self, rng: np.random.Generator, c: torch.Tensor) -> torch.Tensor:
        z = torch.from_numpy(rng.standard_normal((len(c), 4), dtype=np.float32))
        return self.generator(torch.cat([z, c], dim=1))

    def step(self, step: int) -> float:
        for update in range(self.updates):
            rng = stream(SEED, "critic", step, update)
            index = torch.from_numpy(rng.choice(160, size=SIZE, replace=False))
            x, c = self.x[index], self.c[index]
            fake = self.made(rng, c).detach()
            scores = self.critic(
                torch.cat([torch.cat([x, c], dim=1), torch.cat([fake, c], dim=1)])
            )[:, 0]
            loss = (-F.logsigmoid(scores[:SIZE])).mean() + (-F.logsigmoid(-scores[SIZE:])).mean()
            self.move_critic.zero_grad()
            loss.backward()
            self.move_critic.step()
        order = stream(SEED, "data", step // 4).permutation(160)[
            40 * (step % 4) : 40 * (step % 4) + 40
        ]
        c = self.c[torch.from_numpy(order)]
        fake = self.made(stream(SEED, "forward", step), c)
        value = (-F.logsigmoid(self.critic(torch.cat([fake, c], dim=1))[:, 0])).mean()
        self.move_generator.zero_grad()
        value.backward()
        self.move_generator.step()
        return value.item()


def flat(module: nn.Module) -> Any:
    return np.concatenate([value.detach().numpy().ravel() for value in module.parameters()])


@pytest.mark.parametrize("updates", [1, 3])
def test_the_training_is_that_of_a_bare_loop(updates: int) -> None:
    model, loss = parts(updates=updates)
    bare = Bare(model, loss, updates)
    trainer = TorchTrainer(optimizer="RMSprop", learning_rate=2e-3, steps=STEPS, batch_size=SIZE)
    before = global_states()
    history = trainer.fit(model, events(), loss, seed=SEED)
    assert global_states() == before
    expected = [bare.step(step) for step in range(STEPS)]
    assert history.losses.tolist() == expected
    assert np.array_equal(flat(model.module), flat(bare.generator))
    assert np.array_equal(flat(loss.critic), flat(bare.critic))


def test_the_history_has_the_critic() -> None:
    """Its loss before the last update of each step stands beside the generator's."""
    model, loss = parts(updates=2)
    history = TorchTrainer(steps=5, batch_size=SIZE).fit(model, events(), loss, seed=SEED)
    critic = [record["critic"] for record in history.records]
    assert len(critic) == 5 and abs(critic[0] - 2 * np.log(2)) < 0.5


def test_a_critic_that_runs_away_stops_the_training() -> None:
    model, loss = parts(optimizer="SGD")
    for parameter in loss.critic.parameters():
        parameter.data *= 1e20
    before = flatten(model.parameters())
    with pytest.raises(Diverged, match="critic"):
        TorchTrainer(steps=5, batch_size=SIZE).fit(model, events(), loss, seed=SEED)
    assert np.array_equal(flatten(model.parameters()), before)
