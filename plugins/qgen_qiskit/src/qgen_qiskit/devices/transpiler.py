"""Qiskit's transpiler on a device cut to some qubits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qgen_core.discovery.optional_import import sdk
from qgen_qiskit.devices.calibration import Device, Qubits

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit
    from qiskit.transpiler import Target

#: Routings that are tried; the one with the fewest gates of two qubits is taken.
TRIALS = 8


def transpiled(
    built: QuantumCircuit, device: Device, qubits: Qubits, *, fixed: bool
) -> tuple[QuantumCircuit, list[int], list[int]]:
    """The circuit on these qubits, numbered in their order, and where each of its qubits begins and ends.

    ``fixed``: wire w, which is qubit Q - 1 - w of the circuit, begins on the w-th of them. Level 1
    rewrites constant gates only; higher levels may join rotations of different parameters. Seeds are fixed.
    """
    transpiler: Any = sdk("qiskit.transpiler", f"noise of {device.name!r}", "qiskit")
    size = built.num_qubits
    either = _target(device, qubits, either_way=True)
    routed = [
        transpiler.generate_preset_pass_manager(
            optimization_level=1,
            target=either,
            initial_layout=list(range(size))[::-1] if fixed else None,
            seed_transpiler=seed,
        ).run(built)
        for seed in range(TRIALS if size > 2 else 1)
    ]
    best = min(routed, key=lambda found: found.num_nonlocal_gates())
    first = final = list(range(size))
    if best.layout is not None:
        first, final = best.layout.initial_index_layout(), best.layout.final_index_layout()
    return _turned_around(best, _target(device, qubits, either_way=False)), first, final


def _target(device: Device, qubits: Qubits, *, either_way: bool) -> Target:
    """The device cut to these qubits; ``either_way`` gives gates of one direction the other as well."""
    transpiler = sdk("qiskit.transpiler", f"noise of {device.name!r}", "qiskit")
    library = sdk("qiskit.circuit.library", f"noise of {device.name!r}", "qiskit")
    parameter = sdk("qiskit.circuit", f"noise of {device.name!r}", "qiskit").Parameter("angle")
    classes = library.get_standard_gate_name_mapping()
    place = {qubit: local for local, qubit in enumerate(qubits)}
    target = transpiler.Target(num_qubits=len(qubits))
    for name, gate in device.gates.items():
        known = {
            tuple(place[q] for q in on): transpiler.InstructionProperties(
                error=c.error, duration=c.duration
            )
            for on, c in gate.items()
            if place.keys() >= set(on)
        }
        if either_way:
            known |= {on[::-1]: record for on, record in known.items() if on[::-1] not in known}
        if known:
            instruction = classes[name]
            target.add_instruction(
                type(instruction)(parameter) if instruction.params else instruction, known
            )
    return target


def _turned_around(routed: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The circuit with gates in the directions that the device has.

    (The pass of Qiskit 2.6 that does this fails on devices that have cx on some pairs and ecr on others.)
    """
    turned = routed.copy_empty_like()
    wrong = 0
    for instruction in routed.data:
        name, on = (
            instruction.operation.name,
            [routed.find_bit(bit).index for bit in instruction.qubits],
        )
        if len(on) == 1 or target.instruction_supported(name, tuple(on)):
            turned.append(instruction)
            continue
        wrong += 1
        if name == "cz":
            turned.cz(*on[::-1])
        elif name == "ecr":  # ecr = x . cx . (rz(pi/2), sx), up to a phase
            turned.rz(math.pi / 2, on[0])
            turned.sx(on[1])
            _reversed_cx(turned, on)
            turned.x(on[0])
        else:
            _reversed_cx(turned, on)
    if not wrong:
        return routed
    passes = sdk("qiskit.transpiler.passes", "noise of a device", "qiskit")
    library = sdk(
        "qiskit.circuit.equivalence_library", "noise of a device", "qiskit"
    ).SessionEquivalenceLibrary
    manager = sdk("qiskit.transpiler", "noise of a device", "qiskit").PassManager(
        [
            passes.BasisTranslator(library, None, target),
            passes.Optimize1qGatesDecomposition(target=target),
        ]
    )
    done: QuantumCircuit = manager.run(turned)
    return done


def _reversed_cx(circuit: QuantumCircuit, on: list[int]) -> None:
    circuit.h(on)
    circuit.cx(*on[::-1])
    circuit.h(on)
