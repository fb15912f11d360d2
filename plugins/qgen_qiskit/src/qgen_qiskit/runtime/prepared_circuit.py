"""Circuits transpiled for a device once, with their angles left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, Unsupported
from qgen_core.mitigation.folding import NoisyGate
from qgen_core.remote import one_line
from qgen_qiskit.translate import to_qiskit

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

#: Arguments of ``sdk`` for Qiskit: who needs it, its package.
QISKIT = ("backend 'ibm'", "qiskit")


@dataclass(frozen=True)
class PreparedCircuit:
    """A circuit of the device's own gates.

    ``columns`` are the free angles that it still has, in the order of its parameters; ``qubits``
    is the device's qubit on which each wire ends.
    """

    circuit: QuantumCircuit
    columns: list[int]
    qubits: tuple[int, ...]

    def pubs(self, rows: NDArray[Any], *observables: Any) -> list[Any]:
        """One PUB for all rows (B, free angles), or one per row if no angle is left."""
        if not self.columns:
            return [(self.circuit, *observables)] * len(rows)
        values = rows[:, self.columns]
        if observables:
            values = values[:, None]
        return [(self.circuit, *observables, values)]


def prepare(
    circuit: Circuit, target: Any, optimization: int, layout: tuple[int, ...] | None, measured: bool
) -> PreparedCircuit:
    """Transpile a circuit for a device; ``measured`` appends a measurement of all wires.

    Raises Unsupported or BadOption if the circuit or the layout does not fit the device.
    """
    if circuit.num_wires > (target.num_qubits or circuit.num_wires):
        raise Unsupported(
            f"the device has {target.num_qubits} qubits, the circuit has {circuit.num_wires} wires"
        )
    if layout is not None and len(layout) != circuit.num_wires:
        raise BadOption(f"layout names {len(layout)} qubits for {circuit.num_wires} wires")
    built = to_qiskit(circuit)[0]
    built = _with_barriers(built) if folded(circuit) else built.copy()
    if measured:
        built.measure_all()
    return _transpiled(built, target, optimization, layout)


def calibration_circuits(target: Any, qubits: tuple[int, ...]) -> list[PreparedCircuit]:
    """Two circuits that measure these qubits, all in 0 and all in 1."""
    library = import_optional("qiskit.circuit", *QISKIT)
    found: list[PreparedCircuit] = []
    for flipped in (False, True):
        built = library.QuantumCircuit(len(qubits))
        if flipped:
            built.x(range(len(qubits)))
        built.measure_all()
        found.append(_transpiled(built, target, 0, qubits))
    return found


def _transpiled(
    built: QuantumCircuit, target: Any, optimization: int, layout: tuple[int, ...] | None
) -> PreparedCircuit:
    managers = import_optional("qiskit.transpiler.preset_passmanagers", *QISKIT)
    # Wire w is qubit Q - 1 - w of the circuit.
    initial_layout = None if layout is None else list(layout[::-1])
    try:
        manager = managers.generate_preset_pass_manager(
            optimization, target=target, initial_layout=initial_layout, seed_transpiler=0
        )
        transpiled = manager.run(built)
    except import_optional("qiskit.exceptions", *QISKIT).QiskitError as error:
        raise Unsupported(f"the device does not take the circuit: {one_line(error)}") from error
    final = range(built.num_qubits)
    if transpiled.layout is not None:
        final = transpiled.layout.final_index_layout()
    columns = [parameter.index for parameter in transpiled.parameters]
    return PreparedCircuit(transpiled, columns, tuple(final)[::-1])


def folded(circuit: Circuit) -> bool:
    """Whether some gate is undone by the very next gate on its wires.

    Such pairs are put in on purpose, to amplify noise, so the transpiler must not cancel them.

    >>> folded(Circuit(1, (Gate("x", (0,)), Gate("x", (0,)))))
    True
    """
    last: dict[int, Gate] = {}
    for gate in circuit.gates:
        before = last.get(gate.wires[0])
        if before is not None and before.wires == gate.wires:
            adjacent = all(last.get(wire) is before for wire in gate.wires)
            if adjacent and NoisyGate(before, (), -1).inverse().gate == gate:
                return True
        last.update(dict.fromkeys(gate.wires, gate))
    return False


def _with_barriers(built: QuantumCircuit) -> QuantumCircuit:
    """The circuit with a barrier after each gate, across which nothing is cancelled or merged."""
    fenced = built.copy_empty_like()
    for instruction in built.data:
        fenced.append(instruction)
        fenced.barrier(instruction.qubits)
    return fenced


def word_operators(prepared: PreparedCircuit, words: tuple[str, ...]) -> list[Any]:
    """Pauli words as operators on the qubits where the wires of a transpiled circuit end."""
    info = import_optional("qiskit.quantum_info", *QISKIT)
    layout = prepared.circuit.layout
    operators = [info.SparsePauliOp(word) for word in words]
    if layout is not None:
        operators = [operator.apply_layout(layout) for operator in operators]
    return [operators]
