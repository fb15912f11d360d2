"""CMA-ES: a Gaussian cloud of parameter vectors that learns its shape (extra ``cma``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError
from qgen_core.interfaces import Problem, Trainer
from qgen_core.support.parameters import assign, flatten
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats, Rng


class Cma(Trainer):
    """Covariance matrix adaptation, from the package ``cma`` (Hansen, 1604.00772).

    A step is a generation: ``population`` candidates (None: 4 + 3 ln P) and the present mean
    are valued at once, and the mean moves. ``sigma`` is the first standard deviation, in the
    unit of the parameters. The loss of a step is that of the mean before the move; ``best``
    and ``sigma`` join its line of the history. It also ends when the package's own
    criteria say so, and ``History.stopped`` names them.

    Needs at least two parameters. A checkpoint holds the values of all generations; resuming
    replays them, so nothing but numbers is ever read from a file.
    """

    def __init__(
        self,
        *,
        sigma: float = 0.5,
        population: int | None = None,
        steps: int = 300,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
    ) -> None:
        super().__init__(steps=steps, batch_size=batch_size, keep_best=keep_best, patience=patience)
        if importlib.util.find_spec("cma") is None:
            raise BrokenPlugin(
                "trainer 'cma' needs the package cma; `pip install 'qgen-core[cma]'` brings it"
            )
        if sigma <= 0 or (population is not None and population < 4):
            raise BadOption(
                f"cma needs sigma above 0 and a population of at least 4, not {sigma} and "
                f"{population}"
            )
        self.sigma, self.population = sigma, population
        self._origin: Floats = np.empty(0)
        self._values: list[Floats] = []
        self._rng: Rng | None = None
        self._strategy: Any = None

    def step(self, problem: Problem) -> float:
        """Let one generation pass; the loss at its mean before."""
        parameters = problem.generator.parameters()
        if problem.step == 0:
            self._origin, self._values = flatten(parameters), []
            self._strategy = self._begin()
        elif self._strategy is None:
            self._replay(problem)
        strategy = self._strategy
        self._rng = problem.rng("cma")
        candidates = strategy.ask()
        values = problem.values(np.vstack([strategy.mean, *candidates]))
        self._tell(candidates, values[1:])
        self._values.append(values[1:])
        assign(parameters, strategy.mean)
        problem.log(best=values[1:].min(), sigma=strategy.sigma)
        met = strategy.stop()
        if met:
            problem.stop("CMA-ES: " + ", ".join(f"{name} = {value}" for name, value in met.items()))
        return float(values[0])

    def _begin(self) -> Any:
        import cma  # type: ignore[import-untyped, import-not-found, unused-ignore]

        if self._origin.size < 2:
            raise BadOption(
                f"cma needs at least 2 parameters, the generator has {self._origin.size}"
            )

        def normal(*shape: int) -> Floats:
            assert self._rng is not None
            return self._rng.standard_normal(shape)

        # seed nan and a randn of our own leave numpy's global state alone; verbosity -10 keeps
        # the package from reading its signals file.
        options = {"randn": normal, "seed": np.nan, "verbose": -10, "maxiter": np.inf}
        if self.population is not None:
            options["popsize"] = self.population
        return cma.CMAEvolutionStrategy(self._origin, self.sigma, options)

    def _tell(self, candidates: list[Floats], values: Floats) -> None:
        self._strategy.tell(candidates, [float(v) for v in values])

    def _replay(self, problem: Problem) -> None:
        if len(self._values) != problem.step:
            raise CheckpointError(
                f"the checkpoint of cma holds {len(self._values)} generations, not {problem.step}"
            )
        self._strategy = self._begin()
        for generation, values in enumerate(self._values):
            self._rng = stream(problem.seed, "cma", generation)
            candidates = self._strategy.ask()
            if len(values) != len(candidates):
                raise CheckpointError(
                    f"the checkpoint of cma has a population of {len(values)}, not "
                    f"{len(candidates)}"
                )
            self._tell(candidates, values)
            self._strategy.stop()

    def state(self) -> dict[str, Array]:
        """Where it began and the values of all generations."""
        values = np.array(self._values) if self._values else np.empty((0, 0))
        return {"origin": self._origin.copy(), "values": values}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take both back; they are replayed at the next step."""
        shapes = {name: (array.dtype.kind, array.ndim) for name, array in state.items()}
        if shapes != {"origin": ("f", 1), "values": ("f", 2)}:
            raise CheckpointError(
                f"cma needs an origin (P,) and values (generations, population), not {shapes}"
            )
        self._origin = np.array(state["origin"], dtype=np.float64)
        self._values = [np.array(row, dtype=np.float64) for row in state["values"]]
        self._strategy = None
