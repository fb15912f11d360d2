"""The generator ``inn``: an invertible network of coupling blocks."""

from __future__ import annotations

from math import log, pi
from typing import Literal

import torch

from qgen_core import Batch, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Rng
from qgen_torch.conditions import condition_width
from qgen_torch.flows.coupling import Affine, CouplingFlow, Mixing, Splines
from qgen_torch.model import TorchModel
from qgen_torch.networks.mlp import Activation
from qgen_torch.networks.module_arrays import TORCH, Precision, seeded, torch_seed

Tensor = torch.Tensor
#: Numbers of univariate functions in a graph, which holds about a dozen tensors of this size.
MOST_NUMBERS = 2**25


class InvertibleNetwork(TorchModel):
    """A normalizing flow: ``x = f^-1(z, e)`` with normal z and couplings f, as in CaloINN.

    ``log p(x | e) = log N(f(x, e)) + log |det df/dx|`` is exact; the loss ``nll`` with
    ``reads = "log_prob"`` trains on it. Both directions take the same time. Conditions e are inputs
    of every block. Columns should have a mean near 0 and a width near 1, e.g. by ``standard``.

    The first batch of a training sets the centres and spreads of the normalisations, which a
    checkpoint holds.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions.
        blocks: the number of couplings. Two of them change every column.
        univariate: ``spline``, rational-quadratic functions; ``affine``, ``exp(s) x + t`` with s
            limited to +-6.9.
        bins: of each spline, at least 2.
        bound: splines are the identity outside [-bound, bound], column by column.
        widths: of the hidden layers of the network in each block.
        activation: of these layers.
        mixing: between the blocks: ``permutation`` of the columns, ``rotation`` by a fixed random
            matrix, or ``none``: even and odd columns take turns.
        act_norm: whether each block begins with a normalisation.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks, e.g. ``cuda``.

    Raises BadOption for numbers out of range, BrokenPlugin without the extra ``flows``.

    Source: Dinh et al., arXiv:1605.08803; Durkan et al., arXiv:1906.04032 (splines); Ernst et al.,
    arXiv:2312.09290 (CaloINN). Built on couplings of zuko. Defaults are our choice.

    >>> import numpy as np
    >>> model = InvertibleNetwork(space=Space("reals", 3), blocks=2, widths=(8,), seed=1)
    >>> x = model.sample(4, rng=np.random.default_rng(1))
    >>> log_prob, _ = model.forward("log_prob", Batch(x), rng=np.random.default_rng(1))
    >>> x.shape, log_prob.shape
    ((4, 3), (4,))
    """

    outputs = frozenset({"log_prob", "samples"})
    draws_torch_numbers = False

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        blocks: int = 8,
        univariate: Literal["spline", "affine"] = "spline",
        bins: int = 8,
        bound: float = 5.0,
        widths: tuple[int, ...] = (64, 64),
        activation: Activation = "relu",
        mixing: Mixing = "permutation",
        act_norm: bool = True,
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if blocks < 1 or bins < 2 or not bound > 0 or any(size < 1 for size in widths):
            raise BadOption(
                "inn needs blocks and widths of at least 1, at least 2 bins and a bound above 0, "
                f"not {blocks}, {list(widths)}, {bins} and {bound:g}"
            )
        functions: Splines | Affine = Splines(bins, bound)
        if univariate == "affine":
            functions = Affine()
        with seeded(torch_seed(seed, "init")):
            flow = CouplingFlow(
                space.width,
                condition_width(condition),
                blocks=blocks,
                univariate=functions,
                widths=widths,
                activation=activation,
                mixing=mixing,
                act_norm=act_norm,
            )
        numbers = blocks * -(-space.width // 2) * functions.numbers
        self.largest_graphs = {"log_prob": max(1, MOST_NUMBERS // numbers)}
        flow.register_buffer("fitted", torch.zeros(()))
        super().__init__(flow.to(TORCH[precision]), space=space, condition=condition, device=device)

    @property
    def flow(self) -> CouplingFlow:
        """The invertible map, with its directions ``to_latent`` and ``to_data``."""
        assert isinstance(self.module, CouplingFlow)
        return self.module

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Fit the normalisations to the first batch."""
        super().prepare(batch, rng=rng)
        fitted = self.module.get_buffer("fitted")
        if fitted or batch.x is None:
            return
        self._send_parameters()
        condition = None if batch.condition is None else self.tensor(batch.condition)
        with torch.no_grad():
            self.flow.fit_norms(self.tensor(batch.x), condition)
        fitted.fill_(1)

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        return self.flow.to_data(self.noise(n, self.space.width, rng), condition)

    def log_prob(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """The log density (N,) of events, given their conditions."""
        z, log_det = self.flow.to_latent(x, condition)
        return log_det - 0.5 * (z**2).sum(dim=1) - 0.5 * self.space.width * log(2 * pi)
