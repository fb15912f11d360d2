"""The noise of devices against Qiskit Aer's own model of them, on the same transpiled circuits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Kraus, SuperOp
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, QuantumError
from qiskit_aer.noise.device import basic_device_gate_errors
from qiskit_ibm_runtime import fake_provider

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate, given, param
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    Probabilities,
    Shots,
    State,
    pauli_z,
)
from qgen_core.errors import BadOption, Unsupported
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.testing import circuits, reference
from qgen_core.testing.kit import globals_untouched

FAKES = {
    "ibm_guadalupe": fake_provider.FakeGuadalupeV2,
    "ibm_fez": fake_provider.FakeFez,
    "ibm_cairo": fake_provider.FakeCairoV2,
    "ibm_casablanca": fake_provider.FakeCasablancaV2,
}
#: Wires with a place of their own: no two can be exchanged without notice.
TWISTED = Circuit(
    5,
    (
        *(Gate("ry", (w,), param(w)) for w in range(5)),
        *(Gate("cx", pair) for pair in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (1, 3), (0, 2))),
        *(Gate("rz", (w,), param(5 + w, 0.5, 0.1)) for w in range(5)),
        *(Gate("crx", pair, given(0)) for pair in ((4, 1), (2, 0))),
        *(Gate("rx", (w,), param(w, -1.5)) for w in range(5)),
    ),
)


def values(circuit: Circuit, batch: int = 1, seed: int = 3) -> Any:
    return circuits.rows(circuit, batch, np.random.default_rng(seed))


def aer_errors(name: str, qubits: list[int]) -> dict[tuple[str, tuple[int, ...]], QuantumError]:
    """Aer's errors of gates on these qubits, as ``NoiseModel.from_backend`` computes them."""
    target = FAKES[name]().target
    cut = Target(num_qubits=target.num_qubits, qubit_properties=target.qubit_properties)
    for gate in {"rz", "sx", "x", "cx", "cz", "ecr"} & set(target.operation_names):
        known = {on: record for on, record in target[gate].items() if set(on) <= set(qubits)}
        cut.add_instruction(target.operation_from_name(gate), known, name=gate)
    return {(gate, tuple(on)): error for gate, on, error in basic_device_gate_errors(target=cut)}


def aer_probabilities(noisy: Circuit, angles: Any, errors: Any, read: list[int]) -> Any:
    """The same gates in Aer with its own errors, before readout; wire 0 most significant."""
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx", "cz", "ecr"])
    built, row, known = QuantumCircuit(noisy.num_wires), iter(angles), set()
    for gate in noisy.gates:
        turn = [next(row)] if gate.angle is not None else []
        getattr(built, gate.name)(*turn, *gate.wires)
        error = errors.get((gate.name, tuple(read[w] for w in gate.wires)))
        if error is not None and (gate.name, gate.wires) not in known:
            known.add((gate.name, gate.wires))
            model.add_quantum_error(error, gate.name, list(gate.wires))
    built.save_probabilities()
    result = AerSimulator(method="density_matrix", noise_model=model).run(built).result()
    found = np.asarray(result.data(0)["probabilities"])
    return found.reshape((2,) * noisy.num_wires).transpose().reshape(-1)


@pytest.mark.parametrize("name", ["ibm_guadalupe", "ibm_cairo", "ibm_fez"])
def test_it_is_the_model_of_aer(name: str) -> None:
    """Each error as one Kraus channel; otherwise Aer drops the smallest parts of fez's errors."""
    noise = qgen.noise(name)
    circuit = Circuit(
        5, tuple(Gate(g.name, g.wires, g.angle and param(k)) for k, g in enumerate(TWISTED.gates))
    )
    noisy, _ = noise(circuit, Probabilities())
    angles = noisy.bind(np.random.default_rng(5).uniform(-3, 3, circuit.num_params))
    read = noise.describe()["read on"]
    errors = aer_errors(name, read)
    found = qgen.backend("density").run(noisy, angles, Probabilities())[0]
    whole = {key: QuantumError(Kraus(SuperOp(error))) for key, error in errors.items()}
    assert np.max(np.abs(found - aer_probabilities(noisy, angles[0], whole, read))) < 1e-9
    if name == "ibm_guadalupe":
        assert np.max(np.abs(found - aer_probabilities(noisy, angles[0], errors, read))) < 1e-9
    without = qgen.backend("statevector").run(Circuit(5, noisy.gates), angles, Probabilities())[0]
    assert np.max(np.abs(found - without)) > 1e-3
    assert np.max(np.abs(qgen.backend("aer").run(noisy, angles, Probabilities())[0] - found)) < 1e-9


