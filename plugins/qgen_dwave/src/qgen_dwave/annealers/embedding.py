"""Placing an energy on the qubits of a chip, with or without chains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import Unsupported
from qgen_core.ising import Graph, Ising
from qgen_core.typing import Ints, Rng
from qgen_dwave.annealers.chip import Chip
from qgen_dwave.ocean import ocean

#: Seconds that minorminer searches for an embedding. Its result depends on the seed alone unless
#: it reaches them.
SEARCH_SECONDS = 300
SEARCH_SEED = 1
#: Stands for a pair of spins without a coupling.
_NO_EDGE = -2


@dataclass(frozen=True, eq=False)
class Embedding:
    """Each spin as one qubit or a chain of coupled qubits.

    Args:
        qubits: numbers (Q,) of the qubits that are used, spin by spin.
        spin_of: the spin (Q,) of each.
        graph: the couplers between them, as a graph on the Q qubits.
        edge_of: the edge (C,) of the model that a coupler carries; -1 inside a chain.
        num_edges: the number of edges of the model.
    """

    qubits: Ints
    spin_of: Ints
    graph: Graph
    edge_of: Ints
    num_edges: int

    @property
    def starts(self) -> Ints:
        """Where the qubits of each spin begin (S,)."""
        return np.flatnonzero(np.diff(self.spin_of, prepend=-1))

    @property
    def lengths(self) -> Ints:
        """The number of qubits of each spin (S,)."""
        return np.bincount(self.spin_of)

    @property
    def digest(self) -> str:
        """Twelve characters that tell this embedding from others."""
        content = np.stack([self.qubits, self.spin_of]).astype("<i8")
        return hashlib.sha256(content.tobytes()).hexdigest()[:12]

    def program(self, ising: Ising, chain_strength: float | None) -> Ising:
        """The energy on the qubits.

        Fields are shared among the qubits of a spin, couplings among the couplers of a pair. The
        coupling inside chains is minus ``chain_strength``; None: that of :func:`torque`.
        """
        of_qubits = ising.h[self.spin_of] / self.lengths[self.spin_of]
        in_chain = self.edge_of < 0
        share = np.bincount(self.edge_of[~in_chain], minlength=self.num_edges)
        J = np.empty(len(self.edge_of))
        carried = self.edge_of[~in_chain]
        J[~in_chain] = ising.J[carried] / share[carried]
        if in_chain.any():
            J[in_chain] = -(torque(ising) if chain_strength is None else chain_strength)
        return Ising(of_qubits, J, self.graph)

    def read(self, values: NDArray[np.int8], rng: Rng) -> tuple[NDArray[np.int8], float]:
        """Spins (n, S) by majority in each chain, ties at random, and the share of broken chains.

        ``values`` are those of the qubits, (n, Q).
        """
        sums = np.add.reduceat(values.astype(np.int32), self.starts, axis=1)
        coins = 2 * rng.integers(2, size=sums.shape) - 1
        spins = np.where(sums == 0, coins, np.sign(sums)).astype(np.int8)
        chains = self.lengths > 1
        if not chains.any():
            return spins, 0.0
        broken = np.abs(sums[:, chains]) != self.lengths[chains]
        return spins, float(np.mean(broken))


def torque(ising: Ising) -> float:
    """A chain strength that holds against neighbours of random signs: 1.414 rms(J) sqrt(degree).

    It is ``uniform_torque_compensation`` of dwave.system.

    >>> torque(Ising(h=np.zeros(2), J=[1.0], graph=[[0, 1]]))
    1.414
    """
    if not ising.J.any():
        return 1.0
    degree = 2 * len(ising.J) / ising.num_spins
    return float(1.414 * np.sqrt(np.mean(ising.J**2)) * np.sqrt(degree))


def embedding_of(chip: Chip, graph: Graph, native: Sequence[int]) -> Embedding:
    """Where the spins of a graph go.

    With the sizes of ``native`` each spin is one qubit of :meth:`Chip.native_qubits`. Without, a
    bipartite graph is embedded as a complete one with chains, any other one by a search. Raises
    Unsupported, with the numbers, if the graph does not fit.
    """
    if native:
        chosen = np.concatenate(chip.native_qubits(native))
        if graph.num_spins != len(chosen):
            raise Unsupported(
                f"native = {list(native)} places {len(chosen)} spins, the model has "
                f"{graph.num_spins}"
            )
        return embedded(chip, graph, dict(enumerate(chosen.reshape(-1, 1).tolist())))
    chains: Mapping[int, Sequence[int]] = {}
    fits = graph.num_spins <= len(chip.qubits)
    if fits and graph.is_bipartite and len(graph.edges):
        left, right = graph.sides
        cache = ocean("minorminer.busclique").busgraph_cache(chip.network)
        chains = cache.find_biclique_embedding(left.tolist(), right.tolist())
    if fits and not chains:
        chains = _searched(chip, graph)
    if len(chains) < graph.num_spins:
        raise Unsupported(
            f"no embedding of {graph.num_spins} spins and {len(graph.edges)} couplings was found "
            f"on {chip.name}, which has {len(chip.qubits)} qubits; use a smaller model, or a "
            "native one, which has only couplings that the chip has"
        )
    return embedded(chip, graph, chains)


def _searched(chip: Chip, graph: Graph) -> Mapping[int, Sequence[int]]:
    """Chains by minorminer's search; empty if it finds none."""
    edges = graph.edges.tolist()
    chains: dict[int, Sequence[int]] = {}
    if edges:
        chains = ocean("minorminer").find_embedding(
            edges,
            chip.couplers.tolist(),
            random_seed=SEARCH_SEED,
            threads=1,
            timeout=SEARCH_SECONDS,
        )
        if not chains:
            return {}
    # Spins without couplings take any qubit that is left.
    used = {qubit for chain in chains.values() for qubit in chain}
    spare = (qubit for qubit in chip.qubits.tolist() if qubit not in used)
    for spin in range(graph.num_spins):
        if spin not in chains:
            qubit = next(spare, None)
            if qubit is None:
                return {}
            chains[spin] = (qubit,)
    return chains


