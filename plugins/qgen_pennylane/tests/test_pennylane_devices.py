"""Devices by name, what they declare, how they are made, and what is refused."""

from __future__ import annotations

import dataclasses
import gc
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pennylane as qml
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import EVERY_GATE, GATES, PAULI, GateSpec
from qgen_core.errors import BadOption, BrokenPlugin, Unsupported
from qgen_core.testing import circuits, reference
from qgen_core.testing.kit import globals_untouched
from qgen_pennylane.device import DeviceBackend
from qgen_pennylane.sampled import SampledBackend

RNG = np.random.default_rng
NOISY = qgen.Circuit(1, (qgen.Gate("h", (0,)), qgen.Channel(np.eye(2)[None], (0,), "idle")))


def some_circuit(wires: int = 3, angles: int = 6) -> qgen.Circuit:
    gates = qgen.Capabilities().gates
    return circuits.trained(gates, wires, angles, RNG(1))


def test_readme_example_runs() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) <= 12
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("module", ["factory", "lightning"])
def test_entry_points_import_without_the_sdk(module: str) -> None:
    frameworks = ("pennylane", "pennylane_lightning", "torch", "autograd")
    code = (
        f"import sys, qgen_pennylane.{module}; "
        f"print(*(m for m in {frameworks} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("name", "hidden", "line"),
    [
        ("pennylane", "pennylane", "`pip install pennylane`"),
        (
            "lightning",
            "pennylane_lightning.lightning_qubit_ops",
            "`pip install pennylane-lightning`",
        ),
    ],
)
def test_a_missing_sdk_is_named_with_its_pip_line(
    name: str, hidden: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, hidden, None)
    with pytest.raises(BrokenPlugin) as error:
        qgen.backend(name)
    assert line in str(error.value)


def test_other_kernels_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lightning whose compiled classes have other names is refused, with what works instead."""
    monkeypatch.setitem(sys.modules, "pennylane_lightning.lightning_qubit_ops", SimpleNamespace())
    with pytest.raises(BrokenPlugin, match="device 'lightning.qubit'"):
        qgen.backend("lightning")


def test_an_unknown_device_lists_those_installed() -> None:
    with pytest.raises(
        BadOption,
        match=r"no PennyLane device 'default.qbit'; installed: .*default\.qubit.*lightning",
    ):
        qgen.backend("pennylane", device="default.qbit")
    with pytest.raises(BadOption, match="is exact"):
        qgen.backend("pennylane", device="default.qubit", exact=False)


def test_bad_precision_is_refused() -> None:
    with pytest.raises(BadOption, match="'double' or 'single'"):
        qgen.backend("lightning", precision="half")


def test_channels_are_refused_by_name_but_by_default_mixed() -> None:
    for backend in (qgen.backend("lightning"), qgen.backend("pennylane")):
        assert not backend.capabilities.noise
        with pytest.raises(Unsupported, match=r"channel 'idle'.*density.*default\.mixed"):
            backend.probabilities(NOISY, [])
    mixed = qgen.backend("pennylane", device="default.mixed")
    assert mixed.capabilities.noise
    np.testing.assert_allclose(mixed.probabilities(NOISY, []), [0.5, 0.5], atol=1e-12)


def test_making_a_device_leaves_global_random_states_alone() -> None:
    with globals_untouched("qgen.backend()"):
        for device in ("default.qubit", "default.mixed", "lightning.qubit", "reference.qubit"):
            qgen.backend("pennylane", device=device).probabilities(
                qgen.Circuit(1, (qgen.Gate("h", (0,)),)), []
            )


def test_a_device_that_only_samples_gives_its_own_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a device declares decides; here lightning, with exact probabilities struck from its
    declaration.
    """
    made_by = type(qml.device("lightning.qubit", wires=1, seed=0))
    only = [qml.devices.capabilities.ExecutionCondition.FINITE_SHOTS_ONLY]
    declared = made_by.capabilities
    struck = dataclasses.replace(
        declared, measurement_processes={**declared.measurement_processes, "ProbabilityMP": only}
    )
    monkeypatch.setattr(made_by, "capabilities", struck)
    backend = qgen.backend("pennylane", device="lightning.qubit")
    assert isinstance(backend, SampledBackend) and not backend.capabilities.exact
    circuit = qgen.Circuit(1, (qgen.Gate("h", (0,)),))
    ones = backend.sample(circuit, [], shots=20_000, seed=4).mean()
    assert abs(ones - 0.5) < 6 * 0.5 / np.sqrt(20_000)
    with pytest.raises(BadOption, match="no exact values"):
        backend.probabilities(circuit, [])
    with pytest.raises(Unsupported, match="takes no confusion"):
        backend.run(circuit, circuit.bind([]), qgen.Bits(np.eye(2)[None]), qgen.Shots(5, RNG(1)))


