"""Compiled products of Z over the wires of words, for events of bits."""

from __future__ import annotations

from functools import partial

from qgen_core.simulators.simd.intrinsics import FLAT, Numbers, jit, jit_body, jit_sums, pointer

#: Events whose columns are gathered at once.
BLOCK = 128


@jit_body
def _gather(events: Numbers, first: int, count: int, columns: Numbers) -> None:
    """The bits of events first..first + count as columns (n, BLOCK); those that lack are 0."""
    for wire in range(events.shape[1]):
        column = pointer(columns, wire)
        for event in range(count):
            column[event] = pointer(events, first + event)[wire]
        for event in range(count, BLOCK):
            column[event] = 0


@jit_body
def _parities(columns: Numbers, wires: Numbers, start: int, end: int, parities: Numbers) -> None:
    """Whether an odd number of the bits of a word are 1, for each event of a block."""
    for event in range(BLOCK):
        parities[event] = 0
    for place in range(start, end):
        column = pointer(columns, wires[place])
        for event in range(BLOCK):
            parities[event] ^= column[event]


@partial(jit, **FLAT)
def word_values(
    events: Numbers, words: tuple[Numbers, Numbers], work: tuple[Numbers, Numbers], values: Numbers
) -> None:
    """The value of each word (N, W), +1 or -1, in events of bits (N, n).

    ``words`` are starts (W + 1,) and wires (L,); ``work`` is memory, (n, BLOCK) and (BLOCK,).
    """
    starts, wires = words
    columns, parities = work
    for first in range(0, len(events), BLOCK):
        count = min(BLOCK, len(events) - first)
        _gather(events, first, count, columns)
        for word in range(len(starts) - 1):
            _parities(columns, wires, starts[word], starts[word + 1], parities)
            for event in range(count):
                pointer(values, first + event)[word] = 1 - 2 * parities[event]


@partial(jit_sums, **FLAT)
def add_odd_shares(
    events: Numbers,
    words: tuple[Numbers, Numbers],
    work: tuple[Numbers, Numbers],
    share: Numbers,
    sums: Numbers,
) -> None:
    """Add the shares of the events where the value of a word is -1 to ``sums`` (W,).

    ``share`` (N,) is filled up with zeros to whole blocks. The other arguments are those of
    :func:`word_values`.
    """
    starts, wires = words
    columns, parities = work
    for first in range(0, len(events), BLOCK):
        _gather(events, first, min(BLOCK, len(events) - first), columns)
        weights = pointer(share, first)
        for word in range(len(starts) - 1):
            _parities(columns, wires, starts[word], starts[word + 1], parities)
            total = 0.0
            for event in range(BLOCK):
                total += weights[event] * parities[event]
            sums[word] += total
