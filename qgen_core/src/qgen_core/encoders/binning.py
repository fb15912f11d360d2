"""The encoder ``binning``: each feature becomes the number of its bin, in bits."""

from __future__ import annotations

from collections.abc import Mapping
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


class BinningEncoder(Encoder):
    """Features to bits: a register per feature holds its bin number, first wire most significant.

    Feature 0 has the first wires, so the basis-state number of an event is
    ``ravel_multi_index`` of its bin numbers. A feature with b bits has 2^b bins; they are
    closed below and open above, the last one closed. Decoding draws uniformly inside the bin,
    so a model of bits is a piecewise constant density of the features.

    Values are compared with the edges in the precision of the values: a float32 event that was
    written as 0.1 lies in the bin that starts at 0.1.

    Args:
        bits: bits of every feature, or of each in order.
        spacing: how the edges lie, for every feature or for each in order: ``equal-width``,
            ``quantile`` (as many training events in each bin), ``logarithmic`` (equal ratios),
            or for single features a list of 2^bits + 1 edges.
        window: [min, max] of each feature; events outside are not accepted. None: from the
            least to the greatest training value. A feature with given edges has them as window.

    Raises BadOption for options that contradict each other.

    Source: Delgado and Hamilton, arXiv:2203.03578, section II; the paper gives no edges, equal
    widths are our reading.

    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> binning = BinningEncoder(bits=2).fit(x)
    >>> binning.encode(x).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """

    def __init__(
        self,
        *,
        bits: int | list[int] = 4,
        spacing: Spacing | list[Spacing | list[float]] = "equal-width",
        window: list[tuple[float, float]] | None = None,
    ) -> None:
        for number in [bits] if isinstance(bits, int) else bits:
            if not 1 <= number <= MAX_BITS:
                raise BadOption(f"binning takes 1 to {MAX_BITS} bits a feature, not {number}")
        for low, high in window or ():
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise BadOption(
                    f"a window of binning is [min, max] with min < max, not [{low:g}, {high:g}]"
                )
        for edges in () if isinstance(spacing, str) else spacing:
            if not isinstance(edges, str) and not (len(edges) > 2 and np.all(np.diff(edges) > 0)):
                raise BadOption(
                    f"given edges of binning are at least three and increase, not {edges[:8]}"
                )
        self.bits, self.spacing, self.window = bits, spacing, window
        self._edges: list[Floats] = []

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
        low, high = (np.array(side, dtype=x.dtype) for side in zip(*bounds, strict=True))
        inside = x[np.all((x >= low) & (x <= high), axis=1)].astype(np.float64)
        if len(inside) == 0:
            raise DataError(
                f"none of {len(x)} training events lies in the window {bounds}; widen it"
            )
        edges = []
        for i, (bits, rule) in enumerate(rules):
            found = _edges(f"feature {i}", 2**bits, rule, bounds[i], inside[:, i])
            _check_increasing(f"feature {i}", found.astype(x.dtype), rule)
            edges.append(found)
        self._take(edges)
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) lie in the window of every feature."""
        x = matrix("binning", x, len(self.edges))
        inside = np.ones(len(x), dtype=np.bool_)
        for i, edges in enumerate(self._edges):
            low, high = edges[[0, -1]].astype(x.dtype)
            inside &= (x[:, i] >= low) & (x[:, i] <= high)
        return inside

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """Events (N, F) to bits (N, width) int8. Raises DataError for events outside the window."""
        columns = [
            index_to_bits(index, bits)
            for index, bits in zip(self._indices(x), self.space.registers, strict=True)
        ]
        return np.concatenate(columns, axis=1)

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits (N, width) to events (N, F) float64, uniform inside their bins."""
        place = rng.random((len(z), len(self.edges)))
        if np.ndim(z) != 2 or np.shape(z)[1] != self.space.width:
            raise DataError(
                f"binning decodes an array (N, {self.space.width}) of bits, not one of {np.shape(z)}"
            )
        start = 0
        for i, (edges, bits) in enumerate(zip(self._edges, self.space.registers, strict=True)):
            index = bits_to_index(z[:, start : start + bits])
            low, high = edges[index], edges[index + 1]
            # rounding may reach the upper edge, which belongs to the next bin
            place[:, i] = np.minimum(low + place[:, i] * (high - low), np.nextafter(high, low))
            start += bits
        return place

    def log_det(self, x: Array, condition: Array | None = None) -> Floats:
        """Minus the sum of the log widths of an event's bins (N,): log P(bits) + log_det is a log density."""
        total = np.zeros(len(x))
        for index, edges in zip(self._indices(x), self._edges, strict=True):
            total -= np.log(np.diff(edges))[index]
        return total

    def state(self) -> dict[str, Array]:
        return {f"edges{i}": edges.copy() for i, edges in enumerate(self.edges)}

    def load(self, state: Mapping[str, Array]) -> None:
        require_keys("binning", state, {f"edges{i}" for i in range(max(len(state), 1))})
        edges = [np.array(state[f"edges{i}"], dtype=np.float64) for i in range(len(state))]
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
        self._take(edges)

    def _take(self, edges: list[Floats]) -> None:
        registers = tuple(len(e).bit_length() - 1 for e in edges)
        self._edges = edges
        self.space = Space("bits", sum(registers), registers)

    def _rules(self, features: int) -> list[tuple[int, Spacing | list[float]]]:
        """Bits and spacing of each feature. Raises BadOption for lists of another length."""
        bits = [self.bits] * features if isinstance(self.bits, int) else self.bits
        spacing = [self.spacing] * features if isinstance(self.spacing, str) else self.spacing
        for name, given in (("bits", bits), ("spacing", spacing), ("window", self.window)):
            if given is not None and len(given) != features:
                raise BadOption(
                    f"binning has {name} for {len(given)} features, the events have {features}"
                )
        return list(zip(bits, spacing, strict=True))

    def _bounds(self, i: int, rule: Spacing | list[float], values: Array) -> tuple[float, float]:
        window = None if self.window is None else self.window[i]
        if not isinstance(rule, str):
            outer = float(rule[0]), float(rule[-1])
            if window is not None and tuple(window) != outer:
                raise BadOption(
                    f"feature {i} has given edges from {outer[0]:g} to {outer[1]:g} and another window"
                )
            return outer
        if window is not None:
            return float(window[0]), float(window[1])
        return float(values.min()), float(values.max())

    def _indices(self, x: Array) -> list[NDArray[np.intp]]:
        """Bin numbers (N,) of each feature."""
        x = matrix("binning", x, len(self.edges))
        allowed = ", ".join(f"[{e[0]:g}, {e[-1]:g}]" for e in self._edges)
        require_accepted("binning", x, self.accepts(x), f"values in {allowed}")
        found = []
        for i, edges in enumerate(self._edges):
            inner = edges[1:-1].astype(x.dtype)
            found.append(np.searchsorted(inner, np.ascontiguousarray(x[:, i]), side="right"))
        return found


def _edges(
    what: str, bins: int, rule: Spacing | list[float], bounds: tuple[float, float], values: Floats
) -> Floats:
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
    edges[[0, -1]] = low, high
    return np.asarray(edges, dtype=np.float64)


def _check_increasing(what: str, edges: Array, rule: Spacing | list[float]) -> None:
    flat = np.flatnonzero(~(np.diff(edges) > 0))
    if len(flat) == 0:
        return
    mend = (
        "take fewer bits, equal-width bins, or give edges"
        if rule == "quantile"
        else "give a wider window"
    )
    raise DataError(
        f"{what}: {len(flat)} of {len(edges) - 1} bins have no width in {edges.dtype}, "
        f"the first at {edges[flat[0]]:g}; {mend}"
    )
