"""The loss ``mmd``: the squared maximum mean discrepancy of tables or of samples."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space, bits_to_index
from qgen_core.interfaces import Loss
from qgen_core.losses.kernels import (
    Form,
    TableKernel,
    denominators,
    median_denominator,
)
from qgen_core.losses.pairs import MOST_WIRES, CountedKernel, PointKernel, Weighted
from qgen_core.losses.tables import dot, rows, shares
from qgen_core.typing import Array, Floats

Distance = Literal["registers", "hamming", "euclidean"]


class MaximumMeanDiscrepancy(Loss):
    """MMD squared: ``E k(x, x') + E k(y, y') - 2 E k(x, y)``, x from the model and y from the data.

    For probabilities it is ``(p - P)^T K (p - P)``, mean over the condition rows. For samples with
    conditions it is the MMD of events joined with their conditions, so its minimum is reached
    only where every conditional distribution agrees.

    Args:
        space: of the encoded events; None only for samples.
        data: training events, for the bandwidth ``median``.
        reads: ``probabilities`` or ``samples``.
        distance: d is the distance of ``registers`` (vectors of bin numbers), ``hamming`` (d2 is
            the number of bits or spins that differ), or ``euclidean`` between the encoded
            numbers. None: registers where the events have them, hamming for other bits and
            spins, else euclidean.
        kernel: how sigma enters; the literature has all three forms.
        bandwidth: the kernel is the mean over these sigmas. ``median``: the single kernel
            ``exp(-d2 / (2 m^2))``, whatever the form, m the median distance of training events.
        estimator: for samples, ``biased`` averages over all pairs (never below 0), ``unbiased``
            leaves out the pairs of an event with itself (0 on average where the distributions
            agree). Probabilities have no such pairs: their value is exact, and from shots their
            gradient by parameter shift is unbiased, because it is linear in the frequencies.

    Raises BadOption for options that exclude each other, DataError for a median of 0.

    Source: docs/readings.md; the defaults of kernel and sigmas are those of the seed talk on
    muonic force carriers (section 2), the mean over sigmas and the distance are our reading.

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
        if distance is None:
            distance = _default_distance(space)
        self.reads = reads
        self.unbiased = estimator == "unbiased"
        self.distance: Distance = distance
        self._check(space)
        self._features = _features(space, self.distance)
        self._scales = self._denominators(kernel, bandwidth, data)
        self._table: TableKernel | None = None
        if space is not None and self.reads == "probabilities" and self.distance != "euclidean":
            self._table = TableKernel(
                space.registers or (space.width,), self.distance, self._scales
            )
        self._pairs = PointKernel(self._scales)
        self._counted: CountedKernel | None = None
        if self.reads == "samples" and _can_be_counted(space, self.distance):
            assert space is not None
            assert self.distance != "euclidean"
            self._counted = CountedKernel(
                space.registers or (space.width,), self.distance, self._scales
            )
        self._of_data: tuple[tuple[Array | None, ...], float] | None = None

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """Value, and cotangent in the shape of the output: (C, 2^Q) or (N, width).

        Raises OutputMismatch for an output that does not fit the batch.
        """
        if self._table is None:
            return self._of_samples(np.asarray(output), batch)
        p, target = rows(output, batch)
        difference = p - target
        slope = self._table.apply(difference)
        value = dot(difference, slope) / len(p)
        slope *= 2.0 / len(p)
        return value, slope

    def value(self, output: Array, batch: Batch) -> float:
        if self._table is not None:
            return super().value(output, batch)
        samples, kernel = self._samples(np.asarray(output), batch)
        sums_xx = kernel.sums(samples.x, samples.x, samples.weight_of_x)
        sums_xy = kernel.sums(samples.x, samples.y, samples.weight_of_y)
        return self._value(samples, sums_xx, sums_xy, self._mean_over_data(samples, kernel, batch))

    def _of_samples(self, output: Array, batch: Batch) -> tuple[float, Array]:
        samples, kernel = self._samples(output, batch)
        weight_of_x = samples.weight_of_x
        factor = 1.0 / self._weight_of_pairs(weight_of_x)
        sums_xx, sums_xy, slopes = kernel.sums_and_slopes(samples, factor)
        mean_yy = self._mean_over_data(samples, kernel, batch)
        value = self._value(samples, sums_xx, sums_xy, mean_yy)
        gradient = 2.0 * weight_of_x[:, None] * slopes
        if self._features is None:
            return value, gradient[:, : output.shape[1]]
        return value, gradient[:, : self._features.shape[1]] @ self._features.T

    def _value(self, samples: Weighted, sums_xx: Floats, sums_xy: Floats, mean_yy: float) -> float:
        """The discrepancy, from the kernel's sums at each sample."""
        weight = samples.weight_of_x
        mean_xx = self._mean_over_pairs(float(weight @ sums_xx), weight)
        return mean_xx + mean_yy - 2.0 * float(weight @ sums_xy)

    def _samples(self, output: Array, batch: Batch) -> tuple[Weighted, PointKernel | CountedKernel]:
        """Samples and events, and the kernel that takes them in the least time.

        Raises OutputMismatch where they do not fit.
        """
        if batch.x is None:
            raise OutputMismatch(f"samples {output.shape} need events of their width, not none")
        if output.ndim != 2 or output.shape[1] != batch.x.shape[1]:
            raise OutputMismatch(
                f"samples {output.shape} need events of their width, not {batch.x.shape}"
            )
        if batch.condition is not None and len(output) != len(batch.x):
            raise OutputMismatch(
                f"{len(output)} samples do not go with {len(batch.x)} conditions; draw one sample "
                "a condition"
            )
        weight_of_y = shares(batch.weight, len(batch.x))
        # a sample has the weight of the event whose condition it was drawn for
        weight_of_x = weight_of_y
        if batch.condition is None:
            weight_of_x = shares(None, len(output))
        counted = self._counted
        if counted is not None and batch.condition is None:
            few_outcomes = counted.is_faster(len(output), len(batch.x))
            if few_outcomes and _are_bits(output) and _are_bits(batch.x):
                outcomes_x = bits_to_index(output)
                outcomes_y = bits_to_index(batch.x)
                return Weighted(outcomes_x, outcomes_y, weight_of_x, weight_of_y), counted
        x = self._points(output, batch.condition)
        y = self._points(batch.x, batch.condition)
        return Weighted(x, y, weight_of_x, weight_of_y), self._pairs

    def _mean_over_pairs(self, total: float, weight: Floats) -> float:
        """The kernel's mean over pairs of one set, given its sum over all pairs."""
        if not self.unbiased:
            return total
        weight_of_self_pairs = float(weight @ weight)
        return (total - weight_of_self_pairs) / self._weight_of_pairs(weight)

    def _weight_of_pairs(self, weight: Floats) -> float:
        """The weight of all pairs that the estimator averages over."""
        if not self.unbiased:
            return 1.0
        weight_of_self_pairs = float(weight @ weight)
        if not weight_of_self_pairs < 1:
            raise OutputMismatch(
                "the unbiased mmd needs at least two events in a batch; take a larger batch_size"
            )
        return 1.0 - weight_of_self_pairs

    def _mean_over_data(
        self, samples: Weighted, kernel: PointKernel | CountedKernel, batch: Batch
    ) -> float:
        """The kernel's mean over pairs of data, computed once for the events of a batch."""
        events = (batch.x, batch.condition, batch.weight)
        if self._of_data is not None:
            known, mean = self._of_data
            if all(mine is given for mine, given in zip(known, events, strict=True)):
                return mean
        weight = samples.weight_of_y
        total = float(weight @ kernel.sums(samples.y, samples.y, weight))
        mean = self._mean_over_pairs(total, weight)
        self._of_data = (events, mean)
        return mean

    def _points(self, x: Array, condition: Array | None) -> Floats:
        """The points between which d is measured: (N, registers or width, plus conditions)."""
        points = np.asarray(x, dtype=np.float64)
        if self._features is not None:
            points = points @ self._features
        if condition is not None:
            points = np.concatenate([points, condition], axis=1)
        return points

    def _denominators(
        self, kernel: Form, bandwidth: tuple[float, ...] | str, data: Events | None
    ) -> Floats:
        if not isinstance(bandwidth, str):
            return denominators(kernel, bandwidth)
        if data is None:
            raise BadOption("bandwidth = 'median' needs training events; give numbers")
        condition = None
        if self.reads == "samples":
            condition = data.condition
        return median_denominator(self._points(data.x, condition))

    def _check(self, space: Space | None) -> None:
        kind = ""
        if space is not None:
            kind = space.kind
        of_tables = self.reads == "probabilities"
        if of_tables and (kind != "bits" or self.distance == "euclidean"):
            raise BadOption(
                f"mmd of probabilities needs events in bits and the distance registers or hamming, "
                f"not {space} and {self.distance}; take reads = 'samples'"
            )
        kinds_with = {"registers": ("bits",), "hamming": ("bits", "spins")}
        if self.distance in kinds_with and kind not in kinds_with[self.distance]:
            raise BadOption(f"{space} have no distance {self.distance!r}; take 'euclidean'")
        if of_tables and self.unbiased:
            raise BadOption(
                "estimator = 'unbiased' is for samples: probabilities have no pairs to leave out"
            )


def _can_be_counted(space: Space | None, distance: Distance) -> bool:
    if space is None or space.kind != "bits" or distance == "euclidean":
        return False
    return space.width <= MOST_WIRES


def _are_bits(x: Array) -> bool:
    """Whether all are 0 or 1, which those of a model whose bits are relaxed are not."""
    return bool(np.all((x == 0) | (x == 1)))


def _default_distance(space: Space | None) -> Distance:
    if space is None or space.kind not in ("bits", "spins"):
        return "euclidean"
    if space.kind == "bits" and space.registers:
        return "registers"
    return "hamming"


def _features(space: Space | None, distance: Distance) -> Floats | None:
    """The linear map (width, registers) from encoded columns to points; None: the columns."""
    if space is None or distance == "euclidean":
        return None
    if distance == "hamming" and space.kind == "bits":
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
