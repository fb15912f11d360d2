"""The backend ``qsim``: Google's compiled simulator, complex64."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from qgen_cirq.gates import GATES, mapped_gate
from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator
from qgen_core.circuits.measures import Measure
from qgen_core.circuits.paulis import expectations_of_states
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats

#: Options of qsim that never change: seed, repetitions, verbosity, denormals kept, no GPU.
_OPTIONS = {"s": 0, "r": 1, "v": 0, "z": False, "g": False, "gmode": 0, "gsst": 512, "gdb": 16}


class QsimStep(NamedTuple):
    """An operation in terms of qsim.

    Args:
        kind: The kind of gate; None for a gate that is passed as its matrix.
        qubits: Qubits on which it acts, without the controls.
        controls: Control qubits.
        shift: ``global_shift`` of a gate with an angle, else None.
        matrix: Real and imaginary parts of the matrix in turn; empty for a gate with a kind.
    """

    kind: Any
    qubits: list[int]
    controls: list[int]
    shift: float | None
    matrix: list[float]


class QsimBackend(Simulator):
    """qsim's state vectors, in complex64 only: errors of values are about 1e-6.

    Its compiled circuits are filled directly, row by row: through a ``cirq.Circuit`` it takes ten
    times as long, and every circuit that was ever run stays in memory. Gradients are by parameter
    shift. qsim has noise as random trajectories only, so circuits with channels are refused.

    Args:
        threads: Number of threads for one state.
        fused: Most wires of a fused gate; 2 to 4.

    Raises BadOption for other values, BrokenPlugin when qsimcirq is not installed.

    >>> from qgen_core import Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> QsimBackend().probabilities(bell, []).round(5)
    array([0.5, 0. , 0. , 0.5])
    """

    capabilities = Capabilities(gates=frozenset(GATES), precision="single")

    def __init__(self, *, threads: int = 1, fused: int = 2) -> None:
        if threads < 1 or not 2 <= fused <= 4:
            raise BadOption(
                f"threads must be at least 1 and fused 2 to 4, not {threads} and {fused}"
            )
        self._qsim = import_optional("qsimcirq", "backend 'qsim'", "qsimcirq").qsim
        self.threads = threads
        self.fused = fused
        self._steps: Remembered[Circuit, list[QsimStep]] = Remembered()

    def __reduce__(self) -> tuple[Any, ...]:
        """Built anew from its options: modules and compiled objects cannot be pickled."""
        return partial(type(self), threads=self.threads, fused=self.fused), ()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if a run needs more memory than is free."""
        output_rows = batch
        if isinstance(measure, Expectations):
            output_rows = 0
        require_qubits(circuit.num_wires, lambda n: 2**n * (2 * 8 + 16 * output_rows))

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q)."""
        rows = checked_angles(circuit, angles)
        self.require(circuit, measure, len(rows))
        steps = self._steps.get(circuit, lambda: self._translated(circuit))
        outputs = []
        for row in rows.tolist():
            state = self._state(circuit, steps, row)
            outputs.append(_read(state, measure))
        return np.concatenate(outputs)

    def _state(self, circuit: Circuit, steps: list[QsimStep], row: list[float]) -> Array:
        """The state (1, 2^Q) for one row of angles."""
        qsim = self._qsim
        filled = qsim.Circuit()
        filled.num_qubits = circuit.num_wires
        remaining = iter(row)
        for time, (kind, qubits, controls, shift, matrix) in enumerate(steps):
            if matrix:
                qsim.add_matrix_gate(time, qubits, matrix, filled)
                continue
            parameters = {}
            if shift is not None:
                parameters = {"exponent": next(remaining) / np.pi, "global_shift": shift}
            qsim.add_gate(kind, time, qubits, parameters, filled)
            if controls:
                qsim.control_last_gate(controls, [1], filled)
        options = {"c": filled, "f": self.fused, "t": self.threads, **_OPTIONS}
        state = qsim.qsim_simulate_fullstate(options, 0)
        return np.asarray(state).view(np.complex64)[None]

    def _translated(self, circuit: Circuit) -> list[QsimStep]:
        """The circuit's gates.

        Wire w is qsim's qubit Q - 1 - w, so that amplitudes are in our order.
        """
        steps = []
        for gate in circuit.gates:
            mapped = mapped_gate(gate.name).qsim
            qubits = [circuit.num_wires - 1 - wire for wire in gate.wires]
            if not mapped.kind:
                matrix = gate.spec.matrix().ravel().view(np.float64).tolist()
                steps.append(QsimStep(None, qubits, [], None, matrix))
                continue
            controls = []
            if mapped.controlled:
                controls = qubits[:1]
                qubits = qubits[1:]
            kind = getattr(self._qsim, mapped.kind)
            steps.append(QsimStep(kind, qubits, controls, mapped.shift, []))
        return steps


def _read(state: Array, measure: Measure) -> Array:
    """What is measured of a state (1, 2^Q), normalised in complex128."""
    exact = state.astype(np.complex128)
    exact /= np.linalg.norm(exact)
    if isinstance(measure, Probabilities):
        return np.asarray(exact.real**2 + exact.imag**2)
    if isinstance(measure, Expectations):
        return expectations_of_states(exact, measure.paulis)
    return exact
