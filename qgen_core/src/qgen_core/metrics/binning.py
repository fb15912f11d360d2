"""Histograms of two sets of events on common edges, with everything outside counted too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.metrics.resample import once, source_weights
from qgen_core.typing import Array, Floats

Edges = Sequence[Array] | None

#: Joint histograms with more cells than this keep the occupied cells only.
MAX_DENSE = 2**20


class Histogram(NamedTuple):
    """Two histograms (K + 2,): K bins between an underflow and an overflow.

    ``p`` and ``q`` are normalised sums of weights of reference and generated events.
    """

    column: str
    bins: int
    p: Floats
    q: Floats


def check_pair(reference: Events, generated: Events) -> None:
    """Raise DataError unless both hold events of the same columns."""
    if reference.columns != generated.columns:
        raise DataError(
            f"the reference has the columns {', '.join(reference.columns)}, "
            f"the generated events {', '.join(generated.columns)}; metrics compare like with like"
        )
    for what, events in (("reference", reference), ("generated", generated)):
        if len(events) == 0:
            raise DataError(f"there are no {what} events to compare")


def columns_of(reference: Events, generated: Events, edges: Edges, bins: int) -> list[Floats]:
    """Edges (K + 1,) per column: those given, or ``bins`` of equal width over the reference.

    Raises DataError for events that cannot be compared, BadOption for edges that do not fit.
    """
    check_pair(reference, generated)
    if edges is None:
        if bins < 1:
            raise BadOption(f"bins must be at least 1, not {bins}")
        return once(
            reference,
            ("edges", bins),
            lambda source: [equal_width(column, bins) for column in source.x.T],
        )
    if len(edges) != len(reference.columns):
        raise BadOption(
            f"edges are given for {len(edges)} columns, the events have {len(reference.columns)}"
        )
    arrays = [np.asarray(e, dtype=np.float64) for e in edges]
    for name, e in zip(reference.columns, arrays, strict=True):
        if e.ndim != 1 or len(e) < 2 or not np.all(np.diff(e) > 0):
            raise BadOption(f"the edges of {name!r} must be at least two numbers that increase")
    return arrays


def equal_width(values: Array, bins: int) -> Floats:
    """``bins`` + 1 edges over the range of the values; a constant gets a range of one around it."""
    low, high = float(np.min(values)), float(np.max(values))
    if not low < high:
        low, high = low - 0.5, high + 0.5
    edges: Floats = np.linspace(low, high, bins + 1)
    return edges


def codes(events: Events, column: int, edges: Floats) -> NDArray[np.intp]:
    """Bin numbers of the source (N,): 0 below, 1 to K inside, K + 1 above; the last edge is inside."""
    key = ("codes", column, edges.tobytes())
    return once(events, key, lambda source: bin_numbers(source.x[:, column], edges))


def bin_numbers(values: Array, edges: Floats) -> NDArray[np.intp]:
    """Bin numbers of values (N,), as in :func:`codes`."""
    return np.asarray(
        np.searchsorted(edges, values, side="right") - (values == edges[-1]), dtype=np.intp
    )


def marginals(reference: Events, generated: Events, edges: Edges, bins: int) -> Iterator[Histogram]:
    """A normalised histogram of each column."""
    for column, e in enumerate(columns_of(reference, generated, edges, bins)):
        p, q = (
            shares(codes(events, column, e), events, len(e) + 1)
            for events in (reference, generated)
        )
        yield Histogram(reference.columns[column], len(e) - 1, p, q)


def joint(reference: Events, generated: Events, edges: Edges, bins: int) -> tuple[Floats, Floats]:
    """Normalised joint histograms p, q of all columns, both on the same cells, in one row each.

    Cells that are empty in both may be left out. Raises BadOption for more than 2^62 cells.
    """
    every = columns_of(reference, generated, edges, bins)
    sizes = [len(e) + 1 for e in every]
    cells = np.prod([float(size) for size in sizes])
    if cells > 2**62:
        raise BadOption(
            f"a joint histogram of {len(every)} columns has {cells:.2g} cells; use fewer bins or columns"
        )
    first, second = (_cells(events, every, sizes) for events in (reference, generated))
    size = int(cells)
    if size > MAX_DENSE:
        occupied, both = np.unique(np.concatenate([first, second]), return_inverse=True)
        first, second, size = both[: len(first)], both[len(first) :], len(occupied)
    return shares(first, reference, size), shares(second, generated, size)


def _cells(events: Events, every: list[Floats], sizes: list[int]) -> NDArray[np.intp]:
    """The number of the joint cell of each event of the source (N,)."""

    def compute(source: Events) -> NDArray[np.intp]:
        return np.ravel_multi_index(
            [codes(source, c, e) for c, e in enumerate(every)], tuple(sizes)
        )

    return once(events, ("cells", *(e.tobytes() for e in every)), compute)


def shares(numbers: NDArray[np.intp], events: Events, size: int) -> Floats:
    """The share (size,) of the weight of ``events`` at each number; numbers are of the source (N,)."""
    counts = np.bincount(numbers, weights=source_weights(events), minlength=size)
    share: Floats = counts / counts.sum()
    return share
