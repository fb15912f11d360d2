"""States, probabilities and expectations against the reference simulator."""

import itertools

import numpy as np
import pytest
from engine_circuits import brick, random_circuit, random_rows, random_words

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Expectations, Probabilities, State
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import reference

TOLERANCE = {"double": 1e-12, "single": 1e-5}


def backend(precision="double", local=None, **options):
    made = StatevectorBackend(precision=precision, **{"parts": True, **options})
    made._local = local
    return made


def scrambled(num_wires):
    """Gates that give every wire its own generic state, and phases between them."""
    gates = []
    for wire in range(num_wires):
        gates += [
            Gate("ry", (wire,), param(0, 1.0, 0.3 * wire)),
            Gate("rz", (wire,), param(0, -1.0, 0.7 * wire)),
        ]
    gates += [Gate("rzz", (w, w + 1), param(0, 0.5, 0.1 * w)) for w in range(num_wires - 1)]
    return gates


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list(GATES))
def test_every_gate_on_every_wires(name, precision):
    for num_wires, local in ((2, None), (7, None), (7, 6)):
        for wires in itertools.permutations(range(num_wires), GATES[name].wires):
            angle = param(0, 1.3, 0.2) if GATES[name].has_angle else None
            circuit = Circuit(num_wires, (*scrambled(num_wires), Gate(name, wires, angle)))
            angles = circuit.bind([0.8])
            got = backend(precision, local).exact(circuit, angles, State())
            expected = reference.values(circuit, angles, State())
            np.testing.assert_allclose(got, expected, atol=TOLERANCE[precision], rtol=0)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("local", [None, 6])
@pytest.mark.parametrize("num_wires", range(1, 9))
def test_states_of_random_circuits(num_wires, local, precision):
    rng = np.random.default_rng(num_wires)
    for batch in (1, 7):
        circuit = random_circuit(rng, num_wires, 30)
        angles = random_rows(rng, circuit, batch)
        engine = backend(precision, local)
        words = random_words(rng, num_wires, 6)
        for measure in (State(), Probabilities(), Expectations(words)):
            found = engine.exact(circuit, angles, measure)
            expected = reference.values(circuit, angles, measure)
            np.testing.assert_allclose(found, expected, atol=TOLERANCE[precision], rtol=0)


@pytest.mark.parametrize("num_wires", range(1, 15))
def test_brick_is_unitary_and_goes_back(num_wires):
    """The sum of probabilities is constant, so its gradient vanishes, and their sum is one."""
    circuit = brick(num_wires, 2)
    angles = np.random.default_rng(num_wires).uniform(-3, 3, (2, circuit.num_angles))
    output, back = backend(local=8).exact_forward(circuit, angles, Probabilities())
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-13)
    np.testing.assert_allclose(back(np.ones_like(output)), 0, atol=1e-13)
    assert np.abs(back(np.sin(np.arange(output.size)).reshape(output.shape))).max() > 1e-3


@pytest.mark.parametrize("num_wires", [8, 9, 10, 12])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_blocks_do_not_change_the_state(num_wires, precision):
    rng = np.random.default_rng(num_wires)
    for circuit in (brick(num_wires, 3), random_circuit(rng, num_wires, 120)):
        angles = random_rows(rng, circuit, 1)
        whole = backend(precision, 14).exact(circuit, angles, State())
        for local in (5, 6, 7, 8):
            blocked = backend(precision, local).exact(circuit, angles, State())
            np.testing.assert_allclose(blocked, whole, atol=TOLERANCE[precision], rtol=0)


def test_rows_of_a_batch_equal_single_runs():
    circuit = random_circuit(np.random.default_rng(3), 6, 40)
    angles = random_rows(np.random.default_rng(4), circuit, 9)
    engine = backend()
    for measure in (Probabilities(), State(), Expectations(("ZZIIII", "XIYIII"))):
        together = engine.exact(circuit, angles, measure)
        alone = [engine.exact(circuit, row[None], measure)[0] for row in angles]
        np.testing.assert_array_equal(together, alone)


def test_empty_circuit_and_idle_wires():
    for num_wires in (1, 3, 6):
        circuit = Circuit(num_wires, ())
        for parts in (True, False):
            output = backend(parts=parts).exact(circuit, circuit.bind([]), Probabilities())
            np.testing.assert_array_equal(output, np.eye(1, 2**num_wires))


def test_output_types_do_not_depend_on_the_precision():
    circuit = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    for precision in ("double", "single"):
        engine = backend(precision)
        angles = circuit.bind([])
        assert engine.exact(circuit, angles, Probabilities()).dtype == np.float64
        assert engine.exact(circuit, angles, Expectations(("ZZ",))).dtype == np.float64
        assert engine.exact(circuit, angles, State()).dtype == np.complex128


@pytest.mark.parametrize("parts", [True, False])
def test_a_batch_of_no_rows(parts):
    for circuit in (brick(4, 1), Circuit(3, (Gate("cx", (0, 2)), Gate("ry", (1,), param(0))))):
        none = np.zeros((0, circuit.num_angles))
        for measure, width in (
            (Probabilities(), 2**circuit.num_wires),
            (Expectations(("Z" * circuit.num_wires,)), 1),
        ):
            output, back = backend(parts=parts).exact_forward(circuit, none, measure)
            assert output.shape == (0, width)
            assert back(output).shape == none.shape
