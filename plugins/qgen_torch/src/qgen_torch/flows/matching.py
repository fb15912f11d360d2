"""Flow matching: models that are trained to know the velocity from noise to events."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, pi
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from qgen_core import Space
from qgen_core.errors import BadOption
from qgen_core.typing import Rng
from qgen_torch.flows.integration import Integrator, State
from qgen_torch.model import TorchModel

Tensor = torch.Tensor
#: How the divergence of the velocity is computed.
Divergence = Literal["exact", "hutchinson"]
#: Which noise an event of a batch is paired with.
Pairing = Literal["independent", "optimal"]


class FlowMatching(TorchModel):
    """``dx/dt = v(x, t, e)`` from normal noise at t = 0 to events at t = 1.

    ``objective`` is the mean over columns of ``(v(x_t, t, e) - (x_1 - x_0))^2`` at a random point
    ``x_t = (1 - t) x_0 + t x_1`` between noise x_0 and an event x_1. ``log_prob`` is
    ``log N(x_0) - int_0^1 div v dt`` along the path back from the event.

    Args:
        velocity: v, called with x (N, width), t (N,) and e (N, K) or None.
        space: of the events.
        condition: of the conditions.
        integrator: for samples and densities.
        probes: the random directions of an estimate of the divergence; 0 takes the exact one.
        pairing: ``independent`` draws noise for each event; ``optimal`` assigns the noise of a
            batch to its events so that the sum of squared distances is least.
        device: of the network.

    Raises BadOption for ``optimal`` with conditions, which would be
    biased: the noise of an event would depend on the conditions of the others.

    Source: Lipman et al., arXiv:2210.02747; Tong et al., arXiv:2302.00482 (pairing); Grathwohl et
    al., arXiv:1810.01367 (the estimate of the divergence).
    """

    outputs = frozenset({"log_prob", "objective", "samples"})
    usual: ClassVar[Mapping[str, Any]] = {
        "encoder": "standard",
        "condition_encoder": "standard",
        "loss": "mean",
        "trainer": {"name": "torch", "learning_rate": 0.001, "steps": 1000, "batch_size": 256},
    }
    draws_torch_numbers = False
    largest_graphs = {"log_prob": 256}

    def __init__(
        self,
        velocity: nn.Module,
        *,
        space: Space,
        condition: Space | None,
        integrator: Integrator,
        probes: int = 0,
        pairing: Pairing = "independent",
        device: str = "cpu",
    ) -> None:
        if pairing == "optimal" and condition is not None:
            raise BadOption(
                "pairing = 'optimal' is biased for a model with conditions; use 'independent'"
            )
        super().__init__(velocity, space=space, condition=condition, device=device)
        self.integrator = integrator
        self.probes = probes
        self.pairing = pairing
        if pairing == "optimal":
            self.needs_whole_batch = True
        #: Evaluations of the velocity for each event that was drawn last.
        self.evaluations = 0

    def velocity(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """v (N, width) of events x (N, width) at the times t (N,)."""
        found: Tensor = self.module(x, t, condition)
        return found

    def objective(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """The squared error of the velocity (N,) at a random point of each path."""
        noise = self.noise(len(x), self.space.width, rng)
        if self.pairing == "optimal":
            noise = noise[_least_distances(noise, x)]
        t = self.tensor(rng.random(len(x)))
        point = torch.lerp(noise, x, t[:, None])
        error = self.velocity(point, t, condition) - (x - noise)
        return (error**2).mean(dim=1)

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        self.evaluations = 0

        def slope(t: float, state: State) -> State:
            self.evaluations += 1
            x = state[0]
            return (self.velocity(x, x.new_full((len(x),), t), condition),)

        noise = self.noise(n, self.space.width, rng)
        if n == 0:
            return noise
        return self.integrator.integrate(slope, (noise,), 0.0, 1.0)[0]

    def log_prob(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """The log density (N,) of events; with probes an unbiased estimate of it."""
        probes = []
        for _ in range(self.probes):
            probes.append(self.tensor(rng.choice([-1.0, 1.0], size=tuple(x.shape))))

        def slope(t: float, state: State) -> State:
            return self._with_divergence(state[0], t, condition, probes)

        start = (x, x.new_zeros(len(x)))
        noise, gained = self.integrator.integrate(slope, start, 1.0, 0.0)
        return gained - 0.5 * (noise**2).sum(dim=1) - 0.5 * self.space.width * log(2 * pi)

    def _with_divergence(
        self, x: Tensor, t: float, condition: Tensor | None, probes: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The velocity (N, width) and its divergence (N,), or an estimate of that by probes."""
        graph = torch.is_grad_enabled()
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_()
            velocity = self.velocity(x, x.new_full((len(x),), t), condition)
            directions = probes or list(_unit_vectors(x))
            divergence = x.new_zeros(len(x))
            for direction in directions:
                (slopes,) = torch.autograd.grad(
                    velocity, x, direction, create_graph=graph, retain_graph=True
                )
                divergence = divergence + (slopes * direction).sum(dim=1)
        if probes:
            divergence = divergence / len(probes)
        if graph:
            return velocity, divergence
        return velocity.detach(), divergence.detach()


def probes_of(divergence: Divergence, probes: int) -> int:
    """The probes of a divergence, 0 of an exact one. Raises BadOption for fewer than one.

    >>> probes_of("exact", 3), probes_of("hutchinson", 3)
    (0, 3)
    """
    if probes < 1:
        raise BadOption(f"an estimate of the divergence takes at least 1 probe, not {probes}")
    if divergence == "exact":
        return 0
    return probes


def time_features(t: Tensor, frequencies: int) -> Tensor:
    """``cos(pi k t)`` and ``sin(pi k t)``, k = 1 to ``frequencies``, of times (N,): (N, 2 k).

    >>> time_features(torch.tensor([0.0, 0.25]), 1).round(decimals=3)
    tensor([[1.0000, 0.0000],
            [0.7070, 0.7070]])
    """
    numbers = torch.arange(1, frequencies + 1, dtype=t.dtype, device=t.device)
    angles = pi * t[:, None] * numbers
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _unit_vectors(x: Tensor) -> Tensor:
    """For each column the matrix (N, width) that is 1 in it, else 0."""
    unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return unit[:, None, :].expand(-1, len(x), -1)


def _least_distances(noise: Tensor, x: Tensor) -> Tensor:
    """The row of noise for each event, with the least sum of squared distances."""
    from scipy.optimize import linear_sum_assignment

    distances = torch.cdist(x, noise) ** 2
    _, rows = linear_sum_assignment(distances.cpu().numpy())
    return torch.from_numpy(np.asarray(rows)).to(x.device)
