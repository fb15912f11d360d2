"""The loss ``mmd``: the squared maximum mean discrepancy, of tables or of samples."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space
from qgen_core.interfaces import Loss
from qgen_core.losses.kernels import (
    Form,
    TableKernel,
    denominators,
    kernel_sums,
    median_denominator,
)
from qgen_core.losses.tables import dot, rows, shares
from qgen_core.typing import Array, Floats

Distance = Literal["registers", "hamming", "euclidean"]


class MaximumMeanDiscrepancy(Loss):
    """MMD squared: ``E k(x, x') + E k(y, y') - 2 E k(x, y)``, x from the model and y from the data.

    Of probabilities it is ``(p - P)^T K (p - P)``, mean over the
    condition rows. Of samples with conditions it is that of events and conditions together, so
    it is least only where every conditional distribution agrees.

    Args:
        reads: ``probabilities`` or ``samples``.
        distance: d is taken between ``registers`` (the vector of bin numbers), by ``hamming``
            (d2 is the number of bits or spins that differ), or ``euclidean`` between the encoded
            numbers. None: registers where the events have them, hamming for other bits and
            spins, else euclidean.
        kernel: how sigma enters; the literature has all three.
        bandwidth: the kernel is the mean over these sigmas. ``median``: the one kernel
            ``exp(-d2 / (2 m^2))``, whatever the form, m the median distance of training events.
        estimator: for samples, ``biased`` takes all pairs (never below 0), ``unbiased`` leaves
            out the pairs of an event with itself (0 on average where the distributions agree).
            Probabilities have no such pairs: their value is exact, and from shots their gradient
            by parameter shift is unbiased as it is, being linear in the frequencies.

    Raises BadOption for combinations that make no sense, DataError for a median of 0.

    Source: docs/readings.md; kernel and sigmas of the seed talk on muonic force carriers
    (section 2) as defaults, the mean over sigmas and the distance are our reading.

    >>> import numpy as np
    >>> mmd = MaximumMeanDiscrepancy(reads="samples", bandwidth=(1.0,))
    >>> round(mmd(np.array([[0.0]]), Batch(np.array([[1.0]])))[0], 6)  # 2 - 2 / e
    1.264241
    """

    def __init__(
        self,
        *,
        space: Space | None = None,
        data: Events | None = None,
        reads: Literal["probabilities", "samples"] = "probabilities",
        distance: Distance | None = None,
        kernel: Form = "exp(-d2/sigma)",
        bandwidth: tuple[float, ...] | Literal["median"] = (0.1, 1.0, 10.0, 100.0),
        estimator: Literal["biased", "unbiased"] = "biased",
    ) -> None:
        self.reads = reads
        self.unbiased = estimator == "unbiased"
        self.distance = _distance(space) if distance is None else distance
        self._check(space)
        self._features = _features(space, self.distance)
        self._scales = self._denominators(kernel, bandwidth, data)
        self._table: TableKernel | None = None
        if space is not None and self.reads == "probabilities" and self.distance != "euclidean":
            self._table = TableKernel(
                space.registers or (space.width,), self.distance, self._scales
            )
        self._among_data: tuple[Batch, float] | None = None

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent in the shape of the output: (C, 2^Q) or (N, width)."""
        if self._table is None:
            return self._of_samples(np.asarray(output), batch)
        p, target = rows(output, batch)
        difference = p - target
        slope = self._table.apply(difference)
        value = dot(difference, slope) / len(p)
        slope *= 2.0 / len(p)
        return value, slope

    def _of_samples(self, output: Array, batch: Batch) -> tuple[float, Array]:
        if batch.x is None or output.ndim != 2 or output.shape[1] != batch.x.shape[1]:
            found = "none" if batch.x is None else str(batch.x.shape)
            raise OutputMismatch(f"samples {output.shape} need events of their width, not {found}")
        if batch.condition is not None and len(output) != len(batch.x):
            raise OutputMismatch(f"{len(output)} samples do not go with {len(batch.x)} conditions")
        x, y = self._points(output, batch.condition), self._points(batch.x, batch.condition)
        b = shares(batch.weight, len(y))
        # each sample stands for the event whose condition it was made from
        a = b if batch.condition is not None else shares(None, len(x))
        inner, slope = kernel_sums(x, x, a, self._scales)
        across, pull = kernel_sums(x, y, b, self._scales)
        among, factor = self._among(float(a @ inner), a)
        value = among + self._truth(y, b, batch) - 2.0 * float(a @ across)
        gradient = 2.0 * a[:, None] * (factor * slope - pull)
        if self._features is None:
            return value, gradient[:, : output.shape[1]]
        return value, gradient[:, : self._features.shape[1]] @ self._features.T

    def _among(self, total: float, share: Floats) -> tuple[float, float]:
        """The mean over pairs of one set, and its derivative by the sum over all pairs."""
        if not self.unbiased:
            return total, 1.0
        itself = float(share @ share)
        if not itself < 1:
            raise OutputMismatch("the unbiased mmd needs at least two events in a batch")
        return (total - itself) / (1.0 - itself), 1.0 / (1.0 - itself)

    def _truth(self, y: Floats, share: Floats, batch: Batch) -> float:
        """The term of the data alone, kept while the batch is the same."""
        if self._among_data is None or self._among_data[0] is not batch:
            total = float(share @ kernel_sums(y, y, share, self._scales)[0])
            self._among_data = (batch, self._among(total, share)[0])
        return self._among_data[1]

    def _points(self, x: Array, condition: Array | None) -> Floats:
        """Where events lie for the kernel: (N, registers or width, and conditions)."""
        points = np.asarray(x, dtype=np.float64)
        points = points if self._features is None else points @ self._features
        return points if condition is None else np.concatenate([points, condition], axis=1)

    def _denominators(
        self, kernel: Form, bandwidth: tuple[float, ...] | str, data: Events | None
    ) -> Floats:
        if not isinstance(bandwidth, str):
            return denominators(kernel, bandwidth)
        if data is None:
            raise BadOption("bandwidth = 'median' needs training events; give numbers")
        joint = self.reads == "samples"
        return median_denominator(self._points(data.x, data.condition if joint else None))

    def _check(self, space: Space | None) -> None:
        kind = None if space is None else space.kind
        if self.reads == "probabilities" and (kind != "bits" or self.distance == "euclidean"):
            raise BadOption(
                f"mmd of probabilities needs events in bits and the distance registers or hamming, "
                f"not {space} and {self.distance}; take reads = 'samples'"
            )
        if (self.distance == "registers" and kind != "bits") or (
            self.distance == "hamming" and kind not in ("bits", "spins")
        ):
            raise BadOption(f"{space} have no distance {self.distance!r}; take 'euclidean'")
        if self.reads == "probabilities" and self.unbiased:
            raise BadOption(
                "estimator = 'unbiased' is for samples: probabilities have no pairs to leave out"
            )


def _distance(space: Space | None) -> Distance:
    if space is not None and space.kind == "bits" and space.registers:
        return "registers"
    return "hamming" if space is not None and space.kind in ("bits", "spins") else "euclidean"


def _features(space: Space | None, distance: Distance) -> Floats | None:
    """The linear map (width, registers) from encoded columns to where events lie; None.

    As they are.
    """
    if space is None or distance == "euclidean" or (distance == "hamming" and space.kind == "bits"):
        return None
    if distance == "hamming":
        return 0.5 * np.eye(space.width)  # spins that differ are 2 apart
    registers = space.registers or (space.width,)
    numbers = np.zeros((space.width, len(registers)))
    start = 0
    for register, bits in enumerate(registers):
        numbers[start : start + bits, register] = 2.0 ** np.arange(bits - 1, -1, -1)
        start += bits
    return numbers
