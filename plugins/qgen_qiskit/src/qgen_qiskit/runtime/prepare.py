"""A circuit made ready for a device: transpiled once, its angles left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.discovery.optional_import import sdk
from qgen_core.errors import BadOption, Unsupported
from qgen_core.mitigation.folding import NoisyGate
from qgen_qiskit.runtime.faults import shown
from qgen_qiskit.translate import to_qiskit

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

#: For whom Qiskit is imported, and its package.
QISKIT = ("backend 'ibm'", "qiskit")


@dataclass(frozen=True)
class Ready:
    """A circuit of the device's own gates.

    ``columns`` are the free angles that it still has, in the order of its parameters, ``qubits`` the
    device's qubit on which each wire ends.
    """

    circuit: QuantumCircuit
    columns: list[int]
    qubits: tuple[int, ...]

    def pubs(self, rows: NDArray[Any], *observables: Any) -> list[Any]:
        """One PUB for all rows (B, free angles), or one a row where no angle is left."""
        if not self.columns:
            return [(self.circuit, *observables)] * len(rows)
        values = rows[:, self.columns]
        return [(self.circuit, *observables, values[:, None] if observables else values)]


def ready(
    circuit: Circuit, target: Any, optimization: int, layout: tuple[int, ...] | None, measured: bool
) -> Ready:
    """Transpile for a device. Raises Unsupported or BadOption when the circuit or the layout does not fit it."""
    if circuit.num_wires > (target.num_qubits or circuit.num_wires):
        raise Unsupported(
            f"the device has {target.num_qubits} qubits, the circuit has {circuit.num_wires} wires"
        )
    if layout is not None and len(layout) != circuit.num_wires:
        raise BadOption(f"layout names {len(layout)} qubits for {circuit.num_wires} wires")
    plain = to_qiskit(circuit)[0]
    plain = _kept(plain) if folded(circuit) else plain.copy()
    if measured:
        plain.measure_all()
    return _transpiled(plain, target, optimization, layout)


def calibration_circuits(target: Any, qubits: tuple[int, ...]) -> list[Ready]:
    """All of these qubits in 0, and all in 1, measured."""
    library = sdk("qiskit.circuit", *QISKIT)
    found: list[Ready] = []
    for flipped in (False, True):
        plain = library.QuantumCircuit(len(qubits))
        if flipped:
            plain.x(range(len(qubits)))
        plain.measure_all()
        found.append(_transpiled(plain, target, 0, qubits))
    return found


def _transpiled(
    plain: QuantumCircuit, target: Any, optimization: int, layout: tuple[int, ...] | None
) -> Ready:
    managers = sdk("qiskit.transpiler.preset_passmanagers", *QISKIT)
    # wire w is qubit Q - 1 - w of the circuit
    initial = None if layout is None else list(layout[::-1])
    try:
        manager = managers.generate_preset_pass_manager(
            optimization, target=target, initial_layout=initial, seed_transpiler=0
        )
        done = manager.run(plain)
    except sdk("qiskit.exceptions", *QISKIT).QiskitError as error:
        raise Unsupported(f"the device does not take the circuit: {shown(error)}") from error
    where = range(plain.num_qubits) if done.layout is None else done.layout.final_index_layout()
    return Ready(done, [p.index for p in done.parameters], tuple(where)[::-1])


def folded(circuit: Circuit) -> bool:
    """Whether a gate is undone by the very next one on its wires: then that is meant, to amplify noise."""
    last: dict[int, Gate] = {}
    for gate in circuit.gates:
        before = last.get(gate.wires[0])
        alone = before is not None and all(last.get(wire) is before for wire in gate.wires)
        if (
            before is not None
            and alone
            and before.wires == gate.wires
            and NoisyGate(before, (), -1).inverse().gate == gate
        ):
            return True
        last.update(dict.fromkeys(gate.wires, gate))
    return False


def _kept(plain: QuantumCircuit) -> QuantumCircuit:
    """The circuit with a barrier behind each gate, so that nothing cancels or is merged across."""
    fenced = plain.copy_empty_like()
    for instruction in plain.data:
        fenced.append(instruction)
        fenced.barrier(instruction.qubits)
    return fenced


def word_operators(ready_circuit: Ready, words: tuple[str, ...]) -> list[Any]:
    """Pauli words on the qubits where the wires of a transpiled circuit are."""
    info = sdk("qiskit.quantum_info", *QISKIT)
    layout = ready_circuit.circuit.layout
    plain = [info.SparsePauliOp(word) for word in words]
    return [[one if layout is None else one.apply_layout(layout) for one in plain]]
