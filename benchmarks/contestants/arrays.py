"""Rot matrices and shifted parameter rows in numpy, for libraries that only take numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.task import Floats, Op, Step, Task, js


def rot_matrices(params: Floats, ops: tuple[Op, ...]) -> NDArray[np.complex128]:
    """The unitaries (R, 2, 2) of the ``rot`` ops: rz(omega) ry(theta) rz(phi), phi first."""
    phi, theta, omega = params[np.array([op.params for op in ops if op.name == "rot"])].T
    c, s = np.cos(theta / 2), np.sin(theta / 2)
    same, other = np.exp(-0.5j * (phi + omega)), np.exp(0.5j * (phi - omega))
    flat = [same * c, -other * s, other.conj() * s, same.conj() * c]
    return np.stack(flat, axis=-1).reshape(-1, 2, 2)


def by_parameter_shift(task: Task, probabilities: Callable[[Floats], NDArray[Any]]) -> Step:
    """A step that gives ``probabilities`` 2 P + 1 rows of parameters and takes (rows, 2^Q)."""
    shifts = np.eye(len(task.params)) * (np.pi / 2)

    def step(params: Floats) -> tuple[float, Floats]:
        rows = np.concatenate([params[None], params + shifts, params - shifts])
        p = np.asarray(probabilities(rows), dtype=np.float64)
        value, slope = js(p[0], task.target)
        plus, minus = np.split(p[1:], 2)
        return value, 0.5 * ((plus - minus) @ slope)

    return step
