"""The loss ``adversarial``: a critic that learns to tell samples from events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from qgen_core import Batch, Component, Loss, Space
from qgen_core.errors import BadOption, CheckpointError, OutputMismatch
from qgen_core.typing import Array, Rng
from qgen_torch.adversarial_terms import (
    SigmaMode,
    Variant,
    energy_error,
    gradient_penalty,
    of_critic,
    of_generator,
)
from qgen_torch.networks.mlp import mlp
from qgen_torch.networks.module_arrays import (
    NUMPY,
    TORCH,
    Precision,
    as_tensor,
    copied_state,
    live_parameters,
    load_state,
    seeded,
    torch_seed,
)
from qgen_torch.optim.factories import Optimizers, Options, Schedulers
from qgen_torch.optim.optimizer_state import Moving

Tensor = torch.Tensor
#: A function of the numbers of inputs and outputs that returns a module from (N, inputs) to (N, outputs).
Network = Annotated[Callable[..., nn.Module], Component("network")]
#: Modules that do the same in training and in evaluation, and draw nothing.
PLAIN = {nn.Sequential, nn.Linear, nn.LayerNorm, nn.LeakyReLU, nn.ReLU, nn.SiLU, nn.GELU, nn.Tanh}


@dataclass(frozen=True)
class _Events:
    """A batch as tensors: events or samples (N, width), their conditions (N, K) and shares (N,)."""

    x: Tensor
    condition: Tensor | None
    share: Tensor | None

    def columns(self, x: Tensor | None = None) -> Tensor:
        """What the critic sees, (N, width + K)."""
        x = self.x if x is None else x
        return x if self.condition is None else torch.cat([x, self.condition], dim=1)


class Adversarial(Loss):
    """A GAN's loss: the generator is told how to move by a critic D that is trained against it.

    Reads ``samples``. Its value and cotangent are the generator's loss; ``update`` moves the critic by
    its own optimiser, ``updates`` times before each step. With conditions the critic sees them beside
    the events. D is a score without a sigmoid. Losses, with x events and G samples:

    - ``bce``: critic ``-log s(D(x)) - log s(-D(G))``, s the sigmoid; generator ``-log s(D(G))``, the
      one that does not saturate (Goodfellow et al., arXiv:1406.2661).
    - ``hinge``: critic ``max(0, 1 - D(x)) + max(0, 1 + D(G))``; generator ``-D(G)`` (Lim and Ye,
      arXiv:1705.02894).
    - ``wgan``: critic ``D(G) - D(x)``, its weights brought to [-clip, clip] after each update;
      generator ``-D(G)`` (Arjovsky et al., arXiv:1701.07875).
    - ``wgan-gp``: the same without clipping, and ``penalty`` times the mean of ``(|grad D| - 1)^2``
      on lines between events and samples (Gulrajani et al., arXiv:1704.00028).

    Args:
        variant: which of them.
        critic: a network, by default ``mlp``; its last layer has no activation.
        updates: of the critic before each step of the generator.
        optimizer: class of torch.optim for the critic, as in the trainer ``torch``.
        learning_rate: of the critic.
        optimizer_options: other options of its optimiser.
        energy_weight: lambda of ``lambda [MSE(e, e^) + MSE(sigma_e, sigma_e^)]``, added to the critic's
            loss: a second output of the critic guesses the condition e as e^. 0 leaves it out.
        sigma_mode: sigma is the standard deviation over the minibatch (``batch``), or that of the
            guesses among events of equal condition (``bin``), where sigma_e is 0.
        aux_on: the guess is trained on events (``real``), or on samples too (``both``, summed).
        penalty: factor of the gradient penalty of ``wgan-gp``.
        clip: limit of the weights for ``wgan``.
        label_smoothing: events are labelled 1 less this for ``bce`` (Salimans et al., arXiv:1606.03498).
        precision: float32 or float64.

    Raises BadOption for options out of range, for an ``energy_weight`` without conditions, and for a
    critic with batch normalisation, which would judge events by their neighbours.

    Source: muonic force carriers, conditional GAN; what the slide leaves open is in docs/readings.md.
    """

    reads = "samples"

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        variant: Variant = "bce",
        critic: Network | None = None,
        updates: int = 1,
        optimizer: str = "Adam",
        learning_rate: float = 1e-4,
        optimizer_options: Options | None = None,
        energy_weight: float = 0.0,
        sigma_mode: SigmaMode = "batch",
        aux_on: Literal["real", "both"] = "real",
        penalty: float = 10.0,
        clip: float = 0.01,
        label_smoothing: float = 0.0,
        precision: Precision = "single",
        seed: int | None = None,
    ) -> None:
        if updates < 1:
            raise BadOption(f"a critic needs at least 1 of updates a step, not {updates}")
        if not (energy_weight >= 0 and penalty >= 0 and clip > 0 and 0 <= label_smoothing < 1):
            raise BadOption(
                "adversarial needs energy_weight and penalty of at least 0, a clip above 0 and a label_smoothing from "
                f"0 to below 1, not {energy_weight:g}, {penalty:g}, {clip:g} and {label_smoothing:g}"
            )
        if energy_weight and condition is None:
            raise BadOption(
                "energy_weight asks the critic for the condition, and this model has none"
            )
        self.space, self.condition, self.variant, self.updates = space, condition, variant, updates
        self.energy_weight, self.sigma_mode, self.aux_on = energy_weight, sigma_mode, aux_on
        self.penalty, self.clip, self.label_smoothing = penalty, clip, label_smoothing
        self._dtype = NUMPY[precision]
        self.critic = (
            self._built(mlp if critic is None else critic, seed).to(TORCH[precision]).eval()
        )
        self._optimizers = Optimizers(
            "loss 'adversarial'", optimizer, learning_rate, optimizer_options
        )
        self._constant = Schedulers("loss 'adversarial'", None, None, self._optimizers)
        self._values = list(self.critic.parameters())
        self._has_modes = any(type(module) not in PLAIN for module in self.critic.modules())
        self._moving = self._fresh()

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        samples = self._samples(output, batch)
        x = samples.x.requires_grad_()
        value = of_generator(self.variant, self.critic(samples.columns())[:, 0], samples.share)
        (slope,) = torch.autograd.grad(value, x)
        return value.item(), slope.numpy()

    def update(self, output: Array, batch: Batch, *, rng: Rng) -> float:
        real, fake = self._events(batch), self._samples(output, batch)
        with self._learning(rng):
            loss = self._loss(real, fake, rng)
            slopes = torch.autograd.grad(
                loss, self._values, allow_unused=True, materialize_grads=True
            )
        self._moving.take(dict(zip(self._moving.tensors, slopes, strict=True)))
        self._moving.step(0.0)
        if self.variant == "wgan":
            for tensor in self._moving.tensors.values():
                tensor.clamp_(-self.clip, self.clip)
        return loss.item()

    def state(self) -> dict[str, Array]:
        """Parameters and buffers of the critic, and its optimiser."""
        parts = {"critic": copied_state(self.critic), "optimizer": self._moving.state()}
        return {
            f"{part}/{name}": array
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }

    def load(self, state: Mapping[str, Array]) -> None:
        parts: dict[str, dict[str, Array]] = {"critic": {}, "optimizer": {}}
        for name, array in state.items():
            part, _, rest = name.partition("/")
            if part not in parts:
                raise CheckpointError(f"loss 'adversarial' has no state {name!r}")
            parts[part][rest] = array
        moving = self._fresh()
        moving.load("loss 'adversarial'", parts["optimizer"])
        load_state("the critic of loss 'adversarial'", self.critic, parts["critic"])
        self._moving = moving

    def _built(self, network: Network, seed: int | None) -> nn.Module:
        conditions = 0 if self.condition is None else self.condition.width
        outputs = 1 + (conditions if self.energy_weight else 0)
        with seeded(torch_seed(seed, "critic-init")):
            critic = network(self.space.width + conditions, outputs)
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in critic.modules()):
            raise BadOption(
                "a critic with batch normalisation judges events by their neighbours; take norm = 'layer'"
            )
        return critic

    def _fresh(self) -> Moving:
        return Moving(live_parameters(self.critic), self._optimizers, self._constant, 1)

    @contextmanager
    def _learning(self, rng: Rng) -> Iterator[None]:
        """The critic in its training mode, with what it may draw (dropout) from the rng."""
        if not self._has_modes:
            yield
            return
        self.critic.train()
        try:
            with seeded(int(rng.integers(2**63))):
                yield
        finally:
            self.critic.eval()

    def _loss(self, real: _Events, fake: _Events, rng: Rng) -> Tensor:
        """What the critic minimises."""
        heads = self.critic(torch.cat([real.columns(), fake.columns()]))
        of_real, of_fake = heads[: len(real.x)], heads[len(real.x) :]
        shares = real.share, fake.share
        loss = of_critic(self.variant, of_real[:, 0], of_fake[:, 0], *shares, self.label_smoothing)
        if self.variant == "wgan-gp" and self.penalty:
            if len(real.x) != len(fake.x):
                raise OutputMismatch(
                    f"wgan-gp pairs events and samples, there are {len(real.x)} and {len(fake.x)}"
                )
            mix = as_tensor(rng.random((len(real.x), 1)), self._dtype)
            slope = gradient_penalty(
                lambda x: self.critic(real.columns(x))[:, 0], real.x, fake.x, mix, real.share
            )
            loss = loss + self.penalty * slope
        if self.energy_weight:
            loss = loss + self.energy_weight * self._energy(of_real, real)
            if self.aux_on == "both":
                loss = loss + self.energy_weight * self._energy(of_fake, fake)
        return loss

    def _energy(self, heads: Tensor, events: _Events) -> Tensor:
        assert events.condition is not None
        return energy_error(heads[:, 1:], events.condition, events.share, self.sigma_mode)

    def _events(self, batch: Batch) -> _Events:
        """The batch's events with their weights."""
        if batch.x is None or batch.x.shape[1] != self.space.width:
            found = "none" if batch.x is None else str(batch.x.shape)
            raise OutputMismatch(
                f"adversarial compares samples with events of {self.space}, not with {found}"
            )
        return _Events(
            self._tensor(batch.x), self._conditions(batch, len(batch.x)), self._shares(batch)
        )

    def _samples(self, output: Array, batch: Batch) -> _Events:
        """The samples; with conditions each stands for the event whose condition it was made from."""
        if output.ndim != 2 or output.shape[1] != self.space.width:
            raise OutputMismatch(
                f"adversarial reads samples (N, {self.space.width}), not {output.shape}"
            )
        condition = self._conditions(batch, len(output))
        return _Events(
            self._tensor(output), condition, None if condition is None else self._shares(batch)
        )

    def _conditions(self, batch: Batch, n: int) -> Tensor | None:
        if self.condition is None:
            return None
        wanted = (n, self.condition.width)
        if batch.condition is None or batch.condition.shape != wanted:
            found = "none" if batch.condition is None else str(batch.condition.shape)
            raise OutputMismatch(
                f"adversarial needs conditions {wanted} beside the events, there are {found}"
            )
        return self._tensor(batch.condition)

    def _shares(self, batch: Batch) -> Tensor | None:
        return None if batch.weight is None else self._tensor(batch.weight / batch.weight.sum())

    def _tensor(self, array: Array) -> Tensor:
        return as_tensor(array, self._dtype)
