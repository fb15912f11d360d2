"""A sampler that keeps what was asked of it and what it answered."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.samplers.wrapped import WrappedSampler
from qgen_core.typing import Array, Rng


@dataclass(frozen=True, eq=False)
class TrackedCall:
    """One call of a sampler: the energy, the samples, the information, beta, and its seconds."""

    ising: Ising
    spins: NDArray[np.int8]
    info: dict[str, Any]
    beta: float
    seconds: float


class TrackedSampler(WrappedSampler):
    """Draws with ``sampler``, keeps the latest calls in ``calls``, and reports ``seconds``.

    ``seconds`` is the wall time of a call, a number of its information, so a training has it in
    its history. Calls are not part of the state.

    Args:
        sampler: the sampler that draws.
        keep: the number of calls to keep, with their samples.

    Raises BadOption for a number below 0.

    >>> from qgen_core.samplers.exact import ExactSampler
    >>> tracked = TrackedSampler(ExactSampler(), keep=2)
    >>> spin = Ising(h=[50.0], J=[], graph=np.empty((0, 2)))
    >>> for n in (1, 2, 3):
    ...     _ = tracked.sample(spin, n, rng=np.random.default_rng(1))
    >>> [len(call.spins) for call in tracked.calls]
    [2, 3]
    """

    def __init__(self, sampler: Sampler, *, keep: int = 10) -> None:
        if keep < 0:
            raise BadOption(f"keep is a number of calls, at least 0, not {keep}")
        super().__init__(sampler)
        self.calls: deque[TrackedCall] = deque(maxlen=keep)

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """The wrapped sampler's samples and information, with ``seconds`` added."""
        beta = self.sampler.beta
        begin = time.perf_counter()
        spins, info = self.sampler.sample(ising, n, rng=rng, initial=initial)
        seconds = time.perf_counter() - begin
        self.calls.append(TrackedCall(ising, spins.copy(), dict(info), beta, seconds))
        return spins, {**info, "seconds": seconds}
