"""The prior of discrete latents: a Boltzmann machine of two sides, and clamped conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from qgen_core import Graph, Ising
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Ints

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class PriorShape:
    """Which units a prior has and which are coupled.

    The units are ``clamped`` ones that hold conditions, then ``left`` and ``right`` ones. Clamped
    units are coupled with all others, and left with right units in ``pairs``.

    Args:
        clamped: the number of units that hold conditions.
        left: the number of units on the visible side.
        right: the number of units on the hidden side.
        pairs: numbers (E, 2) of left units, from 0, and of right ones, from 0; None: all pairs.

    >>> shape = PriorShape(1, 2, 2, np.array([[0, 1]]))
    >>> shape.graph.edges.tolist()
    [[0, 1], [0, 2], [0, 3], [0, 4], [1, 4]]
    """

    clamped: int
    left: int
    right: int
    pairs: Ints | None = None

    def __post_init__(self) -> None:
        if self.pairs is None:
            return
        pairs = np.asarray(self.pairs, dtype=np.intp).reshape(-1, 2)
        inside = (pairs >= 0) & (pairs < [self.left, self.right])
        if not np.all(inside):
            raise BadOption(
                f"pairs are of one of {self.left} left and one of {self.right} right units, "
                "both counted from 0"
            )
        # In row-major order, so that a saved J does not depend on the order that was given.
        order = np.argsort(pairs[:, 0] * self.right + pairs[:, 1])
        object.__setattr__(self, "pairs", pairs[order])

    @property
    def latents(self) -> int:
        """The number of units that are not clamped."""
        return self.left + self.right

    @property
    def places(self) -> Ints:
        """The places (E,) of the pairs in a matrix (left, right), row by row."""
        if self.pairs is None:
            return np.arange(self.left * self.right)
        return self.pairs[:, 0] * self.right + self.pairs[:, 1]

    @property
    def graph(self) -> Graph:
        """The graph of all units; edges of clamped units come first, unit by unit."""
        clamped = np.arange(self.clamped)
        others = self.clamped + np.arange(self.latents)
        of_clamped = np.stack(np.meshgrid(clamped, others, indexing="ij"), axis=-1)
        rows, columns = np.divmod(self.places, self.right)
        of_sides = np.stack([self.clamped + rows, self.clamped + self.left + columns], axis=1)
        return Graph(
            self.clamped + self.latents, np.concatenate([of_clamped.reshape(-1, 2), of_sides])
        )


class BoltzmannPrior(nn.Module):
    """``E(s) = sum_i h_i s_i + sum_ij J_ij s_i s_j + sum_ki W_ki u_k s_i`` of spins s.

    ``J`` (E,) couples left with right spins, and ``W`` (clamped, latents) the clamped spins u with
    both. Where nothing is coupled, a parameter is missing. The latent bits are (1 + s) / 2. Chains
    are spins (chains, units), int8, part of the state.

    Args:
        shape: of the units and couplings.
        scale: the standard deviation of the first couplings; fields start at 0.
        frozen: whether the energy stays what it is at first.
        transverse: the field of a quantum Boltzmann machine, see :class:`~qgen_core.ising.Ising`.
        chains: the number of chains; they start at random spins.

    >>> shape = PriorShape(0, 1, 2)
    >>> prior = BoltzmannPrior(shape, scale=0.0, frozen=False, transverse=0.0, chains=4)
    >>> prior.energy(torch.ones(5, 3)).tolist(), sorted(dict(prior.named_parameters()))
    ([0.0, 0.0, 0.0, 0.0, 0.0], ['J', 'h'])
    """

    h: Tensor
    J: Tensor
    W: Tensor
    chains: Tensor
    places: Tensor

    def __init__(
        self, shape: PriorShape, *, scale: float, frozen: bool, transverse: float, chains: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.graph = shape.graph
        self.transverse = transverse
        self.frozen = frozen
        self._add("h", torch.zeros(shape.latents))
        self._add("J", scale * torch.randn(len(shape.places)))
        self._add("W", scale * torch.randn(shape.clamped, shape.latents))
        units = shape.clamped + shape.latents
        spins = 2 * torch.randint(2, (chains, units), dtype=torch.int8) - 1
        self.register_buffer("chains", spins)
        self.register_buffer("places", torch.from_numpy(shape.places), persistent=False)

    def _add(self, name: str, values: Tensor) -> None:
        """Make values part of the state, and a parameter if there are some and they may change."""
        if self.frozen or values.numel() == 0:
            self.register_buffer(name, values, persistent=values.numel() > 0)
        else:
            self.register_parameter(name, nn.Parameter(values))

    def energy(self, spins: Tensor) -> Tensor:
        """E (N,) of the spins of all units (N, units), which may be relaxed, in [-1, 1]."""
        shape = self.shape
        clamped = spins[:, : shape.clamped]
        latents = spins[:, shape.clamped :]
        left = latents[:, : shape.left]
        right = latents[:, shape.left :]
        couplings = self.J.new_zeros(shape.left * shape.right).index_copy(0, self.places, self.J)
        onto_right = left @ couplings.view(shape.left, shape.right)
        fields = self.h + clamped @ self.W
        of_fields = (latents * fields).sum(dim=1)
        energies: Tensor = of_fields + (onto_right * right).sum(dim=1)
        return energies

    def ising(self, clamped: Array | None = None) -> Ising:
        """The energy for samplers; ``clamped`` (n, K) are spins that a row each is clamped to."""
        h = np.zeros(self.graph.num_spins)
        h[self.shape.clamped :] = _numbers(self.h)
        couplings = np.concatenate([_numbers(self.W).ravel(), _numbers(self.J)])
        fixed = None
        if clamped is not None and self.shape.clamped:
            fixed = np.zeros((len(clamped), len(h)), dtype=np.int8)
            fixed[:, : self.shape.clamped] = clamped
        return Ising(h, couplings, self.graph, transverse=self.transverse, fixed=fixed)


def _numbers(values: Tensor) -> Array:
    return values.detach().cpu().numpy().astype(np.float64)
