"""A parametrised circuit on the qubits of a device, in the gates of the device: transpiled once, read back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qgen_core.circuits.circuit import Angle, Circuit, Gate, const
from qgen_core.circuits.gates import GATES
from qgen_core.errors import BadOption, Unsupported
from qgen_qiskit.devices.calibration import Device, Qubits
from qgen_qiskit.devices.layout import Chooser, parts_of
from qgen_qiskit.devices.transpiler import transpiled
from qgen_qiskit.translate import free_columns, to_qiskit

#: Constant turns below this are left out.
NOTHING = 1e-12
TURN = 2 * math.pi


@dataclass(frozen=True, eq=False)
class Compiled:
    """Gates with the device's qubits that they act on, in order.

    Gates carry the wires of the original circuit by the qubits on which these are *read*: wire w is
    qubit ``read[w]`` throughout. Routing moves states between qubits, so w may begin elsewhere, on
    ``start[w]``; all qubits begin in 0, and nothing is left to put in order at the end.
    """

    gates: tuple[tuple[Gate, Qubits], ...]
    start: tuple[int, ...]
    read: tuple[int, ...]


def compile_for(circuit: Circuit, device: Device, layout: Sequence[int] | None) -> Compiled:
    """The circuit in the device's gates.

    ``layout`` gives the qubit on which each wire begins; None chooses. Every rotation keeps one source;
    angles of the result are affine functions of the circuit's parameters, inputs and constants. Raises
    BadOption for a layout that does not fit.
    """
    if circuit.channels:
        raise Unsupported(
            "the noise of a device maps circuits of gates; this one holds channels already"
        )
    parts = parts_of(circuit)
    chooser = Chooser(device.couplings(), device.mean_readout)
    if layout is None:
        sets = chooser.choose([len(part) for part in parts])
    else:
        check_layout(layout, circuit.num_wires, device)
        sets = [tuple(layout[wire] for wire in part) for part in parts]
        for qubits in sets:
            if not chooser.connected(qubits):
                raise BadOption(
                    f"layout: the qubits {qubits} are not connected on {device.name}, but the circuit is"
                )
    start, read = [-1] * circuit.num_wires, [-1] * circuit.num_wires
    gates: list[tuple[Gate, Qubits]] = []
    for part, qubits in zip(parts, sets, strict=True):
        found = _compile_part(_restricted(circuit, part), device, qubits, fixed=layout is not None)
        for local, wire in enumerate(part):
            start[wire], read[wire] = found.start[local], found.read[local]
        gates += [
            (replace(gate, wires=tuple(part[w] for w in gate.wires)), on)
            for gate, on in found.gates
        ]
    return Compiled(tuple(gates), tuple(start), tuple(read))


def check_layout(layout: Sequence[int], num_wires: int, device: Device) -> None:
    """Raise BadOption unless a layout names a different qubit of the device for each wire."""
    if len(layout) != num_wires or len(set(layout)) != num_wires:
        raise BadOption(
            f"layout names {len(set(layout))} different qubits; the circuit has {num_wires} wires"
        )
    outside = [qubit for qubit in layout if not 0 <= qubit < device.num_qubits]
    if outside:
        raise BadOption(
            f"layout names the qubit {outside[0]}; {device.name} has 0 to {device.num_qubits - 1}"
        )


def _restricted(circuit: Circuit, part: Sequence[int]) -> Circuit:
    """The gates of a part, on wires 0, 1, ..."""
    rank = {wire: local for local, wire in enumerate(part)}
    gates = [
        replace(gate, wires=tuple(rank[w] for w in gate.wires))
        for gate in circuit.gates
        if gate.wires[0] in rank
    ]
    return Circuit(len(part), tuple(gates))


def _compile_part(circuit: Circuit, device: Device, qubits: Qubits, *, fixed: bool) -> Compiled:
    """A connected circuit on a connected set of qubits, wire by wire if ``fixed``, else in any order."""
    built, vector = to_qiskit(circuit)
    sources = {
        element: circuit.angles[column]
        for element, column in zip(vector, free_columns(circuit), strict=True)
    }
    routed, first, final = transpiled(built, device, qubits, fixed=fixed)
    start, read = (tuple(qubits[place] for place in reversed(ends)) for ends in (first, final))
    wire_of = {qubit: wire for wire, qubit in enumerate(read)}
    gates: list[Gate] = []
    for instruction in routed.data:
        name = instruction.operation.name
        on = [qubits[routed.find_bit(bit).index] for bit in instruction.qubits]
        if name not in GATES:
            raise Unsupported(
                f"transpiling for {device.name} left the instruction {name!r}, which is no gate of qgen"
            )
        angle = _affine(instruction.operation.params[0], sources) if GATES[name].has_angle else None
        gates.append(Gate(name, tuple(wire_of[qubit] for qubit in on), angle))
    merged = _merged(gates)
    return Compiled(
        tuple((gate, tuple(read[w] for w in gate.wires)) for gate in merged), start, read
    )


def _affine(value: Any, sources: dict[Any, Angle]) -> Angle:
    """An angle of the routed circuit as an affine function of the source of one of the circuit's angles."""
    parameters = list(getattr(value, "parameters", ()))
    if not parameters:
        return const(float(value))
    if len(parameters) > 1:
        raise Unsupported(
            f"transpiling joined rotations: the angle {value} has {len(parameters)} sources"
        )
    offset, at_one = (float(value.bind({parameters[0]: at})) for at in (0.0, 1.0))
    scale, angle = at_one - offset, sources[parameters[0]]
    return replace(angle, scale=scale * angle.scale, offset=scale * angle.offset + offset)


def _merged(gates: Sequence[Gate]) -> list[Gate]:
    """RZ gates that follow each other in one, as long as one source at most is among them; no turns of nothing."""
    found: list[Gate | None] = []
    last: dict[int, int] = {}
    for gate in gates:
        before = last.get(gate.wires[0])
        joined = _joined(found[before], gate) if before is not None else None
        if joined is not None and before is not None:
            found[before] = joined
            continue
        last.update(dict.fromkeys(gate.wires, len(found)))
        found.append(gate)
    return [gate for gate in found if gate is not None and not _is_nothing(gate)]


def _joined(first: Gate | None, then: Gate) -> Gate | None:
    if (
        first is None
        or first.name != "rz"
        or then.name != "rz"
        or first.angle is None
        or then.angle is None
    ):
        return None
    constant, turning = sorted((first.angle, then.angle), key=lambda angle: angle.source != "const")
    if constant.source != "const":
        return None
    return replace(
        then, angle=replace(turning, offset=math.remainder(turning.offset + constant.offset, TURN))
    )


def _is_nothing(gate: Gate) -> bool:
    angle = gate.angle
    return (
        angle is not None
        and angle.source == "const"
        and abs(math.remainder(angle.offset, TURN)) < NOTHING
    )
