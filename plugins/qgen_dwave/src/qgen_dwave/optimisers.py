"""``dwave-tabu`` and ``dwave-descent``: searches for low energies, which do not sample."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import name_of
from qgen_core.ising import Ising
from qgen_core.samplers.free_spins import RowSampler
from qgen_core.typing import Array, Rng
from qgen_dwave.ocean import ocean, quadratic_model, seed_of, spins_of

#: Milliseconds after which a tabu search would stop, wherever it is; never reached, so that a
#: result depends on its seed only.
NEVER = 2**31 - 1


class Optimiser(RowSampler):
    """A search for low energies from random spins. What it finds does not follow exp(-beta E).

    A subclass implements ``search`` and has the option ``minima``.
    """

    method: ClassVar[str]

    def __init__(self, minima: bool) -> None:
        self.minima = minima
        self.source = f"dwave-samplers {self.method}, an optimiser: no samples of exp(-beta E)"

    def sample_row(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[Array, dict[str, float]]:
        if not self.minima:
            raise Unsupported(
                f"{name_of(self)!r} is an optimiser ({self.method}): what it finds does not follow "
                "exp(-beta E) at any temperature; sample with 'dwave-sa', or set minima = true "
                "where low energies are wanted"
            )
        return spins_of(self.search(quadratic_model(energy), n, seed_of(rng))), {}

    @abstractmethod
    def search(self, model: Any, n: int, seed: int) -> Any:
        """The SampleSet of n searches, each from random spins."""


class TabuSearch(Optimiser):
    """An optimiser: tabu search. It finds low energies, and it is no sampler of exp(-beta E).

    Args:
        minima: say true to have low energies; otherwise sampling is refused.
        restarts: how often a search starts anew from its best spins.

    Raises BadOption for a negative number of restarts, and Unsupported where samples are asked for
    without ``minima``.

    >>> import numpy as np
    >>> pair = Ising(h=[0.1, 0.0], J=[1.0], graph=[[0, 1]])
    >>> found, _ = TabuSearch(minima=True).sample(pair, 1, rng=np.random.default_rng(1))
    >>> found.tolist()
    [[-1, 1]]
    """

    method = "tabu search"

    def __init__(self, *, minima: bool = False, restarts: int = 0) -> None:
        if restarts < 0:
            raise BadOption(f"restarts must be at least 0, not {restarts}")
        super().__init__(minima)
        self.restarts = restarts

    def search(self, model: Any, n: int, seed: int) -> Any:
        return (
            ocean("dwave.samplers")
            .TabuSampler()
            .sample(model, num_reads=n, seed=seed, timeout=NEVER, num_restarts=self.restarts)
        )


class SteepestDescent(Optimiser):
    """An optimiser: steepest descent to a local minimum. It is no sampler of exp(-beta E).

    Args:
        minima: say true to have local minima; otherwise sampling is refused.

    Raises Unsupported where samples are asked for without ``minima``.

    >>> import numpy as np
    >>> pair = Ising(h=[0.1, 0.0], J=[1.0], graph=[[0, 1]])
    >>> found, info = SteepestDescent(minima=True).sample(pair, 1, rng=np.random.default_rng(1))
    >>> info["source"]
    'dwave-samplers steepest descent, an optimiser: no samples of exp(-beta E)'
    """

    method = "steepest descent"

    def __init__(self, *, minima: bool = False) -> None:
        super().__init__(minima)

    def search(self, model: Any, n: int, seed: int) -> Any:
        return ocean("dwave.samplers").SteepestDescentSolver().sample(model, num_reads=n, seed=seed)
