"""Export of circuits as OpenQASM 3."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.circuits.circuit import Angle, Circuit
from qgen_core.circuits.gates import GATES, GateSpec, gate_spec
from qgen_core.circuits.pauli_form import Cnot, Rotation
from qgen_core.errors import BadCircuit, Unsupported

#: Names that a definition in a program must not have: gates of stdgates.inc, built-in gates,
#: functions and keywords.
_TAKEN_WORDS = (
    "p x y z h s sdg t tdg sx rx ry rz cx cy cz cp crx cry crz ch swap ccx cswap cu phase cphase "
    "id u1 u2 u3 u gphase ctrl negctrl inv pow gate def cal defcal input output qubit bit int uint "
    "float angle complex bool array const let measure reset barrier delay box if else for while in "
    "return break continue end switch case default include pragma extern opaque creg qreg pi tau "
    "euler sin cos tan arcsin arccos arctan exp log sqrt floor ceiling mod popcount rotl rotr "
    "sizeof real imag void duration stretch mutable readonly durationof true false alpha"
)
TAKEN = frozenset(_TAKEN_WORDS.split())


def to_qasm(
    circuit: Circuit, params: ArrayLike | None = None, inputs: ArrayLike | None = None
) -> str:
    """An OpenQASM 3 program that runs the circuit and measures all wires.

    Parameters (P,) and inputs (I,) that are given are written as numbers with all their digits.
    Those that are not given are declared as inputs of the program, ``input float[64] theta_0;`` and
    ``x_0``. Wire w is ``q[w]`` and is measured into ``c[w]``. The global phase can differ. Gates
    that stdgates.inc lacks are defined in the program.

    Raises Unsupported for a circuit with channels, and BadCircuit for params or inputs that are not
    one row of the circuit or not finite.

    Source: the OpenQASM 3 specification, https://openqasm.com.

    >>> from qgen_core.circuits.circuit import Circuit, Gate, param
    >>> program = to_qasm(Circuit(1, (Gate("ry", (0,), param(0)),)), [0.25])
    >>> program.splitlines()[3:]
    ['qubit[1] q;', 'bit[1] c;', 'ry(0.25) q[0];', 'c = measure q;']
    """
    if circuit.channels:
        raise Unsupported(
            f"OpenQASM 3 has no noise, the circuit holds the channel {circuit.channels[0].name!r}; "
            "export the circuit without its noise"
        )
    values = iter(_values(circuit, params, inputs))
    bound = {"param": params is not None, "input": inputs is not None, "const": True}
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    lines += _definitions(circuit)
    if not bound["param"]:
        lines += [f"input float[64] theta_{k};" for k in range(circuit.num_params)]
    if not bound["input"]:
        lines += [f"input float[64] x_{k};" for k in range(circuit.num_inputs)]
    lines += [
        "// Wire w of the circuit is q[w], measured into c[w]; "
        "tools that print c as one number show c[0] last.",
        f"qubit[{circuit.num_wires}] q;",
        f"bit[{circuit.num_wires}] c;",
    ]
    for gate in circuit.gates:
        argument = ""
        if gate.angle is not None:
            value = next(values)
            written = repr(value)
            if not bound[gate.angle.source]:
                written = _expression(gate.angle)
            argument = f"({written})"
        wires = ", ".join(f"q[{wire}]" for wire in gate.wires)
        lines.append(f"{_called(gate.name)}{argument} {wires};")
    lines.append("c = measure q;")
    return "\n".join(lines)


def _definitions(circuit: Circuit) -> list[str]:
    """Definitions of the circuit's gates that stdgates.inc lacks; gates with an angle are first."""
    used = [name for name in GATES if name in circuit.counts]
    used.sort(key=lambda name: not GATES[name].has_angle)
    found = []
    for name in used:
        spec = GATES[name]
        if not spec.qasm:
            found.append(_definition(_called(name), spec))
        elif spec.qasm.startswith("gate "):
            found.append(spec.qasm)
    return found


