"""A parametrised circuit compiled for a device: transpiled once, then read back from Qiskit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qgen_core.circuits.circuit import Angle, Circuit, Gate, const
from qgen_core.circuits.gates import GATES
from qgen_core.errors import BadOption, Unsupported
from qgen_qiskit.devices.calibration import Device, Qubits
from qgen_qiskit.devices.transpiler import transpile
from qgen_qiskit.translate import free_columns, to_qiskit

#: Constant rotations by less than this are left out.
ZERO_ANGLE = 1e-12
FULL_TURN = 2 * math.pi


@dataclass(frozen=True, eq=False)
class CompiledCircuit:
    """Gates with the device's qubits on which they act, in order.

    Wires of the gates are those of the original circuit at its *end*: wire w is qubit ``read[w]``
    throughout. Routing moves states between qubits, so w may begin elsewhere, on ``start[w]``; all
    qubits begin in 0, and no permutation is left to undo at the end. Qubits that routing passes and
    that are not read are ``passed``, the qubits of the wires after them.
    """

    gates: tuple[tuple[Gate, Qubits], ...]
    start: Qubits
    read: Qubits
    passed: Qubits


def compile_for(circuit: Circuit, device: Device, layout: Sequence[int] | None) -> CompiledCircuit:
    """Compile a circuit to a device's gates.

    ``layout`` is the qubit on which each wire begins; None chooses. Angles of the result are
    affine functions of one parameter, input or constant of the circuit each. Raises BadOption for
    a layout or a circuit that does not fit, Unsupported for a circuit with channels.

    >>> from qgen_qiskit.devices.calibration import fake_device
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> compiled = compile_for(bell, fake_device("ibm_casablanca"), layout=(1, 3))
    >>> [gate.name for gate, _ in compiled.gates], compiled.read
    (['rz', 'sx', 'rz', 'cx'], (1, 3))
    """
    if circuit.channels:
        raise Unsupported(
            "the noise of a device maps circuits of gates; this one holds channels already"
        )
    if layout is not None:
        check_layout(layout, circuit.num_wires, device)
    if circuit.num_wires > device.num_qubits:
        raise BadOption(
            f"the circuit has {circuit.num_wires} wires; "
            f"{device.name} has {device.num_qubits} qubits"
        )
    built, vector = to_qiskit(circuit)
    angles: dict[Any, Angle] = {}
    for element, column in zip(vector, free_columns(circuit), strict=True):
        angles[element] = circuit.angles[column]
    transpiled = transpile(built, device, layout)
    routed = transpiled.circuit
    read = transpiled.end
    qubit_of = list(read)
    gates: list[Gate] = []
    for instruction in routed.data:
        name = instruction.operation.name
        if name not in GATES:
            raise Unsupported(
                f"transpiling for {device.name} left the instruction {name!r}, "
                "which is not a gate of qgen"
            )
        qubits = [routed.find_bit(bit).index for bit in instruction.qubits]
        for qubit in qubits:
            if qubit not in qubit_of:
                qubit_of.append(qubit)
        wires = tuple(qubit_of.index(qubit) for qubit in qubits)
        if GATES[name].has_angle:
            for angle in _affine_terms(instruction.operation.params[0], angles):
                gates.append(Gate(name, wires, angle))
        else:
            gates.append(Gate(name, wires))
    with_qubits = []
    for gate in _merged(gates):
        with_qubits.append((gate, tuple(qubit_of[wire] for wire in gate.wires)))
    passed = tuple(qubit_of[len(read) :])
    return CompiledCircuit(tuple(with_qubits), transpiled.start, read, passed)


def check_layout(layout: Sequence[int], num_wires: int, device: Device) -> None:
    """Raise BadOption unless a layout names a different qubit of the device for each wire.

    >>> from qgen_qiskit.devices.calibration import fake_device
    >>> check_layout((1, 3), 2, fake_device("ibm_casablanca"))
    """
    if len(layout) != num_wires or len(set(layout)) != num_wires:
        raise BadOption(
            f"layout names {len(set(layout))} different qubits; the circuit has {num_wires} wires"
        )
    outside = [qubit for qubit in layout if not 0 <= qubit < device.num_qubits]
    if outside:
        raise BadOption(
            f"layout names the qubit {outside[0]}; {device.name} has 0 to {device.num_qubits - 1}"
        )


def _affine_terms(value: Any, angles: dict[Any, Angle]) -> list[Angle]:
    """An angle of the routed circuit as a sum of affine functions of one source each.

    Rotations about one axis by the terms, one after the other, are the rotation by the sum.
    """
    parameters = list(getattr(value, "parameters", ()))
    if not parameters:
        return [const(float(value))]
    parameters.sort(key=lambda parameter: int(parameter.index))
    constant = float(value.bind(dict.fromkeys(parameters, 0.0)))
    terms = []
    for parameter in parameters:
        slope = value.gradient(parameter)
        if getattr(slope, "parameters", ()):
            raise Unsupported(f"transpiling made the angle {value}, which is not affine")
        angle = angles[parameter]
        scale = float(slope)
        offset = scale * angle.offset + constant
        terms.append(replace(angle, scale=scale * angle.scale, offset=offset))
        constant = 0.0
    return terms


def _merged(gates: Sequence[Gate]) -> list[Gate]:
    """Join successive RZ gates of which all but one are constant; drop rotations by zero."""
    found: list[Gate] = []
    last: dict[int, int] = {}
    for gate in gates:
        before = last.get(gate.wires[0])
        if before is not None:
            joined = _joined(found[before], gate)
            if joined is not None:
                found[before] = joined
                continue
        last.update(dict.fromkeys(gate.wires, len(found)))
        found.append(gate)
    return [gate for gate in found if not _is_zero_rotation(gate)]


def _joined(first: Gate, then: Gate) -> Gate | None:
    """One RZ gate for two, or None if they are other gates or both have a source."""
    if first.name != "rz" or then.name != "rz":
        return None
    if first.angle is None or then.angle is None:
        return None
    constant = first.angle
    other = then.angle
    if constant.source != "const":
        constant, other = other, constant
    if constant.source != "const":
        return None
    offset = math.remainder(other.offset + constant.offset, FULL_TURN)
    return replace(then, angle=replace(other, offset=offset))


def _is_zero_rotation(gate: Gate) -> bool:
    angle = gate.angle
    if angle is None or angle.source != "const":
        return False
    return abs(math.remainder(angle.offset, FULL_TURN)) < ZERO_ANGLE
