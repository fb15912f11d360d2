"""Gradients through density matrices and channels, and with less memory."""

import numpy as np
import pytest
from density_cases import noisy_circuit
from engine_circuits import random_rows, random_words

from qgen_core.circuits.measures import Expectations, Probabilities, pauli_z
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.simulators.density import program as program_module
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.simulators.density.program import cuts_for
from qgen_core.testing import reference


def check_random_circuit(seed):
    rng = np.random.default_rng([22, seed])
    num_wires = int(rng.integers(1, 6))
    circuit = noisy_circuit(
        rng, num_wires, int(rng.integers(1, 30)), widest=3 if seed % 5 == 0 else 2
    )
    angles = random_rows(rng, circuit, [1, 2, 7][seed % 3])
    engine = DensityBackend(threads=1, parts=seed % 2 == 0)
    for measure in (Probabilities(), Expectations(random_words(rng, num_wires, 3))):
        output, back = engine.exact_forward(circuit, angles, measure)
        np.testing.assert_allclose(
            output, engine.exact(circuit, angles, measure), atol=1e-13, rtol=0
        )
        cotangent = rng.normal(size=output.shape)

        def run(rows, measure=measure):
            return engine.exact(circuit, rows, measure)

        exact = reference.gradient(circuit, angles, measure, cotangent)
        np.testing.assert_allclose(back(cotangent), exact, atol=1e-12, rtol=0)
        shifted = parameter_shift(run, circuit, angles, cotangent)
        moving = [angle.source != "const" for angle in circuit.angles]
        np.testing.assert_allclose(
            back(cotangent)[:, moving], shifted[:, moving], atol=1e-11, rtol=0
        )


@pytest.mark.parametrize("block", range(4))
def test_random_circuits(block):
    for seed in range(10 * block, 10 * block + 10):
        check_random_circuit(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(40))
def test_many_random_circuits(block):
    for seed in range(1000 + 25 * block, 1025 + 25 * block):
        check_random_circuit(seed)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_rows_of_a_batch(size):
    rng = np.random.default_rng(size)
    circuit = noisy_circuit(rng, 3, 20)
    angles = random_rows(rng, circuit, size)
    engine = DensityBackend()
    cotangent = rng.normal(size=(size, 3))
    together = engine.exact_forward(circuit, angles, pauli_z(3))[1](cotangent)
    for k in range(size):
        row = slice(k, k + 1)
        alone = engine.exact_forward(circuit, angles[row], pauli_z(3))[1](cotangent[row])
        np.testing.assert_allclose(together[row], alone, atol=1e-13, rtol=0)


@pytest.mark.parametrize("batch", [1, 9, 300])  # the last keeps nothing between start and end
def test_states_computed_again_change_no_bit(batch, monkeypatch):
    rng = np.random.default_rng(batch)
    circuit = noisy_circuit(rng, 4, 60)
    angles = random_rows(rng, circuit, batch)
    cotangent = rng.normal(size=(batch, 16))
    results = []
    for keep in (2**28, 0):
        monkeypatch.setattr(program_module, "KEEP", keep)
        output, back = DensityBackend(threads=1, parts=False).exact_forward(
            circuit, angles, Probabilities()
        )
        results.append((output, back(cotangent), back(cotangent)))
    passes = len(DensityBackend(parts=False)._program(circuit, Probabilities()).plan.passes)
    assert len(cuts_for((4,) * (passes + 1), batch, 1)) < passes + 1
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_cuts_cover_all_steps(monkeypatch):
    monkeypatch.setattr(program_module, "KEEP", 0)
    for steps in (1, 2, 5, 100):
        for batch in (1, 3, 500):
            cuts = cuts_for((4,) * (steps + 1), batch, 2)
            assert cuts[0] == 0
            assert cuts[-1] == steps
            assert all(a < b for a, b in zip(cuts, cuts[1:], strict=False))


def test_words_asked_twice_share_their_cotangent():
    rng = np.random.default_rng(8)
    circuit = noisy_circuit(rng, 3, 15)
    angles = random_rows(rng, circuit, 2)
    engine = DensityBackend()
    twice = engine.exact_forward(circuit, angles, Expectations(("ZXI", "ZXI")))[1](
        np.array([[1.0, 2.0], [0.5, -0.5]])
    )
    once = engine.exact_forward(circuit, angles, Expectations(("ZXI",)))[1](
        np.array([[3.0], [0.0]])
    )
    np.testing.assert_allclose(twice, once, atol=1e-13)
