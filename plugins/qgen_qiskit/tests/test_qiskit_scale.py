"""Scaling device noise: both modes against the formulas and against Aer on a changed target."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import SuperOp
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer.noise.device import basic_device_gate_errors
from qiskit_ibm_runtime.fake_provider import FakeCasablancaV2

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.circuits.measures import Probabilities
from qgen_core.noise_models import channels
from qgen_qiskit.devices.calibration import fake_device
from qgen_qiskit.devices.gate_channels import GateChannels

GATES = [("sx", (3,)), ("x", (6,)), ("cx", (1, 3)), ("cx", (5, 3))]


def superoperator(kraus) -> np.ndarray:
    """rho -> sum K rho K^dagger on rows of rho."""
    return sum(np.kron(k, k.conj()) for k in kraus)


def aer_superoperator(error, count: int) -> np.ndarray:
    """Aer's error with the first qubit most significant, on rows of rho."""
    dim = 2**count
    columns = SuperOp(error).data.reshape((2,) * (4 * count))
    flipped = [*reversed(range(count))]
    order = [base + axis for base in range(0, 4 * count, count) for axis in flipped]
    matrix = columns.transpose(order).reshape(
        (dim,) * 4
    )  # (out column, out row, in column, in row)
    return matrix.transpose(1, 0, 3, 2).reshape(dim**2, dim**2)


def relaxation(t1: float, t2: float, time: float) -> np.ndarray:
    """Populations fall with T1, coherences with T2; rows of rho: 00, 01, 10, 11."""
    p, c = np.exp(-time / t1), np.exp(-time / t2)
    return np.array([[1, 0, 0, 1 - p], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, p]])


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
@pytest.mark.parametrize(("gate", "qubits"), GATES)
def test_semigroup(gate: str, qubits: tuple[int, ...], scale: float) -> None:
    """Gate times t become s t, the depolarizing rate l becomes 1 - (1 - l)^s."""
    device = fake_device("ibm_casablanca")
    record, dim = device.gates[gate][qubits], 2 ** len(qubits)

    def relaxed(time: float) -> np.ndarray:
        parts = [
            relaxation(device.t1[q], min(device.t2[q], 2 * device.t1[q]), time) for q in qubits
        ]
        if len(parts) == 1:
            return parts[0]
        split = np.einsum("abcd,efgh->aebfcgdh", *(p.reshape(2, 2, 2, 2) for p in parts))
        return split.reshape(16, 16)

    entanglement = np.trace(relaxed(record.duration)) / dim**2
    fidelity = (dim * entanglement + 1) / (dim + 1)
    rate = dim * (record.error - (1 - fidelity)) / (dim * fidelity - 1)
    assert 0 < rate < 1
    scaled = 1 - (1 - rate) ** scale
    one = np.eye(dim).reshape(-1)
    depolarized = (1 - scaled) * np.eye(dim**2) + scaled / dim * np.outer(one, one)
    found = superoperator(GateChannels(device, scale, "semigroup", "mean").kraus(gate, qubits))
    assert np.max(np.abs(found - relaxed(scale * record.duration) @ depolarized)) < 1e-13


@pytest.mark.parametrize("scale", [0.5, 2.5, 40.0])
def test_linear(scale: float) -> None:
    """T1 / s, T2 / s, and errors min(s e, d / (d + 1)), made anew by Aer from a changed target."""
    target = FakeCasablancaV2().target
    times = [QubitProperties(t1=q.t1 / scale, t2=q.t2 / scale) for q in target.qubit_properties]
    changed = Target(num_qubits=7, qubit_properties=times)
    for name in ("sx", "x", "cx"):
        most = 0.8 if name == "cx" else 2 / 3
        records = {
            on: InstructionProperties(
                error=min(scale * record.error, most), duration=record.duration
            )
            for on, record in target[name].items()
        }
        changed.add_instruction(target.operation_from_name(name), records, name=name)
    rates = GateChannels(fake_device("ibm_casablanca"), scale, "linear", "mean")
    errors = basic_device_gate_errors(target=changed)
    assert len(errors) == 7 + 7 + 12
    for name, on, error in errors:
        found = superoperator(rates.kraus(name, tuple(on)))
        assert np.max(np.abs(found - aer_superoperator(error, len(on)))) < 1e-12


def test_readout() -> None:
    device = fake_device("ibm_casablanca")
    one = GateChannels(device, 1, "semigroup", "asymmetric").confusion((2, 5))
    three = GateChannels(device, 3, "semigroup", "asymmetric").confusion((2, 5))
    half = GateChannels(device, 0.5, "semigroup", "asymmetric").confusion((2, 5))
    assert np.max(np.abs(three - one @ one @ one)) < 1e-14
    assert np.max(np.abs(half @ half - one)) < 1e-14
    linear = GateChannels(device, 30, "linear", "asymmetric").confusion((2, 5))
    assert np.allclose(linear[:, 1, 0], np.minimum(30 * one[:, 1, 0], 0.5))
    assert np.allclose(linear[:, 0, 1], np.minimum(30 * one[:, 0, 1], 0.5))


@pytest.mark.parametrize("mode", ["semigroup", "linear"])
def test_one_is_the_device_to_the_bit(mode: channels.Mode) -> None:
    device = fake_device("ibm_casablanca")
    rates, again = (
        GateChannels(device, 1.0, mode, "mean"),
        GateChannels(device, 1, "semigroup", "mean"),
    )
    for gate, qubits in GATES:
        record = device.gates[gate][qubits]
        relaxed = channels.tensor(
            *(
                channels.thermal_relaxation(device.t1[q], device.t2[q], record.duration)
                for q in qubits
            )
        )
        rate = channels.gate_error_to_depolarizing(record.error, relaxed)
        exact = channels.compose(channels.depolarizing(rate, len(qubits)), relaxed)
        assert np.array_equal(rates.kraus(gate, qubits), exact)
        assert np.array_equal(rates.kraus(gate, qubits), again.kraus(gate, qubits))
    assert np.array_equal(rates.confusion((4,))[0, 1, 0], device.mean_readout[4])
    assert rates.kraus("rz", (0,)) is None


@pytest.mark.parametrize("mode", ["semigroup", "linear"])
def test_zero_is_no_noise(mode: str) -> None:
    circuit = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    noisy, measure = qgen.noise("ibm_casablanca", scale=0.0, mode=mode)(circuit, Probabilities())
    assert noisy.channels == ()
    assert measure.confusion is None


@pytest.mark.parametrize("mode", ["semigroup", "linear"])
def test_more_scale_is_more_noise(mode: str) -> None:
    circuit = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    away = []
    for scale in (0.0, 0.5, 1.0, 4.0, 20.0):
        noisy, measure = qgen.noise("ibm_casablanca", scale=scale, mode=mode)(
            circuit, Probabilities()
        )
        found = qgen.backend("density").run(noisy, noisy.bind([]), measure)[0]
        away.append(float(np.abs(found - [0.5, 0, 0, 0.5]).sum()))
    assert away[0] < 1e-12
    assert np.all(np.diff(away) > 1e-3)