def test_the_errors_are_those_of_from_backend() -> None:
    """So the other tests, which use the Aer function below it, cover the whole model."""
    local = NoiseModel.from_backend(FAKES["ibm_casablanca"]())._local_quantum_errors
    ours = aer_errors("ibm_casablanca", list(range(7)))
    assert {(gate, on) for gate in local for on in local[gate]} - ours.keys() <= {
        (gate, (q,)) for gate in ("id", "reset", "delay") for q in range(7)
    }
    for (gate, on), error in ours.items():
        assert np.array_equal(SuperOp(error).data, SuperOp(local[gate][on]).data)


@pytest.mark.parametrize("readout", ["mean", "asymmetric"])
def test_readout_is_that_of_the_qubits_read(readout: str) -> None:
    noise = qgen.noise("ibm_casablanca", readout=readout)
    _, measure = noise(TWISTED, pauli_z(5))
    backend = FAKES["ibm_casablanca"]()
    read = noise.describe()["read on"]
    model = NoiseModel.from_backend(backend)._local_readout_errors
    for wire, qubit in enumerate(read):
        matrix = np.asarray(model[(qubit,)].probabilities).T  # Aer's has the true bit first
        if readout == "asymmetric":
            known = backend.properties().qubit_property(qubit)
            up, down = known["prob_meas1_prep0"][0], known["prob_meas0_prep1"][0]
            assert up != down
            assert (up + down) / 2 == pytest.approx(matrix[1, 0], abs=1e-12)
            matrix = np.array([[1 - up, down], [up, 1 - down]])
        assert np.allclose(measure.confusion[wire], matrix, atol=1e-15)
    assert noise.describe()["readout"] == readout


def test_wires_come_out_in_order_though_the_device_forces_swaps() -> None:
    """Without noise the compiled circuit equals the circuit, for every layout and Pauli letter."""
    angles = values(TWISTED, 2)
    words = ("ZIIII", "IXIII", "IIYII", "IIIZI", "IIIIX", "XYZXY")
    for name, layout in (
        ("ibm_casablanca", None),
        ("ibm_casablanca", (6, 5, 3, 1, 0)),
        ("ibm_cairo", None),
    ):
        noise = qgen.noise(name, scale=0, layout=layout)
        backend = NoisyBackend(qgen.backend("statevector"), noise)
        for measure in (Probabilities(), Expectations(words)):
            expected = reference.values(TWISTED, angles, measure)
            assert np.max(np.abs(backend.run(TWISTED, angles, measure) - expected)) < 1e-12
        described = noise.describe()
        assert described["layout"] == list(layout) if layout else len(described["layout"]) == 5
        assert described["layout"] != described["read on"], (
            "states were moved, so this is a test of naming"
        )


#: Qubits of casablanca that are connected only by way of 3 and 5.
APART = (0, 1, 2, 4, 6)


def test_routing_passes_an_idle_qubit() -> None:
    """Without noise: values, bits and gradients are those of the circuit's own wires."""
    noise = qgen.noise("ibm_casablanca", scale=0, layout=APART)
    backend = NoisyBackend(qgen.backend("statevector"), noise)
    angles = values(TWISTED, 2)
    for measure in (Probabilities(), Expectations(("ZIIII", "XYZXY", "IIIIX"))):
        expected = reference.values(TWISTED, angles, measure)
        output, pullback = backend.forward(TWISTED, angles, measure)
        assert np.max(np.abs(output - expected)) < 1e-12
        assert np.array_equal(backend.run(TWISTED, angles, measure), output)
        cotangent = np.random.default_rng(4).normal(size=output.shape)
        plain = qgen.backend("statevector").forward(TWISTED, angles, measure)[1]
        assert np.max(np.abs(pullback(cotangent) - plain(cotangent))) < 1e-10
    described = noise.describe()
    assert described["layout"] == list(APART)
    assert described["passed"], "so this is a test of more qubits than wires"
    assert not set(described["passed"]) & set(described["read on"])
    shots = Shots(4000, np.random.default_rng(5))
    bits = backend.run(TWISTED, angles, Bits(), shots)
    assert bits.shape == (2, 4000, 5)
    means = 1 - 2 * bits.mean(axis=1)
    exact = reference.values(TWISTED, angles, pauli_z(5))
    assert np.max(np.abs(means - exact)) < 6 / np.sqrt(4000)
    with pytest.raises(Unsupported, match="more qubits of ibm_casablanca than it has wires"):
        noise(TWISTED, State())


