"""Expectations of words of Z in diagonal circuits: exact, or as means over random signs.

The circuit is H on all wires, ``exp(i sum_g theta_g Z_g)`` over sets g of wires, and H on all
wires.
For a word a, a set of wires, and signs s_i = +-1 of all wires,

    <Z_a> = mean over s of cos(2 sum of theta_g prod_{i in g} s_i over g with |g and a| odd).

With one- and two-body angles b_i and T_ij the mean over the signs of wires outside a is a product:

    <Z_a> = mean over s_a of cos(2 b . s_a) prod_{k not in a} cos(2 sum_{i in a} T_ik s_i).

Source: Recio-Armengol, Ahmed and Bowles, arXiv:2503.02934 (the mean over signs); the product
follows from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Words
from qgen_core.generators.iqp_bodies import Bodies, DiagonalAngles
from qgen_core.samplers.spin_products import SpinProduct
from qgen_core.support.buffers import aligned
from qgen_core.typing import Floats

#: From derivatives by expectations (N, W) to those by the angles.
AnglesPullback = Callable[[Floats], DiagonalAngles]
_DOUBLE = np.dtype(np.float64)


def exact_expectations(
    words: Words, bodies: Bodies, angles: DiagonalAngles
) -> tuple[Floats, AnglesPullback]:
    """The expectation of each word for each condition (N, W), and the pullback.

    For one- and two-body angles, and words of at most 12 wires; the time of a word of m wires is
    proportional to 2^m (n + N).

    >>> bodies = Bodies(2, np.array([[0, 1]]), Words.of([]))
    >>> angles = DiagonalAngles(np.zeros((2, 1)), np.array([np.pi / 8]), np.zeros(0))
    >>> values, _ = exact_expectations(Words.of([[0], [0, 1]]), bodies, angles)
    >>> values.round(6).tolist()  # cos(pi / 4), 1
    [[0.707107, 1.0]]
    """
    from qgen_core.generators import iqp_kernels

    patterns = 1 << np.maximum(words.sizes - 1, 0)
    places = np.cumsum(patterns) - patterns
    of_words = (words.starts, words.wires, places)
    numbers = (angles.couplings, bodies.numbers, np.ascontiguousarray(angles.fields))
    products = np.empty(int(patterns.sum()))
    events = angles.fields.shape[1]
    blocks = -(-events // iqp_kernels.LANES)
    values = np.empty((len(words), blocks * iqp_kernels.LANES))
    work = _work(words, max(bodies.wires, events))
    iqp_kernels.expectations(of_words, numbers, work, products, values)

    def pullback(cotangent: Floats) -> DiagonalAngles:
        filled = np.zeros_like(values)
        filled[:, :events] = cotangent.T
        by_coupling = np.zeros(len(angles.couplings))
        by_field = np.zeros(angles.fields.shape)
        found = (by_coupling, by_field)
        work = _work(words, max(bodies.wires, events))
        iqp_kernels.slopes(of_words, numbers, work, products, filled, found)
        return DiagonalAngles(by_field, by_coupling, np.zeros(len(bodies.higher)))

    return np.ascontiguousarray(values[:, :events].T), pullback


def _work(words: Words, columns: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Working memory of the compiled code, as large as the longest word needs."""
    from qgen_core.generators.iqp_kernels import LANES

    longest = max(int(words.sizes.max(initial=0)), 1)
    filled = -(-columns // LANES) * LANES
    cosines = aligned(longest, filled, _DOUBLE)
    sines = aligned(longest, filled, _DOUBLE, shift=1)
    patterns = 1 << (longest - 1)
    real = aligned(patterns, LANES, _DOUBLE)
    imag = aligned(patterns, LANES, _DOUBLE, shift=1)
    sums = aligned(patterns, LANES, _DOUBLE, shift=2)
    return cosines, sines, real, imag, sums


def sampled_expectations(
    words: Words, bodies: Bodies, angles: DiagonalAngles, signs: NDArray[np.int8]
) -> tuple[Floats, AnglesPullback]:
    """An unbiased estimate of each expectation from each row of signs: (R, W), and the pullback.

    ``signs`` (R, n) are -1 and +1; the fields have one column, or one for each row.

    >>> bodies = Bodies(2, np.array([[0, 1]]), Words.of([[0, 1]]))
    >>> angles = DiagonalAngles(np.zeros((2, 1)), np.array([np.pi / 8]), np.zeros(1))
    >>> signs = np.array([[1, 1], [1, -1]], dtype=np.int8)
    >>> sampled_expectations(Words.of([[0]]), bodies, angles, signs)[0].round(6).tolist()
    [[0.707107], [0.707107]]
    """
    spins = signs.astype(np.float64)
    inside = words.incidence(bodies.wires)
    matrix = bodies.matrix(angles.couplings)
    of_wires = spins * (SpinProduct(matrix, _DOUBLE)(signs) + angles.fields.T)
    phases = of_wires @ inside.T
    for number, wires in enumerate(_wires_of(words)):
        own = spins[:, wires]
        phases[:, number] -= np.sum((own @ matrix[np.ix_(wires, wires)]) * own, axis=1)
    odd, products = _odd_bodies(words, bodies, spins)
    phases += products @ (odd * angles.higher).T

    def pullback(cotangent: Floats) -> DiagonalAngles:
        by_phase = -2 * np.sin(2 * phases) * cotangent
        of_spins = spins * (by_phase @ inside)
        by_matrix = SpinProduct(of_spins, _DOUBLE)(np.ascontiguousarray(signs.T)).T
        for number, wires in enumerate(_wires_of(words)):
            own = spins[:, wires]
            by_matrix[np.ix_(wires, wires)] -= (own * by_phase[:, number, None]).T @ own
        first, second = bodies.edges.T
        by_coupling = by_matrix[first, second] + by_matrix[second, first]
        by_field = of_spins.T
        if angles.fields.shape[1] == 1:
            by_field = by_field.sum(axis=1, keepdims=True)
        by_higher = np.sum((by_phase.T @ products) * odd, axis=0)
        return DiagonalAngles(by_field, by_coupling, by_higher)

    return np.cos(2 * phases), pullback


def _wires_of(words: Words) -> list[NDArray[np.int64]]:
    return np.split(words.wires, words.starts[1:-1])


def _odd_bodies(words: Words, bodies: Bodies, spins: Floats) -> tuple[Floats, Floats]:
    """Which higher bodies have an odd number of wires of a word (W, G); their products (R, G)."""
    members = bodies.higher.incidence(bodies.wires)
    common = words.incidence(bodies.wires) @ members.T
    products = np.ones((len(spins), len(members)))
    for number, wires in enumerate(_wires_of(bodies.higher)):
        if len(members):
            products[:, number] = np.prod(spins[:, wires], axis=1)
    return common % 2, products