def _called(name: str) -> str:
    """The name of a gate in a program."""
    qasm = gate_spec(name).qasm
    if qasm.startswith("gate "):
        return qasm.removeprefix("gate ").replace("(", " ").split()[0]
    if qasm:
        return qasm
    if name in TAKEN:
        return f"qgen_{name}"
    return name


def _definition(called: str, spec: GateSpec) -> str:
    """The definition of a gate from its form, up to a global phase."""
    wires = [f"w{k}" for k in range(spec.wires)]
    argument = ""
    if spec.has_angle:
        argument = "(alpha)"
    body = " ".join(f"{call};" for call in _calls(spec, wires))
    return f"gate {called}{argument} {', '.join(wires)} {{ {body} }}"


def _calls(spec: GateSpec, wires: list[str]) -> Iterator[str]:
    """The statements of a definition, one or more for each step of the form."""
    for step in spec.steps:
        if isinstance(step, Rotation):
            yield from _rotation_calls(step, wires)
        elif isinstance(step, Cnot):
            yield f"cx {wires[step.control]}, {wires[step.target]}"
        else:
            on = [wires[place] for place in step.wires]
            yield from _calls(gate_spec(step.gate), on)


def _rotation_calls(rotation: Rotation, wires: list[str]) -> Iterator[str]:
    """A rotation about a Pauli word: RZ on its last wire between CNOTs and changes of basis."""
    if not rotation.wires:
        return  # a global phase
    to_z = {"X": "h", "Y": "rx(pi/2)"}
    from_z = {"X": "h", "Y": "rx(-pi/2)"}
    on = [(wires[place], rotation.word[place]) for place in rotation.wires]
    for wire, letter in on:
        if letter in to_z:
            yield f"{to_z[letter]} {wire}"
    pairs = list(pairwise(wire for wire, _ in on))
    for control, target in pairs:
        yield f"cx {control}, {target}"
    yield f"rz({_rotation_angle(rotation)}) {on[-1][0]}"
    for control, target in reversed(pairs):
        yield f"cx {control}, {target}"
    for wire, letter in on:
        if letter in from_z:
            yield f"{from_z[letter]} {wire}"


def _rotation_angle(rotation: Rotation) -> str:
    """``slope * alpha + offset``."""
    if rotation.slope == 0:
        return repr(float(rotation.offset))
    return _linear("alpha", rotation.slope, rotation.offset)


def _values(circuit: Circuit, params: ArrayLike | None, inputs: ArrayLike | None) -> list[float]:
    """All angles; those of parameters and inputs that are not given are placeholders."""
    if params is None:
        params = np.zeros(circuit.num_params)
    if inputs is None:
        inputs = np.zeros(circuit.num_inputs)
    rows = circuit.bind(params, inputs)
    if len(rows) != 1:
        raise BadCircuit(
            f"a program holds one circuit, not {len(rows)}; pass one row of params and inputs"
        )
    if not np.all(np.isfinite(rows)):
        raise BadCircuit(
            "params and inputs of a program must be finite numbers; leave them out to declare "
            "them as inputs of the program"
        )
    angles: list[float] = rows[0].tolist()
    return angles


def _expression(angle: Angle) -> str:
    """The angle as an expression of a declared input."""
    name = {"param": "theta", "input": "x"}[angle.source]
    return _linear(f"{name}_{angle.index}", angle.scale, angle.offset)


def _linear(name: str, scale: float, offset: float) -> str:
    """``scale * name + offset``; a scale of one and an offset of zero are left out."""
    scaled = name
    if scale != 1:
        scaled = f"{float(scale)!r} * {name}"
    if offset == 0:
        return scaled
    if offset > 0:
        return f"{scaled} + {float(offset)!r}"
    return f"{scaled} - {-float(offset)!r}"
