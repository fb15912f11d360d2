"""Qiskit's transpiler for some qubits of a device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qgen_core.discovery.optional_import import import_optional
from qgen_qiskit.devices.calibration import Device, Qubits

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit
    from qiskit.transpiler import Target

#: Routings that are tried; the one with the fewest two-qubit gates is taken.
TRIALS = 8


def transpile(
    built: QuantumCircuit, device: Device, qubits: Qubits, *, fixed: bool
) -> tuple[QuantumCircuit, list[int], list[int]]:
    """Transpile a circuit to these qubits of a device, which are numbered in their order.

    Returns the circuit and where each of its qubits begins and ends. ``fixed``: wire w, which is
    qubit Q - 1 - w of the circuit, begins on the w-th of the qubits. Optimization level 1 is used:
    higher levels may join rotations of different parameters. Seeds are fixed.
    """
    purpose = f"noise of {device.name!r}"
    transpiler: Any = import_optional("qiskit.transpiler", purpose, "qiskit")
    size = built.num_qubits
    target = _target(device, qubits, both_directions=True)
    initial_layout = list(range(size))[::-1] if fixed else None
    trials = TRIALS if size > 2 else 1
    routed = []
    for seed in range(trials):
        manager = transpiler.generate_preset_pass_manager(
            optimization_level=1,
            target=target,
            initial_layout=initial_layout,
            seed_transpiler=seed,
        )
        routed.append(manager.run(built))
    best = min(routed, key=lambda found: found.num_nonlocal_gates())
    first = list(range(size))
    final = first
    if best.layout is not None:
        first = best.layout.initial_index_layout()
        final = best.layout.final_index_layout()
    directed = _target(device, qubits, both_directions=False)
    return _with_device_directions(best, directed), first, final


def _target(device: Device, qubits: Qubits, *, both_directions: bool) -> Target:
    """The device restricted to these qubits.

    ``both_directions``: two-qubit gates that the device has in one direction are added in the
    other.
    """
    purpose = f"noise of {device.name!r}"
    transpiler = import_optional("qiskit.transpiler", purpose, "qiskit")
    library = import_optional("qiskit.circuit.library", purpose, "qiskit")
    parameter = import_optional("qiskit.circuit", purpose, "qiskit").Parameter("angle")
    standard_gates = library.get_standard_gate_name_mapping()
    place = {qubit: local for local, qubit in enumerate(qubits)}
    target = transpiler.Target(num_qubits=len(qubits))
    for name, gate in device.gates.items():
        properties = {}
        for on, calibration in gate.items():
            if place.keys() >= set(on):
                properties[tuple(place[qubit] for qubit in on)] = transpiler.InstructionProperties(
                    error=calibration.error, duration=calibration.duration
                )
        if both_directions:
            for on, record in list(properties.items()):
                properties.setdefault(on[::-1], record)
        if not properties:
            continue
        instruction = standard_gates[name]
        if instruction.params:
            instruction = type(instruction)(parameter)
        target.add_instruction(instruction, properties)
    return target


def _with_device_directions(routed: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The circuit with two-qubit gates in the directions that the device has.

    Qiskit's own pass (2.6) fails on devices that have cx on some pairs and ecr on others.
    """
    directed = routed.copy_empty_like()
    reversed_gates = 0
    for instruction in routed.data:
        name = instruction.operation.name
        on = [routed.find_bit(bit).index for bit in instruction.qubits]
        if len(on) == 1 or target.instruction_supported(name, tuple(on)):
            directed.append(instruction)
            continue
        reversed_gates += 1
        if name == "cz":
            directed.cz(*on[::-1])
        elif name == "ecr":  # ecr = x . cx . (rz(pi/2), sx), up to a phase
            directed.rz(math.pi / 2, on[0])
            directed.sx(on[1])
            _append_reversed_cx(directed, on)
            directed.x(on[0])
        else:
            _append_reversed_cx(directed, on)
    if not reversed_gates:
        return routed
    purpose = "noise of a device"
    passes = import_optional("qiskit.transpiler.passes", purpose, "qiskit")
    equivalences = import_optional("qiskit.circuit.equivalence_library", purpose, "qiskit")
    transpiler = import_optional("qiskit.transpiler", purpose, "qiskit")
    manager = transpiler.PassManager(
        [
            passes.BasisTranslator(equivalences.SessionEquivalenceLibrary, None, target),
            passes.Optimize1qGatesDecomposition(target=target),
        ]
    )
    translated: QuantumCircuit = manager.run(directed)
    return translated


def _append_reversed_cx(circuit: QuantumCircuit, on: list[int]) -> None:
    circuit.h(on)
    circuit.cx(*on[::-1])
    circuit.h(on)
