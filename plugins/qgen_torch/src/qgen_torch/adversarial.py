"""The loss ``adversarial``: a critic that is trained to tell samples from events."""

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
    critic_loss,
    energy_error,
    generator_loss,
    gradient_penalty,
)
from qgen_torch.conditions import condition_width
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
from qgen_torch.optim.factories import OptimizerFactory, Options, SchedulerFactory
from qgen_torch.optim.optimizer_state import ArrayOptimizer

Tensor = torch.Tensor
#: A function of the numbers of inputs and outputs; its module maps (N, inputs) to (N, outputs).
Network = Annotated[Callable[..., nn.Module], Component("network")]
#: Modules that act alike in training and in evaluation mode and draw no random numbers.
MODE_INDEPENDENT = {
    nn.Sequential,
    nn.Linear,
    nn.LayerNorm,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SiLU,
    nn.GELU,
    nn.Tanh,
}


@dataclass(frozen=True)
class _CriticInput:
    """Events or samples (N, width) as tensors, their conditions (N, K) and weights (N,)."""

    x: Tensor
    condition: Tensor | None
    weights: Tensor | None

    def columns(self, x: Tensor | None = None) -> Tensor:
        """The input of the critic, (N, width + K); with ``x`` in place of the events if given."""
        if x is None:
            x = self.x
        if self.condition is None:
            return x
        return torch.cat([x, self.condition], dim=1)


