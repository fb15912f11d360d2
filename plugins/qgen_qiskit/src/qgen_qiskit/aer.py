"""The backend ``aer``: the simulators of Qiskit Aer, one job per batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    Measure,
    Probabilities,
    Shots,
    State,
    check_measure,
)
from qgen_core.circuits.parameter_shift import MAX_OUTPUT, parameter_shift, shifted_rows
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, Unsupported
from qgen_core.simulators.base import Simulator, checked_angles, group_words, to_basis
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_memory, require_qubits
from qgen_core.typing import AnglePullback, Array, Floats
from qgen_qiskit.counts import Counts
from qgen_qiskit.translate import GATES, free_angles, to_qiskit

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

Method = Literal["automatic", "statevector", "density_matrix", "matrix_product_state"]

BYTES_PER_AMPLITUDE = {"double": 16, "single": 8}
#: Aer fuses gates of circuits with more wires than this. Up to it a batch is faster if Aer binds
#: the angles while it runs.
MAX_UNFUSED_WIRES = 14
#: Outcomes are 64-bit integers.
MOST_WIRES = 62
#: Gates that are replaced by their definitions: most methods lack them, and the state vector
#: ignores their ``parameter_binds`` (0.18.2).
CONTROLLED_ROTATIONS = ("crx", "cry", "crz")


class AerBackend(Simulator):
    """Qiskit Aer: exact values, or Aer's own shots.

    A batch, including the shifted circuits of a gradient, is one Aer job.

    Args:
        method: ``automatic`` takes density matrices for circuits with channels, else state
            vectors. ``matrix_product_state`` can hold wide circuits of little entanglement; it and
            ``statevector`` run channels with shots only, shot by shot.
        precision: ``double`` for complex128, ``single`` for complex64.

    Raises BadOption for other options.

    >>> from qgen_core import Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> AerBackend().probabilities(bell, []).round(3)
    array([0.5, 0. , 0. , 0.5])
    """

    capabilities = Capabilities(gates=frozenset(GATES), max_wires=MOST_WIRES, noise=True)

    def __init__(
        self, *, method: Method = "automatic", precision: Literal["double", "single"] = "double"
    ) -> None:
        if method not in ("automatic", "statevector", "density_matrix", "matrix_product_state"):
            raise BadOption(
                "method must be automatic, statevector, density_matrix or matrix_product_state, "
                f"not {method!r}"
            )
        if precision not in ("double", "single"):
            raise BadOption(f"precision must be 'double' or 'single', not {precision!r}")
        self.method = method
        self.precision = precision
        self.capabilities = replace(self.capabilities, precision=precision)
        aer = import_optional("qiskit_aer", "backend 'aer'", "qiskit-aer")
        self._simulators = {
            name: aer.AerSimulator(method=name, precision=precision)
            for name in ("statevector", "density_matrix", "matrix_product_state")
        }
        self._prepared: Remembered[Circuit, dict[object, QuantumCircuit]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if a state and the values of a batch do not fit in memory."""
        size = BYTES_PER_AMPLITUDE[self.precision]
        factor = {"statevector": 1, "density_matrix": 2}.get(self._method(circuit))
        if factor is not None:
            require_qubits(circuit.num_wires, lambda n: size * 2 ** (factor * n))
        if isinstance(measure, Probabilities | State):
            require_memory(
                16 * batch * 2**circuit.num_wires,
                f"{batch} rows of 2^{circuit.num_wires} values",
                "measure Bits",
            )

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        method = self._method(circuit)
        if circuit.channels and method != "density_matrix":
            raise Unsupported(
                f"aer's method {method} has no exact values of a circuit with the channel "
                f"{circuit.channels[0].name!r}: use the method density_matrix, or shots"
            )
        if circuit.channels and isinstance(measure, State):
            raise Unsupported(
                "a circuit with channels has no State(); measure probabilities or expectations"
            )
        self.require(circuit, measure, len(angles))
        words = measure.paulis if isinstance(measure, Expectations) else ()
        key = (type(measure), words)
        ready = self._ready(circuit, key, lambda copy: _save(copy, measure))
        found = self._job([(circuit, ready, angles)], method, shots=1)
        if isinstance(measure, Expectations):
            return np.array([[data[str(k)] for k in range(len(words))] for data in found])
        name = "probabilities" if isinstance(measure, Probabilities) else "state"
        return np.stack([np.asarray(data[name]) for data in found])

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        if shots is None or isinstance(measure, State):
            return super().run(circuit, angles, measure, shots)
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        self.require(circuit, measure, len(angles))
        if isinstance(measure, Expectations):
            return self._words(circuit, angles, measure, shots)
        counted = self._counted([(circuit, angles)], shots)
        found: list[Array] = []
        for data in counted:
            counts = Counts.from_hexadecimal(data["counts"], shots.number)
            counts = counts.with_readout_errors(measure.confusion, shots.rng)
            if isinstance(measure, Bits):
                found.append(counts.bits(circuit.num_wires, shots.rng))
            else:
                found.append(counts.table(circuit.num_wires) / shots.number)
        return np.stack(found)

    def forward(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> tuple[Array, AnglePullback]:
        """Values and pullback; the shifted circuits of the gradient run in the same job."""
        shifted = shifted_rows(circuit, checked_angles(circuit, angles))[0]
        columns = len(measure.paulis) if isinstance(measure, Expectations) else 2**circuit.num_wires
        if isinstance(measure, Bits | State) or len(shifted) * columns > MAX_OUTPUT:
            return super().forward(circuit, angles, measure, shots)
        outputs = self.run(circuit, np.concatenate([angles, shifted]), measure, shots)
        values = outputs[: len(angles)]
        moved = outputs[len(angles) :]

        def pullback(cotangent: Array) -> Floats:
            return parameter_shift(lambda _: moved, circuit, angles, cotangent)

        return values, pullback

    def _words(
        self, circuit: Circuit, angles: Floats, measure: Expectations, shots: Shots
    ) -> Array:
        """Expectations from shots; all measurement bases of all rows run in one job."""
        bases = group_words(measure.paulis)
        counted = iter(self._counted([to_basis(circuit, angles, basis) for basis in bases], shots))
        out = np.empty((len(angles), len(measure.paulis)))
        for members in bases.values():
            for row in range(len(angles)):
                counts = Counts.from_hexadecimal(next(counted)["counts"], shots.number)
                counts = counts.with_readout_errors(measure.confusion, shots.rng)
                for member in members:
                    out[row, member] = counts.mean_parity(measure.paulis[member])
        return out

    def _counted(self, runs: list[tuple[Circuit, Floats]], shots: Shots) -> list[dict[str, Any]]:
        """Counts of all wires, circuit by circuit and row by row."""
        method = self._method(runs[0][0])
        ready = [
            (circuit, self._ready(circuit, "counts", lambda copy: copy.measure_all()), angles)
            for circuit, angles in runs
        ]
        seed = int(shots.rng.integers(2**31))
        return self._job(ready, method, shots=shots.number, seed_simulator=seed)

    def _job(
        self, runs: list[tuple[Circuit, QuantumCircuit, Floats]], method: str, **options: Any
    ) -> list[dict[str, Any]]:
        """Run every row of every circuit in one Aer job; returns their data in that order."""
        circuits: list[QuantumCircuit] = []
        binds: list[dict[Any, list[float]]] = []
        rows = 0
        for circuit, ready, angles in runs:
            free = free_angles(circuit, angles)
            # Aer repeats a circuit for each row of values, so without values it is repeated here.
            copies = 1 if free.shape[1] else len(free)
            circuits += [ready] * copies
            values = dict(zip(to_qiskit(circuit)[1], free.T.tolist(), strict=True))
            binds += [values] * copies
            rows += len(free)
        if method == "statevector" and "seed_simulator" not in options:
            is_small = runs[0][0].num_wires <= MAX_UNFUSED_WIRES
            options["runtime_parameter_bind_enable"] = is_small and bool(binds[0])
        result = self._simulators[method].run(circuits, parameter_binds=binds, **options).result()
        if not result.success or len(result.results) != rows:
            reasons = {result.status, *(one.status for one in result.results if not one.success)}
            reason = "; ".join(sorted(map(str, reasons)))
            raise Unsupported(f"aer did not run {rows} circuits: {reason}")
        return [one.data.to_dict() for one in result.results]

    def _method(self, circuit: Circuit) -> str:
        if self.method != "automatic":
            return self.method
        return "density_matrix" if circuit.channels else "statevector"

    def _ready(self, circuit: Circuit, key: object, finish: Any) -> QuantumCircuit:
        """The circuit in Qiskit with its measurement, built once."""
        known = self._prepared.get(circuit, dict)
        if key not in known:
            copy = to_qiskit(circuit)[0].copy()
            if set(CONTROLLED_ROTATIONS) & set(circuit.counts):
                copy = copy.decompose(list(CONTROLLED_ROTATIONS))
            if circuit.channels and self._method(circuit) == "density_matrix":
                _as_superoperators(copy)
            finish(copy)
            known[key] = copy
        return known[key]


def _as_superoperators(circuit: QuantumCircuit) -> None:
    """Replace Kraus channels by superoperators, which halves the time on density matrices.

    Aer fuses superoperators as they are. Kraus channels it fuses through the eigenvectors of a Choi
    matrix, which fails ("heevx", 0.18.2) for equal eigenvalues, e.g. of depolarizing channels on
    two wires.
    """
    instruction = import_optional("qiskit.circuit", "backend 'aer'", "qiskit").Instruction
    known: dict[int, Any] = {}
    for place, item in enumerate(circuit.data):
        if item.operation.name != "kraus":
            continue
        operators = item.operation.params
        key = id(operators[0])
        if key not in known:
            # a matrix on the columns of a density matrix
            matrix = sum(np.kron(operator.conj(), operator) for operator in operators)
            known[key] = instruction("superop", len(item.qubits), 0, [matrix])
        circuit.data[place] = item.replace(operation=known[key])


def _save(circuit: QuantumCircuit, measure: Measure) -> None:
    """Append the instructions that save exact values (importing qiskit_aer adds these methods)."""
    saving: Any = circuit
    if isinstance(measure, Probabilities):
        saving.save_probabilities()
    elif isinstance(measure, Expectations):
        pauli = import_optional("qiskit.quantum_info", "backend 'aer'", "qiskit").Pauli
        for number, word in enumerate(measure.paulis):
            saving.save_expectation_value(pauli(word), range(circuit.num_qubits), label=str(number))
    else:
        saving.save_statevector("state")
