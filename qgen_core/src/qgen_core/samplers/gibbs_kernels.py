"""Compiled Gibbs updates of many chains at once.

Chains are updated in blocks of ``CHAINS``. Each block has random streams of its own, one a lane, so
results do not depend on which thread updates which block.

A spin becomes +1 with the probability ``p = 1 / (1 + exp(x))``, x being ``2 beta`` times its local
field, and a uniform number u is below p if ``u + u exp(x) < 1``: no division is needed. u is the
middle of one of 2^24 equal cells, so an event less probable than 2^-25 never happens, and other
probabilities are right to 2^-25, about the rounding of p itself in float32.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    Numbers,
    bits_to_single,
    jit_body,
    jit_fused,
    pointer,
    single_to_bits,
)

#: Chains of a block, and random streams of it: a cache line of spins.
CHAINS = 64
#: Neighbours of a spin that are added up at once; lists of neighbours are filled up to it.
AT_ONCE = 4
#: Words of the state of a random stream.
WORDS = 4

_CELL = np.float32(2.0**-24)
_HALF_CELL = np.float32(2.0**-25)
_ONE = np.float32(1.0)
_LARGEST = np.float32(87.0)
# exp(x) = 2^n exp(r) for n the integer nearest to x / log 2, and a polynomial for exp(r); the
# coefficients are those of Cephes (expf.c). log 2 is in two parts, so that r is exact.
_PER_LOG2 = np.float32(1.44269504088896341)
_LOG2_HIGH = np.float32(0.693359375)
_LOG2_LOW = np.float32(-2.12194440e-4)
#: 1.5 * 2^23: a small number added to it is rounded to an integer, found in its last bits.
_ROUND = np.float32(12582912.0)
_ONE_BITS = np.uint32(0x3F800000)
_MANTISSA = np.uint32(23)
_SHIFT = np.uint32(9)
_TURN = np.uint32(11)
_TURN_BACK = np.uint32(21)
_LOW_BITS = np.uint32(8)


@jit_body
def _exp(x: Any) -> Any:
    """exp(x) in float32, x cut to where it is a normal number."""
    x = min(max(x, -_LARGEST), _LARGEST)
    shifted = x * _PER_LOG2 + _ROUND
    n = shifted - _ROUND
    r = x - n * _LOG2_HIGH
    r = r - n * _LOG2_LOW
    series = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
    series = series * r + np.float32(8.3334519073e-3)
    series = series * r + np.float32(4.1665795894e-2)
    series = series * r + np.float32(1.6666665459e-1)
    series = series * r + np.float32(5.0000001201e-1)
    power = bits_to_single(np.uint32(np.uint32(single_to_bits(shifted) << _MANTISSA) + _ONE_BITS))
    return (series * (r * r) + r + _ONE) * power


@jit_body
def _uniform(noise: Numbers, lane: int) -> Any:
    """A uniform number in (0, 1), the next one of a lane's stream.

    Source: xoshiro128+ (Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021)), of which the
    upper 24 bits are taken.
    """
    a = noise[0, lane]
    b = noise[1, lane]
    c = noise[2, lane]
    d = noise[3, lane]
    # numba computes with 64 bits unless each result is cut to 32.
    word = np.uint32(a + d)
    shifted = np.uint32(b << _SHIFT)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = np.uint32(d << _TURN) | np.uint32(d >> _TURN_BACK)
    noise[0, lane] = a
    noise[1, lane] = b
    noise[2, lane] = c
    noise[3, lane] = d
    return np.float32(np.int32(np.uint32(word >> _LOW_BITS))) * _CELL + _HALF_CELL


@partial(jit_fused, **FLAT)
def sweep_graph(
    chains: Numbers,
    fields: Numbers,
    table: Numbers,
    sweeps: int,
    sums: Numbers,
    first: int,
    end: int,
) -> None:
    """Sweeps over the blocks first..end of chains on a graph.

    ``chains`` is (spins (B, S, CHAINS) int8, noise (B, WORDS, CHAINS), scale (B, CHAINS)) where
    scale multiplies the couplings of each chain. ``fields`` are 2 beta h: (1, S, 1), or one for
    each chain (B, S, CHAINS). ``table`` is (order (U,) of the spins, starts (U + 1,), neighbours,
    2 beta J of each), whose lists are filled up to a multiple of AT_ONCE. ``sums`` (B, CHAINS) is
    working memory.
    """
    order, starts, neighbours, weights = table
    all_spins, all_noise, all_scales = chains
    one_field = fields.shape[2] == 1
    for block in range(first, end):
        spins = all_spins[block]
        noise = all_noise[block]
        scale = all_scales[block]
        total = sums[block]
        for _ in range(sweeps):
            for k in range(len(order)):
                spin = order[k]
                _add_neighbours(spins, starts[k], starts[k + 1], neighbours, weights, total)
                out = spins[spin]
                if one_field:
                    h = fields[0, spin, 0]
                    for lane in range(CHAINS):
                        u = _uniform(noise, lane)
                        e = _exp(np.float32(h + scale[lane] * total[lane]))
                        out[lane] = 1 if u + u * e < _ONE else -1
                else:
                    of_lanes = fields[block, spin]
                    for lane in range(CHAINS):
                        u = _uniform(noise, lane)
                        e = _exp(np.float32(of_lanes[lane] + scale[lane] * total[lane]))
                        out[lane] = 1 if u + u * e < _ONE else -1


@jit_body
def _add_neighbours(
    spins: Numbers, start: int, end: int, neighbours: Numbers, weights: Numbers, total: Numbers
) -> None:
    """Add up weight times spin over a list of neighbours, for each chain, into ``total``."""
    number = total.dtype.type  # without it, numba would multiply doubles
    for lane in range(CHAINS):
        total[lane] = 0
    for j in range(start, end, AT_ONCE):
        w0 = weights[j]
        w1 = weights[j + 1]
        w2 = weights[j + 2]
        w3 = weights[j + 3]
        s0 = spins[neighbours[j]]
        s1 = spins[neighbours[j + 1]]
        s2 = spins[neighbours[j + 2]]
        s3 = spins[neighbours[j + 3]]
        for lane in range(CHAINS):
            first_two = w0 * number(s0[lane]) + w1 * number(s1[lane])
            total[lane] += first_two + w2 * number(s2[lane]) + w3 * number(s3[lane])


@partial(jit_fused, **FLAT)
def coupling_energies(spins: Numbers, table: Numbers, sums: Numbers, energies: Numbers) -> None:
    """``sum_i s_i sum_j (2 beta J_ij) s_j`` of each chain into ``energies`` (B, CHAINS).

    The other arguments are those of :func:`sweep_graph`.
    """
    order, starts, neighbours, weights = table
    for block in range(len(spins)):
        total = sums[block]
        energy = energies[block]
        for lane in range(CHAINS):
            energy[lane] = 0
        for k in range(len(order)):
            _add_neighbours(spins[block], starts[k], starts[k + 1], neighbours, weights, total)
            own = spins[block, order[k]]
            for lane in range(CHAINS):
                energy[lane] += own[lane] * total[lane]


@partial(jit_fused, **FLAT)
def update_side(
    spins: Numbers,
    fields: Numbers,
    h: Numbers,
    factors: Numbers,
    noise: Numbers,
    first: int,
    end: int,
) -> None:
    """Draw one side of bipartite chains, given the fields of the other, (C, m).

    Blocks first..end are of CHAINS chains. ``spins`` (C, m) are -1 and +1; ``h`` (R, m) is
    2 beta times the own fields of each row, of which each has C / R chains in turn; ``factors``
    (C,) are 2 beta times the scale of the couplings; ``noise`` is (B, WORDS, CHAINS).
    """
    count, width = spins.shape
    each = count // len(h)
    for block in range(first, end):
        streams = noise[block]
        for chain in range(block * CHAINS, min((block + 1) * CHAINS, count)):
            out = spins[chain]
            sums = fields[chain]
            of_row = h[chain // each]
            factor = factors[chain]
            start = 0
            while start + CHAINS <= width:
                # The constant number of lanes lets the compiler use whole registers.
                _draw_along(out, sums, of_row, start, CHAINS, factor, streams)
                start += CHAINS
            _draw_along(out, sums, of_row, start, width - start, factor, streams)


@jit_body
def _draw_along(
    out: Numbers, sums: Numbers, h: Numbers, start: int, count: int, factor: Any, noise: Numbers
) -> None:
    """Draw the spins start..start + count of one chain."""
    spins = pointer(out, start)
    couplings = pointer(sums, start)
    fields = pointer(h, start)
    for lane in range(count):
        u = _uniform(noise, lane)
        e = _exp(np.float32(fields[lane] + factor * couplings[lane]))
        spins[lane] = 1 if u + u * e < _ONE else -1
