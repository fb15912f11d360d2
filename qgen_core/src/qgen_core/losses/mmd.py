"""The loss ``mmd``: the squared maximum mean discrepancy of tables, samples or correlators."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space, Words, bits_to_index
from qgen_core.interfaces import Loss
from qgen_core.losses.kernels import (
    Form,
    TableKernel,
    denominators,
    median_denominator,
)
from qgen_core.losses.pairs import MOST_WIRES, CountedKernel, PointKernel, Weighted
from qgen_core.losses.tables import dot, rows, shares
from qgen_core.losses.words import Rule, discrepancy, drawn_words, usual_scales
from qgen_core.typing import Array, Floats, Rng

Distance = Literal["registers", "hamming", "euclidean"]
#: The sigmas of tables and samples.
USUAL_BANDWIDTH = (0.1, 1.0, 10.0, 100.0)


class MaximumMeanDiscrepancy(Loss):
    """MMD squared: ``E k(x, x') + E k(y, y') - 2 E k(x, y)``, x from the model and y from the data.

    For probabilities it is ``(p - P)^T K (p - P)``, mean over the condition rows. For samples with
    conditions it is the MMD of events joined with their conditions, so its minimum is reached
    only where every conditional distribution agrees.

    For correlators the kernel is that of bits with the distance ``hamming``, which is a mean over
    random words of Z: MMD squared is the mean of ``(<Z_a>_p - <Z_a>_q)^2`` over words a, each
    wire in a with the probability (1 - exp(-1/D)) / 2 for a kernel exp(-d2 / D). Words are drawn
    anew at each step. With conditions there is a factor exp(-d2 / (2 m^2)) for the distance of
    conditions, m its median over training events.

    Args:
        space: of the encoded events; None only for samples.
        data: training events, for the bandwidth ``median``, and for correlators with conditions.
        reads: ``probabilities``, ``samples`` or ``correlators``.
        distance: d is the distance of ``registers`` (vectors of bin numbers), ``hamming`` (d2 is
            the number of bits or spins that differ), or ``euclidean`` between the encoded
            numbers. None: registers where the events have them, hamming for other bits and
            spins and for correlators, else euclidean.
        kernel: how sigma enters; the literature has all three forms.
        bandwidth: the kernel is the mean over these sigmas. ``median``: the single kernel
            ``exp(-d2 / (2 m^2))``, whatever the form, m the median distance of training events.
            None: 0.1, 1, 10 and 100; for correlators those whose words have 1, 2 and 4 wires on
            average.
        estimator: for samples, ``biased`` averages over all pairs (never below 0), ``unbiased``
            leaves out the pairs of an event with itself (0 on average where the distributions
            agree). Probabilities have no such pairs: their value is exact, and from shots their
            gradient by parameter shift is unbiased, because it is linear in the frequencies. None:
            unbiased for correlators, biased for samples.
        words: number of words a step, for correlators.

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
        reads: Literal["probabilities", "samples", "correlators"] = "probabilities",
        distance: Distance | None = None,
        kernel: Form = "exp(-d2/sigma)",
        bandwidth: tuple[float, ...] | Literal["median"] | None = None,
        estimator: Literal["biased", "unbiased"] | None = None,
        words: int = 200,
    ) -> None:
        of_words = reads == "correlators"
        if distance is None:
            distance = "hamming" if of_words else _default_distance(space)
        self.reads = reads
        self.unbiased = estimator == "unbiased" or (of_words and estimator is None)
        self.distance: Distance = distance
        self._check(space)
        self._features = _features(space, self.distance)
        self._scales = self._denominators(kernel, bandwidth, data, space)
        self._rule: Rule | None = None
        if of_words:
            assert space is not None
            if words < 1:
                raise BadOption(f"words is a number of at least 1, not {words}")
            self._rule = Rule(space.width, self._scales, words, self.unbiased, _median(data))
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
        """Value, and cotangent in the shape of the output: (C, 2^Q), (N, width) or (R, W).

        Raises OutputMismatch for an output that does not fit the batch.
        """
        if self._rule is not None:
            return discrepancy(self._rule, np.asarray(output), batch)
        if self._table is None:
            return self._of_samples(np.asarray(output), batch)
        p, target = rows(output, batch)
        difference = p - target
        slope = self._table.apply(difference)
        value = dot(difference, slope) / len(p)
        slope *= 2.0 / len(p)
        return value, slope

    def value(self, output: Array, batch: Batch) -> float:
        if self.reads != "samples":
            return super().value(output, batch)
        samples, kernel = self._samples(np.asarray(output), batch)
        sums_xx = kernel.sums(samples.x, samples.x, samples.weight_of_x)
        sums_xy = kernel.sums(samples.x, samples.y, samples.weight_of_y)
        return self._value(samples, sums_xx, sums_xy, self._mean_over_data(samples, kernel, batch))

    def words(self, *, rng: Rng) -> Words | None:
        if self._rule is None:
            return None
        return drawn_words(self._rule, rng)

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
        self,
        kernel: Form,
        bandwidth: tuple[float, ...] | str | None,
        data: Events | None,
        space: Space | None,
    ) -> Floats:
        if bandwidth is None and self.reads == "correlators":
            assert space is not None
            return usual_scales(space.width)
        if bandwidth is None:
            bandwidth = USUAL_BANDWIDTH
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
        if self.reads == "correlators" and (kind, self.distance) != ("bits", "hamming"):
            raise BadOption(
                f"mmd of correlators needs events in bits and the distance hamming, not {space} "
                f"and {self.distance}; take reads = 'samples'"
            )
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


def _median(data: Events | None) -> float:
    """The denominator of the kernel on conditions; any where there are none, or one only."""
    if data is None or data.condition is None or not np.any(np.ptp(data.condition, axis=0) > 0):
        return 1.0
    return float(median_denominator(np.asarray(data.condition, dtype=np.float64))[0])


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
