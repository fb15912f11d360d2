"""The encoder ``binning``: the number of the bin of each feature, in bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import (
    matrix,
    not_fitted,
    require_accepted,
    require_keys,
    training_matrix,
)
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.events import Space, bits_to_index, index_to_bits
from qgen_core.interfaces import Encoder
from qgen_core.typing import Array, Floats, Rng

Spacing = Literal["equal-width", "quantile", "logarithmic"]

#: More bits in one feature would need more than a million edges.
MAX_BITS = 20
#: Up to this number of edges, comparing with each takes less time than a search among them.
FEW_EDGES = 63
#: Bits that one number holds.
MOST_BITS_AT_ONCE = 62
#: Events that are encoded at once, so that the working arrays stay in the cache.
AT_ONCE = 2**14


class BinningEncoder(Encoder):
    """Features to bits: each feature gets a register that holds the number of its bin.

    Events (N, F) in any unit give bits (N, sum of the bits) int8. The first bit of a register is
    the most significant one, and feature 0 has the first register, so the basis-state number of an
    event is ``np.ravel_multi_index`` of its bin numbers. A feature with b bits has 2^b bins, closed
    below and open above; the last one is closed on both sides. Decoding draws uniformly inside the
    bin, so a model of bits is a piecewise constant density of the features.

    Values are compared with the edges in the precision of the values: a float32 event that was
    written as 0.1 lies in the bin that starts at 0.1.

    Args:
        bits: the number of bits for every feature, or a list of one for each.
        spacing: how the edges are placed, for every feature or for each in a list: ``equal-width``,
            ``quantile`` (equal numbers of training events in all bins), ``logarithmic`` (equal
            ratios) or, in a list, the 2^bits + 1 edges themselves.
        window: [min, max] of each feature; events outside are not accepted. None: from the
            smallest to the largest training value. Given edges are a window of their own.
        outside: of the window. ``refuse``: such events are not accepted. ``clip``: they are
            accepted, and lie in the outermost bins, so that no event is lost and the error of
            decoding is that of the tails.

    Raises BadOption for options that contradict each other; ``fit`` raises DataError if the
    training events leave a bin without width.

    Source: Delgado and Hamilton, arXiv:2203.03578, section II; the paper gives no edges, equal
    widths are our reading.

    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> encoder = BinningEncoder(bits=2).fit(x)
    >>> z = encoder.encode(x)
    >>> z.tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> drawn = encoder.decode(z, rng=np.random.default_rng(0))
    >>> np.floor(drawn).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        *,
        bits: int | list[int] = 4,
        spacing: Spacing | list[Spacing | list[float]] = "equal-width",
        window: list[tuple[float, float]] | None = None,
        outside: Literal["refuse", "clip"] = "refuse",
    ) -> None:
        numbers_of_bits = bits
        if isinstance(numbers_of_bits, int):
            numbers_of_bits = [numbers_of_bits]
        for number in numbers_of_bits:
            if not 1 <= number <= MAX_BITS:
                raise BadOption(f"binning takes 1 to {MAX_BITS} bits per feature, not {number}")
        for low, high in window or ():
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise BadOption(
                    f"a window of binning is [min, max] with min < max, not [{low:g}, {high:g}]"
                )
        if not isinstance(spacing, str):
            for rule in spacing:
                _check_given_edges(rule)
        self.bits = bits
        self.spacing = spacing
        self.window = window
        self.outside = outside
        self._edges: list[Floats] = []
        #: The lower edges, widths and largest values of the bins of each feature.
        self._bins: list[tuple[Floats, Floats, Floats]] = []

    @property
    def edges(self) -> list[Floats]:
        """The bin edges of each feature, (2^bits + 1,). Raises DataError before fit or load."""
        if not self._edges:
            raise not_fitted("binning")
        return list(self._edges)

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn the edges from training events (N, F).

        Raises BadOption when an option has another number of features, DataError when there
        are no events in the window or when edges would coincide.
        """
        x = training_matrix("binning", x)
        rules = self._rules(x.shape[1])
        bounds = [self._bounds(i, rule, x[:, i]) for i, (_, rule) in enumerate(rules)]
        low = np.array([lower for lower, _ in bounds], dtype=x.dtype)
        high = np.array([upper for _, upper in bounds], dtype=x.dtype)
        inside = _in_window(x, low, high)
        if not np.any(inside):
            raise DataError(
                f"none of {len(x)} training events lies in the window {bounds}; widen it"
            )
        edges = []
        for i, (bits, rule) in enumerate(rules):
            values = np.empty(0)
            if rule == "quantile":
                values = x[inside, i].astype(np.float64)
            found = _edges(f"feature {i}", 2**bits, rule, bounds[i], values)
            _check_increasing(f"feature {i}", found.astype(x.dtype), rule)
            edges.append(found)
        self._use(edges)
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) lie in the window of every feature; with ``clip`` all of them."""
        x = matrix("binning", x, len(self.edges))
        if self.outside == "clip":
            return np.asarray(np.isfinite(x).all(axis=1), dtype=np.bool_)
        return self._inside(x)

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        """Which events (N,) lie in the window of every feature."""
        low = np.array([edges[0] for edges in self._edges], dtype=x.dtype)
        high = np.array([edges[-1] for edges in self._edges], dtype=x.dtype)
        return _in_window(x, low, high)

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """Events (N, F) to bits (N, width) int8. Raises DataError for events outside the window."""
        x = self._accepted(x)
        encoded = np.empty((len(x), self.space.width), dtype=np.int8)
        for start in range(0, len(x), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            place = 0
            for i, bits in enumerate(self.space.registers):
                index = self._bin_numbers(x[rows], i)
                encoded[rows, place : place + bits] = index_to_bits(index, bits)
                place += bits
        return encoded

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits (N, width) to events (N, F) float64, drawn uniformly inside their bins."""
        x = rng.random((len(z), len(self.edges)))
        if np.ndim(z) != 2 or np.shape(z)[1] != self.space.width:
            raise DataError(
                f"binning decodes an array (N, {self.space.width}) of bits, not one of the shape "
                f"{np.shape(z)}"
            )
        for start in range(0, len(z), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            for i, index in enumerate(self._numbers_in_registers(z[rows])):
                low, width, largest = self._bins[i]
                values = x[rows, i] * width.take(index)
                values += low.take(index)
                x[rows, i] = np.minimum(values, largest.take(index))
        return x

    def _numbers_in_registers(self, z: Array) -> Iterator[NDArray[np.int64]]:
        """The bin numbers (N,) of each feature, from bits (N, width)."""
        first = 0
        if self.space.width > MOST_BITS_AT_ONCE:
            for bits in self.space.registers:
                yield bits_to_index(z[:, first : first + bits])
                first += bits
            return
        whole = bits_to_index(z)
        for bits in self.space.registers:
            first += bits
            yield (whole >> (self.space.width - first)) & (2**bits - 1)

    def log_det(self, x: Array, condition: Array | None = None) -> Floats:
        """Minus the sum of the logarithms of the widths of an event's bins (N,).

        log P(bits) + log_det is the logarithm of a density of the features, which is -infinity for
        clipped events: none is decoded outside of the window.
        """
        total = np.zeros(len(x))
        x = self._accepted(x)
        for i, edges in enumerate(self._edges):
            total -= np.log(np.diff(edges))[self._bin_numbers(x, i)]
        total[~self._inside(x)] = -np.inf
        return total

    def state(self) -> dict[str, Array]:
        return {f"edges{i}": edges.copy() for i, edges in enumerate(self.edges)}

    def load(self, state: Mapping[str, Array]) -> None:
        keys = [f"edges{i}" for i in range(max(len(state), 1))]
        require_keys("binning", state, set(keys))
        edges = [np.array(state[key], dtype=np.float64) for key in keys]
        try:
            bits = [number for number, _ in self._rules(len(edges))]
        except BadOption as error:
            raise CheckpointError(
                f"the checkpoint has edges of {len(edges)} features; {error.args[0]}"
            ) from error
        for i, (found, number) in enumerate(zip(edges, bits, strict=True)):
            if found.shape != (2**number + 1,) or not np.all(np.diff(found) > 0):
                raise CheckpointError(
                    f"binning needs {2**number + 1} increasing edges for feature {i}, "
                    f"the checkpoint has an array of the shape {found.shape}"
                )
        self._use(edges)

    def _use(self, edges: list[Floats]) -> None:
        registers = tuple(len(of_feature).bit_length() - 1 for of_feature in edges)
        self._edges = edges
        self._bins = []
        for cuts in edges:
            # rounding may reach the upper edge of a bin, which belongs to the next one
            largest = np.nextafter(cuts[1:], cuts[:-1])
            self._bins.append((cuts[:-1], np.diff(cuts), largest))
        self.space = Space("bits", sum(registers), registers)

    def _rules(self, features: int) -> list[tuple[int, Spacing | list[float]]]:
        """Bits and spacing of each feature. Raises BadOption for lists of another length."""
        bits = self.bits
        if isinstance(bits, int):
            bits = [bits] * features
        spacing = self.spacing
        if isinstance(spacing, str):
            spacing = [spacing] * features
        for name, given in (("bits", bits), ("spacing", spacing), ("window", self.window)):
            if given is not None and len(given) != features:
                raise BadOption(
                    f"binning has {name} for {len(given)} features, the events have {features}"
                )
        return list(zip(bits, spacing, strict=True))

    def _bounds(self, i: int, rule: Spacing | list[float], values: Array) -> tuple[float, float]:
        """The window of feature ``i`` with these training values (N,)."""
        window = None
        if self.window is not None:
            window = self.window[i]
        if not isinstance(rule, str):
            first = float(rule[0])
            last = float(rule[-1])
            if window is not None and tuple(window) != (first, last):
                raise BadOption(
                    f"feature {i} of binning has given edges from {first:g} to {last:g} and "
                    "another window; leave one of them out"
                )
            return first, last
        if window is not None:
            return float(window[0]), float(window[1])
        return float(values.min()), float(values.max())

    def _accepted(self, x: Array) -> Array:
        """Events as floats (N, F). Raises DataError for those outside the window."""
        x = matrix("binning", x, len(self.edges))
        windows = [f"[{edges[0]:g}, {edges[-1]:g}]" for edges in self._edges]
        require_accepted("binning", x, self.accepts(x), f"values in {', '.join(windows)}")
        return x

    def _bin_numbers(self, x: Array, i: int) -> Array:
        """Bin numbers (N,) of one feature."""
        inner = self._edges[i][1:-1].astype(x.dtype)
        values = np.ascontiguousarray(x[:, i])
        if len(inner) > FEW_EDGES:
            return np.searchsorted(inner, values, side="right")
        number = np.zeros(len(x), dtype=np.int8)
        for edge in inner:  # comparing all with one edge after the other is faster than searching
            number += values >= edge
        return number


def _in_window(x: Array, low: Array, high: Array) -> NDArray[np.bool_]:
    """Which events (N,) have all features between bounds (F,), themselves included."""
    inside = np.ones(len(x), dtype=np.bool_)
    for i in range(x.shape[1]):
        values = x[:, i]
        inside &= values >= low[i]
        inside &= values <= high[i]
    return inside


def _check_given_edges(rule: Spacing | list[float]) -> None:
    """Raise BadOption for a list of edges that do not make bins."""
    if isinstance(rule, str):
        return
    if len(rule) < 3 or not np.all(np.diff(rule) > 0):
        raise BadOption(f"given edges of binning are at least three and increase, not {rule[:8]}")


def _edges(
    what: str, bins: int, rule: Spacing | list[float], bounds: tuple[float, float], values: Floats
) -> Floats:
    """The edges (bins + 1,) of a feature, from its window and the training values inside it."""
    low, high = bounds
    if not isinstance(rule, str):
        if len(rule) != bins + 1:
            raise BadOption(f"{what} has {bins} bins and needs {bins + 1} edges, not {len(rule)}")
        return np.array(rule, dtype=np.float64)
    if rule == "equal-width":
        return np.linspace(low, high, bins + 1)
    if rule == "logarithmic":
        if low <= 0:
            raise DataError(
                f"{what} starts at {low:g}; logarithmic bins need a window that starts above 0"
            )
        return np.geomspace(low, high, bins + 1)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1))
    edges[0] = low
    edges[-1] = high
    return np.asarray(edges, dtype=np.float64)


def _check_increasing(what: str, edges: Array, rule: Spacing | list[float]) -> None:
    flat = np.flatnonzero(~(np.diff(edges) > 0))
    if len(flat) == 0:
        return
    remedy = "give a wider window"
    if rule == "quantile":
        remedy = "take fewer bits, equal-width bins, or give edges"
    raise DataError(
        f"{what}: {len(flat)} of {len(edges) - 1} bins have no width in {edges.dtype}, "
        f"the first at {edges[flat[0]]:g}; {remedy}"
    )
