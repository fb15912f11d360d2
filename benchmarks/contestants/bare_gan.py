"""A conditional GAN in plain torch: the loop that one writes without qgen, with nothing beside the
training.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Bare:
    """Copies of a generator and a critic, events (N, D) and their conditions (N, 1); Adam for both
    networks.

    A step draws events for the critic and for the generator, as qgen does, and moves each once.
    """

    generator: nn.Module
    critic: nn.Module
    events: torch.Tensor
    condition: torch.Tensor
    latent: int
    rates: tuple[float, float]

    def train(self, steps: int, size: int) -> None:
        """A whole training from the networks as they are given."""
        random = torch.Generator().manual_seed(1)
        generator, critic = copy.deepcopy(self.generator), copy.deepcopy(self.critic)
        move_generator = torch.optim.Adam(generator.parameters(), lr=self.rates[0])
        move_critic = torch.optim.Adam(critic.parameters(), lr=self.rates[1])
        values = list(critic.parameters())
        for _ in range(steps):
            rows = torch.randint(len(self.events), (size,), generator=random)
            x, c = self.events[rows], self.condition[rows]
            with torch.no_grad():
                fake = generator(self._inputs(c, random))
            scores = critic(torch.cat([torch.cat([x, c], dim=1), torch.cat([fake, c], dim=1)]))[
                :, 0
            ]
            loss = -F.logsigmoid(scores[:size]).mean() - F.logsigmoid(-scores[size:]).mean()
            move_critic.zero_grad()
            loss.backward(inputs=values)
            move_critic.step()
            c = self.condition[torch.randint(len(self.events), (size,), generator=random)]
            fake = generator(self._inputs(c, random))
            for value in values:  # the critic only passes the gradient on
                value.requires_grad_(False)
            loss = -F.logsigmoid(critic(torch.cat([fake, c], dim=1))).mean()
            move_generator.zero_grad()
            loss.backward()
            move_generator.step()
            for value in values:
                value.requires_grad_(True)

    def generate(self, n: int, rows: int) -> torch.Tensor:
        """So many events in pieces, which is faster than all at once."""
        random, condition = torch.Generator().manual_seed(1), self.condition[:1].expand(rows, 1)
        with torch.inference_mode():
            pieces = [self.generator(self._inputs(condition, random)) for _ in range(0, n, rows)]
            return torch.cat(pieces)[:n]

    def _inputs(self, condition: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        z = torch.randn(len(condition), self.latent, generator=random)
        return torch.cat([z, condition], dim=1)
