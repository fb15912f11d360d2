"""The loss ``js``: the Jensen-Shannon divergence of probability tables."""

from __future__ import annotations

import numpy as np

from qgen_core.events import Batch
from qgen_core.interfaces import Loss
from qgen_core.losses.tables import FLOOR, TINY, check_floor, rows
from qgen_core.typing import Array


class JensenShannon(Loss):
    """``1/2 sum_x [P log(P/M) + p log(p/M)]``, M = (P + p)/2, mean over the condition rows.

    Natural logarithm, so it lies in [0, ln 2]; the divergence, not its square root. The
    cotangent of a row is ``1/2 log(p/M)``.

    Args:
        floor: p is clipped to it in the cotangent, which diverges where p = 0 < P. The value is
            exact for p = 0 and p >= floor. With frequencies of N shots, 1/(2N) is the clipping of
            docs/readings.md; the option ``smoothing`` of a generator is the alternative.

    Raises BadOption for a floor outside (0, 1).

    Source: Delgado and Hamilton, arXiv:2203.03578, section II; the base of the logarithm is our
    reading.

    >>> import numpy as np
    >>> batch = Batch(target=np.array([[0.0, 1.0]]))
    >>> value, cotangent = JensenShannon()(np.array([[1.0, 0.0]]), batch)
    >>> round(value, 6)  # ln 2
    0.693147
    """

    reads = "probabilities"

    def __init__(self, *, floor: float = FLOOR) -> None:
        self.floor = check_floor(floor)

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent (C, K), of probabilities (C, K). Raises OutputMismatch."""
        from qgen_core.simulators.simd.divergences import jensen_shannon

        p, target = rows(output, batch)
        weight = np.empty(p.shape)
        total = jensen_shannon(
            p.reshape(-1), target.reshape(-1), self.floor, TINY, weight.reshape(-1)
        )
        weight *= 0.5 / len(p)
        return 0.5 * total / len(p), weight
