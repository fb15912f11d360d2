"""The embedded density engine against Qiskit Aer's density_matrix method, with errors as Kraus
channels.
"""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.circuit import Channel, Circuit, Gate
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Expectations, Probabilities, pauli_z
from qgen_core.noise_models import channels
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.testing import circuits, reference

pytest.importorskip("qiskit_aer", reason="qiskit-aer is not installed: pip install qiskit-aer")

CLOSE = 1e-9


def to_qiskit(circuit, row):
    """The same circuit in Qiskit: qubit w is wire w.

    In Qiskit the first qubit is the least significant bit of a matrix.
    """
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Kraus

    out = QuantumCircuit(circuit.num_wires)
    left = iter(row)
    for instruction in circuit.instructions:
        if isinstance(instruction, Channel):
            out.append(Kraus(list(instruction.kraus)).to_instruction(), instruction.wires[::-1])
        else:
            angle = [float(next(left))] if instruction.angle is not None else []
            getattr(out, instruction.name)(*angle, *instruction.wires)
    return out


def aer_densities(circuit, angles):
    """Density matrices (B, 2^Q, 2^Q), wire 0 most significant."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    # fused depolarizing channels have degenerate Choi matrices, for which Aer 0.18 fails ("heevx
    # call")
    simulator = AerSimulator(method="density_matrix", max_parallel_threads=1, fusion_enable=False)
    jobs = [to_qiskit(circuit, row) for row in angles]
    for job in jobs:
        job.save_density_matrix()
    result = simulator.run(transpile(jobs, simulator, optimization_level=0)).result()
    wires = circuit.num_wires
    turned = [*range(wires - 1, -1, -1), *range(2 * wires - 1, wires - 1, -1)]
    found = []
    for k in range(len(jobs)):
        rho = np.asarray(result.data(k)["density_matrix"]).reshape((2,) * (2 * wires))
        found.append(rho.transpose(turned).reshape(2**wires, 2**wires))
    return found


def assert_agreement(circuit, angles, words):
    engine = DensityBackend()
    densities = aer_densities(circuit, angles)
    for measure in (Probabilities(), words):
        expected = np.array([reference.reader(measure)(rho) for rho in densities])
        np.testing.assert_allclose(
            engine.run(circuit, angles, measure), expected, atol=CLOSE, rtol=0
        )


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_gate_with_noise_behind_it(name):
    rng = np.random.default_rng(1)
    width = GATES[name].wires
    for place in circuits.placed(name, 3):
        around = [circuits.turned(frozenset(GATES), 3, rng) for _ in range(2)]
        noise = Channel(channels.depolarizing(0.1, width), place, "depolarizing")
        gate = Gate(name, place, qgen.param(0) if GATES[name].has_angle else None)
        circuit = Circuit(3, (*around[0], gate, noise, *around[1]))
        assert_agreement(
            circuit, circuits.rows(circuit, 1, rng), Expectations(circuits.words(3, 5, rng))
        )


@pytest.mark.parametrize("wires", [1, 2, 3, 4, 5, 6])
def test_random_circuits_with_channels_of_all_sorts(wires):
    rng = np.random.default_rng([2, wires])
    instructions = []
    for channel in circuits.channels(wires, rng):
        instructions += [*circuits.trained(frozenset(GATES), wires, 6, rng).instructions, channel]
    circuit = Circuit(wires, tuple(instructions))
    assert_agreement(
        circuit, circuits.rows(circuit, 3, rng), Expectations(circuits.words(wires, 5, rng))
    )


NOISE = [
    ("depolarizing", {"one_wire": 0.001, "two_wire": 0.01}),
    ("thermal-relaxation", {"t1": 120.0, "t2": 90.0, "one_wire_time": 0.03, "two_wire_time": 0.07}),
    (
        "thermal-relaxation",
        {"t1": 60.0, "t2": 100.0, "one_wire_time": 0.03, "two_wire_time": 0.3, "excited": 0.05},
    ),
]


@pytest.mark.parametrize(("name", "options"), NOISE)
def test_the_24_parameter_chain_under_noise(name, options):
    chain = qgen.ansatz("qag-chain")(8, inputs=8)
    circuit, _ = qgen.noise(name, **options)(chain, pauli_z(8))
    rng = np.random.default_rng(3)
    angles = circuit.bind(rng.uniform(-3, 3, 24), rng.normal(0, 0.7, (2, 8)))
    assert_agreement(circuit, angles, pauli_z(8))


@pytest.mark.parametrize(
    ("t1", "t2", "excited"), [(50.0, 30.0, 0.0), (50.0, 80.0, 0.0), (50.0, 80.0, 0.1)]
)
def test_relaxation_is_that_of_aer(t1, t2, excited):
    from qiskit.quantum_info import Kraus, SuperOp
    from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

    ours = channels.compose(
        channels.depolarizing(0.02), channels.thermal_relaxation(t1, t2, 7.0, excited=excited)
    )
    theirs = depolarizing_error(0.02, 1).compose(thermal_relaxation_error(t1, t2, 7.0, excited))
    np.testing.assert_allclose(SuperOp(Kraus(list(ours))).data, SuperOp(theirs).data, atol=1e-14)
