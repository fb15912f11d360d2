"""The backend ``qsim``: Google's compiled simulator, complex64."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator
from qgen_core.circuits.measures import Measure
from qgen_core.circuits.paulis import expectations_of_states
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats

#: Gates that qsim has by its own names.
FIXED = {
    "h": "kH",
    "x": "kX",
    "y": "kY",
    "z": "kZ",
    "s": "kS",
    "t": "kT",
    "cx": "kCX",
    "cz": "kCZ",
    "swap": "kSWAP",
}
#: Gates with an angle: qsim's power gate, and the global shift of its exponent.
TURNED = {
    **{
        "rx": ("kXPowGate", -0.5),
        "ry": ("kYPowGate", -0.5),
        "rz": ("kZPowGate", -0.5),
        "p": ("kZPowGate", 0.0),
    },
    **{"rxx": ("kXXPowGate", -0.5), "ryy": ("kYYPowGate", -0.5), "rzz": ("kZZPowGate", -0.5)},
    **{"crx": ("kXPowGate", -0.5), "cry": ("kYPowGate", -0.5), "crz": ("kZPowGate", -0.5)},
}


#: Gates that qsim gets as matrices.
MATRICES = frozenset({"sx", "ecr"})
#: Gates whose first wire controls.
CONTROLLED = frozenset({"crx", "cry", "crz"})
#: All gates that are mapped to qsim's; others are refused.
MAPPED = frozenset({*FIXED, *TURNED, *MATRICES})


class Step(NamedTuple):
    """An operation in qsim's terms; ``matrix`` for gates that qsim does not know by name."""

    kind: Any
    qubits: list[int]
    controls: list[int]
    shift: float | None
    matrix: list[float]


class QsimBackend(Simulator):
    """qsim's state vectors, in complex64 only: values are good to about 1e-6.

    Its compiled circuits are filled directly, row by row: to go by way of ``cirq.Circuit`` takes
    ten times as long, and keeps every circuit that was ever run. Gradients are by parameter shift.
    qsim knows noise as random trajectories only, so circuits with channels are refused.

    Args:
        threads: Threads for one state.
        fused: Most wires of a fused gate; 2 to 4.
    """

    capabilities = Capabilities(gates=MAPPED, precision="single")

    def __init__(self, *, threads: int = 1, fused: int = 2) -> None:
        if threads < 1 or not 2 <= fused <= 4:
            raise BadOption(f"threads is at least 1 and fused 2 to 4, not {threads} and {fused}")
        self._qsim = import_optional("qsimcirq", "backend 'qsim'", "qsimcirq").qsim
        self.threads, self.fused = threads, fused
        self._steps: Remembered[Circuit, list[Step]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        rows = 0 if isinstance(measure, Expectations) else batch
        require_qubits(circuit.num_wires, lambda n: 2**n * (2 * 8 + 16 * rows))

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        rows = checked_angles(circuit, angles)
        self.require(circuit, measure, len(rows))
        steps = self._steps.get(circuit, lambda: self._translated(circuit))
        return np.concatenate(
            [self._read(self._state(circuit, steps, row), measure) for row in rows.tolist()]
        )

    def _state(self, circuit: Circuit, steps: list[Step], row: list[float]) -> Array:
        """The state (1, 2^Q) for one row of angles."""
        qsim = self._qsim
        filled = qsim.Circuit()
        filled.num_qubits = circuit.num_wires
        left = iter(row)
        for time, (kind, qubits, controls, shift, matrix) in enumerate(steps):
            if matrix:
                qsim.add_matrix_gate(time, qubits, matrix, filled)
                continue
            turn = {} if shift is None else {"exponent": next(left) / np.pi, "global_shift": shift}
            qsim.add_gate(kind, time, qubits, turn, filled)
            if controls:
                qsim.control_last_gate(controls, [1], filled)
        options = {
            "c": filled,
            "s": 0,
            "f": self.fused,
            "t": self.threads,
            "r": 1,
            "v": 0,
            "z": False,
        }
        state = qsim.qsim_simulate_fullstate(
            {**options, "g": False, "gmode": 0, "gsst": 512, "gdb": 16}, 0
        )
        return np.asarray(state).view(np.complex64)[None]

    def _translated(self, circuit: Circuit) -> list[Step]:
        """The circuit's gates.

        Wire w is qsim's qubit Q - 1 - w, whose amplitudes then come in our order.
        """
        steps = []
        for gate in circuit.gates:
            qubits = [circuit.num_wires - 1 - wire for wire in gate.wires]
            if gate.name in TURNED:
                kind, shift = TURNED[gate.name]
                controls = qubits[:1] if gate.name in CONTROLLED else []
                steps.append(
                    Step(getattr(self._qsim, kind), qubits[len(controls) :], controls, shift, [])
                )
            elif gate.name in FIXED:
                steps.append(Step(getattr(self._qsim, FIXED[gate.name]), qubits, [], None, []))
            else:
                if gate.name not in MATRICES:
                    raise Unsupported(f"qgen-cirq maps no gate {gate.name!r} to qsim")
                matrix = gate.spec.matrix().ravel().view(np.float64).tolist()
                steps.append(Step(None, qubits, [], None, matrix))
        return steps

    def _read(self, state: Array, measure: Measure) -> Array:
        """What is measured of a state (1, 2^Q), rounding of its norm removed."""
        exact = state.astype(np.complex128)
        exact /= np.linalg.norm(exact)
        if isinstance(measure, Probabilities):
            return np.asarray(exact.real**2 + exact.imag**2)
        return (
            expectations_of_states(exact, measure.paulis)
            if isinstance(measure, Expectations)
            else exact
        )
