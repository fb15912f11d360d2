"""The encoder ``autoencoder``: a few latent numbers in the place of many columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from qgen_core import Encoder, Space
from qgen_core.encoders.checks import (
    all_in_row,
    matrix,
    not_fitted,
    require_accepted,
    training_matrix,
)
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Rng
from qgen_torch.conditions import check_condition
from qgen_torch.networks.columns import deviations
from qgen_torch.networks.mlp import Activation, mlp
from qgen_torch.networks.module_arrays import copied_state, load_state, seeded, torch_seed

Tensor = torch.Tensor


class AutoencoderEncoder(Encoder):
    """Encodes events (N, F) as latents (N, ``latent``), which a second network makes events of.

    One perceptron maps the standardised columns to latents, and another one, with the same widths
    in reverse, latents to columns. ``fit`` trains both by Adam on the mean squared error of the
    standardised columns, with a learning rate that falls to 0 as a cosine.

    **What is lost.** There are fewer latents than columns, so decoding is no inverse. It gives the
    event that the second network makes of the latents, which is about the mean of all events that
    have these latents, so decoded events have less spread than true ones. A perfect model of the
    latents makes decoded true events. ``unexplained`` measures what is lost. There is no
    density: ``log_det`` is None.

    Without ``widths`` both networks are linear, and the best ones are those of a principal
    component analysis. Latents have no certain range; a ``chain`` may put ``min-max`` or
    ``standard`` behind.

    Args:
        latent: the number of latents.
        widths: of the hidden layers of the first network.
        activation: after each hidden layer.
        conditional: whether both networks are also given the standardised conditions, so that
            latents need not hold what the conditions say.
        epochs: passes through the training events.
        batch_size: events in a step of the training.
        learning_rate: of the first step.
        seed: of the first weights and of the order of events. On one machine the same seed gives
            the same networks bit for bit. None draws a new one.

    Raises BadOption for sizes below 1 and for a learning rate that is not above 0.

    Source: Hinton and Salakhutdinov, Science 313 (2006) 504; in front of a quantum GAN: LaSt-QGAN,
    arXiv:2406.02668. Sizes and training are our choice (docs/readings.md).

    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6))  # six columns in a plane
    >>> encoder = AutoencoderEncoder(latent=2, widths=(), learning_rate=0.05, seed=1).fit(x)
    >>> encoder.encode(x).shape, bool(encoder.unexplained(x).max() < 0.01)
    ((200, 2), True)
    """

    name = "autoencoder"

    def __init__(
        self,
        *,
        latent: int = 4,
        widths: tuple[int, ...] = (64,),
        activation: Activation = "leaky-relu",
        conditional: bool = False,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 5e-3,
        seed: int | None = None,
    ) -> None:
        if min(latent, epochs, batch_size, *widths) < 1:
            raise BadOption(
                "latent, widths, epochs and batch_size of autoencoder must be at least 1, not "
                f"{latent}, {list(widths)}, {epochs} and {batch_size}"
            )
        if not learning_rate > 0:
            raise BadOption(
                f"the learning_rate of autoencoder must be above 0, not {learning_rate:g}"
            )
        if seed is None:
            seed = int(generator(None).integers(2**63))
        self.latent = latent
        self.widths = widths
        self.activation: Activation = activation
        self.conditional = conditional
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self._networks: _Networks | None = None

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Train on events (N, F), and on conditions (N, K) if the encoder is conditional.

        Raises DataError if there are none or if they are not finite.
        """
        x = training_matrix(self.name, x)
        conditions = 0
        if self.conditional:
            if condition is None:
                raise DataError("a conditional autoencoder is fitted on conditions; none was given")
            conditions = training_matrix(self.name, condition).shape[1]
        networks = self._new_networks(x.shape[1], conditions)
        events = _tensor(x)
        given = self._given(networks, condition, len(x))
        networks.columns.learn(events)
        if given is not None:
            networks.conditions.learn(given)
        self._train(networks, events, given)
        self._use(networks)
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite."""
        return all_in_row(np.isfinite(matrix(self.name, x, self._trained.columns.width)))

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """Latents (N, latent) float64 of events (N, F).

        Raises DataError for events that are not finite, and for conditions that are missing.
        """
        networks = self._trained
        x = self._accepted(x)
        with torch.inference_mode():
            latents = networks.latents(_tensor(x), self._given(networks, condition, len(x)))
        return latents.numpy()

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Events (N, F) float64 that the second network makes of latents (N, latent)."""
        networks = self._trained
        z = matrix(self.name, z, self.latent)
        with torch.inference_mode():
            events = networks.events(_tensor(z), self._given(networks, condition, len(z)))
        return events.numpy()

    def unexplained(self, x: Array, condition: Array | None = None) -> Floats:
        """The mean squared error of events (N, F) that are encoded and decoded, by column (F,).

        In units of the variance of the column in the training events: 0 if nothing is lost, and
        about 1 if all events are decoded as their mean.
        """
        networks = self._trained
        events = _tensor(self._accepted(x))
        given = self._given(networks, condition, len(events))
        with torch.inference_mode():
            found: Floats = networks.squared_errors(events, given).mean(dim=0).numpy()
        return found

    def state(self) -> dict[str, Array]:
        return copied_state(self._trained)

    def load(self, state: Mapping[str, Array]) -> None:
        conditions = 0
        if self.conditional:
            conditions = self._saved_width(state, "conditions.mean")
        networks = self._new_networks(self._saved_width(state, "columns.mean"), conditions)
        load_state(self.name, networks, state)
        self._use(networks)

    @property
    def _trained(self) -> _Networks:
        if self._networks is None:
            raise not_fitted(self.name)
        return self._networks

    def _use(self, networks: _Networks) -> None:
        self._networks = networks
        self.space = Space("reals", self.latent)

    def _new_networks(self, columns: int, conditions: int) -> _Networks:
        with seeded(torch_seed(self.seed, "autoencoder-init")):
            to_latents = mlp(
                columns + conditions, self.latent, widths=self.widths, activation=self.activation
            )
            to_columns = mlp(
                self.latent + conditions,
                columns,
                widths=self.widths[::-1],
                activation=self.activation,
            )
        return _Networks(_Scale(columns), _Scale(conditions), to_latents, to_columns)

    def _train(self, networks: _Networks, events: Tensor, given: Tensor | None) -> None:
        optimizer = torch.optim.Adam(networks.parameters(), lr=self.learning_rate)
        steps = self.epochs * -(-len(events) // self.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for epoch in range(self.epochs):
            order = stream(self.seed, "autoencoder-order", step=epoch).permutation(len(events))
            for start in range(0, len(order), self.batch_size):
                rows = torch.from_numpy(order[start : start + self.batch_size])
                of_rows = None
                if given is not None:
                    of_rows = given[rows]
                optimizer.zero_grad()
                torch.autograd.backward(networks.squared_errors(events[rows], of_rows).mean())
                optimizer.step()
                schedule.step()

    def _accepted(self, x: Array) -> Array:
        accepted = self.accepts(x)
        x = np.asarray(x)
        require_accepted(self.name, x, accepted, "finite values")
        return x

    def _given(self, networks: _Networks, condition: Array | None, n: int) -> Tensor | None:
        """The conditions (n, K) if the networks take any. Raises DataError without them."""
        if not self.conditional:
            return None
        check_condition(self.name, Space("reals", networks.conditions.width), condition, n)
        assert condition is not None
        return _tensor(condition)

    def _saved_width(self, state: Mapping[str, Array], name: str) -> int:
        """The length of an array of a state. Raises CheckpointError if it is no vector."""
        if name not in state or state[name].ndim != 1 or not len(state[name]):
            raise CheckpointError(f"the checkpoint of {self.name} has no vector {name!r}")
        return len(state[name])


class _Scale(nn.Module):
    """Mean and standard deviation of columns; a deviation of 0 is taken as 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def learn(self, x: Tensor) -> None:
        """Take mean and deviation of columns (N, width)."""
        self.get_buffer("mean").copy_(x.mean(dim=0))
        self.get_buffer("deviation").copy_(deviations(x))

    def forward(self, x: Tensor) -> Tensor:
        """Columns (N, width) in deviations from the mean."""
        found: Tensor = (x - self.get_buffer("mean")) / self.get_buffer("deviation")
        return found

    def inverse(self, standardised: Tensor) -> Tensor:
        """The columns (N, width) again."""
        return standardised * self.get_buffer("deviation") + self.get_buffer("mean")


class _Networks(nn.Module):
    """Both networks in double precision, with the scales of columns and conditions."""

    def __init__(
        self, columns: _Scale, conditions: _Scale, to_latents: nn.Module, to_columns: nn.Module
    ) -> None:
        super().__init__()
        self.columns = columns
        self.conditions = conditions
        self.to_latents = to_latents
        self.to_columns = to_columns
        self.to(torch.float64)

    def latents(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Latents (N, latent) of events (N, F)."""
        found: Tensor = self.to_latents(self._beside(self.columns(x), condition))
        return found

    def events(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        """Events (N, F) of latents (N, latent)."""
        return self.columns.inverse(self._standardised(latents, condition))

    def squared_errors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """The squares (N, F) of the errors of decoded events, in standardised columns."""
        back = self._standardised(self.latents(x, condition), condition)
        errors: Tensor = back - self.columns(x)
        return errors**2

    def _standardised(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        found: Tensor = self.to_columns(self._beside(latents, condition))
        return found

    def _beside(self, x: Tensor, condition: Tensor | None) -> Tensor:
        if condition is None:
            return x
        return torch.cat([x, self.conditions(condition)], dim=1)


def _tensor(x: Array) -> Tensor:
    """A copy in double precision."""
    return torch.from_numpy(np.array(x, dtype=np.float64))
