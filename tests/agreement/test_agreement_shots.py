"""Shots follow the exact distribution; seeds make them reproducible, and global random states are
neither read nor written (F31, F38).
"""

from __future__ import annotations

import random

import agreement_backends as agreement
import numpy as np
import pytest
from numpy import random as legacy

import qgen_core as qgen
from qgen_core.events import bits_to_index
from qgen_core.testing import reference, statistics
from qgen_core.testing.kit import globals_untouched

SHOTS = 20_000


def prepared(seed: int) -> tuple[qgen.Circuit, np.ndarray]:
    rng = np.random.default_rng(seed)
    circuit = agreement.random_circuit(4, 20, rng)
    return circuit, agreement.random_rows(circuit, 2, rng)


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_shots_by_chi_square(name: str, backend: qgen.Backend, seed: int) -> None:
    """Bits and frequencies; bins are merged to expect at least 5 counts, and p > 1e-6."""
    circuit, angles = prepared(seed)
    exact = reference.values(circuit, angles, qgen.Probabilities())
    bits = backend.run(circuit, angles, qgen.Bits(), qgen.Shots(SHOTS, np.random.default_rng(seed)))
    table = backend.run(
        circuit, angles, qgen.Probabilities(), qgen.Shots(SHOTS, np.random.default_rng(seed + 1))
    )
    for row, expected in enumerate(exact):
        counted = statistics.distribution(bits_to_index(bits[row]), 2**circuit.num_wires)
        assert statistics.chi_square(counted, expected) > statistics.LEAST_P
        assert statistics.chi_square(np.rint(table[row] * SHOTS), expected) > statistics.LEAST_P


def test_chi_square_detects_another_wire_order() -> None:
    """The same shots with reversed wires have p = 0, so the test above can fail."""
    circuit, angles = prepared(21)
    bits = agreement.build("statevector").run(
        circuit, angles, qgen.Bits(), qgen.Shots(SHOTS, np.random.default_rng(1))
    )
    exact = reference.values(circuit, angles, qgen.Probabilities())
    counted = statistics.distribution(bits_to_index(bits[0][:, ::-1]), 16)
    assert statistics.chi_square(counted, exact[0]) < 1e-12


@pytest.mark.parametrize(
    "measure", [qgen.Bits(), qgen.Probabilities(), qgen.Expectations(("ZIII", "XIIY"))]
)
def test_the_same_seed_gives_the_same_and_another_does_not(
    name: str, backend: qgen.Backend, measure: object
) -> None:
    circuit, angles = prepared(24)
    first, again, other = (
        backend.run(circuit, angles, measure, qgen.Shots(500, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_exact_values_and_gradients_repeat_to_the_bit(name: str, backend: qgen.Backend) -> None:
    circuit, angles = prepared(25)
    for values in (
        lambda: backend.run(circuit, angles, qgen.Probabilities()),
        lambda: slopes(backend),
    ):
        np.testing.assert_array_equal(values(), values())


def slopes(backend: qgen.Backend) -> np.ndarray:
    circuit = agreement.random_circuit(2, 6, np.random.default_rng(4))
    angles = agreement.random_rows(circuit, 2, np.random.default_rng(5))
    return backend.forward(circuit, angles, qgen.Probabilities())[1](np.arange(8.0).reshape(2, 4))


def test_global_random_states_are_neither_read_nor_written(
    name: str, backend: qgen.Backend
) -> None:
    """Shots do not depend on them; values, shots and gradients do not change them."""
    circuit, angles = prepared(26)
    found = []
    before = random.getstate(), legacy.get_state()
    try:
        for seed in (1, 2):
            random.seed(seed)
            legacy.seed(seed)
            with globals_untouched(f"backend {name!r}"):
                slopes(backend)
                found.append(
                    backend.run(
                        circuit, angles, qgen.Bits(), qgen.Shots(100, np.random.default_rng(3))
                    )
                )
    finally:
        random.setstate(before[0])
        legacy.set_state(before[1])
    np.testing.assert_array_equal(*found)
