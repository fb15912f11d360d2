"""Compiled ends of a run: from states to outputs, and from cotangents to adjoint states.

A cotangent c of probabilities makes the adjoint ``2 c psi``, one of a Pauli word P makes
``2 c P psi``. ``part`` is (first row, last row, first chunk, last chunk, chunks).
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.engine.simd import jit, jit_sums, lane_bits

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


@jit
def _odd(number: int) -> int:
    number ^= number >> 32
    number ^= number >> 16
    number ^= number >> 8
    number ^= number >> 4
    number ^= number >> 2
    number ^= number >> 1
    return number & 1


@jit
def start(psi: Array, part: Array) -> None:
    """The state |0...0> in each row."""
    for row in range(part[0], part[1]):
        psi[row, :] = 0.0
        psi[row, 0] = 1.0


@jit
def probabilities(psi: Array, out: Array, part: Array) -> None:
    """Squared amplitudes (B, 2^Q)."""
    lanes = min(1 << lane_bits(psi), out.shape[1])
    groups = out.shape[1] // lanes
    for row in range(part[0], part[1]):
        for g in range(part[2] * groups // part[4], part[3] * groups // part[4]):
            at = 2 * g * lanes
            for j in range(lanes):
                re, im = psi[row, at + j], psi[row, at + (1 << lane_bits(psi)) + j]
                out[row, g * lanes + j] = re * re + im * im


@jit
def seed_probabilities(psi: Array, cotangent: Array, lam: Array, part: Array) -> None:
    """The adjoint of probabilities, with cotangent (B, 2^Q)."""
    wide = 1 << lane_bits(psi)
    lanes = min(wide, cotangent.shape[1])
    groups = cotangent.shape[1] // lanes
    two = psi.dtype.type(2)
    for row in range(part[0], part[1]):
        for g in range(part[2] * groups // part[4], part[3] * groups // part[4]):
            at = 2 * g * lanes
            for j in range(lanes):
                c = two * psi.dtype.type(cotangent[row, g * lanes + j])
                lam[row, at + j] = c * psi[row, at + j]
                lam[row, at + wide + j] = c * psi[row, at + wide + j]


@jit
def amplitudes(psi: Array, out: Array, part: Array) -> None:
    """Complex amplitudes (B, 2^Q)."""
    wide = 1 << lane_bits(psi)
    lanes = min(wide, out.shape[1])
    for row in range(part[0], part[1]):
        for x in range(out.shape[1]):
            at = 2 * (x - x % lanes) + x % lanes
            out[row, x] = complex(psi[row, at], psi[row, at + wide])


@jit_sums
def _products(psi: Array, base: int, flips: int, re: Array, im: Array) -> None:
    """conj(psi[y]) psi[y ^ flips] for a run of y from ``base``."""
    wide = 1 << lane_bits(psi)
    for j in range(len(re)):
        y, x = base + j, (base + j) ^ flips
        a, b = 2 * y - y % wide, 2 * x - x % wide
        yr, yi = psi[a], psi[a + wide]
        xr, xi = psi[b], psi[b + wide]
        re[j], im[j] = yr * xr + yi * xi, yr * xi - yi * xr


@jit_sums
def _signed_sum(values: Array, sign: Array) -> float:
    total = 0.0
    for j in range(len(values)):
        total += sign[j] * values[j]
    return total


@jit_sums
def expectations(psi: Array, signs: Array, groups: Array, words: Array, out: Array, part: Array) -> None:
    """Add <P> of each word to ``out`` (B, chunks, K), chunk by chunk of the amplitudes.

    Four registers of amplitudes at a time: their products first, then per word a sum with
    one row of the Walsh matrix ``signs``.
    """
    for row in range(part[0], part[1]):
        for chunk in range(part[2], part[3]):
            _add_expectations(psi[row], signs, groups, words, out[row, chunk], chunk, part[4])


@jit_sums
def _add_expectations(
    psi: Array, signs: Array, groups: Array, words: Array, out: Array, chunk: int, chunks: int
) -> None:
    run = len(signs)
    runs = len(psi) // (2 * run)
    re, im = np.empty(run), np.empty(run)
    for block in range(chunk * runs // chunks, (chunk + 1) * runs // chunks):
        base = block * run
        for group in range(len(groups)):
            _products(psi, base, groups[group, 0], re, im)
            for word in range(groups[group, 1], groups[group, 2]):
                mask = words[word, 0]
                values = re if words[word, 1] != 0 else im
                factor = words[word, 1] - words[word, 2]
                if _odd(mask & base):
                    factor = -factor
                out[words[word, 3]] += factor * _signed_sum(values, signs[mask % run])


@jit_sums
def seed_expectations(
    psi: Array, signs: Array, groups: Array, words: Array, cotangent: Array, lam: Array, part: Array
) -> None:
    """The adjoint of Pauli words, with cotangent (B, K), added to ``lam``."""
    run = len(signs)
    runs = psi.shape[1] // (2 * run)
    re, im = np.empty(run), np.empty(run)
    for row in range(part[0], part[1]):
        for block in range(part[2] * runs // part[4], part[3] * runs // part[4]):
            for group in range(len(groups)):
                members = words[groups[group, 1] : groups[group, 2]]
                _weights(members, signs, cotangent[row], block * run, re, im)
                _add_flipped(psi[row], block * run, groups[group, 0], re, im, lam[row])


@jit_sums
def _weights(words: Array, signs: Array, cotangent: Array, base: int, re: Array, im: Array) -> None:
    """The complex factors (re, im) of a run of amplitudes from ``base``, for words with the same flips."""
    re[:], im[:] = 0.0, 0.0
    for word in range(len(words)):
        mask = words[word, 0]
        sign = signs[mask % len(re)]
        c = 2 * cotangent[words[word, 3]]
        if _odd(mask & base):
            c = -c
        for j in range(len(re)):
            re[j] += c * words[word, 1] * sign[j]
            im[j] += c * words[word, 2] * sign[j]


@jit_sums
def _add_flipped(psi: Array, base: int, flips: int, re: Array, im: Array, lam: Array) -> None:
    """Add factor[y] psi[y ^ flips] to ``lam[y]`` for a run of y from ``base``."""
    wide = 1 << lane_bits(psi)
    for j in range(len(re)):
        y, x = base + j, (base + j) ^ flips
        a, b = 2 * y - y % wide, 2 * x - x % wide
        xr, xi = psi[b], psi[b + wide]
        lam[a] += re[j] * xr - im[j] * xi
        lam[a + wide] += re[j] * xi + im[j] * xr
