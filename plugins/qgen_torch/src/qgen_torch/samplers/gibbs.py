"""The sampler ``torch-gibbs``: block Gibbs sampling on CPU or GPU."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import embedding_bag

from qgen_core import Ising
from qgen_core.errors import BadOption
from qgen_core.samplers.free_spins import FreeSpinSampler
from qgen_core.typing import Array, Floats, Ints, Rng
from qgen_torch.networks.module_arrays import TORCH, Precision
from qgen_torch.samplers.draws import SpinDraws

Tensor = torch.Tensor


class TorchGibbsSampler(FreeSpinSampler):
    """Markov chains that draw all spins of a colour at once, as ``gibbs`` does, with torch.

    Each sample is the end of a chain of its own, after ``sweeps`` updates of every spin; a chain
    starts where ``initial`` says, else at random spins. On a dense bipartite graph local fields are
    matrix products; on other graphs, weighted sums over neighbours.

    Probabilities of spins are right to 2^-24. On a CPU spins are drawn by the compiled code of
    ``gibbs``. Results are the same for any number of threads as far
    as torch's matrix products are; they differ between devices.

    Args:
        sweeps: the number of updates of each spin.
        beta: the inverse temperature.
        precision: of the local fields, ``single`` or ``double``.
        device: where chains are, e.g. ``cuda``.

    Raises BadOption for values below their least, and for a device that torch does not have.

    Source: Geman and Geman, TPAMI 6 (1984) 721.

    >>> pair = Ising(h=[50.0, 0.0], J=[50.0], graph=[[0, 1]])
    >>> spins, info = TorchGibbsSampler(sweeps=5).sample(pair, 2, rng=np.random.default_rng(1))
    >>> spins.tolist(), info
    ([[-1, 1], [-1, 1]], {'source': 'Gibbs sampling with torch, 5 sweeps'})
    """

    def __init__(
        self,
        *,
        sweeps: int = 100,
        beta: float = 1.0,
        precision: Precision = "single",
        device: str = "cpu",
    ) -> None:
        if sweeps < 1 or not beta > 0:
            raise BadOption(f"sweeps must be at least 1 and beta above 0, not {sweeps}, {beta:g}")
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:  # torch raises both for missing devices
            raise BadOption(f"torch cannot use the device {device!r}: {error}") from error
        self.beta = beta
        self.sweeps = sweeps
        self.device = torch.device(device)
        self.dtype = TORCH[precision]
        self.source = f"Gibbs sampling with torch, {sweeps} sweeps"

    def sample_free(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        shape = (len(energy.h), n, energy.num_spins)
        start = initial
        if start is None:
            start = 2 * rng.integers(2, size=shape, dtype=np.int8) - 1
        by_chain = np.reshape(start, (-1, energy.num_spins))
        spins = torch.tensor(by_chain, dtype=torch.int8, device=self.device)
        with torch.inference_mode():
            couplings = energy.couplings
            if energy.graph.is_bipartite and isinstance(couplings, np.ndarray):
                spins = self._on_sides(energy, couplings, spins, rng)
            else:
                spins = self._on_graph(energy, spins, rng)
        return spins.cpu().numpy().reshape(shape), {}

    def _on_sides(self, energy: Ising, couplings: Floats, spins: Tensor, rng: Rng) -> Tensor:
        """Sweeps of spins (C, S) int8 on a dense bipartite graph."""
        chains = len(spins)
        left, right = energy.graph.sides
        weights = self._tensor(2 * self.beta * couplings)
        transposed = weights.T.contiguous()
        onto_left = self._own_fields(energy.h[:, left], chains)
        onto_right = self._own_fields(energy.h[:, right], chains)
        of_left = spins[:, self._index(left)].to(self.dtype)
        of_right = spins[:, self._index(right)].to(self.dtype)
        left_fields = torch.empty_like(of_left)
        right_fields = torch.empty_like(of_right)
        draws = SpinDraws.of(rng, chains, self.device)
        for _ in range(self.sweeps):
            torch.addmm(onto_left, of_right, transposed, out=left_fields)
            draws.update(of_left, left_fields)
            torch.addmm(onto_right, of_left, weights, out=right_fields)
            draws.update(of_right, right_fields)
        spins[:, self._index(left)] = of_left.to(torch.int8)
        spins[:, self._index(right)] = of_right.to(torch.int8)
        return spins

    def _on_graph(self, energy: Ising, spins: Tensor, rng: Rng) -> Tensor:
        """Sweeps of spins (C, S) int8 on any graph, colour by colour.

        A spin is a row of its values in all chains.
        """
        by_spin = spins.T.to(self.dtype).contiguous()
        chains = len(spins)
        colours = []
        for group in energy.graph.groups:
            neighbours, couplings = _neighbours_of(energy, group)
            own = self._own_fields(energy.h[:, group], chains)
            weights = self._tensor(2 * self.beta * couplings)
            place = self._index(group)
            colours.append((place, self._index(neighbours), weights, own.T))
        draws = SpinDraws.of(rng, energy.num_spins, self.device)
        for _ in range(self.sweeps):
            for place, others, weights, own in colours:
                fields = embedding_bag(others, by_spin, per_sample_weights=weights, mode="sum")
                fields += own
                drawn = torch.empty_like(fields)
                draws.update(drawn, fields)
                by_spin[place] = drawn
        return by_spin.T.to(torch.int8)

    def _own_fields(self, fields: Array, chains: int) -> Tensor:
        """``2 beta h`` for each chain (C, s) from rows (R, s); one row for all chains if R = 1."""
        own = self._tensor(2 * self.beta * fields)
        if len(own) == 1:
            return own
        return own.repeat_interleave(chains // len(own), dim=0)

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, self.dtype)

    def _index(self, values: Ints) -> Tensor:
        return torch.from_numpy(np.array(values)).to(self.device)


def _neighbours_of(energy: Ising, group: Ints) -> tuple[Ints, Array]:
    """Neighbours (s, D) of the spins of a group and their couplings; lists are filled with 0."""
    starts, others, edges = energy.graph.neighbours()
    degrees = np.diff(starts)[group]
    columns = np.arange(max(int(degrees.max()), 1))
    filled = columns < degrees[:, None]
    places = np.where(filled, starts[group][:, None] + columns, 0)
    if not len(others):
        return np.zeros_like(places), np.zeros(places.shape)
    couplings = np.where(filled, energy.J[edges[places]], 0.0)
    return others[places], couplings
