"""Gradients of the adjoint sweep against the exact ones of the reference and parameter shift."""

import numpy as np
import pytest
from engine_circuits import brick, random_circuit, random_rows, random_words

from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Expectations, Probabilities, State
from qgen_core.interfaces import Backend
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import reference


def backend(precision="double", local=None, **options):
    made = StatevectorBackend(precision=precision, **{"parts": True, **options})
    made._local = local
    return made


def check_random_circuit(seed):
    """One random circuit: values and gradients against the reference."""
    rng = np.random.default_rng([11, seed])
    num_wires, batch = int(rng.integers(1, 8)), [1, 2, 7][seed % 3]
    circuit = random_circuit(rng, num_wires, int(rng.integers(1, 26)))
    angles = random_rows(rng, circuit, batch)
    words = random_words(rng, num_wires, 3)
    states = reference.values(circuit, angles, State())
    for measure in (Probabilities(), Expectations(words)):
        values = reference.values(circuit, angles, measure)
        cotangent = rng.normal(size=values.shape)
        slopes = reference.gradient(circuit, angles, measure, cotangent)
        for precision, close, slope in (("double", 1e-12, 1e-12), ("single", 1e-5, 3e-4)):
            engine = backend(precision, [None, 6][seed % 2])
            output, back = engine.exact_forward(circuit, angles, measure)
            np.testing.assert_allclose(output, values, atol=close, rtol=0)
            np.testing.assert_allclose(
                engine.exact(circuit, angles, State()), states, atol=close, rtol=0
            )
            np.testing.assert_allclose(back(cotangent), slopes, atol=slope, rtol=0)


@pytest.mark.parametrize("block", range(10))
def test_random_circuits(block):
    for seed in range(30 * block, 30 * block + 30):
        check_random_circuit(seed)


@pytest.mark.parametrize(
    ("precision", "close", "slope"), [("double", 1e-12, 1e-12), ("single", 1e-5, 3e-4)]
)
def test_probabilities_of_random_circuits(precision, close, slope):
    """In one precision alone, also in blocks, on wires that are lanes and wires that are not."""
    for seed in range(12):
        rng = np.random.default_rng([12, seed])
        circuit = random_circuit(rng, 1 + seed % 9, 25)
        angles = random_rows(rng, circuit, 3)
        values = reference.values(circuit, angles, Probabilities())
        cotangent = rng.normal(size=values.shape)
        slopes = reference.gradient(circuit, angles, Probabilities(), cotangent)
        engine = backend(precision, [None, 7][seed % 2])
        output, back = engine.exact_forward(circuit, angles, Probabilities())
        np.testing.assert_allclose(output, values, atol=close, rtol=0)
        np.testing.assert_allclose(back(cotangent), slopes, atol=slope, rtol=0)


@pytest.mark.long
@pytest.mark.parametrize("block", range(100))
def test_many_random_circuits(block):
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        check_random_circuit(seed)


@pytest.mark.parametrize("num_wires", [2, 5, 7])
def test_every_gate_against_the_reference_and_parameter_shift(num_wires):
    rng = np.random.default_rng(num_wires)
    rotations = tuple(name for name in GATES if GATES[name].has_angle)
    for name in (n for n in rotations if GATES[n].wires <= num_wires):
        circuit = random_circuit(rng, num_wires, 20, (name, "ry", "rz", "cx"))
        angles = random_rows(rng, circuit, 2)
        engine = backend()
        cotangent = rng.normal(size=(2, 2**num_wires))
        shifted = Backend.forward(engine, circuit, angles, Probabilities())[1](cotangent)
        adjoint = engine.forward(circuit, angles, Probabilities())[1](cotangent)
        exact = reference.gradient(circuit, angles, Probabilities(), cotangent)
        np.testing.assert_allclose(adjoint, exact, atol=1e-12, rtol=0)
        columns = [k for k, angle in enumerate(circuit.angles) if angle.source != "const"]
        np.testing.assert_allclose(adjoint[:, columns], shifted[:, columns], atol=1e-12, rtol=0)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("num_wires", [8, 9, 10])
def test_blocks_do_not_change_gradients(num_wires, precision):
    rng = np.random.default_rng(num_wires)
    for circuit in (brick(num_wires, 2), random_circuit(rng, num_wires, 100)):
        angles = random_rows(rng, circuit, 1)
        cotangent = rng.normal(size=(1, 2**num_wires))
        whole = backend("double", 14).forward(circuit, angles, Probabilities())[1](cotangent)
        for local in (5, 6, 7):
            blocked = backend(precision, local).forward(circuit, angles, Probabilities())[1](
                cotangent
            )
            np.testing.assert_allclose(
                blocked, whole, atol=1e-12 if precision == "double" else 1e-4, rtol=0
            )


@pytest.mark.parametrize("measure", [Probabilities(), Expectations(("ZIIZIIII", "XYIIIIIZ"))])
@pytest.mark.parametrize("parts", [True, False])
def test_the_way_back_can_be_gone_twice(measure, parts):
    circuit = brick(8, 1)
    rng = np.random.default_rng(0)
    angles = rng.uniform(-3, 3, (3, circuit.num_angles))
    output, back = backend(parts=parts).forward(circuit, angles, measure)
    cotangent = rng.normal(size=output.shape)
    first = back(cotangent)
    np.testing.assert_array_equal(back(cotangent), first)
    np.testing.assert_allclose(back(-2 * cotangent), -2 * first, atol=1e-13)


def test_gradients_of_a_batch_equal_single_runs():
    circuit = brick(6, 2)
    rng = np.random.default_rng(1)
    angles = rng.uniform(-3, 3, (5, circuit.num_angles))
    cotangent = rng.normal(size=(5, 64))
    engine = backend()
    alone = [
        engine.forward(circuit, a[None], Probabilities())[1](c[None])[0]
        for a, c in zip(angles, cotangent, strict=True)
    ]
    np.testing.assert_array_equal(
        engine.forward(circuit, angles, Probabilities())[1](cotangent), alone
    )
