"""The sampler ``dwave-tree``: independent samples of energies on graphs of small tree width."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption, Unsupported
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.free_spins import RowSampler
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Array, Rng
from qgen_dwave.ocean import ocean, quadratic_model, seed_of, spins_of

#: D-Wave's program takes no graph of a larger tree width.
LARGEST_WIDTH = 25


class TreeSampler(RowSampler):
    """Independent samples of exp(-beta E) by eliminating spins one after the other.

    Time and memory grow as two to the tree width of the graph: the smaller side of a complete
    bipartite graph, less of a sparse one. The number ``log_z`` of the information is
    log sum_s exp(-beta E(s)), of the free spins where some are fixed.

    Args:
        beta: the inverse temperature.
        most_width: the largest tree width, in minimum-degree order, that is taken; 25 at most.

    Raises BadOption for a beta that is not above 0 or another width, and Unsupported for a graph
    of a larger tree width, with its number.

    >>> pair = Ising(h=[0.0, 0.0], J=[-50.0], graph=[[0, 1]])
    >>> spins, info = TreeSampler().sample(pair, 3, rng=np.random.default_rng(1))
    >>> bool(np.all(spins[:, 0] == spins[:, 1])), round(info["log_z"], 4)
    (True, 50.6931)
    """

    source = "dwave-samplers tree decomposition"

    def __init__(self, *, beta: float = 1.0, most_width: int = 20) -> None:
        if not 0 < beta < np.inf:
            raise BadOption(f"beta must be above 0, not {beta:g}")
        if not 1 <= most_width <= LARGEST_WIDTH:
            raise BadOption(f"most_width is a number from 1 to {LARGEST_WIDTH}, not {most_width}")
        self.beta = beta
        self.most_width = most_width
        self._orders: Remembered[Graph, tuple[int, list[int]]] = Remembered()

    def sample_row(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[Array, dict[str, float]]:
        width, order = self._order(energy.graph)
        if width > self.most_width:
            raise Unsupported(
                f"sampler 'dwave-tree' takes graphs of tree width up to most_width = "
                f"{self.most_width}, and this one, {energy.graph!r}, has the tree width {width} in "
                "minimum-degree order; 'dwave-sa' takes any graph"
            )
        samples = (
            ocean("dwave.samplers")
            .TreeDecompositionSampler()
            .sample(
                quadratic_model(energy),
                num_reads=n,
                elimination_order=order,
                beta=self.beta,
                marginals=False,
                seed=seed_of(rng),
            )
        )
        # The program returns its samples sorted by energy; draws have no order.
        spins = rng.permutation(spins_of(samples), axis=0)
        return spins, {"log_z": float(samples.info["log_partition_function"])}

    def _order(self, graph: Graph) -> tuple[int, list[int]]:
        """The tree width of a graph in min-fill order, and that order."""
        return self._orders.get(graph, lambda: elimination_order(graph))


def elimination_order(graph: Graph) -> tuple[int, list[int]]:
    """The tree width and the order of eliminating, each time, a spin of the fewest neighbours.

    The neighbours of an eliminated spin become neighbours of each other. The width is a bound of
    the graph's own tree width from above.

    >>> elimination_order(Graph.complete_bipartite(2, 3))
    (2, [2, 3, 0, 1, 4])
    """
    around: dict[int, set[int]] = {spin: set() for spin in range(graph.num_spins)}
    for first, second in graph.edges.tolist():
        around[first].add(second)
        around[second].add(first)
    order = []
    width = 0
    while around:
        spin = min(around, key=lambda one: (len(around[one]), one))
        neighbours = around.pop(spin)
        width = max(width, len(neighbours))
        order.append(spin)
        for one in neighbours:
            around[one] |= neighbours
            around[one] -= {one, spin}
    return width, order
