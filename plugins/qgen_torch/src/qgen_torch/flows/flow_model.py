"""The base class of models that are flows."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, pi
from typing import Any, ClassVar

import torch

from qgen_core import Batch, Space
from qgen_core.typing import Rng
from qgen_torch.flows.coupling import Flow
from qgen_torch.model import TorchModel
from qgen_torch.networks.module_arrays import TORCH, Precision

Tensor = torch.Tensor
#: Numbers of univariate functions in a graph, which holds about a dozen tensors of this size.
MOST_NUMBERS = 2**25


class FlowModel(TorchModel):
    """A model ``x = f^-1(z, e)`` with normal z and a flow f.

    ``log p(x | e) = log N(f(x, e)) + log |det df/dx|``. The first batch of a training sets the
    centres and spreads of the normalisations, which a checkpoint holds.

    Args:
        flow: the map f.
        space: of the events, reals or angles.
        condition: of the conditions.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks, e.g. ``cuda``.

    >>> import numpy as np
    >>> from qgen_torch.flows.coupling import CouplingFlow
    >>> model = FlowModel(CouplingFlow(2, 0, blocks=2), space=Space("reals", 2))
    >>> model.sample(3, rng=np.random.default_rng(1)).shape
    (3, 2)
    """

    outputs = frozenset({"log_prob", "samples"})
    usual: ClassVar[Mapping[str, Any]] = {
        "encoder": "standard",
        "condition_encoder": "standard",
        "loss": {"name": "nll", "reads": "log_prob"},
        "trainer": {"name": "torch", "learning_rate": 0.001, "steps": 1000, "batch_size": 256},
    }
    draws_torch_numbers = False

    def __init__(
        self,
        flow: Flow,
        *,
        space: Space,
        condition: Space | None = None,
        precision: Precision = "single",
        device: str = "cpu",
    ) -> None:
        self.largest_graphs = {"log_prob": max(1, MOST_NUMBERS // flow.numbers)}
        flow.register_buffer("fitted", torch.zeros(()))
        super().__init__(flow.to(TORCH[precision]), space=space, condition=condition, device=device)

    @property
    def flow(self) -> Flow:
        """The map, with its directions ``to_latent`` and ``to_data``."""
        assert isinstance(self.module, Flow)
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
        return self._density(z, log_det)

    def _density(self, z: Tensor, log_det: Tensor) -> Tensor:
        """The log density (N,) of events from their latents and determinants."""
        return log_det - 0.5 * (z**2).sum(dim=1) - 0.5 * self.space.width * log(2 * pi)