def test_channels_and_readout_of_a_circuit_that_passes_an_idle_qubit() -> None:
    """Aer's errors on the same qubits, the passed one summed over; readout of the others alone."""
    noise = qgen.noise("ibm_casablanca", layout=APART)
    every = Circuit(
        5, tuple(Gate(g.name, g.wires, g.angle and param(k)) for k, g in enumerate(TWISTED.gates))
    )
    noisy, measure = noise(every, Probabilities())
    described = noise.describe()
    qubits = described["read on"] + described["passed"]
    assert noisy.num_wires == len(qubits) > 5
    parameters = np.random.default_rng(5).uniform(-3, 3, every.num_params)
    errors = aer_errors("ibm_casablanca", qubits)
    expected = aer_probabilities(noisy, noisy.bind(parameters)[0], errors, qubits)
    expected = expected.reshape(32, -1).sum(axis=1).reshape((2,) * 5)
    for wire in range(5):
        read = np.tensordot(measure.confusion[wire], expected, axes=(1, wire))
        expected = np.moveaxis(read, 0, wire)
    assert np.array_equal(measure.confusion[5:], np.tile(np.eye(2), (len(qubits) - 5, 1, 1)))
    backend = NoisyBackend(qgen.backend("density"), noise)
    found = backend.run(every, every.bind(parameters), Probabilities())[0]
    assert np.max(np.abs(found - expected.reshape(-1))) < 1e-9
    mitigated = qgen.backend("readout-mitigated", backend=backend)
    corrected = mitigated.run(every, every.bind(parameters), Probabilities())
    assert corrected.shape == (1, 32)


def test_each_rotation_keeps_one_source() -> None:
    noisy, _ = qgen.noise("ibm_guadalupe")(TWISTED, Probabilities())
    assert {g.name for g in noisy.gates} <= {"rz", "sx", "x", "cx"}
    assert noisy.num_params == TWISTED.num_params and noisy.num_inputs == TWISTED.num_inputs
    scales: dict[tuple[str, int], list[float]] = {}
    for angle in noisy.angles:
        if angle.source != "const":
            scales.setdefault((angle.source, angle.index), []).append(round(abs(angle.scale), 12))
    expected = {("param", w): [1.0, 1.5] for w in range(5)} | {
        ("param", 5 + w): [0.5] for w in range(5)
    }
    expected["input", 0] = [
        0.5
    ] * 4  # a controlled rotation is two, by half its angle there and back
    assert {source: sorted(found) for source, found in scales.items()} == expected
    quiet, _ = qgen.noise("ibm_guadalupe", scale=0)(TWISTED, Probabilities())
    rng, exact = np.random.default_rng(6), qgen.backend("statevector")
    params, inputs = rng.uniform(-3, 3, (2, TWISTED.num_params)), rng.uniform(-3, 3, (2, 1))
    found, wanted = (
        exact.run(c, c.bind(params, inputs), Probabilities()) for c in (quiet, TWISTED)
    )
    assert np.max(np.abs(found - wanted)) < 1e-12, (
        "the same affine functions of parameters and inputs"
    )


