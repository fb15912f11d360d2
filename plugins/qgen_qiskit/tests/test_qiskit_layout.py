"""Qubits for circuits: the best connected sets against brute force, parts side by side."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.errors import BadOption
from qgen_qiskit.devices.calibration import Device, fake_device
from qgen_qiskit.devices.layout import LayoutChooser, parts_of


def chooser(device: Device) -> LayoutChooser:
    return LayoutChooser(device.couplings(), device.mean_readout)


def connected(qubits, pairs) -> bool:
    """By brute force: some order adds each qubit next to one before it."""
    return any(
        all(any({a, b} in pairs for b in order[:at]) for at, a in enumerate(order) if at)
        for order in permutations(qubits)
    )


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_the_set_is_the_best_of_all(size: int) -> None:
    device = fake_device("ibm_casablanca")
    errors = device.couplings()
    pairs = [set(pair) for pair in errors]
    sums = {
        qubits: sum(error for pair, error in errors.items() if set(pair) <= set(qubits))
        for qubits in combinations(range(device.num_qubits), size)
        if connected(qubits, pairs)
    }
    assert len(sums) > 1
    (found,) = chooser(device).choose([size])
    assert found == min(sums, key=lambda qubits: sums[qubits])


def test_sums_of_errors_in_a_loop_count_every_coupling() -> None:
    """On a square with a tail the three corners at the best edges are not the best set."""
    couplings = {(0, 1): 0.1, (1, 2): 0.1, (0, 2): 0.3, (2, 3): 0.15}
    assert LayoutChooser(couplings, np.zeros(4)).choose([3]) == [(1, 2, 3)]


def test_the_nearest_neighbour_may_lead_astray() -> None:
    """The best neighbours of 0, 1, 2 are badly coupled to the others: greedy growth takes them."""
    line = {(0, 1): 0.3, (1, 2): 0.3}
    lures = {
        (0, 3): 0.2,
        (1, 4): 0.2,
        (2, 5): 0.2,
        (1, 3): 0.9,
        (0, 4): 0.9,
        (2, 4): 0.9,
        (1, 5): 0.9,
    }
    choose = LayoutChooser(line | lures, np.zeros(6))
    assert choose.choose([3]) == [(0, 1, 2)]
    assert choose._greedy(3, frozenset(range(6)), []).rank[0] > 0.6


def test_a_single_wire_takes_the_best_readout() -> None:
    device = fake_device("ibm_guadalupe")
    assert chooser(device).choose([1]) == [(int(np.argmin(device.mean_readout)),)]


@pytest.mark.parametrize("sizes", [[4, 4, 4], [8, 8], [3, 1, 5], [2] * 6, [5, 5, 5], [1] * 16])
def test_parts_lie_side_by_side(sizes: list[int]) -> None:
    device = fake_device("ibm_guadalupe")
    choose = chooser(device)
    found = choose.choose(sizes)
    assert [len(qubits) for qubits in found] == sizes
    assert len({q for qubits in found for q in qubits}) == sum(sizes)
    assert all(choose.connected(qubits) for qubits in found)


def test_the_first_set_leaves_room() -> None:
    """On a line of five with its best pair in the middle, two pairs fit only beside it."""
    couplings = {(0, 1): 0.3, (1, 2): 0.01, (2, 3): 0.3}
    assert LayoutChooser(couplings, np.zeros(4)).choose([2, 2]) == [(0, 1), (2, 3)]
    assert LayoutChooser(couplings, np.zeros(4)).choose([2]) == [(1, 2)]


def test_no_room_is_said() -> None:
    with pytest.raises(
        BadOption, match="connected sets of 4, 4 qubits do not fit side by side on a device of 7"
    ):
        chooser(fake_device("ibm_casablanca")).choose([4, 4])


def test_twenty_qubits_of_many_are_found_in_time() -> None:
    """The search is pruned, and its set is at least as good as the greedy one."""
    choose = chooser(fake_device("ibm_fez"))
    (found,) = choose.choose([14])
    greedy = choose._greedy(14, frozenset(range(156)), [])
    assert choose.cost(found) <= greedy.rank[0]
    assert choose.connected(found)


def test_parts_of_a_circuit() -> None:
    gates = (
        Gate("cx", (4, 1)),
        Gate("h", (0,)),
        Gate("cx", (2, 3)),
        Gate("cz", (5, 2)),
        Gate("swap", (3, 5)),
    )
    assert parts_of(Circuit(7, gates)) == [(0,), (1, 4), (2, 3, 5), (6,)]
