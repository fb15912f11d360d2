"""What variational autoencoders share: heads, conditions, and the ramp of the KL term."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

import numpy as np
import torch
from torch import nn

from qgen_core import Batch, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats, Rng
from qgen_torch.conditions import check_condition, condition_rows
from qgen_torch.model import TorchModel
from qgen_torch.networks.module_arrays import TORCH, Precision
from qgen_torch.vae.heads import Head

Tensor = torch.Tensor


class Autoencoder(TorchModel):
    """A variational autoencoder: ``objective`` is the reconstruction loss plus a KL term.

    The weight of the KL term grows linearly from 0 to 1 over the share ``ramp`` of the steps.
    Conditions are further columns for the encoder and for the decoder. A subclass gives the parts
    ``encoder`` and ``decoder`` (from latents and conditions to the features that the head reads),
    and further ones, and implements :meth:`posterior`, :meth:`prior_latents` and
    :meth:`log_weight`.

    Args:
        parts: modules by name.
        head: makes events of features.
        space: of the events, reals or angles.
        condition: of the conditions.
        ramp: a share of the steps, 0 to 1.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks.

    Raises BadOption for a ramp outside 0 to 1.
    """

    outputs = frozenset({"objective"})
    draws_torch_numbers = False

    def __init__(
        self,
        parts: dict[str, nn.Module],
        head: Head,
        *,
        space: Space,
        condition: Space | None,
        ramp: float,
        precision: Precision,
        device: str,
    ) -> None:
        if not 0 <= ramp <= 1:
            raise BadOption(f"ramp is a share of the steps, 0 to 1, not {ramp:g}")
        module = nn.ModuleDict({**parts, "head": head})
        # The share of the steps that are done, for what changes in the course of a training.
        module.register_buffer("progress", torch.zeros((), dtype=torch.float64))
        super().__init__(
            module.to(TORCH[precision]), space=space, condition=condition, device=device
        )
        self.ramp = ramp

    @abstractmethod
    def posterior(self, x: Tensor, condition: Tensor | None, rng: Rng) -> tuple[Tensor, Tensor]:
        """Latents (N, L) of events, drawn for training, and the KL term of each event (N,)."""

    @abstractmethod
    def prior_latents(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        """Latents (n, L) of the prior."""

    @abstractmethod
    def log_weight(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """``log p(x | z, e) + log p(z) - log q(z | x, e)`` (N,) of latents z drawn from q.

        Its mean is the evidence lower bound. A prior with an energy E gives -E(z) for log p(z), so
        log Z has to be subtracted.
        """

    @property
    def head(self) -> Head:
        """The head."""
        return cast(Head, self.part("head"))

    @property
    def progress(self) -> float:
        """The share of the steps that are done, 0 to 1, when :meth:`prepare` was last called."""
        return float(self.module.get_buffer("progress"))

    def part(self, name: str) -> nn.Module:
        """A part of the model by its name."""
        return self.module.get_submodule(name)

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Keep how far the training is."""
        super().prepare(batch, rng=rng)
        self.module.get_buffer("progress").fill_(batch.step / batch.total)

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        latents = self.prior_latents(n, condition, rng)
        return self.head.draw(self.features(latents, condition), rng)

    def objective(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """Reconstruction loss plus the weighted KL term (N,)."""
        latents, divergence = self.posterior(x, condition, rng)
        reconstruction = self.head.loss(self.features(latents, condition), x, rng)
        return reconstruction + self.kl_weight * divergence

    @property
    def kl_weight(self) -> float:
        """The weight of the KL term, 0 to 1."""
        if self.progress >= self.ramp:
            return 1.0
        return self.progress / self.ramp

    def features(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        """What the decoder makes of latents and conditions."""
        found: Tensor = self.part("decoder")(with_condition(latents, condition))
        return found

    def log_weights(
        self, x: Array, condition: Array | None = None, *, draws: int, rng: Rng
    ) -> Floats:
        """:meth:`log_weight` of encoded events x (N, width), for each of many draws (draws, N).

        Raises DataError for conditions that do not fit, BadOption for fewer than one draw.
        """
        if draws < 1:
            raise BadOption(f"draws must be at least 1, not {draws}")
        check_condition(self._name, self.condition, condition, len(x))
        self._send_parameters()
        weights = np.empty((draws, len(x)))
        with torch.inference_mode():
            for start in range(0, len(x), self.events_at_once):
                stop = min(start + self.events_at_once, len(x))
                events = self.tensor(x[start:stop])
                of_rows = condition_rows(condition, start, stop)
                given = None if of_rows is None else self.tensor(of_rows)
                for draw in range(draws):
                    found = self.log_weight(events, given, rng)
                    weights[draw, start:stop] = found.cpu().numpy()
        return weights


def with_condition(values: Tensor, condition: Tensor | None) -> Tensor:
    """Values (N, V) and conditions (N, K) side by side.

    >>> with_condition(torch.zeros(2, 3), torch.ones(2, 1)).shape
    torch.Size([2, 4])
    """
    if condition is None:
        return values
    return torch.cat([values, condition], dim=1)
