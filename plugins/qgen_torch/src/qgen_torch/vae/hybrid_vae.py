"""The generator ``hybrid-vae``: continuous latents, and a circuit in the encoder or decoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from qgen_core import Ansatz, Backend, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Rng
from qgen_torch.conditions import condition_width
from qgen_torch.networks.mlp import Activation
from qgen_torch.networks.module_arrays import Precision, seeded, torch_seed
from qgen_torch.networks.wire_circuit import wire_circuit
from qgen_torch.vae.autoencoder import Autoencoder, with_condition
from qgen_torch.vae.blocks import BlockName, block_of
from qgen_torch.vae.heads import HeadName, head_of, log_normal
from qgen_torch.vae.layers import hidden_layers, last_width
from qgen_torch.vae.noise import normal

Tensor = torch.Tensor


class HybridVae(Autoencoder):
    """A variational autoencoder with normal latents and a block that is a circuit or classical.

    The block is a linear map to ``wires`` columns followed by a circuit, with these columns as
    angles and <Z> of each wire as its output; or, with ``block = "classical"``, followed by layers
    ``tanh(x + W x + b)`` that have exactly as many parameters as the circuit. All else is the same,
    so this is the classical twin, and a plain variational autoencoder. The block stands after the
    hidden layers of the encoder (``place = "latent"``) or in front of those of the decoder.

    ``objective`` is the reconstruction loss plus the KL divergence of the latents from standard
    normal ones, which is exact. Its value can be compared between steps only without a ramp of the
    KL term, so with a ramp it is a surrogate.

    Args:
        space: of the events, reals; for the heads of hits, a cell is 0 if it has no hit.
        condition: of the conditions, which are given to the encoder and the decoder.
        latents: the number of latent numbers.
        block: ``quantum`` or ``classical``.
        place: of the block, ``latent`` or ``decoder``.
        frozen: whether the circuit, or what stands in its place, keeps the parameters that were
            drawn, while all else is trained: a control of what its training gives.
        wires: of the circuit.
        ansatz: with inputs; default ``hardware-efficient`` with two layers.
        backend: runs the circuit. None takes the fastest, as in
            :class:`~qgen_torch.layer.QuantumLayer`.
        head: ``gaussian`` for plain reals; ``hits``, ``hits-gaussian`` and ``hits-truncated`` for
            showers, as in ``rbm-vae``.
        sharpness: of the relaxed hits of the head ``hits``.
        encoder: widths of the hidden layers.
        decoder: widths of the hidden layers; those of the last one are not shared by hits and
            energies.
        activation: of all hidden layers.
        ramp: the weight of the KL term grows from 0 to 1 over this share of the steps.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks, e.g. ``cuda``.

    Raises BadOption for fewer than one latent or wire, and for an ansatz that does not take one
    input a wire.

    Source: Kingma and Welling, arXiv:1312.6114; where the circuit stands is our choice.

    >>> import numpy as np
    >>> model = HybridVae(space=Space("reals", 3), wires=2, encoder=(8,), decoder=(8,), seed=1)
    >>> model.sample(4, rng=np.random.default_rng(1)).shape
    (4, 3)
    """

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        latents: int = 4,
        block: BlockName = "quantum",
        place: Literal["latent", "decoder"] = "latent",
        frozen: bool = False,
        wires: int = 4,
        ansatz: Ansatz | None = None,
        backend: Backend | None = None,
        head: HeadName = "gaussian",
        sharpness: float = 9.0,
        encoder: tuple[int, ...] = (64,),
        decoder: tuple[int, ...] = (64, 64),
        activation: Activation = "relu",
        ramp: float = 0.3,
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if latents < 1 or not sharpness > 0:
            raise BadOption(
                f"latents must be at least 1 and sharpness above 0, not {latents} and {sharpness:g}"
            )
        circuit = wire_circuit(wires, ansatz)
        given = condition_width(condition)
        with seeded(torch_seed(seed, "init")):
            of_encoder = hidden_layers(space.width + given, encoder, activation)
            features = last_width(space.width + given, encoder)
            if place == "latent":
                of_encoder.append(block_of(block, features, circuit, backend, frozen))
                features = wires
            of_encoder.append(nn.Linear(features, 2 * latents))
            features = latents + given
            of_decoder = nn.Sequential()
            if place == "decoder":
                of_decoder.append(block_of(block, features, circuit, backend, frozen))
                features = wires
            of_decoder.append(hidden_layers(features, decoder[:-1], activation))
            of_head = head_of(
                head,
                last_width(features, decoder[:-1]),
                space.width,
                widths=decoder[-1:],
                activation=activation,
                sharpness=sharpness,
            )
        super().__init__(
            {"encoder": of_encoder, "decoder": of_decoder},
            of_head,
            space=space,
            condition=condition,
            ramp=ramp,
            precision=precision,
            device=device,
        )
        self.latents = latents
        if ramp:
            self.surrogates = frozenset({"objective"})

    def prior_latents(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        return self.noise(n, self.latents, rng)

    def posterior(self, x: Tensor, condition: Tensor | None, rng: Rng) -> tuple[Tensor, Tensor]:
        mean, log_width = self._encoded(x, condition)
        divergence = 0.5 * (mean**2 + torch.exp(2 * log_width) - 1) - log_width
        return mean + torch.exp(log_width) * normal(mean, rng), divergence.sum(dim=1)

    def log_weight(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        mean, log_width = self._encoded(x, condition)
        latents = mean + torch.exp(log_width) * normal(mean, rng)
        zeros = torch.zeros_like(latents)
        of_prior = log_normal(latents, zeros, zeros) - log_normal(latents, mean, log_width)
        return self.head.log_prob(self.features(latents, condition), x) + of_prior.sum(dim=1)

    def _encoded(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Means and logarithms of widths (N, latents) of the latents of events."""
        mean, log_width = self.part("encoder")(with_condition(x, condition)).chunk(2, dim=1)
        return mean, log_width