def embedded(chip: Chip, graph: Graph, chains: Mapping[int, Sequence[int]]) -> Embedding:
    """The embedding with these qubits for each spin.

    Raises Unsupported if a coupling of the graph has no coupler.
    """
    spin_of = np.repeat(np.arange(graph.num_spins), [len(chains[s]) for s in range(len(chains))])
    qubits = np.concatenate([np.array(chains[spin]) for spin in range(graph.num_spins)])
    by_number = np.argsort(qubits)
    used = chip.couplers[np.all(np.isin(chip.couplers, qubits), axis=1)]
    ends = by_number[np.searchsorted(qubits[by_number], used)]
    ends.sort(axis=1)
    edge_of = _edges_between(graph, spin_of[ends])
    kept = edge_of != _NO_EDGE
    carried = np.unique(edge_of[kept])
    missing = len(graph.edges) - np.count_nonzero(carried >= 0)
    if missing:
        raise Unsupported(
            f"{chip.name} has no coupler for {missing} of the {len(graph.edges)} couplings of the "
            "model; take the model's graph from the sampler's native_graph()"
        )
    on_qubits = Graph(len(qubits), ends[kept])
    return Embedding(qubits, spin_of, on_qubits, edge_of[kept], len(graph.edges))


def _edges_between(graph: Graph, pairs: Ints) -> Ints:
    """The edge of each pair of spins (C, 2): -1 for a spin with itself, -2 if there is none."""
    pairs = np.sort(pairs, axis=1)
    found = np.full(len(pairs), _NO_EDGE)
    found[pairs[:, 0] == pairs[:, 1]] = -1
    if not len(graph.edges):
        return found
    names = graph.edges[:, 0] * graph.num_spins + graph.edges[:, 1]
    order = np.argsort(names)
    wanted = pairs[:, 0] * graph.num_spins + pairs[:, 1]
    place = order[np.minimum(np.searchsorted(names[order], wanted), len(names) - 1)]
    is_there = names[place] == wanted
    found[is_there] = place[is_there]
    return found


def native_graph(chip: Chip, sizes: Sequence[int]) -> Graph:
    """The couplers between the qubits of :meth:`Chip.native_qubits`, as a graph on spins.

    Spins are numbered part by part. With two parts it is the mask of a restricted Boltzmann
    machine.
    """
    by_part = chip.native_qubits(sizes)
    qubits = np.concatenate(by_part)
    part_of = np.repeat(np.arange(len(sizes)), [len(part) for part in by_part])
    used = chip.couplers[np.all(np.isin(chip.couplers, qubits), axis=1)]
    by_number = np.argsort(qubits)
    ends = np.sort(by_number[np.searchsorted(qubits[by_number], used)], axis=1)
    if len(sizes) > 1:
        ends = ends[part_of[ends[:, 0]] != part_of[ends[:, 1]]]
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    return Graph(len(qubits), ends[order])
