"""The density engine against plain Kraus sums, and against itself done in other ways."""

import numpy as np
import pytest
from density_cases import noisy_circuit, random_channel
from engine_circuits import random_rows, random_words

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.gates import GATES, PAULI, embedded
from qgen_core.circuits.measures import Expectations, Probabilities, pauli_z
from qgen_core.simulators.density import program as program_module
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.simulators.density.pauli import gate_terms, on_all, transfer_matrix
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import reference

CLOSE = 1e-12


def measures_of(rng, num_wires):
    """All outcomes; any words; one word, of which most wires are not read."""
    one = "".join(rng.permutation(["Y", *["I"] * (num_wires - 1)]))
    return Probabilities(), Expectations(random_words(rng, num_wires, 4)), Expectations((one,))


def check_random_circuit(seed, widest=2):
    rng = np.random.default_rng([21, seed])
    num_wires = int(rng.integers(1, 6))
    circuit = noisy_circuit(rng, num_wires, int(rng.integers(1, 26)), widest)
    angles = random_rows(rng, circuit, [1, 2, 7][seed % 3])
    for measure in measures_of(rng, num_wires):
        truth = reference.values(circuit, angles, measure)
        for parts in (True, False):
            found = DensityBackend(threads=1, parts=parts).exact(circuit, angles, measure)
            np.testing.assert_allclose(found, truth, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("block", range(4))
def test_random_circuits(block):
    for seed in range(10 * block, 10 * block + 10):
        check_random_circuit(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(40))
def test_many_random_circuits(block):
    for seed in range(1000 + 25 * block, 1025 + 25 * block):
        check_random_circuit(seed, widest=3)


@pytest.mark.parametrize("width", [3, 4])
def test_channels_of_many_wires(width):
    rng = np.random.default_rng(width)
    wide = random_channel(rng, tuple(int(w) for w in rng.permutation(4)[:width]), 3)
    around = [noisy_circuit(rng, 4, 6).instructions for _ in range(2)]
    circuit = Circuit(4, (*around[0], wide, *around[1]))
    angles = random_rows(rng, circuit, 2)
    for measure in measures_of(rng, 4):
        found = DensityBackend().exact(circuit, angles, measure)
        np.testing.assert_allclose(
            found, reference.values(circuit, angles, measure), atol=CLOSE, rtol=0
        )


@pytest.mark.parametrize("size", [1, 7, 64])
def test_rows_are_what_they_are_alone(size):
    rng = np.random.default_rng(size)
    circuit = noisy_circuit(rng, 4, 20)
    angles = random_rows(rng, circuit, size)
    engine = DensityBackend()
    for measure in measures_of(rng, 4):
        together = engine.exact(circuit, angles, measure)
        alone = np.concatenate(
            [engine.exact(circuit, angles[k : k + 1], measure) for k in range(size)]
        )
        np.testing.assert_allclose(together, alone, atol=1e-14, rtol=0)


@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize("num_wires", [6, 7])
def test_wider_circuits_equal_pure_states(layers, num_wires):
    """Tiles of every shape, neighbouring and distant wires, against the state vector."""
    rng = np.random.default_rng([layers, num_wires])
    gates = []
    for layer in range(layers):
        gates += [Gate("rx", (w,), param(w + layer * num_wires)) for w in range(num_wires)]
        order = rng.permutation(num_wires)
        gates += [Gate("ecr", (int(a), int(b))) for a, b in zip(order, order[1:], strict=False)]
        gates += [Gate("ry", (w,), given(w)) for w in range(num_wires)]
    circuit = Circuit(num_wires, tuple(gates))
    angles = random_rows(rng, circuit, 3)
    for measure in measures_of(rng, num_wires):
        expected = StatevectorBackend().exact(circuit, angles, measure)
        np.testing.assert_allclose(
            DensityBackend().exact(circuit, angles, measure), expected, atol=CLOSE, rtol=0
        )


def same_for_all_but_the_start(rng, num_wires, layers):
    """Inputs at the start alone, then parameters and channels that all rows share."""
    instructions = [Gate("ry", (w,), given(w)) for w in range(num_wires)]
    for layer in range(layers):
        instructions += [Gate("ry", (w,), param(layer * num_wires + w)) for w in range(num_wires)]
        for w in range(num_wires - 1):
            instructions += [Gate("cx", (w, w + 1)), random_channel(rng, (w, w + 1), 2)]
    return Circuit(num_wires, tuple(instructions))


def test_observables_evolved_backwards_equal_states_evolved_forwards(monkeypatch):
    rng = np.random.default_rng(3)
    circuit = same_for_all_but_the_start(rng, 5, 3)
    angles = circuit.bind(rng.normal(size=circuit.num_params), rng.normal(size=(40, 5)))
    measure = pauli_z(5)
    engine = DensityBackend()
    program = engine._program(circuit, measure)
    meet = program._meeting_state(angles, 5)
    assert 0 < meet < len(program.plan.passes)
    backwards = engine.exact(circuit, angles, measure)
    np.testing.assert_allclose(
        backwards, reference.values(circuit, angles, measure), atol=CLOSE, rtol=0
    )
    monkeypatch.setattr(program_module, "KEEP", 0)
    assert program._meeting_state(angles, 5) == len(program.plan.passes)
    np.testing.assert_allclose(
        engine.exact(circuit, angles, measure), backwards, atol=CLOSE, rtol=0
    )


def test_equal_rows_meet_at_the_start():
    rng = np.random.default_rng(4)
    circuit = same_for_all_but_the_start(rng, 5, 3)
    angles = np.repeat(random_rows(rng, circuit, 1), 30, axis=0)
    engine = DensityBackend()
    assert engine._program(circuit, pauli_z(5))._meeting_state(angles, 5) == 0
    expected = np.repeat(reference.values(circuit, angles[:1], pauli_z(5)), 30, axis=0)
    np.testing.assert_allclose(
        engine.exact(circuit, angles, pauli_z(5)), expected, atol=CLOSE, rtol=0
    )


@pytest.mark.parametrize("measure", [Probabilities(), pauli_z(4)])
def test_rows_in_several_goes(measure, monkeypatch):
    rng = np.random.default_rng(9)
    circuit = same_for_all_but_the_start(rng, 4, 4)
    angles = circuit.bind(rng.normal(size=circuit.num_params), rng.normal(size=(40, 4)))
    engine = DensityBackend(threads=2)
    monkeypatch.setattr(program_module, "WORTH_MEETING", 0)
    at_once = engine.exact(circuit, angles, measure)
    monkeypatch.setattr(program_module, "AT_ONCE", 1)
    assert len(engine._program(circuit, measure)._chunks(40, 16)) == 3
    np.testing.assert_allclose(engine.exact(circuit, angles, measure), at_once, atol=1e-14, rtol=0)


@pytest.mark.parametrize("measure", [Probabilities(), Expectations(("ZXIY", "IIZI"))])
@pytest.mark.parametrize("threads", [1, 2])
def test_rows_that_share_matrices_have_their_own_values_and_gradients(measure, threads):
    """Rows of equal inputs, of equal parameters, and of neither, in every order."""
    rng = np.random.default_rng(12)
    circuit = same_for_all_but_the_start(rng, 4, 2)
    params = rng.normal(size=(2, circuit.num_params))[[0, 0, 1, 1, 0, 1, 1]]
    inputs = rng.normal(size=(3, 4))[[0, 1, 1, 1, 1, 2, 2]]
    angles = circuit.bind(params, inputs)
    engine = DensityBackend(threads=threads)
    output, pullback = engine.exact_forward(circuit, angles, measure)
    np.testing.assert_allclose(
        output, reference.values(circuit, angles, measure), atol=CLOSE, rtol=0
    )
    cotangent = rng.normal(size=output.shape)
    gradient = pullback(cotangent)
    for row in range(len(angles)):
        alone = slice(row, row + 1)
        _, of_row = engine.exact_forward(circuit, angles[alone], measure)
        np.testing.assert_allclose(gradient[alone], of_row(cotangent[alone]), atol=1e-13, rtol=0)


def test_wires_take_room_only_while_they_are_needed():
    """The chain enters and leaves wire by wire: two passes at full size, not fourteen."""
    rng = np.random.default_rng(5)
    plan = DensityBackend()._program(same_for_all_but_the_start(rng, 6, 2), Probabilities()).plan
    assert plan.sizes == (1, 16, 64, 256, 1024, 4096, 2048, 1024, 512, 256, 64)
    one = Expectations(("IIIIIZ",))
    assert DensityBackend()._program(same_for_all_but_the_start(rng, 6, 1), one).plan.sizes[
        -2:
    ] == (4, 2)


def test_a_new_circuit_of_the_same_kind_compiles_nothing():
    rng = np.random.default_rng(6)
    from qgen_core.simulators.density import bind, fold, kernels

    compiled = (kernels.forward, kernels.backward, bind.bind, bind.bind_back)
    compiled += (fold.fold, fold.fold_back)
    for _ in range(4):
        circuit = noisy_circuit(rng, 3, 8)
        output, back = DensityBackend(threads=1).exact_forward(
            circuit, random_rows(rng, circuit, 2), Probabilities()
        )
        back(output)
        assert {len(f.signatures) for f in compiled} == {1}


@pytest.mark.parametrize("name", sorted(GATES))
def test_transfer_matrices_of_gates(name):
    spec = GATES[name]
    terms = gate_terms(spec)
    for t in (-2.3, 0.4, 5.9) if spec.has_angle else (0.0,):
        waves = np.array([1, np.cos(t), np.sin(t), np.cos(t / 2), np.sin(t / 2)])[: len(terms)]
        found = np.tensordot(waves, terms, 1)
        words = [reference.kron(pair) for pair in _products(spec.wires)]
        unitary = spec.matrix(t)
        expected = [
            [np.trace(p @ unitary @ q @ unitary.conj().T).real / 2**spec.wires for q in words]
            for p in words
        ]
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_transfer_matrix_of_a_channel_on_chosen_wires():
    rng = np.random.default_rng(7)
    channel = random_channel(rng, (0, 1), 3)
    on_all_wires = np.array([embedded(k, (2, 0), 3) for k in channel.kraus])
    np.testing.assert_allclose(
        on_all(transfer_matrix(channel.kraus)[None], (2, 0), 3)[0],
        transfer_matrix(on_all_wires),
        atol=1e-13,
    )


def test_an_idle_circuit_and_a_constant_angle():
    engine = DensityBackend()
    np.testing.assert_array_equal(engine.probabilities(Circuit(2, ()), []), [1, 0, 0, 0])
    turned = Circuit(1, (Gate("ry", (0,), const(1.2)), Channel(np.eye(2)[None], (0,), "idle")))
    np.testing.assert_allclose(
        engine.expectations(turned, [], paulis=("Z", "X")), [np.cos(1.2), np.sin(1.2)], atol=1e-15
    )


def _products(wires):
    pairs = [[]]
    for _ in range(wires):
        pairs = [[*start, p] for start in pairs for p in PAULI.values()]
    return pairs
