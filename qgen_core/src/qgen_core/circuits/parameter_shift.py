"""Gradients by parameter shift, for backends that can only run circuits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import SHIFTS
from qgen_core.typing import Floats

#: The largest number of outputs in memory at once; shifted circuits with more of them are run in
#: several batches.
MAX_OUTPUT = 2**27


def shifted_rows(circuit: Circuit, angles: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """All shifted angle rows (R, A), the column that each shifts (R,) and its coefficient (R,).

    The rows of the first term of a shift rule come first, one for each of the B rows of ``angles``.
    Constant angles are not shifted.

    >>> from qgen_core.circuits.circuit import Gate, param
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> rows, columns, coefficients = shifted_rows(circuit, np.array([[0.0]]))
    >>> rows.round(2).tolist(), columns.tolist(), coefficients.tolist()
    ([[1.57], [-1.57]], [0, 0], [0.5, -0.5])
    """
    rows = []
    columns = []
    coefficients = []
    column = -1
    for gate in circuit.gates:
        if gate.angle is None:
            continue
        column += 1
        if gate.angle.source == "const":
            continue
        for shift, coefficient in SHIFTS[gate.spec.shift]:
            shifted = angles.copy()
            shifted[:, column] += shift
            rows.append(shifted)
            columns.append(column)
            coefficients.append(coefficient)
    stacked = np.concatenate([np.empty((0, angles.shape[1])), *rows])
    return stacked, np.array(columns, dtype=np.intp), np.array(coefficients)


def parameter_shift(
    run: Callable[[Floats], NDArray[Any]], circuit: Circuit, angles: Floats, cotangent: NDArray[Any]
) -> Floats:
    """d loss / d angles (B, A) by the chain rule from the cotangent d loss / d output (B, ...).

    ``run`` returns the outputs (rows, ...) for rows of angles. d output / d angle is a sum of two
    terms for rotations and of four for controlled rotations. Columns of constant angles are zero.

    Source: Wierichs et al., Quantum 6 (2022) 677, arXiv:2107.12390.

    >>> from qgen_core.circuits.circuit import Gate, param
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> parameter_shift(np.cos, circuit, np.array([[0.5]]), np.ones((1, 1))).round(4).tolist()
    [[-0.4794]]
    """
    rows, columns, coefficients = shifted_rows(circuit, angles)
    gradient = np.zeros_like(angles)
    batch = len(angles)
    flat = np.asarray(cotangent).reshape(batch, -1)
    terms_at_once = max(1, MAX_OUTPUT // max(1, flat.size))
    for start in range(0, len(columns), terms_at_once):
        part = slice(start, start + terms_at_once)
        outputs = run(rows[start * batch : (start + terms_at_once) * batch])
        outputs = outputs.reshape(len(columns[part]), batch, -1)
        slopes = np.einsum("tbk,bk->tb", outputs, flat) * coefficients[part, None]
        np.add.at(gradient.T, columns[part], slopes)
    return gradient