class Adversarial(Loss):
    """The loss of a GAN: a critic D, trained against the generator, scores its samples.

    Reads ``samples``. Value and cotangent are those of the generator's loss; ``update`` trains the
    critic with its own optimiser, ``updates`` times before each step of the generator. If there
    are conditions, the critic gets them as further inputs. D is a score without a sigmoid. With x
    for events and G for samples the variants are:

    - ``bce``: critic ``-log s(D(x)) - log s(-D(G))`` with the sigmoid s; generator
      ``-log s(D(G))``, which does not saturate (Goodfellow et al., arXiv:1406.2661).
    - ``hinge``: critic ``max(0, 1 - D(x)) + max(0, 1 + D(G))``; generator ``-D(G)`` (Lim and Ye,
      arXiv:1705.02894).
    - ``wgan``: critic ``D(G) - D(x)``, with weights clipped to [-clip, clip] after each update;
      generator ``-D(G)`` (Arjovsky et al., arXiv:1701.07875).
    - ``wgan-gp``: the same without clipping, plus ``penalty`` times the mean of
      ``(|grad D| - 1)^2`` on lines between events and samples (Gulrajani et al., arXiv:1704.00028).

    Args:
        variant: one of the above.
        critic: a network, by default ``mlp``; its output layer has no activation.
        updates: updates of the critic before each step of the generator.
        optimizer: class of torch.optim for the critic, as in the trainer ``torch``.
        learning_rate: of the critic.
        optimizer_options: other options of its optimiser.
        energy_weight: lambda in ``lambda [MSE(e, e^) + MSE(sigma_e, sigma_e^)]``, added to the
            critic's loss: further outputs of the critic estimate the condition e as e^. With 0
            there is no such term.
        sigma_mode: sigma is the standard deviation over the minibatch (``batch``), or that of the
            estimates among events of equal condition (``bin``), where sigma_e is 0.
        aux_on: the estimate is trained on events (``real``), or on events and samples (``both``,
            summed).
        penalty: factor of the gradient penalty of ``wgan-gp``.
        clip: bound of the weights for ``wgan``.
        label_smoothing: events are labelled 1 minus this for ``bce`` (Salimans et al.,
            arXiv:1606.03498).
        precision: ``single`` for float32, ``double`` for float64.

    Raises BadOption for options out of range, for an ``energy_weight`` without conditions, and for
    a critic with batch normalisation, whose scores would depend on the other events of the batch.

    Source: the conditional GAN of the study of muonic force carriers; what its slide leaves open
    is in docs/readings.md.

    >>> import numpy as np
    >>> loss = Adversarial(space=Space("reals", 2), variant="hinge", seed=1)
    >>> value, cotangent = loss(np.zeros((4, 2)), Batch(np.ones((4, 2))))
    >>> cotangent.shape
    (4, 2)
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
                "adversarial needs energy_weight and penalty of at least 0, a clip above 0 and a "
                f"label_smoothing from 0 to below 1, not {energy_weight:g}, {penalty:g}, {clip:g} "
                f"and {label_smoothing:g}"
            )
        if energy_weight and condition is None:
            raise BadOption(
                "energy_weight makes the critic estimate the condition, and this model has none; "
                "set energy_weight to 0 or add condition_columns to the dataset"
            )
        self.space = space
        self.condition = condition
        self.variant = variant
        self.updates = updates
        self.energy_weight = energy_weight
        self.sigma_mode = sigma_mode
        self.aux_on = aux_on
        self.penalty = penalty
        self.clip = clip
        self.label_smoothing = label_smoothing
        self._dtype = NUMPY[precision]
        if critic is None:
            critic = mlp
        self.critic = self._build_critic(critic, seed).to("cpu", TORCH[precision]).eval()
        self._optimizers = OptimizerFactory(
            "loss 'adversarial'", optimizer, learning_rate, optimizer_options
        )
        self._no_scheduler = SchedulerFactory("loss 'adversarial'", None, None, self._optimizers)
        self._critic_parameters = list(self.critic.parameters())
        self._has_modes = any(
            type(module) not in MODE_INDEPENDENT for module in self.critic.modules()
        )
        self._optimizer = self._new_optimizer()

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        samples = self._samples(output, batch)
        x = samples.x.requires_grad_()
        scores = self.critic(samples.columns())[:, 0]
        value = generator_loss(self.variant, scores, samples.weights)
        (cotangent,) = torch.autograd.grad(value, x)
        return value.item(), cotangent.numpy()

    def update(self, output: Array, batch: Batch, *, rng: Rng) -> float:
        real = self._events(batch)
        fake = self._samples(output, batch)
        with self._training_mode(rng):
            loss = self._critic_loss(real, fake, rng)
            gradients = torch.autograd.grad(
                loss, self._critic_parameters, allow_unused=True, materialize_grads=True
            )
        tensors = self._optimizer.tensors
        self._optimizer.set_gradients(dict(zip(tensors, gradients, strict=True)))
        self._optimizer.step(0.0)
        if self.variant == "wgan":
            for tensor in tensors.values():
                tensor.clamp_(-self.clip, self.clip)
        return loss.item()

    def state(self) -> dict[str, Array]:
        """Parameters and buffers of the critic, and its optimiser's state."""
        found: dict[str, Array] = {}
        parts = {"critic": copied_state(self.critic), "optimizer": self._optimizer.state()}
        for part, arrays in parts.items():
            for name, array in arrays.items():
                found[f"{part}/{name}"] = array
        return found

    def load(self, state: Mapping[str, Array]) -> None:
        parts: dict[str, dict[str, Array]] = {"critic": {}, "optimizer": {}}
        for name, array in state.items():
            part, _, rest = name.partition("/")
            if part not in parts:
                raise CheckpointError(f"loss 'adversarial' has no state {name!r}")
            parts[part][rest] = array
        optimizer = self._new_optimizer()
        optimizer.load("loss 'adversarial'", parts["optimizer"])
        load_state("the critic of loss 'adversarial'", self.critic, parts["critic"])
        self._optimizer = optimizer

    def _build_critic(self, network: Network, seed: int | None) -> nn.Module:
        conditions = condition_width(self.condition)
        outputs = 1
        if self.energy_weight:
            outputs += conditions
        with seeded(torch_seed(seed, "critic-init")):
            critic = network(self.space.width + conditions, outputs)
        for module in critic.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise BadOption(
                    "a critic with batch normalisation scores an event by the others of its "
                    "batch; use norm = 'layer'"
                )
        return critic

    def _new_optimizer(self) -> ArrayOptimizer:
        return ArrayOptimizer(live_parameters(self.critic), self._optimizers, self._no_scheduler, 1)

    @contextmanager
    def _training_mode(self, rng: Rng) -> Iterator[None]:
        """The critic in training mode; its own random numbers (dropout) come from the rng."""
        if not self._has_modes:
            yield
            return
        self.critic.train()
        try:
            with seeded(int(rng.integers(2**63))):
                yield
        finally:
            self.critic.eval()

    def _critic_loss(self, real: _CriticInput, fake: _CriticInput, rng: Rng) -> Tensor:
        """The loss that the critic minimises."""
        outputs = self.critic(torch.cat([real.columns(), fake.columns()]))
        of_real = outputs[: len(real.x)]
        of_fake = outputs[len(real.x) :]
        loss = critic_loss(
            self.variant,
            of_real[:, 0],
            of_fake[:, 0],
            real.weights,
            fake.weights,
            self.label_smoothing,
        )
        if self.variant == "wgan-gp" and self.penalty:
            loss = loss + self.penalty * self._gradient_penalty(real, fake, rng)
        if self.energy_weight:
            loss = loss + self.energy_weight * self._energy_error(of_real, real)
            if self.aux_on == "both":
                loss = loss + self.energy_weight * self._energy_error(of_fake, fake)
        return loss

    def _gradient_penalty(self, real: _CriticInput, fake: _CriticInput, rng: Rng) -> Tensor:
        if len(real.x) != len(fake.x):
            raise OutputMismatch(
                "wgan-gp pairs events and samples, which must be equally many; "
                f"there are {len(real.x)} and {len(fake.x)}"
            )
        mix = as_tensor(rng.random((len(real.x), 1)), self._dtype)
        return gradient_penalty(
            lambda x: self.critic(real.columns(x))[:, 0], real.x, fake.x, mix, real.weights
        )

    def _energy_error(self, outputs: Tensor, events: _CriticInput) -> Tensor:
        assert events.condition is not None
        return energy_error(outputs[:, 1:], events.condition, events.weights, self.sigma_mode)

    def _events(self, batch: Batch) -> _CriticInput:
        """The batch's events with their conditions and weights."""
        if batch.x is None or batch.x.shape[1] != self.space.width:
            raise OutputMismatch(
                f"adversarial compares samples with events of {self.space}, "
                f"not with {_shape(batch.x)}"
            )
        condition = self._condition(batch, len(batch.x))
        return _CriticInput(self._tensor(batch.x), condition, self._weights(batch))

    def _samples(self, output: Array, batch: Batch) -> _CriticInput:
        """The samples; each has the weight of the event whose condition it was made from."""
        if output.ndim != 2 or output.shape[1] != self.space.width:
            raise OutputMismatch(
                f"adversarial reads samples (N, {self.space.width}), not {output.shape}"
            )
        x = self._tensor(output)
        condition = self._condition(batch, len(output))
        if condition is None:
            return _CriticInput(x, None, None)
        return _CriticInput(x, condition, self._weights(batch))

    def _condition(self, batch: Batch, n: int) -> Tensor | None:
        if self.condition is None:
            return None
        wanted = (n, self.condition.width)
        if batch.condition is None or batch.condition.shape != wanted:
            raise OutputMismatch(
                f"adversarial needs conditions {wanted} beside the events; "
                f"found {_shape(batch.condition)}"
            )
        return self._tensor(batch.condition)

    def _weights(self, batch: Batch) -> Tensor | None:
        if batch.weight is None:
            return None
        return self._tensor(batch.weight / batch.weight.sum())

    def _tensor(self, array: Array) -> Tensor:
        return as_tensor(array, self._dtype)


def _shape(array: Array | None) -> str:
    """The shape of an array, for error messages."""
    if array is None:
        return "none"
    return str(array.shape)
