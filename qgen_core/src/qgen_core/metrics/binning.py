"""Histograms of two samples on common edges, with underflow and overflow bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.metrics.ordering import falling_column
from qgen_core.metrics.reference_edges import ReferenceEdges, reference_edges
from qgen_core.metrics.resample import once, source_weights, sums
from qgen_core.support.resources import MAX_BINS, require_at_most
from qgen_core.typing import Array, Floats

Edges = Sequence[Array] | None

#: Above this number of cells a joint histogram keeps only the occupied ones.
MAX_DENSE = 2**20


class Marginals(NamedTuple):
    """Two histograms of each column, one after the other, (sum of K + 2,).

    A column has K bins between an underflow and an overflow. ``p`` and ``q`` are normalised sums of
    weights of reference and generated events, ``starts`` (F,) the places of the underflows and
    ``bins`` (F,) the numbers K.

    >>> p = np.array([0.0, 0.5, 0.5, 0.0])
    >>> both = Marginals(("pt",), np.array([0]), np.array([2]), p, p[::-1])
    >>> both.in_columns(both.p).tolist()
    [1.0]
    """

    columns: tuple[str, ...]
    starts: NDArray[np.intp]
    bins: NDArray[np.intp]
    p: Floats
    q: Floats

    def in_columns(self, numbers: Floats) -> Floats:
        """The sum (F,) over the bins of each column of numbers (sum of K + 2,)."""
        added: Floats = np.add.reduceat(numbers, self.starts)
        return added


def check_pair(reference: Events, generated: Events) -> None:
    """Raise DataError unless both samples hold events and have the same columns.

    >>> a = Events(np.array([[0.0]]), columns=("pt",))
    >>> check_pair(a, a)
    >>> b = Events(np.array([[0.0]]), columns=("mass",))
    >>> check_pair(a, b)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    DataError: the reference has the columns pt, the events compared with it mass; ...
    """
    if reference.columns != generated.columns:
        raise DataError(
            f"the reference has the columns {', '.join(reference.columns)}, "
            f"the events compared with it {', '.join(generated.columns)}; "
            "metrics need the same columns in both"
        )
    for what, events in (("reference", reference), ("generated", generated)):
        if len(events) == 0:
            raise DataError(f"there are no {what} events to compare")


def columns_of(
    reference: Events,
    generated: Events,
    edges: Edges,
    bins: int | None,
    *,
    joint: bool = False,
) -> list[Floats]:
    """Edges (K + 1,) of each column, of a joint histogram if ``joint``.

    Given edges are used as they are. With ``bins`` instead there are so many of equal width over
    the reference; without both, or with :class:`ReferenceEdges`, equal-count bins of the reference.
    Raises DataError for samples that cannot be compared, BadOption for fewer than one bin and for
    edges that do not increase or are not given for every column, ResourceRefused for too many bins.

    >>> a = Events(np.array([[0.0], [1.0], [4.0]]))
    >>> columns_of(a, a, None, bins=2)[0].tolist()
    [0.0, 2.0, 4.0]
    >>> columns_of(a, a, None, bins=None)[0].tolist()
    [-4.0, 1.0, 4.0, 8.0]
    """
    check_pair(reference, generated)
    check_bins(bins)
    follow_reference = edges is None or isinstance(edges, ReferenceEdges)
    if bins is not None and follow_reference:
        count = bins

        def equal_widths(source: Events) -> list[Floats]:
            return [equal_width(column, count) for column in source.x.T]

        return once(reference, ("edges", bins), equal_widths)
    if edges is None:
        edges = once(reference, "reference edges", reference_edges)
    if isinstance(edges, ReferenceEdges):
        return edges.joint if joint else list(edges)
    return _checked(reference, edges)


def check_bins(bins: int | None) -> None:
    """Raise BadOption for fewer than one bin, ResourceRefused for more than 65,536.

    >>> check_bins(16)
    """
    if bins is None:
        return
    if bins < 1:
        raise BadOption(f"bins must be at least 1, not {bins}")
    require_at_most(bins, MAX_BINS, "bins of a column")


def _checked(reference: Events, edges: Sequence[Array]) -> list[Floats]:
    """Given edges as arrays. Raises BadOption unless they increase and each column has some."""
    if len(edges) != len(reference.columns):
        raise BadOption(
            f"edges are given for {len(edges)} columns, the events have {len(reference.columns)}"
        )
    arrays = [np.asarray(one, dtype=np.float64) for one in edges]
    for name, one in zip(reference.columns, arrays, strict=True):
        if one.ndim != 1 or len(one) < 2 or not np.all(np.diff(one) > 0):
            raise BadOption(f"the edges of {name!r} must be at least two increasing numbers")
    return arrays


def equal_width(values: Array, bins: int) -> Floats:
    """``bins`` + 1 edges over the range of the values; for a constant, a range of width 1.

    >>> equal_width(np.array([1.0, 3.0]), 2).tolist()
    [1.0, 2.0, 3.0]
    >>> equal_width(np.array([7.0]), 1).tolist()
    [6.5, 7.5]
    """
    low = float(np.min(values))
    high = float(np.max(values))
    if not low < high:
        low = low - 0.5
        high = high + 0.5
    edges: Floats = np.linspace(low, high, bins + 1)
    return edges


def codes(events: Events, column: int, edges: Floats) -> NDArray[np.int32]:
    """Bin numbers (N,) of one column of the source, as :func:`bin_numbers` counts them.

    >>> codes(Events(np.array([[0.5], [1.5]])), 0, np.array([0.0, 1.0, 2.0])).tolist()
    [1, 2]
    """

    def compute(source: Events) -> NDArray[np.int32]:
        falling = falling_column(source, column)
        rising = falling.values[::-1]
        below = np.searchsorted(rising, edges)
        below[-1] = np.searchsorted(rising, edges[-1], side="right")
        in_bins = np.diff(below, prepend=0, append=len(source))
        numbers = np.empty(len(source), dtype=np.int32)
        bins = np.arange(len(in_bins), dtype=np.int32)
        numbers[falling.order[::-1]] = np.repeat(bins, in_bins)
        return numbers

    return once(events, ("codes", column, edges.tobytes()), compute)


def bin_numbers(values: Array, edges: Floats) -> NDArray[np.intp]:
    """Bin numbers of values (N,): 0 is underflow, 1 to K are bins, K + 1 is overflow.

    A bin holds its lower edge; the last bin also holds its upper one.

    >>> bin_numbers(np.array([-1.0, 0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [0, 1, 2, 2, 3]
    """
    at_last_edge = values == edges[-1]
    return np.asarray(np.searchsorted(edges, values, side="right") - at_last_edge, dtype=np.intp)


def marginals(reference: Events, generated: Events, edges: Edges, bins: int | None) -> Marginals:
    """The normalised histograms of all columns.

    >>> a, b = Events(np.array([[0.5], [1.5]])), Events(np.array([[0.5], [9.0]]))
    >>> both = marginals(a, b, [np.array([0.0, 1.0, 2.0])], bins=2)
    >>> both.p.tolist(), both.q.tolist()
    ([0.0, 0.5, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5])
    """
    every = columns_of(reference, generated, edges, bins)
    sizes = np.array([len(cuts) + 1 for cuts in every])
    starts = np.cumsum(sizes) - sizes
    key = ("marginals", *(cuts.tobytes() for cuts in every))

    def places(source: Events) -> NDArray[np.int32]:
        """The bin (F, N) of each value, counted through all columns."""
        found = np.empty((len(every), len(source)), dtype=np.int32)
        for column, cuts in enumerate(every):
            found[column] = codes(source, column, cuts) + starts[column]
        return found

    def in_bins(source: Events, weights: Array) -> Floats:
        """The share (samples, bins of all columns) of the total weight in each bin."""
        return _in_bins(once(source, ("places", *key), places), weights, int(sizes.sum()))

    p, q = (sums(events, key, int(sizes.sum()), in_bins) for events in (reference, generated))
    return Marginals(reference.columns, starts, sizes - 2, p, q)


def joint(
    reference: Events, generated: Events, edges: Edges, bins: int | None
) -> tuple[Floats, Floats]:
    """Normalised joint histograms p and q of all columns, flattened, on the same cells.

    Cells that are empty in both may be left out. Raises BadOption for more than 2^62 cells.

    >>> a, b = Events(np.array([[0.5], [1.5]])), Events(np.array([[0.5], [0.7]]))
    >>> p, q = joint(a, b, [np.array([0.0, 1.0, 2.0])], bins=2)
    >>> p.tolist(), q.tolist()
    ([0.0, 0.5, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0])
    """
    every = columns_of(reference, generated, edges, bins, joint=True)
    sizes = [len(cuts) + 1 for cuts in every]
    cells = np.prod([float(size) for size in sizes])
    if cells > 2**62:
        raise BadOption(
            f"a joint histogram of {len(every)} columns has {cells:.2g} cells; "
            "use fewer bins or columns"
        )
    size = int(cells)
    if size > MAX_DENSE:
        first = _cells(reference, every, sizes)
        second = _cells(generated, every, sizes)
        occupied, both = np.unique(np.concatenate([first, second]), return_inverse=True)
        number = len(first)
        first = both[:number]
        second = both[number:]
        size = len(occupied)
        return shares(first, reference, size), shares(second, generated, size)
    key = ("joint", *(cuts.tobytes() for cuts in every))

    def in_cells(source: Events, weights: Array) -> Floats:
        """The share (samples, cells) of the total weight in each cell."""
        return _in_bins(_cells(source, every, sizes)[None].astype(np.int32), weights, size)

    p = sums(reference, key, size, in_cells)
    return p, sums(generated, key, size, in_cells)


def _in_bins(numbers: NDArray[np.int32], weights: Array, size: int) -> Floats:
    """The share (S, size) of the total weights (N, S) in the bins (C, N) of C columns."""
    from qgen_core.metrics.kernels import add_to_bins

    totals = np.zeros((size, weights.shape[1]))
    add_to_bins(numbers, weights, totals)
    shares = totals / _sums_of(weights, totals, len(numbers))
    return np.ascontiguousarray(shares.T)


def _sums_of(weights: Array, totals: Floats, columns: int) -> Floats:
    """The sum (S,) of weights (N, S), whose sums in the bins of so many columns are known."""
    if weights.dtype == np.uint16:  # sums of whole numbers are exact, whatever their order
        whole: Floats = totals.sum(axis=0) / columns
        return whole
    return np.asarray(weights.sum(axis=0))


def _cells(events: Events, every: list[Floats], sizes: list[int]) -> NDArray[np.intp]:
    """The number of the joint cell of each event of the source (N,)."""

    def compute(source: Events) -> NDArray[np.intp]:
        numbers = [codes(source, column, cuts) for column, cuts in enumerate(every)]
        return np.ravel_multi_index(numbers, tuple(sizes))

    return once(events, ("cells", *(cuts.tobytes() for cuts in every)), compute)


def shares(numbers: NDArray[np.intp], events: Events, size: int) -> Floats:
    """The share (size,) of the total weight of ``events`` in each bin.

    ``numbers`` (N,) are the bin numbers of the source of ``events``.

    >>> events = Events(np.zeros((3, 1)), weight=np.array([1.0, 1.0, 2.0]))
    >>> shares(np.array([0, 1, 1]), events, 3).tolist()
    [0.25, 0.75, 0.0]
    """
    counts = np.bincount(numbers, weights=source_weights(events), minlength=size)
    share: Floats = counts / counts.sum()
    return share
