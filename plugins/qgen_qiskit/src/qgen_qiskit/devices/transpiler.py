"""Qiskit's transpiler for a device: the layout and routing with the fewest two-qubit gates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_qiskit.devices.calibration import Device, GateCalibration, Qubits
from qgen_qiskit.devices.layout import Needs, best_placement

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit
    from qiskit.transpiler import Target

#: Seeds of the routings that are compared.
SEEDS = tuple(range(10))
#: Higher levels look for two-qubit gates that cancel. They may add angles of different parameters.
LEVEL = 3


@dataclass(frozen=True, eq=False)
class Transpiled:
    """A circuit on all qubits of a device; wire w begins on ``start[w]`` and is on ``end[w]``."""

    circuit: QuantumCircuit
    start: Qubits
    end: Qubits


def transpile(built: QuantumCircuit, device: Device, layout: Sequence[int] | None) -> Transpiled:
    """Transpile a circuit to a device. Wire w is qubit Q - 1 - w of the circuit.

    ``layout`` is the qubit on which each wire begins. None: the placement of least error that needs
    no routing, or, if there is none, Qiskit's layout. Where states have to be moved, Qiskit routes
    with each of :data:`SEEDS`, also over qubits without a wire, and the circuit with the fewest
    two-qubit gates is taken; among equals that on fewer qubits, then that with the least sum of
    errors. Raises BadOption if the device has too few qubits or couplings.
    """
    transpiler: Any = import_optional("qiskit.transpiler", f"noise of {device.name!r}", "qiskit")
    target = _uniform_target(device)
    seeds = SEEDS
    if layout is None:
        layout = best_placement(_needs(built, device), device)
        if layout is not None:
            seeds = SEEDS[:1]
    initial_layout = None
    if layout is not None:
        initial_layout = list(layout)[::-1]
    found = []
    for seed in seeds:
        manager = transpiler.generate_preset_pass_manager(
            optimization_level=LEVEL,
            target=target,
            initial_layout=initial_layout,
            seed_transpiler=seed,
        )
        try:
            routed = manager.run(built)
        except transpiler.TranspilerError as error:
            raise BadOption(
                f"{device.name} has no room for a circuit of {built.num_qubits} wires: "
                f"{error.message}"
            ) from error
        found.append(_transpiled(routed, built.num_qubits))
    best = min(found, key=lambda one: _rank(one, device))
    directed = _with_device_directions(best.circuit, _target(device))
    return Transpiled(directed, best.start, best.end)


def _transpiled(routed: QuantumCircuit, wires: int) -> Transpiled:
    start = list(range(wires))
    end = start
    if routed.layout is not None:
        start = routed.layout.initial_index_layout(filter_ancillas=True)
        end = routed.layout.final_index_layout()
    return Transpiled(routed, tuple(start[::-1]), tuple(end[::-1]))


def _needs(built: QuantumCircuit, device: Device) -> Needs:
    """What the circuit needs in the gates of a device on which every pair is coupled."""
    transpiler: Any = import_optional("qiskit.transpiler", f"noise of {device.name!r}", "qiskit")
    manager = transpiler.generate_preset_pass_manager(
        optimization_level=LEVEL,
        basis_gates=["rz", "sx", "x", _entangling(device)],
        seed_transpiler=SEEDS[0],
    )
    ideal = manager.run(built)
    wires = built.num_qubits
    pairs: Counter[tuple[int, int]] = Counter()
    pulses = [0] * wires
    for instruction in ideal.data:
        on = sorted(wires - 1 - ideal.find_bit(bit).index for bit in instruction.qubits)
        if len(on) == 2:
            pairs[on[0], on[1]] += 1
        elif instruction.operation.name != "rz":
            pulses[on[0]] += 1
    return Needs(pairs, pulses)


def _rank(transpiled: Transpiled, device: Device) -> tuple[int, int, float]:
    """The number of two-qubit gates, the number of qubits, and the sum of errors."""
    couplings = device.couplings()
    circuit = transpiled.circuit
    used = set(transpiled.end)
    errors = [float(device.mean_readout[qubit]) for qubit in transpiled.end]
    for instruction in circuit.data:
        on = tuple(circuit.find_bit(bit).index for bit in instruction.qubits)
        used.update(on)
        if len(on) == 2:
            errors.append(couplings[min(on), max(on)])
        elif instruction.operation.name in device.gates:
            errors.append(device.gates[instruction.operation.name][on].error)
    return circuit.num_nonlocal_gates(), len(used), math.fsum(errors)


def _entangling(device: Device) -> str:
    """The two-qubit gate in which circuits are routed."""
    return next(name for name in ("cx", "ecr", "cz") if device.gates.get(name))


def _uniform_target(device: Device) -> Target:
    """A device with one two-qubit gate on all couplings, in both directions.

    Gates cancel only where they are of one kind, and any of the kinds makes any other one for one.
    """
    both_directions: dict[Qubits, GateCalibration] = {}
    for (first, second), error in device.couplings().items():
        both_directions[first, second] = GateCalibration(error, 0.0)
        both_directions[second, first] = GateCalibration(error, 0.0)
    gates = {name: gate for name, gate in device.gates.items() if name in ("rz", "sx", "x")}
    return _target(replace(device, gates={**gates, _entangling(device): both_directions}))


def _target(device: Device) -> Target:
    """The device as Qiskit describes it."""
    purpose = f"noise of {device.name!r}"
    transpiler = import_optional("qiskit.transpiler", purpose, "qiskit")
    library = import_optional("qiskit.circuit.library", purpose, "qiskit")
    parameter = import_optional("qiskit.circuit", purpose, "qiskit").Parameter("angle")
    standard_gates = library.get_standard_gate_name_mapping()
    target = transpiler.Target(num_qubits=device.num_qubits)
    for name, gate in device.gates.items():
        properties = {}
        for on, calibration in gate.items():
            properties[on] = transpiler.InstructionProperties(
                error=calibration.error, duration=calibration.duration
            )
        if not properties:
            continue
        instruction = standard_gates[name]
        if instruction.params:
            instruction = type(instruction)(parameter)
        target.add_instruction(instruction, properties)
    return target


def _with_device_directions(routed: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The circuit with the two-qubit gates, and in the directions, that the device has.

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
        if name == "cx" and target.instruction_supported("ecr", tuple(on)):
            _append_cx_by_ecr(directed, on)
        elif name == "cx" and target.instruction_supported("ecr", tuple(on[::-1])):
            directed.h(on)
            _append_cx_by_ecr(directed, on[::-1])
            directed.h(on)
        elif name == "cz":
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


def _append_cx_by_ecr(circuit: QuantumCircuit, on: list[int]) -> None:
    """CX up to a phase: ecr = x . cx . (rz(pi/2), sx), solved for cx."""
    circuit.rz(-math.pi / 2, on[0])
    circuit.sxdg(on[1])
    circuit.ecr(*on)
    circuit.x(on[0])


def _append_reversed_cx(circuit: QuantumCircuit, on: list[int]) -> None:
    circuit.h(on)
    circuit.cx(*on[::-1])
    circuit.h(on)
