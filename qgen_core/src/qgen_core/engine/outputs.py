"""Compiled ends of a run: from states to outputs, and from cotangents to adjoint states.

A cotangent c of probabilities makes the adjoint ``2 c psi``, one of a Pauli word P makes
``2 c P psi``. All work on one row of a batch, and on its chunks ``low`` to ``high`` of ``chunks``.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.engine.simd import jit, jit_body, jit_sums, lane_bits, lane_sum, load, multiply_add, plus, splat, store
from qgen_core.measures import Expectations, Measure, State

Array = Any
Ints = NDArray[np.int64]


class Words(NamedTuple):
    """Pauli words, those with the same flips together.

    ``groups`` (G, 3): flipped bits, first and last word. ``words`` (K, 4): bits whose parity
    is the sign, its real and its imaginary factor, and the place of the word in the output.
    """

    groups: Ints
    words: Ints


@lru_cache(maxsize=128)
def group_words(paulis: tuple[str, ...]) -> Words:
    """P = factor X^flips Z^signs, with Y = i X Z."""
    by_flips: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for place, word in enumerate(paulis):
        bits = [(1 << (len(word) - 1 - w), letter) for w, letter in enumerate(word)]
        flips = sum(bit for bit, letter in bits if letter in "XY")
        signs = sum(bit for bit, letter in bits if letter in "YZ")
        factor = 1j ** word.count("Y") * (-1) ** (flips & signs).bit_count()
        by_flips[flips].append((signs, round(factor.real), round(factor.imag), place))
    groups: list[tuple[int, int, int]] = []
    words: list[tuple[int, int, int, int]] = []
    for flips, members in by_flips.items():
        groups.append((flips, len(words), len(words) + len(members)))
        words += members
    return Words(np.array(groups, dtype=np.int64), np.array(words, dtype=np.int64))


_NONE = Words(np.empty((0, 3), dtype=np.int64), np.empty((0, 4), dtype=np.int64))


def words_of(measure: Measure) -> Words:
    """The words of expectations; other measures have none."""
    return group_words(measure.paulis) if isinstance(measure, Expectations) else _NONE


def empty(measure: Measure, batch: int, chunks: int, wires: int) -> Array:
    """Where the output is read to: (B, 2^Q), or for expectations (B, chunks, words)."""
    if isinstance(measure, Expectations):
        return np.empty((batch, chunks, len(measure.paulis)))
    return np.empty((batch, 1 << wires), dtype=np.complex128 if isinstance(measure, State) else np.float64)


@jit
def _odd(number: int) -> int:
    number ^= number >> 32
    number ^= number >> 16
    number ^= number >> 8
    number ^= number >> 4
    number ^= number >> 2
    number ^= number >> 1
    return number & 1


@jit_body
def probabilities(psi: Array, row: int, low: int, high: int, chunks: int, out: Array) -> None:
    """Squared amplitudes (B, 2^Q)."""
    wide = 1 << lane_bits(psi)
    lanes = wide if wide < out.shape[1] else out.shape[1]
    groups = out.shape[1] // lanes
    for g in range(low * groups // chunks, high * groups // chunks):
        at = 2 * g * lanes
        for j in range(lanes):
            re, im = psi[row, at + j], psi[row, at + wide + j]
            out[row, g * lanes + j] = re * re + im * im


@jit_body
def seed_probabilities(psi: Array, row: int, low: int, high: int, chunks: int, cotangent: Array, lam: Array) -> None:
    """The adjoint of probabilities, with cotangent (B, 2^Q)."""
    wide = 1 << lane_bits(psi)
    lanes = wide if wide < cotangent.shape[1] else cotangent.shape[1]
    groups = cotangent.shape[1] // lanes
    two = psi.dtype.type(2)
    if 2 * cotangent.shape[1] < lam.shape[1]:  # fewer wires than bits
        for k in range(lam.shape[1]):
            lam[row, k] = 0.0
    for g in range(low * groups // chunks, high * groups // chunks):
        at = 2 * g * lanes
        for j in range(lanes):
            c = two * psi.dtype.type(cotangent[row, g * lanes + j])
            lam[row, at + j] = c * psi[row, at + j]
            lam[row, at + wide + j] = c * psi[row, at + wide + j]


@jit
def amplitudes(psi: Array, out: Array) -> None:
    """Complex amplitudes (B, 2^Q) of all rows."""
    wide, size = 1 << lane_bits(psi), out.shape[1]
    lanes = wide if wide < size else size
    for row in range(len(psi)):
        for x in range(size):
            at = 2 * (x - x % lanes) + x % lanes
            out[row, x] = complex(psi[row, at], psi[row, at + wide])


@jit_sums
def _products(psi: Array, row: int, base: int, flips: int, pair: Array) -> None:
    """conj(psi[y]) psi[y ^ flips] for a run of y from ``base``: real parts in ``pair[0]``, imaginary in ``pair[1]``."""
    wide = 1 << lane_bits(psi)
    inside = flips & (wide - 1)
    for g in range(0, pair.shape[1], wide):
        a, b = 2 * (base + g), 2 * ((base + g) ^ (flips - inside))
        y, x, re, im = (
            psi[row, a : a + 2 * wide],
            psi[row, b : b + 2 * wide],
            pair[0, g : g + wide],
            pair[1, g : g + wide],
        )
        if inside == 0:  # what compilers vectorise
            for j in range(wide):
                re[j] = y[j] * x[j] + y[wide + j] * x[wide + j]
                im[j] = y[j] * x[wide + j] - y[wide + j] * x[j]
        else:
            for j in range(wide):
                k = j ^ inside
                re[j] = y[j] * x[k] + y[wide + j] * x[wide + k]
                im[j] = y[j] * x[wide + k] - y[wide + j] * x[k]


@jit
def _signed_sum(pair: Array, which: int, signs: Array, sign: int) -> float:
    """A row of ``pair`` times a row of signs."""
    run, two = pair.shape[1], 2 << lane_bits(pair)
    a, b = which * run, sign * run
    even, odd = splat(0.0), splat(0.0)
    for j in range(0, run, two):
        even = multiply_add(even, load(pair, a + j), load(signs, b + j))
        odd = multiply_add(odd, load(pair, a + j + two // 2), load(signs, b + j + two // 2))
    return float(lane_sum(plus(even, odd)))


@jit_body
def expectations(
    psi: Array,
    row: int,
    low: int,
    high: int,
    chunks: int,
    signs: Array,
    groups: Array,
    words: Array,
    pair: Array,
    out: Array,
) -> None:
    """<P> of each word from each chunk of the amplitudes (B, chunks, K).

    Four registers of amplitudes at a time: their products first, then per word a sum with
    one row of the Walsh matrix ``signs``. ``pair``, a row of it twice, is working memory.
    """
    run = len(signs)
    runs = psi.shape[1] // (2 * run)
    for chunk in range(low, high):
        for word in range(out.shape[2]):
            out[row, chunk, word] = 0.0
        for block in range(chunk * runs // chunks, (chunk + 1) * runs // chunks):
            _add_run(psi, row, chunk, block * run, signs, groups, words, pair, out)


@jit_body
def _add_run(
    psi: Array, row: int, chunk: int, base: int, signs: Array, groups: Array, words: Array, pair: Array, out: Array
) -> None:
    """What one run of amplitudes adds to the words of a chunk."""
    for group in range(len(groups)):
        _products(psi, row, base, groups[group, 0], pair)
        for word in range(groups[group, 1], groups[group, 2]):
            mask = words[word, 0]
            factor = words[word, 1] - words[word, 2]
            if _odd(mask & base):
                factor = -factor
            which = 1 if words[word, 1] == 0 else 0
            out[row, chunk, words[word, 3]] += factor * _signed_sum(pair, which, signs, mask & (len(signs) - 1))


@jit_body
def seed_expectations(
    psi: Array,
    row: int,
    low: int,
    high: int,
    chunks: int,
    signs: Array,
    groups: Array,
    words: Array,
    pair: Array,
    cotangent: Array,
    lam: Array,
) -> None:
    """The adjoint of Pauli words, with cotangent (B, 1, K)."""
    run = len(signs)
    runs = psi.shape[1] // (2 * run)
    for block in range(low * runs // chunks, high * runs // chunks):
        for k in range(2 * block * run, 2 * (block + 1) * run):
            lam[row, k] = 0.0
        for group in range(len(groups)):
            _weights(words, groups[group, 1], groups[group, 2], signs, cotangent, row, block * run, pair)
            _add_flipped(psi, row, block * run, groups[group, 0], pair, lam)


@jit
def _weights(
    words: Array, first: int, last: int, signs: Array, cotangent: Array, row: int, base: int, pair: Array
) -> None:
    """The complex factors of a run of amplitudes from ``base``, for words with the same flips."""
    run, lanes = pair.shape[1], 1 << lane_bits(pair)
    for j in range(0, 2 * run, lanes):
        store(pair, j, splat(0.0))
    for word in range(first, last):
        mask = words[word, 0]
        sign = (mask & (run - 1)) * run
        c = 2 * cotangent[row, 0, words[word, 3]]
        if _odd(mask & base):
            c = -c
        for which in range(2):
            if words[word, 1 + which] != 0:
                factor = splat(c * words[word, 1 + which])
                at = which * run
                for j in range(0, run, lanes):
                    store(pair, at + j, multiply_add(load(pair, at + j), factor, load(signs, sign + j)))


@jit_sums
def _add_flipped(psi: Array, row: int, base: int, flips: int, pair: Array, lam: Array) -> None:
    """Add factor[y] psi[y ^ flips] to ``lam[y]`` for a run of y from ``base``."""
    wide = 1 << lane_bits(psi)
    inside = flips & (wide - 1)
    for g in range(0, pair.shape[1], wide):
        a, b = 2 * (base + g), 2 * ((base + g) ^ (flips - inside))
        y, x, re, im = (
            lam[row, a : a + 2 * wide],
            psi[row, b : b + 2 * wide],
            pair[0, g : g + wide],
            pair[1, g : g + wide],
        )
        if inside == 0:  # what compilers vectorise
            for j in range(wide):
                y[j] += re[j] * x[j] - im[j] * x[wide + j]
                y[wide + j] += re[j] * x[wide + j] + im[j] * x[j]
        else:
            for j in range(wide):
                k = j ^ inside
                y[j] += re[j] * x[k] - im[j] * x[wide + k]
                y[wide + j] += re[j] * x[wide + k] + im[j] * x[k]
