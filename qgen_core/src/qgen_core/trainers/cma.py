"""CMA-ES: evolution strategy with an adapted covariance matrix (extra ``cma``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.discovery.install_hints import install_command
from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError
from qgen_core.interfaces import Problem, RandomNumbers, Selection, Trainer
from qgen_core.support.parameters import assign, flatten
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import MAX_EVALUATIONS, require_at_most, require_memory
from qgen_core.typing import Array, Floats, Rng

#: So many square matrices of the parameters, and copies of all candidates, exist at a time.
MATRICES = 5
CANDIDATES = 4


class Cma(Trainer):
    """Covariance matrix adaptation, from the package ``cma`` (Hansen, 1604.00772).

    A step is a generation: the losses of ``population`` candidates (None: 4 + 3 ln P) and of the
    current mean are computed in one batch, and the mean is updated. ``sigma`` is the initial
    standard deviation, in the unit of the parameters. The loss of a step is that of the mean
    before the update; its history record also holds ``best`` and ``sigma``. Training also ends
    when a termination criterion of the package is met, and ``History.stopped`` names it.

    Needs at least two parameters. A checkpoint holds the losses of all generations; resuming
    replays them, so that only numbers are read from a file, never a pickled object.

    Raises BrokenPlugin without the package, BadOption for ``sigma`` or ``population`` out of
    range, ResourceRefused for a covariance matrix or a population that memory does not hold.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> model = Quadratic()
    >>> before = model.excess()
    >>> history = Cma(steps=30).fit(model, events(), Mean(), seed=1)
    >>> model.excess() < 0.1 * before
    True
    """

    gradient_free = True

    def __init__(
        self,
        *,
        sigma: float = 0.5,
        population: int | None = None,
        steps: int = 300,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
        select: Selection = None,
        validate_every: int | None = None,
        random_numbers: RandomNumbers = "fresh",
    ) -> None:
        super().__init__(
            steps=steps,
            batch_size=batch_size,
            keep_best=keep_best,
            patience=patience,
            select=select,
            validate_every=validate_every,
            random_numbers=random_numbers,
        )
        if importlib.util.find_spec("cma") is None:
            command = install_command("qgen-core", extra="cma")
            raise BrokenPlugin(f"trainer 'cma' needs the package cma; `{command}` brings it")
        if sigma <= 0 or (population is not None and population < 4):
            raise BadOption(
                f"cma needs sigma above 0 and a population of at least 4, not {sigma} and "
                f"{population}"
            )
        require_at_most(population or 0, MAX_EVALUATIONS, "candidates a generation of cma")
        self.sigma = sigma
        self.population = population
        self._origin: Floats = np.empty(0)
        self._values: list[Floats] = []
        self._rng: Rng | None = None
        self._strategy: Any = None

    def step(self, problem: Problem) -> float:
        """Run one generation; returns the loss at the mean before the update."""
        parameters = problem.generator.parameters()
        if problem.step == 0:
            self._origin = flatten(parameters)
            self._values = []
            self._strategy = self._new_strategy()
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
        criteria = strategy.stop()
        if criteria:
            met = [f"{name} = {value}" for name, value in criteria.items()]
            problem.stop("CMA-ES: " + ", ".join(met))
        return float(values[0])

    def _new_strategy(self) -> Any:
        import cma  # type: ignore[import-untyped, import-not-found, unused-ignore]

        if self._origin.size < 2:
            raise BadOption(
                f"cma needs at least 2 parameters, the generator has {self._origin.size}"
            )

        size = self._origin.size
        rows = MATRICES * size + CANDIDATES * (self.population or 0)
        require_memory(
            8 * size * rows,
            f"cma with {size} parameters and a population of {self.population or 'the usual size'}",
            "take a smaller population, or another trainer for so many parameters",
        )

        def normal(*shape: int) -> Floats:
            assert self._rng is not None
            return self._rng.standard_normal(shape)

        # With seed nan and this randn the package does not touch numpy's global random state; with
        # verbosity -10 it does not read its signals file.
        options = {"randn": normal, "seed": np.nan, "verbose": -10, "maxiter": np.inf}
        if self.population is not None:
            options["popsize"] = self.population
        return cma.CMAEvolutionStrategy(self._origin, self.sigma, options)

    def _tell(self, candidates: list[Floats], values: Floats) -> None:
        self._strategy.tell(candidates, [float(v) for v in values])

    def _replay(self, problem: Problem) -> None:
        if len(self._values) != problem.step:
            raise CheckpointError(
                f"the checkpoint of cma holds {len(self._values)} generations, not "
                f"{problem.step}; start the run anew"
            )
        self._strategy = self._new_strategy()
        for generation, values in enumerate(self._values):
            self._rng = stream(problem.seed, "cma", generation)
            candidates = self._strategy.ask()
            if len(values) != len(candidates):
                raise CheckpointError(
                    f"the checkpoint of cma has a population of {len(values)}, not "
                    f"{len(candidates)}; resume with the options that wrote it"
                )
            self._tell(candidates, values)
            self._strategy.stop()

    def state(self) -> dict[str, Array]:
        """The start (P,) and the losses (generations, population) of all candidates."""
        values = np.empty((0, 0))
        if self._values:
            values = np.array(self._values)
        return {"origin": self._origin.copy(), "values": values}

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore both; the generations are replayed at the next step.

        Raises CheckpointError for other arrays.
        """
        shapes = {name: (array.dtype.kind, array.ndim) for name, array in state.items()}
        if shapes != {"origin": ("f", 1), "values": ("f", 2)}:
            raise CheckpointError(
                f"cma needs an origin (P,) and values (generations, population), not {shapes}"
            )
        self._origin = np.array(state["origin"], dtype=np.float64)
        self._values = [np.array(row, dtype=np.float64) for row in state["values"]]
        self._strategy = None
