"""Qubits for circuits: placements against brute force, gates against Qiskit's level 3."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from statistics import median

import numpy as np
import pytest
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit
from qgen_core.events import Events
from qgen_qiskit.devices.calibration import Device, GateCalibration, fake_device
from qgen_qiskit.devices.compile import compile_for
from qgen_qiskit.devices.layout import Needs, best_placement
from qgen_qiskit.translate import to_qiskit

#: Seeds of Qiskit's transpiler, none of which is among those that qgen compares.
SEEDS = range(100, 110)
DEVICES = ("ibm_casablanca", "ibm_guadalupe", "ibm_cairo", "ibm_brooklyn", "ibm_fez")
LINE = {(0, 1): 1, (1, 2): 1}


def device_with(couplings: dict[tuple[int, int], float], readout: list[float]) -> Device:
    """A device of cx gates with these errors, and perfect one-qubit gates."""
    perfect = {(qubit,): GateCalibration(0.0, 0.0) for qubit in range(len(readout))}
    pairs = {pair: GateCalibration(error, 0.0) for pair, error in couplings.items()}
    endless = np.full(len(readout), np.inf)
    gates = {"rz": perfect, "sx": perfect, "x": perfect, "cx": pairs}
    return Device("toy", "made up", gates, endless, endless, np.array(readout), None)


def cost(needs: Needs, device: Device, placement: tuple[int, ...]) -> float:
    """The sum of errors, infinite where a pair is not coupled."""
    couplings = device.couplings()
    total = sum(device.mean_readout[list(placement)])
    for wire, count in enumerate(needs.pulses):
        total += count * device.gates["sx"][(placement[wire],)].error
    for pair, count in needs.pairs.items():
        first, second = sorted(placement[wire] for wire in pair)
        total += count * couplings.get((first, second), np.inf)
    return float(total)


@pytest.mark.parametrize(
    ("pairs", "wires"),
    [
        (LINE, 3),
        ({(0, 1): 5, (1, 2): 1, (2, 3): 7}, 4),
        ({(0, 1): 2, (0, 2): 3, (0, 3): 4}, 4),
        ({(0, 3): 2, (1, 2): 2}, 4),
        ({(0, 1): 2, (2, 4): 1, (1, 5): 6}, 6),
        ({}, 2),
    ],
)
def test_the_placement_is_the_best_of_all(pairs: dict[tuple[int, int], int], wires: int) -> None:
    device = fake_device("ibm_casablanca")
    needs = Needs(pairs, [3 + wire for wire in range(wires)])
    found = best_placement(needs, device)
    assert found is not None
    least = min(cost(needs, device, order) for order in permutations(range(7), wires))
    assert cost(needs, device, found) == pytest.approx(least, rel=1e-12)


def test_the_coupling_that_is_used_most_is_the_best_one() -> None:
    """The sum of the errors is the same in both directions of a line; the numbers decide."""
    device = device_with({(0, 1): 0.2, (1, 2): 0.1}, [0, 0, 0])
    assert best_placement(Needs({(0, 1): 9, (1, 2): 1}, (0, 0, 0)), device) == (2, 1, 0)
    assert best_placement(Needs({(0, 1): 1, (1, 2): 9}, (0, 0, 0)), device) == (0, 1, 2)


def test_readout_and_one_qubit_gates_count() -> None:
    pair = Needs({(0, 1): 1}, (0, 4))
    couplings = {(0, 1): 0.1, (2, 3): 0.1}
    assert best_placement(pair, device_with(couplings, [0.2, 0, 0.1, 0])) == (2, 3)
    device = device_with({(0, 1): 0.1}, [0, 0])
    worse = {(0,): GateCalibration(0.0, 0.0), (1,): GateCalibration(0.01, 0.0)}
    assert best_placement(pair, replace(device, gates={**device.gates, "sx": worse})) == (1, 0)


def test_the_first_part_leaves_room() -> None:
    """On a line of four with its best pair in the middle, two pairs fit only beside it."""
    device = device_with({(0, 1): 0.3, (1, 2): 0.01, (2, 3): 0.3}, [0, 0, 0, 0])
    found = best_placement(Needs({(0, 1): 1, (2, 3): 1}, (0, 0, 0, 0)), device)
    assert found is not None
    assert {frozenset(found[:2]), frozenset(found[2:])} == {frozenset({0, 1}), frozenset({2, 3})}


@pytest.mark.parametrize("sizes", [[4, 4, 4], [3, 1, 5], [2] * 6, [1] * 16])
def test_parts_lie_side_by_side(sizes: list[int]) -> None:
    pairs = {}
    start = 0
    for size in sizes:
        for wire in range(start, start + size - 1):
            pairs[wire, wire + 1] = 1
        start += size
    device = fake_device("ibm_guadalupe")
    found = best_placement(Needs(pairs, [1] * start), device)
    assert found is not None
    assert len(set(found)) == start
    assert cost(Needs(pairs, [1] * start), device, found) < np.inf


def test_what_does_not_match_has_no_placement() -> None:
    device = fake_device("ibm_casablanca")
    assert best_placement(Needs({(0, 1): 1, (1, 2): 1, (0, 2): 1}, (1, 1, 1)), device) is None
    assert best_placement(Needs({}, [1] * 8), device) is None


def ansatz(name: str, wires: int) -> Circuit:
    if name == "chow-liu":
        bits = np.random.default_rng(3).integers(0, 2, (200, wires), dtype=np.int8)
        return qgen.ansatz(name, layers=2)(wires, data=Events(bits))
    if name == "copula":
        return qgen.ansatz(name)(wires, registers=(wires // 2, wires // 2))
    if name == "ising":
        return qgen.ansatz(name)(wires, registers=(wires // 2, wires // 2))
    return qgen.ansatz(name)(wires)


def two_qubit_gates(circuit: Circuit, device: Device) -> int:
    gates = compile_for(circuit, device, None).gates
    return sum(len(qubits) == 2 for _, qubits in gates)


def median_of_level_3(circuit: Circuit, device: Device) -> float:
    """Of Qiskit alone, which is given the couplings in both directions and the same basis."""
    couplings = CouplingMap(list(device.couplings()))
    couplings.make_symmetric()
    entangling = next(name for name in ("cx", "ecr", "cz") if device.gates.get(name))
    built, _ = to_qiskit(circuit)
    counts = []
    for seed in SEEDS:
        manager = generate_preset_pass_manager(
            optimization_level=3,
            coupling_map=couplings,
            basis_gates=["rz", "sx", "x", entangling],
            seed_transpiler=seed,
        )
        counts.append(manager.run(built).num_nonlocal_gates())
    return float(median(counts))


ANSAETZE = (
    *("brick", "chow-liu", "copula", "hardware-efficient", "ising"),
    *("mera-up", "qag-chain", "strongly-entangling", "tree"),
)


def fitting(name: str, wires: int, device: str) -> bool:
    if wires > fake_device(device).num_qubits:
        return False
    if name == "mera-up":
        return wires in (4, 8)
    return name != "tree" or wires % 4 == 0


@pytest.mark.long
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("wires", [4, 6, 8, 12])
@pytest.mark.parametrize("name", ANSAETZE)
def test_never_more_gates_than_the_median_of_level_3(name: str, wires: int, device: str) -> None:
    if not fitting(name, wires, device):
        pytest.skip(f"{name} with {wires} wires does not fit or is not defined")
    circuit = ansatz(name, wires)
    known = fake_device(device)
    assert two_qubit_gates(circuit, known) <= median_of_level_3(circuit, known)


@pytest.mark.parametrize(
    ("name", "wires", "device"),
    [
        ("strongly-entangling", 6, "ibm_guadalupe"),
        ("mera-up", 8, "ibm_cairo"),
        ("copula", 6, "ibm_casablanca"),
    ],
)
def test_routed_circuits_are_as_short_as_those_of_level_3(
    name: str, wires: int, device: str
) -> None:
    circuit = ansatz(name, wires)
    known = fake_device(device)
    assert is_routed(circuit, known)
    assert two_qubit_gates(circuit, known) <= median_of_level_3(circuit, known)


def is_routed(circuit: Circuit, device: Device) -> bool:
    """Whether states are moved, so that wires do not end where they begin."""
    compiled = compile_for(circuit, device, None)
    return compiled.start != compiled.read or bool(compiled.passed)


@pytest.mark.parametrize(
    ("name", "layers", "wires", "device", "gates"),
    [
        ("brick", 6, 8, "ibm_guadalupe", 42),
        ("tree", 12, 8, "ibm_guadalupe", 72),
        ("tree", 12, 12, "ibm_cairo", 108),
    ],
)
def test_circuits_of_the_jets_have_their_native_gates(
    name: str, layers: int, wires: int, device: str, gates: int
) -> None:
    circuit = qgen.ansatz(name, layers=layers)(wires)
    assert circuit.counts["cx"] == gates
    assert two_qubit_gates(circuit, fake_device(device)) == gates
