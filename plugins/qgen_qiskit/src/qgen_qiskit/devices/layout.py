"""The choice of qubits: where the couplings of a device hold all pairs that a circuit entangles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.discovery.optional_import import import_optional
from qgen_core.typing import Floats
from qgen_qiskit.devices.calibration import Device, Qubits

#: Matches of a connected part of a circuit that are compared. A line of 12 wires has 5,916 on 156
#: qubits.
MAX_MATCHES = 50_000
#: States that the search for the matches of a part visits, a few seconds.
MAX_STATES = 1_000_000
#: Matches that are tried where parts are placed side by side.
MAX_PLACED = 100_000


@dataclass(frozen=True)
class Needs:
    """What a circuit in the gates of a device needs of each qubit and each coupling.

    ``pairs`` is the number of two-qubit gates on each pair of wires, lower wire first; ``pulses``
    the number of one-qubit gates with an error on each wire.
    """

    pairs: Mapping[tuple[int, int], int]
    pulses: Sequence[int]


def best_placement(needs: Needs, device: Device) -> Qubits | None:
    """The qubit of each wire, such that no two-qubit gate needs routing; None if there is none.

    Among all such placements this is the one with the least sum of errors: of each two-qubit gate
    on the coupling that it uses, of each one-qubit gate, and of the readout of each wire. Connected
    parts of the circuit are matched to the device one by one and placed side by side. The search is
    exhaustive up to :data:`MAX_STATES`, :data:`MAX_MATCHES` and :data:`MAX_PLACED`, and
    deterministic; beyond these bounds it returns the best placement so far, or None.

    Source of the search: L. P. Cordella et al., IEEE Trans. Pattern Anal. Mach. Intell. 26 (2004)
    1367 (VF2), in rustworkx.

    >>> from qgen_qiskit.devices.calibration import fake_device
    >>> line = Needs({(0, 1): 3, (1, 2): 3}, (2, 2, 2))
    >>> best_placement(line, fake_device("ibm_casablanca"))
    (1, 3, 5)
    """
    parts = _parts(needs)
    if sum(len(part) for part in parts) > device.num_qubits:
        return None
    costs = _Costs.of(device)
    graph = _graph(device.num_qubits, device.couplings())
    matches = [_matches_of(part, needs, graph, costs) for part in parts]
    chosen = _SideBySide(matches).best()
    if chosen is None:
        return None
    placement = [0] * len(needs.pulses)
    for part, qubits in zip(parts, chosen, strict=True):
        for wire, qubit in zip(part, qubits, strict=True):
            placement[wire] = qubit
    return tuple(placement)


@dataclass(frozen=True, eq=False)
class _Costs:
    """Errors of couplings, ``pair`` (Q, Q), else infinite; ``pulse`` and ``readout`` (Q,)."""

    pair: Floats
    pulse: Floats
    readout: Floats

    @classmethod
    def of(cls, device: Device) -> _Costs:
        pair = np.full((device.num_qubits, device.num_qubits), np.inf)
        for (first, second), error in device.couplings().items():
            pair[first, second] = error
            pair[second, first] = error
        pulse = np.zeros(device.num_qubits)
        for (qubit,), calibration in device.gates["sx"].items():
            pulse[qubit] = calibration.error
        return cls(pair, pulse, device.mean_readout)


@dataclass(frozen=True, eq=False)
class _Matches:
    """Placements of a part: ``qubits`` (M, wires) and the sums of errors ``costs`` (M,), sorted."""

    qubits: NDArray[np.intp]
    costs: Floats


def _graph(size: int, pairs: Mapping[tuple[int, int], Any]) -> Any:
    rustworkx = import_optional("rustworkx", "the noise of a device", "rustworkx")
    graph = rustworkx.PyGraph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from_no_data(list(pairs))
    return graph


def _parts(needs: Needs) -> list[tuple[int, ...]]:
    """Groups of wires that two-qubit gates connect, the largest first."""
    rustworkx = import_optional("rustworkx", "the noise of a device", "rustworkx")
    components = rustworkx.connected_components(_graph(len(needs.pulses), needs.pairs))
    parts = [tuple(sorted(component)) for component in components]
    return sorted(parts, key=lambda part: (-len(part), part))


def _matches_of(part: tuple[int, ...], needs: Needs, graph: Any, costs: _Costs) -> _Matches:
    """The placements of one part on the whole device, by their cost."""
    rustworkx = import_optional("rustworkx", "the noise of a device", "rustworkx")
    local = {wire: number for number, wire in enumerate(part)}
    counts = {}
    for (first, second), count in needs.pairs.items():
        if first in local:
            counts[local[first], local[second]] = count
    found = rustworkx.vf2_mapping(
        graph,
        _graph(len(part), counts),
        subgraph=True,
        induced=False,
        id_order=False,
        call_limit=MAX_STATES,
    )
    rows = []
    for mapping in islice(found, MAX_MATCHES):
        rows.append(sorted(mapping, key=mapping.__getitem__))
    qubits = np.array(rows, dtype=np.intp).reshape(-1, len(part))
    pulses = np.array([needs.pulses[wire] for wire in part])
    total = costs.pulse[qubits] @ pulses + costs.readout[qubits].sum(axis=1)
    for (first, second), count in counts.items():
        total = total + count * costs.pair[qubits[:, first], qubits[:, second]]
    order = np.lexsort((*qubits.T[::-1], total))
    return _Matches(qubits[order], total[order])


class _SideBySide:
    """Chooses a match for each part such that none share a qubit: depth first, with a bound."""

    def __init__(self, matches: Sequence[_Matches]) -> None:
        self.matches = matches
        self.least_cost = np.inf
        self.chosen: list[Qubits] | None = None
        self.tried = 0
        #: The least cost of the parts from each one on.
        self.least_rest = [0.0]
        for one in reversed(matches):
            least = np.min(one.costs, initial=np.inf)
            self.least_rest.insert(0, self.least_rest[0] + float(least))

    def best(self) -> list[Qubits] | None:
        self._extend([], frozenset(), 0.0)
        return self.chosen

    def _extend(self, chosen: list[Qubits], taken: frozenset[int], cost: float) -> None:
        if len(chosen) == len(self.matches):
            self.least_cost = cost
            self.chosen = chosen
            return
        for qubits, total in self._free_matches(len(chosen), taken):
            bound = cost + total + self.least_rest[len(chosen) + 1]
            if bound >= self.least_cost or self.tried > MAX_PLACED:
                return
            self._extend([*chosen, qubits], taken | set(qubits), cost + total)

    def _free_matches(self, part: int, taken: frozenset[int]) -> Iterator[tuple[Qubits, float]]:
        one = self.matches[part]
        for row, cost in zip(one.qubits, one.costs, strict=True):
            self.tried += 1
            qubits = tuple(row.tolist())
            if taken.isdisjoint(qubits):
                yield qubits, float(cost)
