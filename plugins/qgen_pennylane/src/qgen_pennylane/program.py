"""Circuits for lightning's compiled state vectors, prepared once and run row by row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from qgen_core import Circuit, Gate
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BrokenPlugin
from qgen_core.typing import Array, Floats
from qgen_pennylane.translate import LETTERS, mapped_name


class Kernels:
    """Lightning's compiled classes of one precision, ``single`` or ``double``.

    They are called directly, because lightning's Python layer takes ten times as long for each
    tape as the classes themselves. Raises BrokenPlugin when the installed version has others.

    >>> Kernels("single").dtype
    dtype('complex64')
    """

    def __init__(self, precision: str) -> None:
        suffix = "C128"
        self.dtype: np.dtype[Any] = np.dtype(np.complex128)
        if precision == "single":
            suffix = "C64"
            self.dtype = np.dtype(np.complex64)
        module = import_optional(
            "pennylane_lightning.lightning_qubit_ops", "backend 'lightning'", "pennylane-lightning"
        )
        try:
            self.state = getattr(module, f"StateVector{suffix}")
            self.measurements = getattr(module, f"Measurements{suffix}")
            self.operations = getattr(module.algorithms, f"create_ops_list{suffix}")
            self.adjoint = getattr(module.algorithms, f"AdjointJacobian{suffix}")()
            self.named = getattr(module.observables, f"NamedObs{suffix}")
            self.tensor = getattr(module.observables, f"TensorProdObs{suffix}")
            self.sparse = getattr(module.observables, f"SparseHamiltonian{suffix}")
            self.hamiltonian = getattr(module.observables, f"Hamiltonian{suffix}")
        except AttributeError as error:
            raise BrokenPlugin(
                "backend 'lightning' does not know the kernels of this pennylane-lightning "
                f"({error}); take backend 'pennylane' with device 'lightning.qubit', or "
                "`pip install pennylane-lightning==0.45.0`"
            ) from error

    def word(self, letters: str) -> Any:
        """The observable of a Pauli word, letter i on wire i.

        >>> Kernels("double").word("IZ")
        PauliZ[1]
        """
        factors = []
        for wire, letter in enumerate(letters):
            if letter != "I":
                factors.append(self.named(LETTERS[letter], [wire]))
        if not factors:
            return self.named("Identity", [0])
        if len(factors) == 1:
            return factors[0]
        return self.tensor(factors)


class _Call(NamedTuple):
    """A gate as a call of a method of lightning's state.

    ``matrix`` is None for a method that knows its gate; ``has_angle`` says whether it takes one.
    """

    method: Any
    matrix: Array | None
    wires: list[int]
    has_angle: bool


class Program:
    """One circuit in the terms of lightning's kernels.

    >>> from qgen_core import param
    >>> kernels = Kernels("double")
    >>> program = Program(kernels, Circuit(1, (Gate("ry", (0,), param(0)),)))
    >>> state = program.run([np.pi / 2], kernels.state(1))
    >>> program.amplitudes(state).real.round(3).tolist()
    [0.707, 0.707]
    >>> program.gradient([np.pi / 2], state, kernels.word("Z")).round(6).tolist()
    [-1.0]
    """

    def __init__(self, kernels: Kernels, circuit: Circuit) -> None:
        self.kernels = kernels
        self.num_wires = circuit.num_wires
        #: Columns of the angle array that have a derivative: constant angles have none.
        self.columns: list[int] = []
        for column, angle in enumerate(circuit.angles):
            if angle.source != "const":
                self.columns.append(column)
        self.names: list[str] = []
        self.wires: list[list[int]] = []
        self.matrices: list[Array] = []
        self._calls: list[_Call] = []
        for gate in circuit.gates:
            self._append(gate)

    def _append(self, gate: Gate) -> None:
        name = mapped_name(gate.name)
        wires = list(gate.wires)
        method = getattr(self.kernels.state, name, None)
        has_angle = gate.angle is not None
        if method is None:  # lightning has no kernel for this gate
            matrix = gate.spec.matrix().astype(self.kernels.dtype)
            call = _Call(self.kernels.state.applyMatrix, matrix, wires, has_angle)
            self.names.append("QubitUnitary")
            self.matrices.append(matrix.ravel())
        else:
            call = _Call(method, None, wires, has_angle)
            self.names.append(name)
            self.matrices.append(np.empty(0, dtype=self.kernels.dtype))
        self.wires.append(wires)
        self._calls.append(call)

    def run(self, row: Sequence[float], state: Any) -> Any:
        """The state after the circuit with the angles ``row`` (A,); overwrites ``state``."""
        state.resetStateVector()
        for call, angles in zip(self._calls, self._angles(row), strict=True):
            if call.matrix is None:
                call.method(state, call.wires, False, angles)
            else:
                call.method(state, call.matrix, call.wires, False)
        return state

    def gradient(self, row: Sequence[float], state: Any, observable: Any) -> Floats:
        """d <observable> / d angle (A,) by one adjoint sweep from the final state.

        It is zero for constant angles.
        """
        gates = len(self.names)
        angles = self._angles(row)
        not_inverted = [False] * gates
        no_controls: list[list[int]] = [[]] * gates
        operations = self.kernels.operations(
            self.names, angles, self.wires, not_inverted, self.matrices, no_controls, no_controls
        )
        gradient = np.zeros(len(row))
        if self.columns:
            gradient[self.columns] = self.kernels.adjoint(
                state, [observable], operations, self.columns
            )
        return gradient

    def _angles(self, row: Sequence[float]) -> list[list[float]]:
        """The angle of each gate as a list, empty for gates without one."""
        remaining = iter(row)
        angles: list[list[float]] = []
        for call in self._calls:
            if call.has_angle:
                angles.append([next(remaining)])
            else:
                angles.append([])
        return angles

    def amplitudes(self, state: Any) -> Array:
        """The amplitudes (2^Q,) of a state."""
        amplitudes = np.empty(2**self.num_wires, dtype=self.kernels.dtype)
        state.getState(amplitudes)
        return amplitudes

    def diagonal(self, values: Array) -> Any:
        """The observable with the matrix diag(values), values (2^Q,)."""
        columns, starts = self._diagonal_positions
        wires = list(range(self.num_wires))
        return self.kernels.sparse(values.astype(self.kernels.dtype), columns, starts, wires)

    @cached_property
    def _diagonal_positions(self) -> tuple[list[int], list[int]]:
        """Column indices and row starts of a diagonal matrix in compressed sparse rows."""
        size = 2**self.num_wires
        return list(range(size)), list(range(size + 1))
