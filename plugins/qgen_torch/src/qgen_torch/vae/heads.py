"""Heads: what the features at the end of a decoder say of the events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import log, pi
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import leaky_relu, logsigmoid, softplus

from qgen_core.errors import DataError
from qgen_core.typing import Rng
from qgen_torch.networks.mlp import Activation, mlp
from qgen_torch.vae.noise import logistic, normal, uniform

Tensor = torch.Tensor
#: The names of the heads.
HeadName = Literal["gaussian", "hits", "hits-gaussian", "hits-truncated"]
#: The slope of energies below 0, as in CaloQVAE.
NEGATIVE_SLOPE = 0.02
#: Truncated normal energies have a mode of at least this many widths: farther below 0, where their
#: probabilities are lost in rounding, the shape above 0 hardly changes.
LEAST_MODE = -20.0
#: The least width of these energies, so that energies which occur often have no infinite density.
LEAST_WIDTH = 0.01


class Head(nn.Module, ABC):
    """p(x | features): from features (N, F) to events (N, width)."""

    @abstractmethod
    def loss(self, features: Tensor, x: Tensor, rng: Rng) -> Tensor:
        """What training makes small, (N,); its noise is drawn from ``rng``."""

    @abstractmethod
    def log_prob(self, features: Tensor, x: Tensor) -> Tensor:
        """The log density of events (N,)."""

    @abstractmethod
    def draw(self, features: Tensor, rng: Rng) -> Tensor:
        """Events (N, width)."""


def log_normal(x: Tensor, mean: Tensor, log_width: Tensor) -> Tensor:
    """The log density of a normal distribution, element by element.

    >>> log_normal(torch.zeros(1), torch.zeros(1), torch.zeros(1)).round(decimals=4)
    tensor([-0.9189])
    """
    pull = (x - mean) * torch.exp(-log_width)
    return -0.5 * pull**2 - log_width - 0.5 * log(2 * pi)


class GaussianHead(Head):
    """Independent normal columns with a mean for each event, and a width that is learned.

    >>> import numpy as np
    >>> head = GaussianHead(3, 2, widths=(8,), activation="relu")
    >>> features = torch.zeros(5, 3)
    >>> head.draw(features, np.random.default_rng(1)).shape
    torch.Size([5, 2])
    >>> head.log_prob(features, torch.zeros(5, 2)).shape
    torch.Size([5])
    """

    def __init__(
        self, features: int, width: int, *, widths: tuple[int, ...], activation: Activation
    ) -> None:
        super().__init__()
        self.mean = mlp(features, width, widths=widths, activation=activation)
        self.log_width = nn.Parameter(torch.zeros(width))

    def loss(self, features: Tensor, x: Tensor, rng: Rng) -> Tensor:
        return -self.log_prob(features, x)

    def log_prob(self, features: Tensor, x: Tensor) -> Tensor:
        return log_normal(x, self.mean(features), self.log_width).sum(dim=1)

    def draw(self, features: Tensor, rng: Rng) -> Tensor:
        mean: Tensor = self.mean(features)
        return mean + torch.exp(self.log_width) * normal(mean, rng)


class HitsHead(Head):
    """Hits and energies of cells; a cell that is exactly 0 has no hit.

    The loss is ``sum (x - x')^2 + sum BCE(hit logits A, hits)`` with ``x' = y m``, where y are the
    energies and ``m = sigmoid(sharpness (A + logit rho))`` relaxed hits, so that energies and hit
    logits are trained together. Generating draws hits; a hit has the energy y itself.

    The energies are too small where the latents do not tell which cells are hit: x' has to be near
    x, which is 0 in part of the cells that m takes for hit. ``hits-gaussian`` has no such bias.

    The density is Bernoulli times, in cells that are hit, normal with mean y and unit width, with
    respect to the measure that has a point at 0.

    Args:
        features: the number of input columns.
        width: the number of cells.
        widths: of the hidden layers of each of the two outputs.
        activation: of these layers.
        sharpness: of the relaxed hits.

    Source: CaloQVAE (Hoque et al., arXiv:2312.03179) and its published code.

    >>> import numpy as np
    >>> head = HitsHead(3, 2, widths=(), activation="relu", sharpness=9.0)
    >>> x = head.draw(torch.zeros(500, 3), np.random.default_rng(1))
    >>> 0.1 < float((x == 0).float().mean()) < 0.9
    True
    """

    #: What the network says of the energy of a cell.
    numbers_of_energy = 1

    def __init__(
        self,
        features: int,
        width: int,
        *,
        widths: tuple[int, ...],
        activation: Activation,
        sharpness: float,
    ) -> None:
        super().__init__()
        numbers = self.numbers_of_energy * width
        self.hit_logits = mlp(features, width, widths=widths, activation=activation)
        self.energies = mlp(features, numbers, widths=widths, activation=activation)
        self.sharpness = sharpness

    def means(self, features: Tensor) -> Tensor:
        """The energies y (N, width) of cells that are hit."""
        return leaky_relu(self.energies(features), NEGATIVE_SLOPE)

    def loss(self, features: Tensor, x: Tensor, rng: Rng) -> Tensor:
        logits = self.hit_logits(features)
        relaxed = torch.sigmoid(self.sharpness * (logits + logistic(logits, rng)))
        squares = (x - self.means(features) * relaxed) ** 2
        hits = (x != 0).to(x.dtype)
        return (squares + cross_entropy(logits, hits, reduction="none")).sum(dim=1)

    def log_prob(self, features: Tensor, x: Tensor) -> Tensor:
        logits = self.hit_logits(features)
        of_hit = logsigmoid(logits) + self._log_energy(features, x)
        return torch.where(x != 0, of_hit, logsigmoid(-logits)).sum(dim=1)

    def draw(self, features: Tensor, rng: Rng) -> Tensor:
        logits = self.hit_logits(features)
        hits = logits + logistic(logits, rng) > 0
        return torch.where(hits, self._drawn_energies(features, rng), 0.0)

    def _log_energy(self, features: Tensor, x: Tensor) -> Tensor:
        """The log density of the energies of hits, cell by cell."""
        return log_normal(x, self.means(features), torch.zeros_like(x))

    def _drawn_energies(self, features: Tensor, rng: Rng) -> Tensor:
        return self.means(features)


class GaussianHitsHead(HitsHead):
    """Hits and normal energies of cells, with a width for each cell that is learned.

    The loss is minus the log density, and generating draws hits and energies from it.

    >>> head = GaussianHitsHead(3, 2, widths=(), activation="relu")
    >>> head.log_prob(torch.zeros(5, 3), torch.zeros(5, 2)).shape
    torch.Size([5])
    """

    def __init__(
        self, features: int, width: int, *, widths: tuple[int, ...], activation: Activation
    ) -> None:
        super().__init__(features, width, widths=widths, activation=activation, sharpness=1.0)
        self.log_width = nn.Parameter(torch.zeros(width))

    def loss(self, features: Tensor, x: Tensor, rng: Rng) -> Tensor:
        return -self.log_prob(features, x)

    def _log_energy(self, features: Tensor, x: Tensor) -> Tensor:
        return log_normal(x, self.means(features), self.log_width)

    def _drawn_energies(self, features: Tensor, rng: Rng) -> Tensor:
        means = self.means(features)
        return means + torch.exp(self.log_width) * normal(means, rng)


class TruncatedHitsHead(HitsHead):
    """Hits and positive energies of cells: normal ones, of which only x > 0 is kept.

    Mode and width of each cell's energy depend on the features, so showers of small energy can have
    small fluctuations. No drawn energy is lost by an encoder that decodes what is not above 0 as no
    hit. The loss is minus the log density, which for a hit is the normal one over the probability
    that it is above 0.

    Raises DataError for energies below 0.

    Source: truncated normal distribution; the head is ours.

    >>> import numpy as np
    >>> head = TruncatedHitsHead(3, 2, widths=(), activation="relu")
    >>> bool((head.draw(torch.zeros(500, 3), np.random.default_rng(1)) >= 0).all())
    True
    """

    numbers_of_energy = 2

    def __init__(
        self, features: int, width: int, *, widths: tuple[int, ...], activation: Activation
    ) -> None:
        super().__init__(features, width, widths=widths, activation=activation, sharpness=1.0)

    def loss(self, features: Tensor, x: Tensor, rng: Rng) -> Tensor:
        return -self.log_prob(features, x)

    def modes_and_widths(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The modes and widths (N, width) of the normal distributions before they are truncated."""
        modes, widths = self.energies(features).chunk(2, dim=1)
        widths = LEAST_WIDTH + softplus(widths)
        return torch.maximum(modes, LEAST_MODE * widths), widths

    def _log_energy(self, features: Tensor, x: Tensor) -> Tensor:
        if bool((x < 0).any()):
            least = float(x.min())
            raise DataError(
                f"the head hits-truncated needs energies of at least 0, and one is {least:g}; "
                "encode showers with hit-standard, or take the head hits-gaussian"
            )
        modes, widths = self.modes_and_widths(features)
        log_positive: Tensor = torch.special.log_ndtr(modes / widths)
        return log_normal(x, modes, widths.log()) - log_positive

    def _drawn_energies(self, features: Tensor, rng: Rng) -> Tensor:
        modes, widths = self.modes_and_widths(features)
        # ndtr itself is 0 beyond 8 widths
        positive = torch.exp(torch.special.log_ndtr((modes / widths).double()))
        pull = -torch.special.ndtri(uniform(positive, rng) * positive)
        drawn = modes + widths * pull.to(modes.dtype)
        positive_drawn: Tensor = drawn.clamp(min=torch.finfo(modes.dtype).tiny)
        return positive_drawn  # rounding may have ended at 0


def head_of(
    name: HeadName,
    features: int,
    width: int,
    *,
    widths: tuple[int, ...],
    activation: Activation,
    sharpness: float,
) -> Head:
    """The head of a name; ``sharpness`` is of ``hits`` alone."""
    if name == "gaussian":
        return GaussianHead(features, width, widths=widths, activation=activation)
    if name == "hits-gaussian":
        return GaussianHitsHead(features, width, widths=widths, activation=activation)
    if name == "hits-truncated":
        return TruncatedHitsHead(features, width, widths=widths, activation=activation)
    return HitsHead(features, width, widths=widths, activation=activation, sharpness=sharpness)
