"""Gradients by parameter shift, for anything that can only run circuits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import SHIFTS
from qgen_core.typing import Floats

#: Most output numbers held at once; with more, the shifted circuits run in several batches.
MAX_OUTPUT = 2**27


def shifted_rows(circuit: Circuit, angles: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """All shifted angle rows (R, A), the column that each shifts (R,) and its coefficient (R,).

    Rows come term by term, with the B rows of the batch for each term. Constant angles are not
    shifted.

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
    stacked = np.concatenate(rows) if rows else np.empty((0, angles.shape[1]))
    return stacked, np.array(columns, dtype=np.intp), np.array(coefficients)


def parameter_shift(
    run: Callable[[Floats], NDArray[Any]], circuit: Circuit, angles: Floats, cotangent: NDArray[Any]
) -> Floats:
    """d loss / d angles (B, A) from shifted runs and the cotangent d loss / d output (B, ...).

    Two terms for rotations, four for controlled ones (Wierichs et al., arXiv:2107.12390). Outputs
    are shifted, not the loss: the cotangent d loss / d output enters by the chain rule.

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