def test_gradients_go_through_the_device() -> None:
    """Parameter shift on Aer, the adjoint of ``density``, and finite differences agree."""
    turns = (Gate("ry", (w,), param(w % 2)) for w in range(3))
    pairs = (Gate("crz", (2, 0), param(2, 0.7)), Gate("rxx", (0, 1), param(3)), Gate("cx", (1, 2)))
    circuit = Circuit(3, (*turns, *pairs, Gate("ry", (0,), given(0, 2.0))))
    noise = qgen.noise("ibm_casablanca")
    rng = np.random.default_rng(8)
    angles, cotangent = values(circuit, 2), rng.normal(size=(2, 8))
    found = [
        NoisyBackend(qgen.backend(name), noise).forward(circuit, angles, Probabilities())[1](
            cotangent
        )
        for name in ("aer", "density")
    ]
    backend = NoisyBackend(qgen.backend("density"), noise)
    for column in range(circuit.num_angles):
        step = 1e-5 * np.eye(circuit.num_angles)[column]
        ends = [
            np.sum(cotangent * backend.run(circuit, angles + s * step, Probabilities()), axis=1)
            for s in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2e-5
        for gradient in found:
            assert np.max(np.abs(gradient[:, column] - slope)) < 1e-8
    assert np.max(np.abs(found[0] - found[1])) < 1e-9


def test_parts_stay_apart() -> None:
    """Two blocks of the tree are placed side by side, and no gate joins them."""
    circuit = qgen.ansatz("tree", layers=2)(8)
    noise = qgen.noise("ibm_guadalupe")
    noisy, _ = noise(circuit, Probabilities())
    for gate in noisy.gates:
        assert len({w // 4 for w in gate.wires}) == 1
    for channel in noisy.channels:
        assert len({w // 4 for w in channel.wires}) == 1
    described = noise.describe()
    assert set(described["layout"][:4]) == set(described["read on"][:4])
    assert not set(described["layout"][:4]) & set(described["layout"][4:])


def test_the_angle_generator_on_fez() -> None:
    """24 parameters on 8 wires for 50 inputs, on both engines."""
    circuit = qgen.ansatz("qag-chain")(8, inputs=8)
    rng = np.random.default_rng(1)
    angles = circuit.bind(rng.uniform(-3, 3, 24), rng.normal(0, np.sqrt(0.5), (50, 8)))
    noise = qgen.noise("ibm_fez")
    found = NoisyBackend(qgen.backend("density"), noise).run(circuit, angles, pauli_z(8))
    ideal = qgen.backend("statevector").run(circuit, angles, pauli_z(8))
    assert found.shape == (50, 8)
    assert 0.01 < np.max(np.abs(found - ideal)) < 0.3
    few = NoisyBackend(qgen.backend("aer"), noise).run(circuit, angles[:3], pauli_z(8))
    assert np.max(np.abs(few - found[:3])) < 1e-9


def test_a_circuit_is_mapped_once() -> None:
    noise = qgen.noise("ibm_casablanca")
    with globals_untouched("transpiling"):
        first, second = (noise(TWISTED, measure)[0] for measure in (Probabilities(), pauli_z(5)))
    assert first is second
    other = noise(Circuit(5, TWISTED.instructions), Probabilities())[0]
    assert first is not other
    assert first.gates == other.gates, "the same seeds, the same routing"


def test_refusals() -> None:
    measure = Probabilities()
    for layout, what in (
        ((0, 1, 2), "names 3 different qubits; the circuit has 5"),
        ((0, 1, 2, 3, 3), "names 4 different"),
        ((0, 1, 2, 3, 7), "qubit 7; ibm_casablanca has 0 to 6"),
    ):
        with pytest.raises(BadOption, match=what):
            qgen.noise("ibm_casablanca", layout=layout)(TWISTED, measure)
    with pytest.raises(BadOption, match="no fake device 'ibm_fex'; there are .*casablanca.*fez"):
        qgen.noise("ibm-device", device="ibm_fex")(TWISTED, measure)
    with pytest.raises(BadOption, match="scale is a number >= 0"):
        qgen.noise("ibm_fez", scale=-0.5)
    with pytest.raises(BadOption, match="drift is a fraction"):
        qgen.noise("ibm_fez", drift=1.5)
    noise = qgen.noise("ibm_casablanca")
    with pytest.raises(Unsupported, match="leaves no state vector"):
        noise(TWISTED, State())
    with pytest.raises(Unsupported, match="holds channels already"):
        noise(noise(TWISTED, measure)[0], measure)
    with pytest.raises(BadOption, match="circuit has 8 wires; ibm_casablanca has 7 qubits"):
        noise(qgen.ansatz("brick", layers=1)(8), measure)