def test_a_plain_device_is_differentiated_by_parameter_shift_in_one_execution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """reference.qubit has no gradient of its own; all shifted rows go in one call."""
    backend = qgen.backend("pennylane", device="reference.qubit")
    assert (
        isinstance(backend, DeviceBackend) and backend.capabilities.gradients == "parameter-shift"
    )
    circuit = some_circuit(2, 3)
    angles, measure = circuits.rows(circuit, 1, RNG(2)), qgen.Expectations(("ZX", "II", "IY"))
    weights = RNG(3).normal(size=(1, 3))
    calls, execute = [], qml.execute
    monkeypatch.setattr(
        backend.qml,
        "execute",
        lambda tapes, *a, **k: calls.append(len(tapes)) or execute(tapes, *a, **k),
    )
    found = backend.forward(circuit, angles, measure)[1](weights)
    turning = np.array([a.source != "const" for a in circuit.angles])
    expected = reference.gradient(circuit, angles, measure, weights)
    np.testing.assert_allclose(found[:, turning], expected[:, turning], atol=1e-7)
    assert len(calls) == 2, "one run for the values, one for all shifts"


@pytest.mark.filterwarnings("ignore:Operator .* does not define a decomposition")
def test_what_a_device_cannot_run_is_unsupported() -> None:
    """A circuit that a device refuses: PennyLane's message, with the device's name."""
    backend = qgen.backend("pennylane", device="default.qutrit")
    with pytest.raises(Unsupported, match=r"PennyLane device 'default\.qutrit'"):
        backend.probabilities(qgen.Circuit(1, (qgen.Gate("h", (0,)),)), [])


def test_translations_are_forgotten_with_their_circuits() -> None:
    lightning, numerical = qgen.backend("lightning"), qgen.backend("pennylane")
    circuit = some_circuit()
    for backend in (lightning, numerical):
        backend.forward(circuit, circuits.rows(circuit, 2, RNG(1)), qgen.Probabilities())
    assert lightning._programs._values and numerical.translator._steps._values
    del circuit
    gc.collect()
    assert not lightning._programs._values and not numerical.translator._steps._values


@pytest.mark.parametrize("name", ["pennylane", "lightning"])
def test_a_gate_that_is_not_mapped_is_refused_even_where_it_is_declared(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.kron(PAULI["Z"], PAULI["X"])
    monkeypatch.setitem(GATES, "rzx", GateSpec(2, generator=generator, shift=2))
    circuit = qgen.Circuit(2, (qgen.Gate("rzx", (0, 1), qgen.param(0)),))
    backend = qgen.backend(name)
    with pytest.raises(Unsupported, match="rzx"):
        backend.probabilities(circuit, [0.3])
    backend.capabilities = replace(backend.capabilities, gates=EVERY_GATE)
    with pytest.raises(Unsupported, match="maps no gate 'rzx' to PennyLane; it has h, x"):
        backend.probabilities(circuit, [0.3])
