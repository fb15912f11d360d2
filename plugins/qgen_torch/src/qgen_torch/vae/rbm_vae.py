"""The generator ``rbm-vae``: discrete latents whose prior is a Boltzmann machine."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import torch
from torch import nn

from qgen_core import Batch, Ising, Sampler, Space
from qgen_core.errors import BadOption
from qgen_core.interfaces import Couplings
from qgen_core.typing import Array, Ints, Rng
from qgen_torch.conditions import condition_width
from qgen_torch.networks.mlp import Activation
from qgen_torch.networks.module_arrays import Precision, seeded, torch_seed
from qgen_torch.vae.autoencoder import Autoencoder, with_condition
from qgen_torch.vae.encoder import HierarchicalEncoder, log_posterior
from qgen_torch.vae.heads import HeadName, head_of
from qgen_torch.vae.layers import hidden_layers, last_width
from qgen_torch.vae.noise import logistic, uniform
from qgen_torch.vae.prior import BoltzmannPrior, PriorShape
from qgen_torch.vae.relaxations import RELAXATIONS, RelaxationName

Tensor = torch.Tensor


class RbmVae(Autoencoder):
    """A discrete variational autoencoder: ``p(x | e) = sum_z p(z) p(x | z, e)``.

    The prior p(z) is a restricted Boltzmann machine, of which the first half of the latent bits are
    the visible side. The encoder is hierarchical; in training its bits are relaxed. Conditions e,
    e.g. the energy of a shower, are given to the encoder and the decoder.

    ``objective`` is the reconstruction loss plus

        sum_i (z_i l_i - log(1 + e^l_i)) + E(z) - mean of E over the chains,

    with relaxed bits z and logits l. Its gradient is that of the KL divergence, as far as the
    chains follow the prior; its value means nothing, because log Z is left out. The sampler of the
    recipe draws the chains, which go on from step to step, and the latents of generated events, so
    another sampler can generate than the one of the training. The metric ``nelbo`` gives the bound
    itself.

    Args:
        space: of the events, reals; for the heads of hits, a cell is 0 if it has no hit.
        sampler: draws from the prior.
        condition: of the conditions; bits or spins for ``conditioning = "partition"``.
        latents: the number of latent bits, an even multiple of ``levels``.
        levels: of the encoder.
        relaxation: ``gumbolt``, ``straight-through``, ``spike-exp`` or ``mixture``.
        temperature: of the relaxation.
        final_temperature: at the end of the training; the inverse of the temperature grows
            linearly over the share ``anneal`` of the steps. None: the temperature stays.
        anneal: a share of the steps, above 0 to 1.
        prior: ``rbm``; ``qbm`` for one with the field ``transverse``, of which the sampler must
            draw; ``factorised`` for one without couplings.
        transverse: the transverse field of a ``qbm``.
        couplings: which units of the two sides are coupled, e.g. those of a chip; without it
            ``all`` are. Others have no parameter.
        frozen_prior: whether the prior stays what it is at first.
        scale: the standard deviation of the first couplings.
        chains: the number of chains.
        conditioning: ``append``, or ``partition``: the condition is also clamped as further units
            of the prior, which are coupled with all latents.
        head: ``gaussian`` for plain reals; ``hits`` for showers; ``hits-gaussian`` for showers
            with a width of energies that is learned; ``hits-truncated`` for showers with energies
            above 0, whose widths depend on the latents.
        sharpness: of the relaxed hits of the head ``hits``.
        encoder: widths of the hidden layers of each level.
        decoder: widths of the hidden layers; those of the last one are not shared by hits and
            energies.
        activation: of all hidden layers.
        ramp: the weight of the KL term grows from 0 to 1 over this share of the steps.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks, e.g. ``cuda``.

    Raises BadOption for numbers and combinations of options that are not possible.

    Source: Rolfe, arXiv:1609.02200; Khoshaman and Amin, arXiv:1805.07349; CaloQVAE,
    arXiv:2312.03179. Fields start at 0 and couplings near it, which is our choice.

    >>> from qgen_core import sampler
    >>> model = RbmVae(
    ...     space=Space("reals", 3), sampler=sampler("gibbs", sweeps=5), latents=8, seed=1
    ... )
    >>> model.sample(4, rng=np.random.default_rng(1)).shape
    (4, 3)
    """

    surrogates = frozenset({"objective"})

    def __init__(
        self,
        *,
        space: Space,
        sampler: Sampler,
        condition: Space | None = None,
        latents: int = 64,
        levels: int = 2,
        relaxation: RelaxationName = "gumbolt",
        temperature: float = 0.2,
        final_temperature: float | None = None,
        anneal: float = 0.6,
        prior: Literal["rbm", "qbm", "factorised"] = "rbm",
        transverse: float = 1.0,
        couplings: Couplings | None = None,
        frozen_prior: bool = False,
        scale: float = 0.01,
        chains: int = 256,
        conditioning: Literal["append", "partition"] = "append",
        head: HeadName = "gaussian",
        sharpness: float = 9.0,
        encoder: tuple[int, ...] = (128, 128),
        decoder: tuple[int, ...] = (128, 128),
        activation: Activation = "relu",
        ramp: float = 0.3,
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if levels < 1 or latents < 2 or latents % 2 or latents % levels:
            raise BadOption(
                f"latents are an even number and a multiple of levels, not {latents} latents in "
                f"{levels} levels"
            )
        if chains < 1 or not (scale >= 0 and sharpness > 0):
            raise BadOption(
                f"chains are at least 1, scale at least 0 and sharpness above 0, not {chains}, "
                f"{scale:g} and {sharpness:g}"
            )
        if prior == "qbm" and not transverse > 0:
            raise BadOption(f"the transverse field of a qbm is above 0, not {transverse:g}")
        schedule = (temperature, final_temperature or temperature, anneal)
        if not min(schedule) > 0 or anneal > 1:
            raise BadOption(
                "temperatures are above 0 and anneal is above 0 and at most 1, not "
                f"{temperature:g}, {final_temperature} and {anneal:g}"
            )
        clamped = 0
        if conditioning == "partition":
            clamped = _clamped_units(condition)
        side = latents // 2
        pairs: Ints | None = None
        if prior == "factorised":
            pairs = np.empty((0, 2), dtype=np.intp)
        elif couplings is not None:
            pairs = couplings(side, side)
        shape = PriorShape(clamped, side, side, pairs)
        given = condition_width(condition)
        features = latents + given
        with seeded(torch_seed(seed, "init")):
            parts: dict[str, nn.Module] = {
                "encoder": HierarchicalEncoder(
                    space.width + given,
                    latents=latents,
                    levels=levels,
                    widths=encoder,
                    activation=activation,
                ),
                "decoder": hidden_layers(features, decoder[:-1], activation),
                "prior": BoltzmannPrior(
                    shape,
                    scale=scale,
                    frozen=frozen_prior,
                    transverse=transverse if prior == "qbm" else 0.0,
                    chains=chains,
                ),
            }
            of_head = head_of(
                head,
                last_width(features, decoder[:-1]),
                space.width,
                widths=decoder[-1:],
                activation=activation,
                sharpness=sharpness,
            )
        super().__init__(
            parts,
            of_head,
            space=space,
            condition=condition,
            ramp=ramp,
            precision=precision,
            device=device,
        )
        self.sampler: Sampler = sampler
        self.relaxation = RELAXATIONS[relaxation]
        self._first_slope = 1 / temperature
        self._last_slope = 1 / (final_temperature or temperature)
        self.anneal = anneal

    @property
    def prior(self) -> BoltzmannPrior:
        """The prior: its energy and its chains."""
        return cast(BoltzmannPrior, self.part("prior"))

    @property
    def temperature(self) -> float:
        """The temperature of the relaxation at this point of the training."""
        share = min(self.progress / self.anneal, 1.0)
        return 1 / (self._first_slope + share * (self._last_slope - self._first_slope))

    def energy(self, condition: Array | None = None) -> Ising:
        """The prior's energy; with a partition, its condition units are clamped row by row.

        ``condition`` (n, K) has a row for each of n conditions; a prior without a partition is the
        same for all.
        """
        self._send_parameters()
        clamped = None
        if condition is not None and self.prior.shape.clamped:
            clamped = _as_spins(condition, self.condition)
        return self.prior.ising(clamped)

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Move the chains, those of a partition at the conditions of the batch."""
        super().prepare(batch, rng=rng)
        chains = self.prior.chains
        condition = batch.condition
        if condition is not None:
            condition = condition[np.arange(len(chains)) % len(condition)]
        chains.copy_(self._drawn(chains, condition, rng))

    def prior_latents(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        """Latent bits (n, latents); Markov chains start at random ones of the model's chains."""
        chains = self.prior.chains
        start = chains[torch.from_numpy(rng.integers(len(chains), size=n)).to(self.device)]
        given = None if condition is None else condition.cpu().numpy()
        spins = self._drawn(start, given, rng)[:, self.prior.shape.clamped :]
        return (1 + spins.to(self.device, self.dtype)) / 2

    def posterior(self, x: Tensor, condition: Tensor | None, rng: Rng) -> tuple[Tensor, Tensor]:
        temperature = self.temperature

        def relaxed(logits: Tensor) -> Tensor:
            return self.relaxation.draw(logits, uniform(logits, rng), temperature)

        logits, bits = self.part("encoder")(with_condition(x, condition), relaxed)
        energies = self._energies(bits, condition)
        of_chains = self.prior.energy(self.prior.chains.to(self.dtype)).mean()
        return bits, log_posterior(bits, logits) + energies - of_chains

    def log_weight(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        def drawn(logits: Tensor) -> Tensor:
            return (logits + logistic(logits, rng) > 0).to(logits.dtype)

        logits, bits = self.part("encoder")(with_condition(x, condition), drawn)
        log_prob = self.head.log_prob(self.features(bits, condition), x)
        return log_prob - self._energies(bits, condition) - log_posterior(bits, logits)

    def _energies(self, bits: Tensor, condition: Tensor | None) -> Tensor:
        """The prior's energies (N,) of bits, which may be relaxed."""
        spins = 2 * bits - 1
        if self.prior.shape.clamped:
            assert condition is not None and self.condition is not None
            clamped = condition
            if self.condition.kind == "bits":
                clamped = 2 * condition - 1
            spins = torch.cat([clamped, spins], dim=1)
        return self.prior.energy(spins)

    def _drawn(self, start: Tensor, condition: Array | None, rng: Rng) -> Tensor:
        """Spins (n, units) of the prior, from ``start`` on, one for each condition."""
        energy = self.energy(condition)
        n = len(start)
        initial = start.cpu().numpy()
        if energy.rows is None:
            spins, _ = self.sampler.draw(energy, n, rng=rng, initial=initial)
        else:
            by_row, _ = self.sampler.draw(energy, 1, rng=rng, initial=initial[:, None])
            spins = by_row[:, 0]
        return torch.from_numpy(spins)


def _clamped_units(condition: Space | None) -> int:
    """The number of units that hold conditions."""
    if condition is None or condition.kind not in ("bits", "spins"):
        raise BadOption(
            "conditioning = 'partition' clamps conditions of bits or spins as units of the prior, "
            f"not {condition or 'no conditions'}; use a condition encoder such as 'binning'"
        )
    return condition.width


def _as_spins(condition: Array, space: Space | None) -> Array:
    """Conditions of bits or spins as spins."""
    if space is not None and space.kind == "bits":
        return 2 * condition - 1
    return condition
