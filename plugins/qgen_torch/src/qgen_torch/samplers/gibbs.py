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
from qgen_torch.samplers.uniforms import Uniforms

Tensor = torch.Tensor
#: Chains whose fields are computed at once on a CPU, so that they are still in its cache when the
#: spins are drawn.
CHAINS_AT_ONCE = 2048


class TorchGibbsSampler(FreeSpinSampler):
    """Markov chains that draw all spins of a colour at once, as ``gibbs`` does, with torch.

    Each sample is the end of a chain of its own, after ``sweeps`` updates of every spin; a chain
    starts where ``initial`` says, else at random spins. On a dense bipartite graph local fields are
    matrix products; on other graphs, weighted sums over neighbours.

    Probabilities of spins are right to 2^-24. Results are the same for any number of threads as far
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
        bits = self._tensor(np.reshape(start, (-1, energy.num_spins)) > 0)
        uniforms = Uniforms.of(rng, self.device)
        with torch.inference_mode():
            couplings = energy.couplings
            if energy.graph.is_bipartite and isinstance(couplings, np.ndarray):
                bits = self._on_sides(energy, couplings, bits, uniforms)
            else:
                bits = self._on_graph(energy, bits, uniforms)
            spins = (2 * bits.to(torch.int8) - 1).cpu().numpy()
        return spins.reshape(shape), {}

    def _on_sides(
        self, energy: Ising, couplings: Floats, bits: Tensor, uniforms: Uniforms
    ) -> Tensor:
        """Sweeps of bits (C, S) on a dense bipartite graph.

        A bit is 1 with probability sigmoid(-2 beta f). With s = 2 b - 1 the field of left spins is
        ``f = h - sum_j J_j + 2 b J^T``, so bits are multiplied without being made spins.
        """
        chains = len(bits)
        left, right = energy.graph.sides
        weights = self._tensor(-4 * self.beta * couplings)
        onto_left = self._offsets(energy.h[:, left] - couplings.sum(axis=1), chains)
        onto_right = self._offsets(energy.h[:, right] - couplings.sum(axis=0), chains)
        of_left = bits[:, self._index(left)].contiguous()
        of_right = bits[:, self._index(right)].contiguous()
        for _ in range(self.sweeps):
            _update(of_left, onto_left, of_right, weights.T, uniforms)
            _update(of_right, onto_right, of_left, weights, uniforms)
        bits[:, self._index(left)] = of_left
        bits[:, self._index(right)] = of_right
        return bits

    def _on_graph(self, energy: Ising, bits: Tensor, uniforms: Uniforms) -> Tensor:
        """Sweeps of bits (C, S) on any graph, colour by colour; a spin is a row of the chains."""
        by_spin = bits.T.contiguous()
        chains = len(bits)
        colours = []
        for group in energy.graph.groups:
            neighbours, couplings = _neighbours_of(energy, group)
            offsets = self._offsets(energy.h[:, group] - couplings.sum(axis=1), chains)
            weights = self._tensor(-4 * self.beta * couplings)
            place = self._index(group)
            colours.append((place, self._index(neighbours), weights, offsets.T))
        for _ in range(self.sweeps):
            for place, others, weights, offsets in colours:
                fields = embedding_bag(others, by_spin, per_sample_weights=weights, mode="sum")
                fields += offsets
                drawn = torch.empty_like(fields)
                uniforms.fill(drawn)
                by_spin[place] = (drawn < fields.sigmoid_()).to(self.dtype)
        return by_spin.T

    def _offsets(self, fields: Array, chains: int) -> Tensor:
        """``-2 beta f`` of fields (R, s) for each chain (C, s); one row for all chains if R = 1."""
        offsets = self._tensor(-2 * self.beta * fields)
        if len(offsets) == 1:
            return offsets
        return offsets.repeat_interleave(chains // len(offsets), dim=0)

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, self.dtype)

    def _index(self, values: Ints) -> Tensor:
        return torch.from_numpy(np.array(values)).to(self.device)


def _update(
    bits: Tensor, offsets: Tensor, others: Tensor, weights: Tensor, uniforms: Uniforms
) -> None:
    """Draw bits (C, a) anew, given those of the other side (C, b); weights are (b, a)."""
    at_once = CHAINS_AT_ONCE
    if bits.device.type != "cpu":
        at_once = len(bits)
    fields = bits.new_empty((min(at_once, len(bits)), bits.shape[1]))
    drawn = torch.empty_like(fields)
    for start in range(0, len(bits), at_once):
        rows = slice(start, start + at_once)
        of_rows = offsets
        if len(offsets) > 1:
            of_rows = offsets[rows]
        size = len(bits[rows])
        torch.addmm(of_rows, others[rows], weights, out=fields[:size])
        uniforms.fill(drawn[:size])
        torch.lt(drawn[:size], fields[:size].sigmoid_(), out=bits[rows])


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
