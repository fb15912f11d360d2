"""Circuits for lightning's compiled state vectors.

Prepared once, run and differentiated row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from qgen_core import Circuit
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BrokenPlugin
from qgen_core.typing import Array, Floats
from qgen_pennylane.translate import LETTERS, NAMES


class Kernels:
    """Lightning's compiled classes of one precision.

    They are what its Python layer calls for each tape; that layer takes ten times as long as they
    do.
    Raises BrokenPlugin when the installed version has others.
    """

    def __init__(self, precision: str) -> None:
        suffix = "C64" if precision == "single" else "C128"
        self.dtype = np.dtype(np.complex64 if precision == "single" else np.complex128)
        module = import_optional(
            "pennylane_lightning.lightning_qubit_ops", "backend 'lightning'", "pennylane-lightning"
        )
        try:
            self.state = getattr(module, f"StateVector{suffix}")
            self.measurements = getattr(module, f"Measurements{suffix}")
            self.operations = getattr(module.algorithms, f"create_ops_list{suffix}")
            self.adjoint = getattr(module.algorithms, f"AdjointJacobian{suffix}")()
            self.named, self.tensor, self.sparse, self.hamiltonian = (
                getattr(module.observables, f"{name}{suffix}")
                for name in ("NamedObs", "TensorProdObs", "SparseHamiltonian", "Hamiltonian")
            )
        except AttributeError as error:
            raise BrokenPlugin(
                "backend 'lightning' does not know the kernels of this pennylane-lightning "
                f"({error}); take "
                "backend 'pennylane' with device 'lightning.qubit', or `pip install "
                "pennylane-lightning==0.45.0`"
            ) from error

    def word(self, letters: str) -> Any:
        """The observable of a Pauli word."""
        factors = [
            self.named(LETTERS[letter], [wire])
            for wire, letter in enumerate(letters)
            if letter != "I"
        ]
        if len(factors) < 2:
            return factors[0] if factors else self.named("Identity", [0])
        return self.tensor(factors)


class Program:
    """One circuit in the terms of lightning's kernels."""

    def __init__(self, kernels: Kernels, circuit: Circuit) -> None:
        self.kernels, self.num_wires = kernels, circuit.num_wires
        self.turning = [gate.angle is not None for gate in circuit.gates]
        #: Columns of the angle array whose slopes are asked for.
        self.free = [
            column for column, angle in enumerate(circuit.angles) if angle.source != "const"
        ]
        self.names: list[str] = []
        self.wires: list[list[int]] = []
        self.matrices: list[Array] = []
        self._calls: list[tuple[Any, Array | None, list[int]]] = []
        for gate in circuit.gates:
            name, wires = NAMES[gate.name], list(gate.wires)
            method = getattr(kernels.state, name, None)
            matrix = np.empty(0, dtype=kernels.dtype)
            if method is None:
                name, matrix = "QubitUnitary", gate.spec.matrix().astype(kernels.dtype)
            self.names.append(name)
            self.wires.append(wires)
            self.matrices.append(matrix.ravel())
            self._calls.append(
                (method or kernels.state.applyMatrix, matrix if method is None else None, wires)
            )

    def run(self, row: Sequence[float], state: Any) -> Any:
        """The state after the circuit with these angles, written over ``state``."""
        state.resetStateVector()
        left = iter(row)
        for (method, matrix, wires), turning in zip(self._calls, self.turning, strict=True):
            if matrix is None:
                method(state, wires, False, [next(left)] if turning else [])
            else:
                method(state, matrix, wires, False)
        return state

    def slopes(self, row: Sequence[float], state: Any, observable: Any) -> Floats:
        """d <observable> / d angle (A,) by one adjoint sweep from the state.

        Zero for constant angles.
        """
        left, gates = iter(row), len(self.names)
        angles: list[list[float]] = []
        for turning in self.turning:
            angles.append([next(left)] if turning else [])
        none: list[list[int]] = [[]] * gates
        operations = self.kernels.operations(
            self.names, angles, self.wires, [False] * gates, self.matrices, none, none
        )
        found = np.zeros(len(row))
        if self.free:
            found[self.free] = self.kernels.adjoint(state, [observable], operations, self.free)
        return found

    def amplitudes(self, state: Any) -> Array:
        """The amplitudes (2^Q,) of a state."""
        found = np.empty(2**self.num_wires, dtype=self.kernels.dtype)
        state.getState(found)
        return found

    def diagonal(self, values: Array) -> Any:
        """The observable diag(values) (2^Q,)."""
        columns, starts = self._diagonal_places
        return self.kernels.sparse(
            values.astype(self.kernels.dtype), columns, starts, list(range(self.num_wires))
        )

    @cached_property
    def _diagonal_places(self) -> tuple[list[int], list[int]]:
        """Columns and row starts of a diagonal matrix."""
        return list(range(2**self.num_wires)), list(range(2**self.num_wires + 1))
