"""The encoder ``binarise``: one bit or spin per column, by a threshold."""

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
    """1 where x is above the threshold of its column, else 0 (spins: +1, else -1).

    Decoding gives the mean of the training values on that side; it is exact for columns of two
    values. Encoding has no density (``log_det`` is None).

    Args:
        threshold: of every column, of each in order, or learnt: its ``mean`` or ``median``. With
            0 the bits of a shower image say which cells were hit.
        kind: ``bits`` or ``spins``.

    Raises BadOption for thresholds that are not finite, or of another number of columns.

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
            raise BadOption(f"threshold is a finite number, not {threshold}")
        self.threshold, self.kind = threshold, kind
        self._levels: Floats | None = None

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn thresholds and the mean on either side. A side without training events takes the threshold."""
        x = training_matrix("binarise", x).astype(np.float64)
        threshold = self._thresholds(x)
        above = x > threshold
        levels = [threshold]
        for side in (~above, above):
            count = side.sum(axis=0)
            total = np.where(side, x, 0.0).sum(axis=0)
            levels.append(np.where(count > 0, total / np.maximum(count, 1), threshold))
        self._take(np.stack(levels))
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite."""
        return all_in_row(np.isfinite(matrix("binarise", x, len(self._known[0]))))

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """Events (N, F) to int8 (N, F). Raises DataError for values that are not finite."""
        require_accepted("binarise", x, self.accepts(x), "finite values")
        above: Array = (matrix("binarise", x).astype(np.float64) > self._known[0]).astype(np.int8)
        return above if self.kind == "bits" else np.asarray(2 * above - 1, dtype=np.int8)

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits or spins (N, F) to events (N, F) float64."""
        above = matrix("binarise", z, len(self._known[0])) > 0
        return np.asarray(np.where(above, self._known[2], self._known[1]), dtype=np.float64)

    def state(self) -> dict[str, Array]:
        return {"levels": self._known.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        require_keys("binarise", state, {"levels"})
        levels = state["levels"]
        given = self.threshold
        columns = len(given) if isinstance(given, list) else levels.shape[-1] if levels.ndim else 0
        if levels.shape != (3, columns) or columns == 0 or not np.isfinite(levels).all():
            raise CheckpointError(
                f"binarise needs finite levels (3, F), the checkpoint has {levels.shape}"
            )
        self._take(np.array(levels, dtype=np.float64))

    @property
    def _known(self) -> Floats:
        """Threshold, mean below and mean above, (3, F)."""
        if self._levels is None:
            raise not_fitted("binarise")
        return self._levels

    def _take(self, levels: Floats) -> None:
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
