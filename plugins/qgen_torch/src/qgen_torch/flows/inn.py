"""The generator ``inn``: an invertible network of coupling blocks."""

from __future__ import annotations

from typing import Literal

from qgen_core import Space
from qgen_torch.conditions import condition_width
from qgen_torch.flows.coupling import (
    CouplingFlow,
    Mixing,
    Perceptrons,
    check_couplings,
    univariate_maps,
)
from qgen_torch.flows.flow_model import FlowModel
from qgen_torch.networks.mlp import Activation
from qgen_torch.networks.module_arrays import Precision, seeded, torch_seed


class InvertibleNetwork(FlowModel):
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
    >>> from qgen_core import Batch
    >>> model = InvertibleNetwork(space=Space("reals", 3), blocks=2, widths=(8,), seed=1)
    >>> x = model.sample(4, rng=np.random.default_rng(1))
    >>> log_prob, _ = model.forward("log_prob", Batch(x), rng=np.random.default_rng(1))
    >>> x.shape, log_prob.shape
    ((4, 3), (4,))
    """

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
        check_couplings("inn", blocks, bins, bound, widths)
        with seeded(torch_seed(seed, "init")):
            flow = CouplingFlow(
                space.width,
                condition_width(condition),
                blocks=blocks,
                univariate=univariate_maps(univariate, bins, bound),
                conditioners=Perceptrons(widths, activation),
                mixing=mixing,
                act_norm=act_norm,
            )
        super().__init__(flow, space=space, condition=condition, precision=precision, device=device)
