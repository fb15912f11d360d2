"""Export of circuits as OpenQASM 3."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.circuits.circuit import Angle, Circuit
from qgen_core.errors import BadCircuit, Unsupported
from qgen_core.typing import Floats

# Gates that stdgates.inc lacks. The rotations are exact, ecr is so up to a global phase of -pi/4.
_DEFINITIONS = {
    "rxx": "gate rxx(alpha) a, b { h a; h b; cx a, b; rz(alpha) b; cx a, b; h a; h b; }",
    "ryy": "gate ryy(alpha) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(alpha) b; cx a, b; rx(-pi/2) a; rx(-pi/2) b; }",
    "rzz": "gate rzz(alpha) a, b { cx a, b; rz(alpha) b; cx a, b; }",
    "ecr": "gate ecr a, b { s a; sx b; cx a, b; x a; }",
}


def to_qasm(
    circuit: Circuit, params: ArrayLike | None = None, inputs: ArrayLike | None = None
) -> str:
    """An OpenQASM 3 program that runs the circuit and measures all wires.

    Parameters (P,) and inputs (I,) that are given become numbers, to the last bit; the others
    are declared as ``input float[64] theta_0;`` and ``x_0``. Wire w is ``q[w]`` and is measured into
    ``c[w]``. A global phase may differ. Gates that stdgates.inc lacks are defined in the program.

    Raises Unsupported for a circuit with channels, BadCircuit when params or inputs have another
    shape than one row or are not finite.

    >>> from qgen_core.circuits.circuit import Circuit, Gate, param
    >>> print(to_qasm(Circuit(1, (Gate("ry", (0,), param(0)),)), [0.25]))
    OPENQASM 3.0;
    include "stdgates.inc";
    // Wire w of the circuit is q[w], measured into c[w]; tools that print c as one number show c[0] last.
    qubit[1] q;
    bit[1] c;
    ry(0.25) q[0];
    c = measure q;
    """
    if circuit.channels:
        raise Unsupported(
            f"OpenQASM 3 has no noise, the circuit holds the channel {circuit.channels[0].name!r}; "
            "export the circuit without its noise"
        )
    values = iter(_values(circuit, params, inputs))
    bound = {"param": params is not None, "input": inputs is not None, "const": True}
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    lines += [text for name, text in _DEFINITIONS.items() if name in circuit.counts]
    if not bound["param"]:
        lines += [f"input float[64] theta_{k};" for k in range(circuit.num_params)]
    if not bound["input"]:
        lines += [f"input float[64] x_{k};" for k in range(circuit.num_inputs)]
    lines += [
        "// Wire w of the circuit is q[w], measured into c[w]; tools that print c as one number show c[0] last.",
        f"qubit[{circuit.num_wires}] q;",
        f"bit[{circuit.num_wires}] c;",
    ]
    for gate in circuit.gates:
        argument = ""
        if gate.angle is not None:
            value = next(values)
            argument = (
                f"({value!r})" if bound[gate.angle.source] else f"({_expression(gate.angle)})"
            )
        lines.append(f"{gate.name}{argument} {', '.join(f'q[{w}]' for w in gate.wires)};")
    return "\n".join([*lines, "c = measure q;"])


def _values(circuit: Circuit, params: ArrayLike | None, inputs: ArrayLike | None) -> list[float]:
    """All angles; those of unbound parameters and inputs are there but mean nothing."""
    rows: Floats = circuit.bind(
        np.zeros(circuit.num_params) if params is None else params,
        np.zeros(circuit.num_inputs) if inputs is None else inputs,
    )
    if len(rows) != 1:
        raise BadCircuit(
            f"a program holds one circuit, not {len(rows)}; give one row of params and inputs"
        )
    if not np.all(np.isfinite(rows)):
        raise BadCircuit(
            "params and inputs of a program are finite numbers; leave them out to declare them instead"
        )
    return [float(value) for value in rows[0]]


def _expression(angle: Angle) -> str:
    """``scale * name + offset`` without the parts that do nothing."""
    name = f"{'theta' if angle.source == 'param' else 'x'}_{angle.index}"
    scaled = name if angle.scale == 1 else f"{float(angle.scale)!r} * {name}"
    if angle.offset == 0:
        return scaled
    return f"{scaled} {'+' if angle.offset > 0 else '-'} {abs(float(angle.offset))!r}"
