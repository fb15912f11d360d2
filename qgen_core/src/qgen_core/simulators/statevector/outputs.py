"""Compiled ends of a run: from states to outputs, and from cotangents to adjoint states.

A cotangent c of probabilities makes the adjoint ``2 c psi``, one of a Pauli word P makes
``2 c P psi``. All work on one row of a batch, and on its chunks ``low`` to ``high`` of ``chunks``;
tables are pointers.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import numpy as np

from qgen_core.circuits.measures import Expectations, Measure, State
from qgen_core.simulators.simd.intrinsics import (
    INNER,
    jit,
    jit_body,
    jit_sums,
    lane_bits,
    lane_sum,
    load,
    multiply_add,
    plus,
    pointer,
    rounded,
    splat,
    store,
)
from qgen_core.simulators.statevector.tables import OUTCOMES, STATE_NUMBERS, WALSH_ROW
from qgen_core.typing import Ints

Array = Any

#: Numbers before the groups and words: how many there are of each.
_HEAD = 2
GROUP_COUNT = 0
WORD_COUNT = 1

# Columns of a group of words with the same flips.
GROUP_FLIPS = 0
GROUP_FIRST_WORD = 1
GROUP_END_WORD = 2
GROUP_COLUMNS = 3

# Columns of a word: P = (real + i imag) X^flips Z^signs, and its place in the output.
WORD_SIGNS = 0
WORD_REAL = 1
WORD_IMAG = 2
WORD_PLACE = 3
WORD_COLUMNS = 4


@lru_cache(maxsize=128)
def group_words(paulis: tuple[str, ...]) -> Ints:
    """Pauli words, those with the same flips together: P = factor X^flips Z^signs, with Y = i X Z.

    How many groups there are, and words; of each group the flipped bits, first and last word; of
    each word the bits whose parity is the sign, its real and its imaginary factor, and its place in
    the output.
    """
    by_flips: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for place, word in enumerate(paulis):
        bits = [(1 << (len(word) - 1 - w), letter) for w, letter in enumerate(word)]
        flips = sum(bit for bit, letter in bits if letter in "XY")
        signs = sum(bit for bit, letter in bits if letter in "YZ")
        factor = 1j ** word.count("Y") * (-1) ** (flips & signs).bit_count()
        by_flips[flips].append((signs, round(factor.real), round(factor.imag), place))
    groups: list[int] = []
    words: list[tuple[int, int, int, int]] = []
    for flips, members in by_flips.items():
        groups += flips, len(words), len(words) + len(members)
        words += members
    return np.array([len(by_flips), len(words), *groups, *chain(*words)], dtype=np.int64)


def words_of(measure: Measure) -> Ints:
    """The words of expectations; other measures have none."""
    return group_words(measure.paulis if isinstance(measure, Expectations) else ())


def empty(measure: Measure, batch: int, chunks: int, wires: int) -> Array:
    """Where the output is read to: (B, 2^Q), or for expectations (B, chunks, words)."""
    if isinstance(measure, Expectations):
        return np.empty((batch, chunks, len(measure.paulis)))
    return np.empty(
        (batch, 1 << wires), dtype=np.complex128 if isinstance(measure, State) else np.float64
    )


@partial(jit, **INNER)
def _odd(number: int) -> int:
    number ^= number >> 32
    number ^= number >> 16
    number ^= number >> 8
    number ^= number >> 4
    number ^= number >> 2
    number ^= number >> 1
    return number & 1


@jit_body
def probabilities(plan: Array, psi: Array, low: int, high: int, chunks: int, out: Array) -> None:
    """Squared amplitudes (2^Q,)."""
    wide, size = 1 << lane_bits(psi), plan[OUTCOMES]
    lanes = wide if wide < size else size
    groups = size // lanes
    for g in range(low * groups // chunks, high * groups // chunks):
        re, square = pointer(psi, 2 * g * lanes), pointer(out, g * lanes)
        im = pointer(re, wide)
        for j in range(lanes):
            square[j] = re[j] * re[j] + im[j] * im[j]


@jit_body
def seed_probabilities(
    plan: Array, psi: Array, low: int, high: int, chunks: int, cotangent: Array, lam: Array
) -> None:
    """The adjoint of probabilities, with cotangent (2^Q,)."""
    wide, size = 1 << lane_bits(psi), plan[OUTCOMES]
    lanes = wide if wide < size else size
    groups = size // lanes
    if 2 * size < plan[STATE_NUMBERS]:  # fewer wires than bits
        for k in range(plan[STATE_NUMBERS]):
            lam[k] = 0.0
    for g in range(low * groups // chunks, high * groups // chunks):
        at = 2 * g * lanes
        re, im, c = pointer(psi, at), pointer(psi, at + wide), pointer(cotangent, g * lanes)
        to_re, to_im = pointer(lam, at), pointer(lam, at + wide)
        for j in range(lanes):
            twice = rounded(2.0 * c[j], psi)
            to_re[j] = twice * re[j]
            to_im[j] = twice * im[j]


@jit
def amplitudes(psi: Array, out: Array) -> None:
    """Complex amplitudes (B, 2^Q) of all rows."""
    wide, size = 1 << lane_bits(psi), out.shape[1]
    lanes = wide if wide < size else size
    for row in range(len(psi)):
        for x in range(size):
            at = 2 * (x - x % lanes) + x % lanes
            out[row, x] = complex(psi[row, at], psi[row, at + wide])


@partial(jit_sums, **INNER)
def _products(psi: Array, base: int, flips: int, run: int, pair: Array) -> None:
    """conj(psi[y]) psi[y ^ flips] for a run of y from ``base``.

    Real parts, then imaginary parts in ``pair``.
    """
    wide = 1 << lane_bits(psi)
    inside = flips & (wide - 1)
    for g in range(0, run, wide):
        y, x = pointer(psi, 2 * (base + g)), pointer(psi, 2 * ((base + g) ^ (flips - inside)))
        re, im = pointer(pair, g), pointer(pair, run + g)
        if inside == 0:  # what compilers vectorise
            for j in range(wide):
                re[j] = y[j] * x[j] + y[wide + j] * x[wide + j]
                im[j] = y[j] * x[wide + j] - y[wide + j] * x[j]
        else:
            for j in range(wide):
                k = j ^ inside
                re[j] = y[j] * x[k] + y[wide + j] * x[wide + k]
                im[j] = y[j] * x[wide + k] - y[wide + j] * x[k]


@partial(jit, **INNER)
def _signed_sum(run: int, numbers: Array, signs: Array) -> float:
    """Numbers times a row of signs."""
    two = 2 << lane_bits(numbers)
    even, odd = splat(0.0), splat(0.0)
    for j in range(0, run, two):
        even = multiply_add(even, load(numbers, j), load(signs, j))
        odd = multiply_add(odd, load(numbers, j + two // 2), load(signs, j + two // 2))
    return float(lane_sum(plus(even, odd)))


@jit_body
def expectations(
    plan: Array,
    signs: Array,
    psi: Array,
    low: int,
    high: int,
    chunks: int,
    words: Array,
    pair: Array,
    out: Array,
) -> None:
    """<P> of each word from each chunk of the amplitudes (chunks, K).

    Four registers of amplitudes at a time: their products first, then per word a sum with
    one row of the Walsh matrix ``signs``. ``pair``, a row of it twice, is working memory.
    """
    run, count = plan[WALSH_ROW], words[WORD_COUNT]
    runs = (plan[STATE_NUMBERS] >> 1) // run
    for chunk in range(low, high):
        found = pointer(out, chunk * count)
        for k in range(count):
            found[k] = 0.0
        for block in range(chunk * runs // chunks, (chunk + 1) * runs // chunks):
            _add_run(psi, block * run, run, signs, words, pair, found)


@jit_body
def _add_run(
    psi: Array, base: int, run: int, signs: Array, words: Array, pair: Array, found: Array
) -> None:
    """What one run of amplitudes adds to the words."""
    members = pointer(words, _HEAD + words[GROUP_COUNT] * GROUP_COLUMNS)
    for k in range(words[GROUP_COUNT]):
        group = pointer(words, _HEAD + k * GROUP_COLUMNS)
        _products(psi, base, group[GROUP_FLIPS], run, pair)
        for m in range(group[GROUP_FIRST_WORD], group[GROUP_END_WORD]):
            word = pointer(members, m * WORD_COLUMNS)
            mask, factor = word[WORD_SIGNS], word[WORD_REAL] - word[WORD_IMAG]
            if _odd(mask & base):
                factor = -factor
            part, sign = (
                0 if word[WORD_REAL] != 0 else run,
                pointer(signs, (mask & (run - 1)) * run),
            )
            found[word[WORD_PLACE]] += factor * _signed_sum(run, pointer(pair, part), sign)


@jit_body
def seed_expectations(
    plan: Array,
    signs: Array,
    psi: Array,
    low: int,
    high: int,
    chunks: int,
    words: Array,
    pair: Array,
    cotangent: Array,
    lam: Array,
) -> None:
    """The adjoint of Pauli words, with cotangent (K,)."""
    run = plan[WALSH_ROW]
    runs, members = (
        (plan[STATE_NUMBERS] >> 1) // run,
        pointer(words, _HEAD + words[GROUP_COUNT] * GROUP_COLUMNS),
    )
    for block in range(low * runs // chunks, high * runs // chunks):
        for k in range(2 * block * run, 2 * (block + 1) * run):
            lam[k] = 0.0
        for k in range(words[GROUP_COUNT]):
            group = pointer(words, _HEAD + k * GROUP_COLUMNS)
            _weights(
                members,
                group[GROUP_FIRST_WORD],
                group[GROUP_END_WORD],
                signs,
                cotangent,
                block * run,
                run,
                pair,
            )
            _add_flipped(psi, block * run, group[GROUP_FLIPS], run, pair, lam)


@partial(jit, **INNER)
def _weights(
    words: Array,
    first: int,
    last: int,
    signs: Array,
    cotangent: Array,
    base: int,
    run: int,
    pair: Array,
) -> None:
    """The complex factors of a run of amplitudes from ``base``, for words with the same flips."""
    lanes = 1 << lane_bits(pair)
    for j in range(0, 2 * run, lanes):
        store(pair, j, splat(0.0))
    for k in range(first, last):
        word = pointer(words, k * WORD_COLUMNS)
        mask = word[WORD_SIGNS]
        sign, c = (mask & (run - 1)) * run, 2 * cotangent[word[WORD_PLACE]]
        if _odd(mask & base):
            c = -c
        for which in range(2):
            if word[WORD_REAL + which] != 0:
                factor = splat(c * word[WORD_REAL + which])
                at = which * run
                for j in range(0, run, lanes):
                    store(
                        pair,
                        at + j,
                        multiply_add(load(pair, at + j), factor, load(signs, sign + j)),
                    )


@partial(jit_sums, **INNER)
def _add_flipped(psi: Array, base: int, flips: int, run: int, pair: Array, lam: Array) -> None:
    """Add factor[y] psi[y ^ flips] to ``lam[y]`` for a run of y from ``base``."""
    wide = 1 << lane_bits(psi)
    inside = flips & (wide - 1)
    for g in range(0, run, wide):
        y, x = pointer(lam, 2 * (base + g)), pointer(psi, 2 * ((base + g) ^ (flips - inside)))
        re, im = pointer(pair, g), pointer(pair, run + g)
        if inside == 0:  # what compilers vectorise
            for j in range(wide):
                y[j] += re[j] * x[j] - im[j] * x[wide + j]
                y[wide + j] += re[j] * x[wide + j] + im[j] * x[j]
        else:
            for j in range(wide):
                k = j ^ inside
                y[j] += re[j] * x[k] - im[j] * x[wide + k]
                y[wide + j] += re[j] * x[wide + k] + im[j] * x[k]
