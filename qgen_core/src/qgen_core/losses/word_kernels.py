"""Compiled products of Z over the wires of words, for events of bits."""

from __future__ import annotations

from functools import partial

from qgen_core.simulators.simd.intrinsics import FLAT, Numbers, jit, jit_body, pointer


@jit_body
def _value(bits: Numbers, wires: Numbers, start: int, end: int) -> int:
    """+1 where an even number of the bits of a word are 1, else -1."""
    parity = 0
    for place in range(start, end):
        parity ^= bits[wires[place]]
    return 1 - 2 * (parity & 1)


@partial(jit, **FLAT)
def word_values(events: Numbers, starts: Numbers, wires: Numbers, values: Numbers) -> None:
    """The value of each word (N, W) in events of bits (N, n), int8."""
    for event in range(len(events)):
        bits = pointer(events, event)
        row = pointer(values, event)
        for word in range(len(starts) - 1):
            row[word] = _value(bits, wires, starts[word], starts[word + 1])


@partial(jit, **FLAT)
def add_word_values(
    events: Numbers, starts: Numbers, wires: Numbers, weights: Numbers, sums: Numbers
) -> None:
    """Add the values of the words, times the weights (N,) of the events, to ``sums`` (W,)."""
    for event in range(len(events)):
        bits = pointer(events, event)
        weight = weights[event]
        for word in range(len(starts) - 1):
            sums[word] += weight * _value(bits, wires, starts[word], starts[word + 1])
