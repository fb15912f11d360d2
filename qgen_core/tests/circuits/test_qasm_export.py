"""OpenQASM 3 programs, read back by an evaluator of the subset that is written, and by Qiskit's."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from circuits_random import IDLE, random_circuit

from qgen_core.ansatze.brick import brick
from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.gates import GATES, embedded
from qgen_core.circuits.qasm import to_qasm
from qgen_core.errors import BadCircuit, Unsupported
from qgen_core.testing.reference import unitary
from qgen_core.typing import Complex, Floats


def u(theta: float, phi: float, lam: float) -> Complex:
    """The built-in U of the language, without its global phase."""
    c, s = np.cos(theta / 2), np.sin(theta / 2)
    return np.array(
        [[c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]]
    )


def ctrl(matrix: Complex) -> Complex:
    """``ctrl @`` of the language: the first qubit controls."""
    return np.block([[np.eye(2), np.zeros((2, 2))], [np.zeros((2, 2)), matrix]])


# stdgates.inc as the language defines it
STANDARD: dict[str, Callable[..., Complex]] = {
    "p": lambda lam: u(0, 0, lam),
    "x": lambda: u(np.pi, 0, np.pi),
    "y": lambda: u(np.pi, np.pi / 2, np.pi / 2),
    "z": lambda: u(0, 0, np.pi),
    "h": lambda: u(np.pi / 2, 0, np.pi),
    "s": lambda: u(0, 0, np.pi / 2),
    "t": lambda: u(0, 0, np.pi / 4),
    "sx": lambda: np.exp(0.25j * np.pi) * u(np.pi / 2, -np.pi / 2, np.pi / 2),
    "rx": lambda theta: u(theta, -np.pi / 2, np.pi / 2),
    "ry": lambda theta: u(theta, 0, 0),
    "rz": lambda lam: np.exp(-0.5j * lam) * u(0, 0, lam),
    "cx": lambda: ctrl(u(np.pi, 0, np.pi)),
    "cz": lambda: ctrl(u(0, 0, np.pi)),
    "crx": lambda theta: ctrl(STANDARD["rx"](theta)),
    "cry": lambda theta: ctrl(STANDARD["ry"](theta)),
    "crz": lambda theta: ctrl(STANDARD["rz"](theta)),
    "swap": lambda: np.eye(4, dtype=complex)[[0, 2, 1, 3]],
}
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def number(text: str, names: Mapping[str, float]) -> float:
    """An arithmetic expression of the language."""

    def of(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.Name(id=name):
                return names[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -of(inner)
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](of(left), of(right))
        raise AssertionError(f"no number: {text}")

    return of(ast.parse(text, mode="eval").body)


@dataclass
class Program:
    """A program of gate definitions, inputs, gate calls on q and one measurement into c."""

    text: str
    values: Mapping[str, float]
    qubits: int = 0
    measured: bool = False
    inputs: list[str] = field(default_factory=list)
    defined: dict[str, tuple[list[str], list[str], str]] = field(default_factory=dict)
    unitary: Complex = field(default_factory=lambda: np.eye(1, dtype=complex))

    def __post_init__(self) -> None:
        text = re.sub(r"//[^\n]*", "", self.text)
        head = re.match(r'\s*OPENQASM 3\.0;\s*include "stdgates\.inc";', text)
        assert head
        text = text[head.end() :]
        pattern = r"gate (\w+)(?:\(([^)]*)\))? ([^{]*)\{([^}]*)\}"
        for name, params, wires, body in re.findall(pattern, text):
            assert name not in STANDARD  # stdgates.inc has it
            self.defined[name] = (re.findall(r"\w+", params), re.findall(r"\w+", wires), body)
        for statement in re.sub(pattern, "", text).split(";"):
            if statement.strip():
                self._do(statement.strip())

    def _do(self, statement: str) -> None:
        assert not self.measured, "nothing after the measurement"
        if found := re.fullmatch(r"input float\[64\] (\w+)", statement):
            self.inputs.append(found[1])
        elif found := re.fullmatch(r"qubit\[(\d+)\] q", statement):
            self.qubits = int(found[1])
            self.unitary = np.eye(2**self.qubits, dtype=complex)
        elif found := re.fullmatch(r"bit\[(\d+)\] c", statement):
            assert int(found[1]) == self.qubits
        elif statement == "c = measure q":
            self.measured = True
        else:
            found = re.fullmatch(r"(\w+)(?:\((.*)\))? (q\[\d+\](?:, q\[\d+\])*)", statement)
            assert found, statement
            wires = tuple(int(w) for w in re.findall(r"\d+", found[3]))
            names = {name: self.values[name] for name in self.inputs}
            matrix = self.matrix(found[1], [number(found[2], names)] if found[2] else [])
            self.unitary = embedded(matrix, wires, self.qubits) @ self.unitary

    def matrix(self, name: str, arguments: list[float]) -> Complex:
        """A standard or a defined gate; wire 0 most significant."""
        if name in STANDARD:
            return STANDARD[name](*arguments)
        params, wires, body = self.defined[name]
        names = dict(zip(params, arguments, strict=True)) | {"pi": np.pi}
        out = np.eye(2 ** len(wires), dtype=complex)
        for call in filter(None, (part.strip() for part in body.split(";"))):
            found = re.fullmatch(r"(\w+)(?:\(([^)]*)\))? (\w+(?:, \w+)*)", call)
            assert found, call
            matrix = self.matrix(found[1], [number(found[2], names)] if found[2] else [])
            on = tuple(wires.index(w) for w in found[3].split(", "))
            out = embedded(matrix, on, len(wires)) @ out
        return out


def same_up_to_phase(a: Complex, b: Complex) -> None:
    overlap = np.vdot(a, b)
    np.testing.assert_allclose(a * (overlap / abs(overlap)), b, rtol=0, atol=1e-12)


def named(theta: Floats, x: Floats) -> dict[str, float]:
    return {f"theta_{k}": float(v) for k, v in enumerate(theta)} | {
        f"x_{k}": float(v) for k, v in enumerate(x)
    }


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_gate_means_the_same(name: str) -> None:
    wires = {1: (1,), 2: (2, 0)}[GATES[name].wires]
    angle = param(0) if GATES[name].has_angle else None
    circuit = Circuit(3, (Gate(name, wires, angle),))
    theta = np.array([0.7])[: circuit.num_params]
    program = Program(to_qasm(circuit), named(theta, np.zeros(0)))
    same_up_to_phase(program.unitary, unitary(circuit, circuit.bind(theta)[0]))
    assert program.measured and program.qubits == 3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("with_params", "with_inputs"), list(product((False, True), repeat=2)))
def test_random_circuits_bound_and_unbound(seed: int, with_params: bool, with_inputs: bool) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 3, 30)
    theta, x = rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_inputs)
    text = to_qasm(circuit, theta if with_params else None, x if with_inputs else None)
    program = Program(text, named(theta, x))
    same_up_to_phase(program.unitary, unitary(circuit, circuit.bind(theta, x)[0]))
    expected = [] if with_params else [f"theta_{k}" for k in range(circuit.num_params)]
    expected += [] if with_inputs else [f"x_{k}" for k in range(circuit.num_inputs)]
    assert program.inputs == expected


def test_defined_gates_are_exact_but_for_the_phase_of_ecr() -> None:
    gates = tuple(Gate(name, (0, 1), param(0)) for name in ("rxx", "ryy", "rzz"))
    program = Program(to_qasm(Circuit(2, (*gates, Gate("ecr", (0, 1))))), {"theta_0": 0.0})
    for name in ("rxx", "ryy", "rzz"):
        np.testing.assert_allclose(
            program.matrix(name, [1.3]), GATES[name].matrix(1.3), rtol=0, atol=1e-15
        )
    phase = np.exp(0.25j * np.pi)
    np.testing.assert_allclose(
        program.matrix("ecr", []), phase * GATES["ecr"].matrix(), rtol=0, atol=1e-15
    )


def test_only_gates_in_use_are_defined() -> None:
    assert not re.findall(r"gate (\w+)", to_qasm(Circuit(2, (Gate("cx", (0, 1)),))))
    text = to_qasm(Circuit(2, (Gate("rzz", (0, 1), const(0.1)), Gate("rzz", (1, 0), const(0.2)))))
    assert re.findall(r"gate (\w+)", text) == ["rzz"]


def test_numbers_are_kept_to_the_last_bit() -> None:
    theta, x = np.array([np.pi / 3, 1e-17]), np.array([-1.0 / 3])
    circuit = Circuit(
        1,
        tuple(
            Gate("ry", (0,), a)
            for a in (param(0, 0.1, 0.2), param(1), given(0, 3.0), const(-2.0 / 7))
        ),
    )
    written = [float(v) for v in re.findall(r"ry\(([^)]*)\)", to_qasm(circuit, theta, x))]
    assert written == circuit.bind(theta, x)[0].tolist()


def test_unbound_angles_are_expressions() -> None:
    angles = (param(0), param(1, -2.0), param(0, 1.0, 0.5), given(0, 0.25, -0.125), const(3))
    text = to_qasm(Circuit(1, tuple(Gate("rz", (0,), a) for a in angles)))
    assert re.findall(r"rz\(([^)]*)\)", text) == [
        "theta_0",
        "-2.0 * theta_1",
        "theta_0 + 0.5",
        "0.25 * x_0 - 0.125",
        "3.0",
    ]


def test_wire_w_is_qubit_w() -> None:
    program = Program(to_qasm(Circuit(3, (Gate("x", (0,)), Gate("cx", (0, 2))))), {})
    assert abs(program.unitary[0b101, 0]) == pytest.approx(1)


def test_what_cannot_be_written_is_refused() -> None:
    noisy = Circuit(1, (Gate("h", (0,)), Channel(IDLE, (0,), "damping")))
    with pytest.raises(
        Unsupported, match="no noise, the circuit holds the channel 'damping'; export .* without"
    ):
        to_qasm(noisy)
    circuit = Circuit(1, (Gate("rx", (0,), param(0)), Gate("ry", (0,), given(0))))
    with pytest.raises(BadCircuit, match="one circuit, not 3"):
        to_qasm(circuit, np.zeros((3, 1)))
    with pytest.raises(
        BadCircuit, match=r"params have the shape \(2,\); the circuit needs \(B, 1\)"
    ):
        to_qasm(circuit, [0.1, 0.2])
    with pytest.raises(BadCircuit, match=r"inputs have the shape \(2,\)"):
        to_qasm(circuit, None, [0.1, 0.2])
    for value in (np.nan, np.inf):
        with pytest.raises(BadCircuit, match="finite numbers"):
            to_qasm(circuit, [value])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bound", [False, True])
def test_qiskit_reads_the_same_circuit(seed: int, bound: bool) -> None:
    reader = pytest.importorskip("qiskit_qasm3_import")
    info = pytest.importorskip("qiskit.quantum_info")
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 4, 60)
    theta, x = rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_inputs)
    read = reader.parse(to_qasm(circuit, theta, x) if bound else to_qasm(circuit))
    assert read.num_clbits == 4
    values = named(theta, x)
    read = read.assign_parameters({p: values[p.name] for p in read.parameters})
    read.remove_final_measurements()
    # Qiskit's qubit 0 is the least significant bit
    same_up_to_phase(
        info.Operator(read.reverse_bits()).data, unitary(circuit, circuit.bind(theta, x)[0])
    )


def test_an_ansatz_is_exported_whole() -> None:
    circuit = brick(4, layers=2, start="bell", inputs=2)
    rng = np.random.default_rng(1)
    theta, x = rng.normal(size=circuit.num_params), rng.normal(size=2)
    text = to_qasm(circuit)
    assert text.count("input float[64]") == circuit.num_params + 2
    assert len(re.findall(r"^\w+(?:\(.*\))? q\[", text, re.MULTILINE)) == len(circuit.gates)
    same_up_to_phase(
        Program(text, named(theta, x)).unitary, unitary(circuit, circuit.bind(theta, x)[0])
    )
