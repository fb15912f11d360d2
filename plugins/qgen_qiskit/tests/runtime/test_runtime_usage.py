"""Forecasts of the usage of jobs, against circuits that Qiskit schedules and the formula."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime.fake_provider import FakeFez
from scripted_service import ScriptedService, scheduled_length

from qgen_core import ansatz, backend
from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.circuits.measures import Bits, Shots
from qgen_core.errors import RemoteError, Unsupported
from qgen_core.interfaces import DeviceCircuit
from qgen_qiskit.runtime.backend import RuntimeBackend

#: Twenty circuits: shallow and deep, few and many executions.
CIRCUITS = [
    (name, wires, layers, rows, shots)
    for name, wires in (("brick", 4), ("hardware-efficient", 5))
    for layers in (1, 40)
    for rows, shots in ((1, 1), (1, 8192), (7, 100), (30, 4096), (200, 1000))
]
FLIP = Circuit(1, (Gate("x", (0,)),))


def circuit_of(name: str, wires: int, layers: int) -> Circuit:
    return ansatz(name, layers=layers)(wires)


@pytest.mark.parametrize(("name", "wires", "layers", "rows", "shots"), CIRCUITS)
def test_the_forecast_is_within_ten_percent_of_the_usage(
    make, service: ScriptedService, name: str, wires: int, layers: int, rows: int, shots: int
) -> None:
    service.takes_time = True
    circuit = circuit_of(name, wires, layers)
    device = make()
    forecast = device.device_seconds(circuit, rows, shots)
    assert service.submitted == 0
    few = 2  # the simulator need not run them all: the usage per execution is what counts
    device.run(
        circuit, np.zeros((few, circuit.num_angles)), Bits(), Shots(50, np.random.default_rng(1))
    )
    of_few = service.job("job-000").usage() - 2.0
    usage = 2.0 + of_few * rows * shots / (few * 50)
    assert forecast == pytest.approx(usage, rel=0.1)
    of_few_forecast = device.device_seconds(circuit, few, 50) - 2.0
    assert of_few_forecast == pytest.approx(of_few, rel=0.1)


def test_the_length_of_a_deep_circuit_counts_on_a_real_device_s_durations() -> None:
    """On Fez, with its reset before each execution; the length itself is within 1 percent."""
    device = FakeFez()
    deep = circuit_of("brick", 4, 40)
    fez = RuntimeBackend(device="fake_fez")
    executions = 10_000
    forecast = fez.device_seconds(deep, 10, 1000)
    (ready,) = fez._prepared_circuits.get(deep, dict).values()
    manager = generate_preset_pass_manager(
        target=device.target, optimization_level=0, scheduling_method="alap"
    )
    length = scheduled_length(manager.run(ready.circuit), device.target)
    reset = device.target["reset"][(0,)].duration
    expected = 2.0 + executions * (device.default_rep_delay + reset + length)
    assert length > 10e-6
    assert forecast == pytest.approx(expected, rel=1e-2)
    assert (forecast - 2.0) / executions - device.default_rep_delay - reset == pytest.approx(
        length, rel=1e-2
    )
    # the vendor's rule of thumb, which takes circuits of 100 microseconds
    assert forecast == pytest.approx(2 + 0.00035 * executions, rel=0.25)


def test_wrappers_forecast_what_they_run() -> None:
    inner = RuntimeBackend(device="fake_guadalupe")
    one = inner.device_seconds(FLIP, 10, 100)
    mitigated = backend("readout-mitigated", backend=inner)
    assert mitigated.device_seconds(FLIP, 10, 100) == one
    extrapolated = backend("zero-noise", backend=inner, scales=(1, 3))
    of_both = extrapolated.device_seconds(FLIP, 10, 100)
    assert 2 * one < of_both < 2 * one + 1000 * 2e-6


def test_gates_without_durations_have_no_forecast(make) -> None:
    assert make().device_seconds(FLIP, 1, 1) is None


def test_without_a_device_there_is_no_forecast() -> None:
    assert RuntimeBackend(device="aer_simulator").device_seconds(FLIP, 1, 1) is None
    with pytest.raises(RemoteError, match="no such IBM account"):
        RuntimeBackend(device="ibm_fez", account="nobody").device_seconds(FLIP, 1, 1)


@pytest.mark.parametrize("device", ["fake_guadalupe", "fake_fez"])
def test_the_transpiled_circuit_has_the_size_that_qiskit_counts(device: str) -> None:
    written = circuit_of("brick", 5, 3)
    runtime = RuntimeBackend(device=device)
    found = runtime.device_circuit(written)
    (ready,) = runtime._prepared_circuits.get(written, dict).values()
    two_qubit_gates = 0
    levels = dict.fromkeys(ready.circuit.qubits, 0)
    for instruction in ready.circuit.data:
        level = max(levels[qubit] for qubit in instruction.qubits)
        if instruction.operation.name != "barrier":
            level += 1
            two_qubit_gates += len(instruction.qubits) == 2
        levels |= dict.fromkeys(instruction.qubits, level)
    assert found == DeviceCircuit(max(levels.values()), two_qubit_gates)
    # A ring of five wires does not fit a lattice of hexagons without swaps.
    assert found.two_qubit_gates >= sum(len(gate.wires) == 2 for gate in written.instructions)


def test_mitigation_runs_the_circuit_of_the_device_that_it_wraps() -> None:
    inner = RuntimeBackend(device="fake_guadalupe")
    written = circuit_of("brick", 3, 1)
    outer = backend("readout-mitigated", backend=inner)
    assert outer.device_circuit(written) == inner.device_circuit(written)


def test_a_circuit_of_more_wires_than_qubits_cannot_be_transpiled() -> None:
    with pytest.raises(Unsupported, match="16 qubits, the circuit has 20 wires"):
        RuntimeBackend(device="fake_guadalupe").device_circuit(circuit_of("brick", 20, 1))
