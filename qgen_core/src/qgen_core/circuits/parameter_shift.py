"""Gradients by parameter shift, for anything that can only run circuits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import GATES, SHIFTS
from qgen_core.typing import Floats

#: Numbers of output held at once; beyond it the shifted circuits run in several batches.
MAX_OUTPUT = 2**27


def shifted_rows(circuit: Circuit, angles: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """All shifted angle rows (R, A), the column that each shifts (R,) and its coefficient (R,).

    Rows come term by term, B rows of the batch each. Constant angles are not shifted.
    """
    rows, columns, coefficients = [], [], []
    with_angle = [g for g in circuit.gates if g.angle is not None]
    for column, gate in enumerate(with_angle):
        assert gate.angle is not None
        if gate.angle.source == "const":
            continue
        for shift, coefficient in SHIFTS[GATES[gate.name].shift]:
            moved = angles.copy()
            moved[:, column] += shift
            rows.append(moved)
            columns.append(column)
            coefficients.append(coefficient)
    stacked = np.concatenate(rows) if rows else np.empty((0, angles.shape[1]))
    return stacked, np.array(columns, dtype=np.intp), np.array(coefficients)


def parameter_shift(
    run: Callable[[Floats], NDArray[Any]], circuit: Circuit, angles: Floats, cotangent: NDArray[Any]
) -> Floats:
    """d loss / d angles (B, A), given ``run`` from angle rows to outputs and d loss / d output (B, ...).

    Two terms for rotations, four for controlled ones (Wierichs et al., arXiv:2107.12390). Outputs are
    shifted, never the loss: the cotangent carries the loss through by the chain rule.
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
