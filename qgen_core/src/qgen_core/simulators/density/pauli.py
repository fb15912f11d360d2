"""Gates and channels as Pauli transfer matrices.

A density matrix of n wires is written as the vector of its 4^n real coefficients ``tr(P rho)``. P
runs over the Pauli words, with the letters I, X, Y, Z as digits 0 to 3 and wire 0 most significant.
A map E becomes the real matrix ``tr(P_i E(P_j)) / 2^n``, whose first row is (1, 0, ...) because the
trace is preserved: the Pauli transfer matrix (D. Greenbaum, arXiv:1509.02921).
"""

from __future__ import annotations

from functools import cache, reduce
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.gates import GateSpec
from qgen_core.circuits.pauli_form import PAULI
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Complex, Floats

LETTERS = "IXYZ"
#: Terms of a gate with an angle t: 1, cos t, sin t, cos t/2, sin t/2. Rotations need the first
#: three.
TERMS = 5
#: Differences below this are rounding errors.
ROUNDING = 1e-12


@cache
def _words(wires: int) -> Complex:
    """The matrices of all Pauli words, each as one row (4^n, 4^n)."""
    matrices = []
    for word in product(LETTERS, repeat=wires):
        letters: list[NDArray[Any]] = [PAULI[letter] for letter in word]
        matrices.append(reduce(np.kron, letters))
    return np.array(matrices).reshape(4**wires, -1)


def transfer_matrix(kraus: Complex) -> Floats:
    """The map ``rho -> sum_k K rho K^dagger`` of Kraus operators (K, 2^w, 2^w) as (4^w, 4^w).

    >>> transfer_matrix(np.array([[[0, 1], [1, 0]]])).diagonal()  # of X: it flips Y and Z
    array([ 1.,  1., -1., -1.])
    """
    dim = kraus.shape[1]
    words = _words(dim.bit_length() - 1)
    rows = kraus.reshape(len(kraus), -1)
    # sum_k K_ij conj(K_kl), as a matrix from (j, l) to (i, k)
    products = (rows.T @ rows.conj()).reshape((dim,) * 4)
    matrix = products.transpose(0, 2, 1, 3).reshape(dim**2, dim**2)
    return np.ascontiguousarray(np.real(words.conj() @ (matrix @ words.T)) / dim)


def gate_terms(spec: GateSpec) -> Floats:
    """The transfer matrix of a gate as a sum of terms: (1, D, D), or (3 or 5, D, D) with an angle.

    The terms are the coefficients of 1, cos t, sin t, cos t/2 and sin t/2 of the angle t; a gate
    without an angle has one. The table of gates admits only generators with these frequencies, so
    the values at five angles in a period of 4 pi give all terms.

    >>> from qgen_core.circuits.gates import GATES
    >>> gate_terms(GATES["rz"])[1].diagonal().round(3)  # X and Y are multiplied by cos t
    array([0., 1., 1., 0.])
    """
    return _terms.get(spec, lambda: _make_terms(spec))


_terms: Remembered[GateSpec, Floats] = Remembered()


def _make_terms(spec: GateSpec) -> Floats:
    if not spec.has_angle:
        return transfer_matrix(spec.matrix()[None])[None]
    nodes = 4 * np.pi * np.arange(5) / 5
    values = np.array([transfer_matrix(spec.matrix(float(t))[None]) for t in nodes])
    half = nodes / 2
    waves = np.array([np.full(5, 0.5), np.cos(nodes), np.sin(nodes), np.cos(half), np.sin(half)])
    terms: Floats = 0.4 * np.einsum("tk,kij->tij", waves, values)
    # the terms of most gates are multiples of 1/4, which rounding makes exact
    quarters = np.round(4 * terms) / 4
    terms = np.where(np.abs(terms - quarters) < ROUNDING, quarters, terms)
    if np.any(np.abs(terms[3:]) > ROUNDING):
        return terms
    return np.ascontiguousarray(terms[:3])


def on_all(terms: Floats, positions: tuple[int, ...], width: int) -> Floats:
    """Matrices (T, 4^k, 4^k) on some of ``width`` wires as (T, 4^width, 4^width) on all.

    >>> on_all(np.diag([1.0, 2.0, 3.0, 4.0])[None], (1,), 2)[0].diagonal()[:5]
    array([1., 2., 3., 4., 1.])
    """
    others = [p for p in range(width) if p not in positions]
    full = np.einsum("tij,kl->tikjl", terms, np.eye(4 ** len(others)))
    place = np.argsort([*positions, *others])
    axes = (0, *(1 + place), *(1 + width + place))
    out = full.reshape(len(terms), *(4,) * (2 * width)).transpose(axes)
    return np.ascontiguousarray(out.reshape(len(terms), 4**width, 4**width))
