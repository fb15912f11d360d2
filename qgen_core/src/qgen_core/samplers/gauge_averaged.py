"""Spin-reversal transforms, which average out a device's preference of one sign."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.samplers.wrapped import WrappedSampler
from qgen_core.typing import Array, Ints, Rng


class GaugeAveragedSampler(WrappedSampler):
    """Draws equal parts of the samples in several gauges, each with random spins reversed.

    With signs r, ``h -> r h`` and ``J_ij -> r_i r_j J_ij``, and samples are multiplied by r: for
    an exact sampler nothing changes, while a device's offset of a field has another sign for each
    gauge. Each gauge is one call of ``sampler``, for a device one programming. Samples are returned
    in the order of the gauges. Numbers of the information are means over gauges, jobs are those of
    all.

    Args:
        sampler: the sampler that draws.
        gauges: the number of gauges; where fewer samples are asked for, one gauge a sample.

    Raises BadOption for fewer than one gauge.

    Source: Boixo et al., arXiv:1212.1739.

    >>> from qgen_core.samplers.exact import ExactSampler
    >>> averaged = GaugeAveragedSampler(ExactSampler(), gauges=3)
    >>> spins = Ising(h=[50.0, -50.0], J=[1.0], graph=[[0, 1]])
    >>> averaged.sample(spins, 4, rng=np.random.default_rng(1))[0].tolist()
    [[-1, 1], [-1, 1], [-1, 1], [-1, 1]]
    """

    def __init__(self, sampler: Sampler, *, gauges: int = 10) -> None:
        if gauges < 1:
            raise BadOption(f"gauges must be at least 1, not {gauges}")
        super().__init__(sampler)
        self.gauges = gauges

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Samples of all gauges, and information about all calls."""
        spins = []
        infos = []
        for samples in self._shares(n):
            signs = 2 * rng.integers(2, size=ising.num_spins, dtype=np.int8) - 1
            start = None
            if initial is not None:
                start = np.asarray(initial)[..., samples, :] * signs
            drawn, info = self.sampler.sample(
                reversed_spins(ising, signs), len(samples), rng=rng, initial=start
            )
            spins.append(drawn * signs)
            infos.append(info)
        return np.concatenate(spins, axis=-2), _merged(infos, len(spins))

    def device_seconds(self, ising: Ising, n: int) -> float | None:
        """The time on a device of the wrapped sampler, over all gauges."""
        total = 0.0
        for samples in self._shares(n):
            seconds = self.sampler.device_seconds(ising, len(samples))
            if seconds is None:
                return None
            total += seconds
        return total

    def _shares(self, n: int) -> list[Ints]:
        """The numbers of the samples that are drawn with each gauge."""
        return np.array_split(np.arange(n), min(self.gauges, n))


def reversed_spins(ising: Ising, signs: NDArray[np.int8]) -> Ising:
    """The energy of the spins ``signs * s``: E'(signs * s) = E(s).

    >>> pair = Ising(h=[1.0, 0.5], J=[2.0], graph=[[0, 1]])
    >>> turned = reversed_spins(pair, np.array([1, -1], dtype=np.int8))
    >>> turned.h.tolist(), turned.J.tolist()
    ([1.0, -0.5], [-2.0])
    """
    fixed = ising.fixed
    if fixed is not None:
        fixed = fixed * signs
    of_edges = np.prod(signs[ising.edges], axis=1)
    return Ising(
        ising.h * signs, ising.J * of_edges, ising.graph, ising.offset, ising.transverse, fixed
    )


def _merged(infos: list[dict[str, Any]], gauges: int) -> dict[str, Any]:
    """The information of several calls: means of numbers, all jobs, and all energies."""
    merged: dict[str, Any] = {}
    for name in infos[0]:
        values = [info[name] for info in infos if name in info]
        if name == "source":
            merged[name] = f"{values[0]}, {gauges} gauges"
        elif name == "energies":
            merged[name] = np.concatenate(values, axis=-1)
        elif name == "job":
            merged[name] = [str(job) for value in values for job in np.atleast_1d(value)]
        elif np.ndim(values[0]) == 0 and np.isreal(values[0]):
            merged[name] = float(np.mean(values))
        else:
            merged[name] = values
    return merged
