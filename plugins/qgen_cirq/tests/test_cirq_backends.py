"""Specific to the two backends: noise, precision, memory, a missing SDK, the README."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import cirq
import numpy as np
import pytest

import qgen_core as qgen
from qgen_cirq.gates import GATES as MAPPED
from qgen_core.circuits.gates import GATES, GateSpec
from qgen_core.errors import BadOption, BrokenPlugin, ResourceRefused, Unsupported
from qgen_core.testing import circuits, reference
from qgen_core.testing.kit import globals_untouched

RNG = np.random.default_rng
ALL = qgen.Capabilities().gates


def test_readme_example_runs() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) <= 12
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("module", ["simulator", "qsim", "gates"])
def test_entry_points_import_without_the_sdk(module: str) -> None:
    frameworks = ("cirq", "qsimcirq", "sympy")
    code = f"import sys, qgen_cirq.{module}; print(*(m for m in {frameworks} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("name", "hidden", "install"), [("cirq", "cirq", "cirq-core"), ("qsim", "qsimcirq", "qsimcirq")]
)
def test_a_missing_sdk_is_named_with_its_pip_line(
    name: str, hidden: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, hidden, None)
    with pytest.raises(BrokenPlugin, match=f"`pip install {install}`"):
        qgen.backend(name)


def test_cirq_agrees_with_its_own_simulator_called_by_hand() -> None:
    """The same gates in a cirq.Circuit give the same state."""
    circuit = qgen.Circuit(
        3,
        (
            qgen.Gate("h", (0,)),
            qgen.Gate("ry", (1,), qgen.param(0)),
            qgen.Gate("cx", (0, 2)),
            qgen.Gate("crz", (2, 1), qgen.param(1)),
            qgen.Gate("rxx", (1, 0), qgen.param(2)),
        ),
    )
    a, b, c = cirq.LineQubit.range(3)
    angles = np.array([0.4, -1.3, 2.2])
    theirs = cirq.Circuit(
        cirq.H(a),
        cirq.ry(0.4).on(b),
        cirq.CNOT(a, c),
        cirq.rz(-1.3).on(b).controlled_by(c),
        cirq.XXPowGate(exponent=2.2 / np.pi, global_shift=-0.5).on(b, a),
    )
    state = cirq.Simulator(dtype=np.complex128).simulate(theirs).final_state_vector
    found = qgen.backend("cirq").run(circuit, circuit.bind(angles), qgen.State())[0]
    np.testing.assert_allclose(found, state, atol=1e-14)


@pytest.mark.parametrize("name", ["cirq", "qsim"])
def test_gates_that_are_not_mapped_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the capabilities, and by the translation where capabilities are wider than the map."""
    monkeypatch.setitem(GATES, "sdg", GateSpec(1, fixed=np.diag([1, -1j])))
    circuit = qgen.Circuit(1, (qgen.Gate("sdg", (0,)),))
    backend = qgen.backend(name)
    with pytest.raises(Unsupported, match="has no gate sdg"):
        backend.probabilities(circuit, [])
    monkeypatch.setattr(backend, "capabilities", qgen.Capabilities())
    with pytest.raises(Unsupported, match="maps no gate 'sdg' to Cirq and qsim; it has h, x"):
        backend.probabilities(circuit, [])


def test_every_mapped_gate_is_in_the_table() -> None:
    assert set(MAPPED) <= set(GATES)
    for name in MAPPED:
        shift = MAPPED[name].qsim.shift
        assert (shift is not None) == GATES[name].has_angle


def test_qsim_is_single_precision_and_says_so() -> None:
    """Values stay within 1e-5 of double precision after hundreds of gates, and probabilities sum to
    one.
    """
    backend = qgen.backend("qsim")
    assert backend.capabilities.precision == "single"
    circuit = circuits.trained(ALL, 6, 200, RNG(2))
    angles = circuits.rows(circuit, 2, RNG(3))
    found = backend.run(circuit, angles, qgen.Probabilities())
    exact = qgen.backend("statevector").run(circuit, angles, qgen.Probabilities())
    off = np.max(np.abs(found - exact))
    assert 1e-10 < off < 1e-5
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


def test_qsim_names_who_runs_channels() -> None:
    noisy = qgen.Circuit(1, (qgen.Channel(np.eye(2)[None], (0,), "idle"),))
    with pytest.raises(Unsupported, match="channel 'idle'.*density, cirq, aer"):
        qgen.backend("qsim").probabilities(noisy, [])


@pytest.mark.parametrize(
    ("options", "named"), [({"threads": 0}, "threads"), ({"fused": 7}, "fused")]
)
def test_qsim_refuses_bad_options(options: dict[str, int], named: str) -> None:
    with pytest.raises(BadOption, match=named):
        qgen.backend("qsim", **options)


@pytest.mark.parametrize("fused", [2, 3, 4])
def test_qsim_fuses_gates_without_changing_values(fused: int) -> None:
    circuit = circuits.trained(ALL, 5, 40, RNG(4))
    angles = circuits.rows(circuit, 1, RNG(5))
    found = qgen.backend("qsim", fused=fused).run(circuit, angles, qgen.pauli_z(5))
    np.testing.assert_allclose(found, reference.values(circuit, angles, qgen.pauli_z(5)), atol=1e-5)


def test_density_matrices_need_their_own_memory() -> None:
    """40 wires are refused as a state, 20 as a density matrix; 20 as a state are not."""
    wide = qgen.Circuit(40, (qgen.Gate("h", (0,)),))
    noisy = qgen.Circuit(20, (qgen.Channel(np.eye(2)[None], (0,), "idle"),))
    backend = qgen.backend("cirq")
    for circuit in (wide, noisy):
        with pytest.raises(ResourceRefused, match=f"{circuit.num_wires} qubits need"):
            backend.run(circuit, circuit.bind([]), qgen.pauli_z(circuit.num_wires))
    backend.require(qgen.Circuit(20, wide.instructions), qgen.pauli_z(20))


def test_translations_are_forgotten_with_their_circuits() -> None:
    backends = [qgen.backend("cirq"), qgen.backend("qsim")]
    circuit = circuits.trained(ALL, 2, 4, RNG(1))
    with globals_untouched("run()"):
        for backend in backends:
            backend.run(circuit, circuits.rows(circuit, 2, RNG(1)), qgen.Probabilities())
            assert backend._steps._values
    del circuit
    gc.collect()
    assert not any(backend._steps._values for backend in backends)
