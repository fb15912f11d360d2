"""A neural spline flow of the library zuko, as a generator."""

import torch
import zuko

from qgen_core import Space
from qgen_torch import TorchModel


class SplineFlow(TorchModel):
    """Rational-quadratic splines in an autoregressive flow (Durkan et al., arXiv:1906.04032)."""

    outputs = frozenset({"log_prob"})

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        seed: int,
        transforms: int = 3,
        hidden: tuple[int, ...] = (64, 64),
    ) -> None:
        conditions = 0 if condition is None else condition.width
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            flow = zuko.flows.NSF(
                space.width, conditions, transforms=transforms, hidden_features=hidden
            )
        super().__init__(flow, space=space, condition=condition)

    def samples(self, n, condition, rng):
        if condition is None:
            return self.module().sample((n,))
        return self.module(condition).sample()

    def log_prob(self, x, condition, rng):
        return self.module(condition).log_prob(x)
