"""The encoder ``binarise``: one bit or spin per column, by comparison with a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import (
    all_in_row,
    matrix,
    not_fitted,
    require_accepted,
    require_keys,
    training_matrix,
)
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.events import Space
from qgen_core.interfaces import Encoder
from qgen_core.typing import Array, Floats, Rng


class BinariseEncoder(Encoder):
    """1 where x is above the threshold of its column, else 0; for spins +1, else -1.

    Events (N, F) in any unit give bits or spins (N, F) int8. Decoding gives the mean of the
    training values on that side of the threshold, so it is exact for columns of two values.
    Encoding has no density (``log_det`` is None).

    Args:
        threshold: a number for every column, a list of one for each, or the ``mean`` or ``median``
            of the training values. With 0, the bits of a shower image say which cells were hit.
        kind: ``bits`` or ``spins``.

    Raises BadOption for thresholds that are not finite; ``fit`` raises it for a list of thresholds
    that does not match the columns.

    >>> import numpy as np
    >>> hits = BinariseEncoder(threshold=0.0).fit(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 1.0]]))
    >>> hits.encode(np.array([[0.5, 0.0]])).tolist()
    [[1, 0]]
    >>> hits.decode(np.array([[1, 0]]), rng=np.random.default_rng(0)).tolist()
    [[3.0, 0.0]]
    """

    def __init__(
        self,
        *,
        threshold: float | list[float] | Literal["mean", "median"] = "median",
        kind: Literal["bits", "spins"] = "bits",
    ) -> None:
        if not isinstance(threshold, str) and not np.isfinite(threshold).all():
            raise BadOption(f"the threshold of binarise is a finite number, not {threshold}")
        self.threshold = threshold
        self.kind = kind
        self._levels: Floats | None = None

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn the thresholds and the mean on either side; without events there, the threshold."""
        x = training_matrix("binarise", x).astype(np.float64)
        threshold = self._thresholds(x)
        above = x > threshold
        levels = [threshold]
        for side in (~above, above):
            count = side.sum(axis=0)
            total = np.where(side, x, 0.0).sum(axis=0)
            levels.append(np.where(count > 0, total / np.maximum(count, 1), threshold))
        self._use(np.stack(levels))
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite."""
        return all_in_row(np.isfinite(matrix("binarise", x, len(self._learned[0]))))

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """Events (N, F) to int8 (N, F). Raises DataError for values that are not finite."""
        require_accepted("binarise", x, self.accepts(x), "finite values")
        threshold = self._learned[0]
        above: Array = (matrix("binarise", x).astype(np.float64) > threshold).astype(np.int8)
        if self.kind == "bits":
            return above
        return np.asarray(2 * above - 1, dtype=np.int8)

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits or spins (N, F) to events (N, F) float64."""
        threshold, mean_below, mean_above = self._learned
        above = matrix("binarise", z, len(threshold)) > 0
        return np.asarray(np.where(above, mean_above, mean_below), dtype=np.float64)

    def state(self) -> dict[str, Array]:
        return {"levels": self._learned.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        require_keys("binarise", state, {"levels"})
        levels = state["levels"]
        columns = 0
        if isinstance(self.threshold, list):
            columns = len(self.threshold)
        elif levels.ndim:
            columns = levels.shape[-1]
        if levels.shape != (3, columns) or columns == 0 or not np.isfinite(levels).all():
            raise CheckpointError(
                f"binarise needs finite levels (3, F), the checkpoint has {levels.shape}"
            )
        self._use(np.array(levels, dtype=np.float64))

    @property
    def _learned(self) -> Floats:
        """Threshold, mean below it and mean above it, (3, F)."""
        if self._levels is None:
            raise not_fitted("binarise")
        return self._levels

    def _use(self, levels: Floats) -> None:
        self._levels = levels
        self.space = Space(self.kind, levels.shape[1])

    def _thresholds(self, x: Floats) -> Floats:
        if self.threshold == "mean":
            return np.asarray(x.mean(axis=0))
        if self.threshold == "median":
            return np.asarray(np.median(x, axis=0))
        given = np.asarray(self.threshold, dtype=np.float64)
        if given.ndim and len(given) != x.shape[1]:
            raise BadOption(
                f"binarise has {len(given)} thresholds, the events have {x.shape[1]} columns"
            )
        return np.broadcast_to(given, x.shape[1:]).copy()
