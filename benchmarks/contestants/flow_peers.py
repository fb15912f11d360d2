"""The same flow in plain zuko and in normflows: couplings with rational-quadratic splines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

#: Bins and bound of the splines, hidden layers of the conditioners.
BINS = 8
BOUND = 5.0
HIDDEN = 64
LAYERS = 2


def bare_zuko(columns: int, couplings: int) -> nn.Module:
    """zuko's couplings with zuko's splines, even and odd columns in turn."""
    from zuko.distributions import DiagNormal
    from zuko.flows.coupling import GeneralCouplingTransform
    from zuko.lazy import Flow, UnconditionalDistribution
    from zuko.transforms import MonotonicRQSTransform

    transforms = []
    for number in range(couplings):
        coupling = GeneralCouplingTransform(
            columns,
            0,
            torch.arange(columns) % 2 == number % 2,
            univariate=partial(MonotonicRQSTransform, bound=BOUND),
            shapes=[(BINS,), (BINS,), (BINS - 1,)],
            hidden_features=LAYERS * (HIDDEN,),
        )
        transforms.append(coupling)
    zeros, ones = torch.zeros(columns), torch.ones(columns)
    return Flow(transforms, UnconditionalDistribution(DiagNormal, zeros, ones, buffer=True))


def normflows(columns: int, couplings: int, parameters: int) -> nn.Module:
    """normflows' couplings, with the hidden features that come nearest to so many parameters."""
    import normflows as nf

    def flow(hidden: int) -> nn.Module:
        parts = []
        for number in range(couplings):
            coupling = nf.flows.CoupledRationalQuadraticSpline(
                columns,
                LAYERS,
                hidden,
                num_bins=BINS,
                tail_bound=BOUND,
                reverse_mask=bool(number % 2),
            )
            parts.append(coupling)
        base = nf.distributions.DiagGaussian(columns, trainable=False)
        return nf.NormalizingFlow(base, parts)

    sizes = range(8, 2 * HIDDEN)
    nearest = min(sizes, key=lambda hidden: abs(count(flow(hidden)) - parameters))
    return flow(nearest)


def count(flow: nn.Module) -> int:
    """The number of parameters."""
    return sum(value.numel() for value in flow.parameters())


def trained(
    flow: nn.Module,
    loss: Callable[[torch.Tensor], torch.Tensor],
    events: torch.Tensor,
    steps: int,
    batch: int,
    rate: float,
) -> None:
    """A bare loop of Adam on random batches, with nothing beside the training."""
    random = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(flow.parameters(), lr=rate)
    for _ in range(steps):
        rows = torch.randint(len(events), (batch,), generator=random)
        optimizer.zero_grad()
        loss(events[rows]).backward()
        optimizer.step()


def in_blocks(draw: Callable[[int], Any], n: int, block: int) -> Callable[[], None]:
    """A function that draws n events in blocks, without gradients."""

    def run() -> None:
        with torch.inference_mode():
            for start in range(0, n, block):
                draw(min(block, n - start))

    return run
