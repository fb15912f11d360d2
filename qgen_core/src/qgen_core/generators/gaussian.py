"""The generator ``gaussian``: a normal distribution with the data's mean and covariance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.conditions import require_conditions
from qgen_core.interfaces import Generator
from qgen_core.support.parameters import load_into
from qgen_core.typing import Array, Floats, Pullback, Rng


class Gaussian(Generator):
    """Normal events with the mean and the covariance of the encoded training events; a control.

    With conditions, the mean is the linear regression on them and the covariance that of what is
    left. Weights are used. There are no parameters: a training ends after its first step.

    Output: ``samples`` (N, width).

    Args:
        space: reals.
        condition: space of the conditions; None for a model without conditions.
        data: the training events, encoded.
        clip: [least, greatest] value of a sample, e.g. the range of the encoder; values outside are
            set to the nearer end. None: samples are not clipped.

    Raises BadOption for other spaces and an empty range, DataError for fewer than two events.

    Source: ours, a control.

    >>> events = Events(np.array([[0.0, 1.0], [2.0, 3.0]]))
    >>> model = Gaussian(space=Space("reals", 2), data=events)
    >>> model.mean.tolist(), model.covariance.tolist()
    ([1.0, 2.0], [[1.0, 1.0], [1.0, 1.0]])
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        *,
        space: Space,
        data: Events,
        condition: Space | None = None,
        clip: tuple[float, float] | None = None,
    ) -> None:
        if space.kind != "reals":
            raise BadOption(f"gaussian makes real numbers, not {space}; use e.g. 'standard'")
        if clip is not None and not clip[0] < clip[1]:
            raise BadOption(f"clip is [least, greatest], not {list(clip)}")
        if len(data) < 2:
            raise DataError(f"a covariance needs at least two events, not {len(data)}")
        require_conditions("gaussian", condition, data.condition, len(data))
        self.space = space
        self.condition = condition
        self.clip = clip
        x = np.asarray(data.x, dtype=np.float64)
        share = data.weights / data.weights.sum()
        self.mean: Floats = share @ x
        self.centre = np.zeros(0)
        self.slopes = np.zeros((0, x.shape[1]))
        rest = x - self.mean
        if data.condition is not None:
            self.centre = share @ data.condition
            moved = data.condition - self.centre
            weighted = share[:, None] * moved
            self.slopes = np.linalg.pinv(weighted.T @ moved) @ (weighted.T @ rest)
            rest = rest - moved @ self.slopes
        self.covariance: Floats = (share[:, None] * rest).T @ rest

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Events (n, width). Raises BadOption for n < 0, DataError for conditions."""
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions("gaussian", self.condition, condition, n)
        variances, axes = np.linalg.eigh(self.covariance)
        widths = np.sqrt(np.maximum(variances, 0.0))
        events: Floats = self.mean + (rng.standard_normal((n, len(widths))) * widths) @ axes.T
        if condition is not None:
            events += (condition - self.centre) @ self.slopes
        if self.clip is not None:
            events = np.clip(events, *self.clip)
        return events

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Samples (N, width), one for each event of the batch; their pullback is empty."""
        samples, _ = super().forward(output, batch, rng=rng)
        return samples, lambda cotangent: {}

    def parameters(self) -> dict[str, Array]:
        return {}

    def _arrays(self) -> dict[str, Array]:
        return {
            "mean": self.mean,
            "covariance": self.covariance,
            "centre": self.centre,
            "slopes": self.slopes,
        }

    def state(self) -> dict[str, Array]:
        return {name: value.copy() for name, value in self._arrays().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._arrays(), state)
