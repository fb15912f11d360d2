"""Circuits with channels: backends that run them agree with the reference and with each other, and
the errors of the others name them (F29).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations

import agreement_backends as agreement
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.capabilities import WITH_ALL_GATES, WITH_NOISE, Capabilities
from qgen_core.circuits.gates import GATES
from qgen_core.errors import Unsupported
from qgen_core.testing import reference
from qgen_core.testing.circuits import channels

TOLERANCE = 1e-9
CIRCUITS = 12
IDLE = qgen.Circuit(1, (qgen.Gate("h", (0,)), qgen.Channel(np.eye(2)[None], (0,), "idle")))


def noisy_circuit(number: int) -> qgen.Circuit:
    """Up to 4 wires, gates of all kinds, and after every fourth one a channel on random wires."""
    rng = np.random.default_rng(100 + number)
    wires = 2 + number % 3
    gates = agreement.random_circuit(wires, 8 * wires, rng).instructions
    instructions: list[qgen.Gate | qgen.Channel] = []
    for place, gate in enumerate(gates):
        instructions.append(gate)
        if place % 4 == 3:
            found = list(channels(wires, rng))[int(rng.integers(4))]
            where = tuple(int(w) for w in rng.permutation(wires)[: len(found.wires)])
            instructions.append(qgen.Channel(found.kraus, where, found.name))
    return qgen.Circuit(wires, tuple(instructions))


def without_channels(circuit: qgen.Circuit) -> qgen.Circuit:
    return qgen.Circuit(circuit.num_wires, circuit.gates)


@cache
def measured(name: str) -> list[np.ndarray]:
    """Probabilities and expectations of all noisy circuits on one backend."""
    found = []
    for number in range(CIRCUITS):
        circuit = noisy_circuit(number)
        angles = agreement.random_rows(circuit, 2, np.random.default_rng(number))
        rest = circuit.num_wires - 2
        words = qgen.Expectations(("ZX" + "I" * rest, "IY" + "Z" * rest, "XX" + "X" * rest))
        for measure in (qgen.Probabilities(), words):
            found.append(agreement.noisy(name).run(circuit, angles, measure))
    return found


@pytest.mark.parametrize("name", agreement.NOISY)
def test_values_are_those_of_the_density_matrix(name: str) -> None:
    for number, found in enumerate(measured(name)[::2]):
        circuit = noisy_circuit(number)
        angles = agreement.random_rows(circuit, 2, np.random.default_rng(number))
        expected = reference.values(circuit, angles, qgen.Probabilities())
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("one", "other"), list(combinations(agreement.NOISY, 2)))
def test_noisy_backends_agree_with_each_other(one: str, other: str) -> None:
    for a, b in zip(measured(one), measured(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", agreement.NOISY)
def test_noise_makes_a_difference(name: str) -> None:
    """Each noisy circuit differs from the ideal one by 1e-3: noise is not accepted and ignored."""
    backend = agreement.noisy(name)
    for number in range(CIRCUITS):
        circuit = noisy_circuit(number)
        assert circuit.channels
        angles = agreement.random_rows(circuit, 1, np.random.default_rng(number))
        noisy = backend.run(circuit, angles, qgen.Probabilities())
        ideal = backend.run(without_channels(circuit), angles, qgen.Probabilities())
        assert np.max(np.abs(noisy - ideal)) > 1e-3


def test_unsupported_noise_is_an_error_that_names_backends_with_noise(
    name: str, backend: qgen.Backend
) -> None:
    if backend.capabilities.noise:
        np.testing.assert_allclose(
            backend.run(IDLE, IDLE.bind([]), qgen.Probabilities()), [[0.5, 0.5]], atol=1e-9
        )
        return
    with pytest.raises(Unsupported) as error:
        backend.run(IDLE, IDLE.bind([]), qgen.Probabilities())
    assert "'idle'" in str(error.value) and WITH_NOISE in str(error.value)


def test_the_hint_of_the_error_names_the_backends_with_noise() -> None:
    """Each with its option, as this file tests it."""
    hint = {}
    for name, option, value in re.findall(r"([\w-]+)(?: with (\w+) ([\w.]+))?(?:, |$)", WITH_NOISE):
        hint[name] = {option: value} if option else {}
    assert hint == agreement.NOISY


def test_an_unsupported_gate_is_an_error_that_names_backends_with_all_gates(
    name: str, backend: qgen.Backend
) -> None:
    """Each gate that a backend lacks is refused by name; backends in the hint have all gates."""
    for gate in sorted(set(GATES) - backend.capabilities.gates):
        wires = tuple(range(GATES[gate].wires))
        angle = qgen.const(0.3) if GATES[gate].has_angle else None
        circuit = qgen.Circuit(2, (qgen.Gate(gate, wires, angle),))
        with pytest.raises(Unsupported, match=rf"\b{gate}\b.*{WITH_ALL_GATES}"):
            backend.run(circuit, circuit.bind([]), qgen.Probabilities())
    if name in WITH_ALL_GATES.split(", "):
        assert backend.capabilities.gates == frozenset(GATES)


def test_the_refusal_of_a_gate() -> None:
    few = Capabilities(gates=frozenset({"h", "cx"}))
    circuit = qgen.Circuit(2, (qgen.Gate("h", (0,)), qgen.Gate("ecr", (0, 1))))
    with pytest.raises(
        Unsupported, match="toy has no gate ecr; it has cx, h; all gates run on statevector"
    ):
        few.check("toy", circuit)
